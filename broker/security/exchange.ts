/** What a SASL mechanism does on the server's side: token in, challenge or verdict out. */
export interface Exchange {
  /** Pure: the exchange after this token is in the outcome. */
  step(token: Buffer, nowMs: number): Outcome;
}

export type Outcome =
  | { readonly type: 'challenge'; readonly bytes: Buffer; readonly next: Exchange }
  | { readonly type: 'accepted'; readonly bytes: Buffer; readonly identity: Identity }
  /** `message` goes to the client: it must not tell whether the user exists. */
  | { readonly type: 'refused'; readonly message: string };

export interface Identity {
  readonly name: string;
  /** Wall time at which the credential ends, where it does. */
  readonly expiresMs?: number | undefined;
}

export function refused(message: string): Outcome {
  return { type: 'refused', message: `Authentication failed: ${message}` };
}
