/**
 * SCRAM (RFC 5802, RFC 7677), the client's side, pure: the nonce is given. The messages are drawn in
 * `security/scram.ts`. The server proves at the end that it knows the password too; one that does not is no broker of
 * ours, whatever its certificate says. Absent: channel binding, SASLprep (as in Kafka's own clients).
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

import { ITERATIONS_MIN, saltPassword, type ScramMechanism } from '../security/scram.ts';
import type { LoginStep } from './login-exchange.ts';

/** A server may not keep our event loop busy for longer than a tenth of a second. Kafka stops at 16,384. */
const ITERATIONS_TAKEN_MAX = 100_000;
const HASHES = { 'SCRAM-SHA-256': 'sha256', 'SCRAM-SHA-512': 'sha512' } as const;
/** `biws` is the header `n,,` in base64: no channel binding, nobody else's name. */
const HEADER = 'n,,';
const BINDING = 'c=biws';

const CHALLENGE =
  /^(?:[A-Za-z]=[^,]*,)*r=(?<nonce>[!-+\--~]+),s=(?<salt>[A-Za-z0-9+/=]+),i=(?<iterations>\d{1,9})(?:,.*)?$/u;

export interface ScramLogin {
  readonly mechanism: ScramMechanism;
  readonly username: string;
  readonly password: string;
  /** Fresh and printable, without commas. */
  readonly nonce: string;
}

export function scramLogin(login: ScramLogin): LoginStep {
  const bare = `n=${escape(login.username)},r=${login.nonce}`;
  return {
    type: 'send',
    token: Buffer.from(HEADER + bare, 'utf8'),
    next: (answer) => prove(login, bare, answer.toString('utf8')),
  };
}

function prove({ mechanism, password, nonce }: ScramLogin, bare: string, challenge: string): LoginStep {
  // `m=` announces something that has to be understood, and we do not.
  if (challenge.startsWith('m=')) return failed('got a SCRAM extension, want none');
  const got = CHALLENGE.exec(challenge)?.groups;
  if (!got) return failed('got a SCRAM challenge of another form');
  const common = got['nonce']!;
  // A nonce that is ours alone, or somebody else's, could be an answer that was heard before.
  if (!common.startsWith(nonce) || common.length === nonce.length) {
    return failed('got a SCRAM challenge that does not continue our nonce');
  }
  const iterations = Number(got['iterations']);
  if (iterations < ITERATIONS_MIN || iterations > ITERATIONS_TAKEN_MAX) {
    return failed(`got ${iterations} SCRAM iterations, want ${ITERATIONS_MIN} to ${ITERATIONS_TAKEN_MAX}`);
  }
  const hash = HASHES[mechanism];
  const hmac = (key: Buffer, text: string): Buffer => createHmac(hash, key).update(text, 'utf8').digest();
  const salted = saltPassword(mechanism, password, Buffer.from(got['salt']!, 'base64'), iterations);
  const clientKey = hmac(salted, 'Client Key');
  const storedKey = createHash(hash).update(clientKey).digest();
  const withoutProof = `${BINDING},r=${common}`;
  const authMessage = `${bare},${challenge},${withoutProof}`;
  const signature = hmac(storedKey, authMessage);
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ signature[index]!)).toString('base64');
  return {
    type: 'send',
    token: Buffer.from(`${withoutProof},p=${proof}`, 'utf8'),
    next: (answer) => verify(answer.toString('utf8'), hmac(hmac(salted, 'Server Key'), authMessage)),
  };
}

function verify(answer: string, want: Buffer): LoginStep {
  if (answer.startsWith('e=')) return failed(`the server says ${answer.slice(2, 100)}`);
  const got = Buffer.from(/^v=([A-Za-z0-9+/=]+)/.exec(answer)?.[1] ?? '', 'base64');
  const isRight = got.length === want.length && timingSafeEqual(got, want);
  return isRight ? { type: 'done' } : failed('the server does not prove that it knows the password');
}

function failed(reason: string): LoginStep {
  return { type: 'failed', reason };
}

function escape(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C');
}
