/** What a SASL mechanism does on the client's side, pure: a token out, the server's answer in, until it is over. */
export type LoginStep =
  | { readonly type: 'send'; readonly token: Buffer; readonly next: (answer: Buffer) => LoginStep }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly reason: string };

/** RFC 4616. Whom the token names must not contain the separator, or it would name another. */
export function plainLogin(username: string, password: string): LoginStep {
  const NUL = '\0';
  if (username.includes(NUL) || password.includes(NUL)) {
    return { type: 'failed', reason: 'got a NUL in name or password' };
  }
  const token = Buffer.from(`${NUL}${username}${NUL}${password}`, 'utf8');
  return { type: 'send', token, next: () => ({ type: 'done' }) };
}
