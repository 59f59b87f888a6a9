/** SASL PLAIN (RFC 4616): one token with name and password. */
import { createHash, timingSafeEqual } from 'node:crypto';

import { type Exchange, refused } from './exchange.ts';

/** Whether this is the user's password; the same work whether the user exists or not. */
export type PasswordCheck = (name: string, password: string) => boolean;

const NUL = '\0';

export function passwordCheck(passwords: ReadonlyMap<string, string>): PasswordCheck {
  const digests = new Map([...passwords].map(([name, password]) => [name, digest(password)]));
  const nobodys = digest('');
  return (name, password) => {
    const known = digests.get(name);
    const isEqual = timingSafeEqual(digest(password), known ?? nobodys);
    return isEqual && known !== undefined;
  };
}

export function plainExchange(check: PasswordCheck): Exchange {
  return {
    step(token) {
      const parts = token.toString('utf8').split(NUL);
      if (parts.length !== 3) return refused('got a PLAIN token of another form than name and password');
      const [authorizationId, name, password] = parts as [string, string, string];
      if (name === '' || password === '') return refused('got an empty name or password');
      if (authorizationId !== '' && authorizationId !== name) {
        return refused('got an authorization id other than the name');
      }
      if (!check(name, password)) return refused('wrong name or password');
      return { type: 'accepted', bytes: Buffer.alloc(0), identity: { name } };
    },
  };
}

/** Digests, since passwords of different lengths cannot be compared in constant time. */
function digest(password: string): Buffer {
  return createHash('sha256').update(password, 'utf8').digest();
}
