/**
 * SCRAM (RFC 5802, RFC 7677), the server's side, pure: the nonce and the credentials are given.
 *
 *     client  n,,n=user,r=CLIENT_NONCE
 *     server  r=CLIENT_NONCE SERVER_NONCE,s=SALT,i=ITERATIONS
 *     client  c=biws,r=...,p=PROOF
 *     server  v=SIGNATURE
 *
 * Kept are salt, iterations and the two keys derived from the password, never the password. Absent: channel binding,
 * delegation tokens.
 */
import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto';

import { type Exchange, type Outcome, refused } from './exchange.ts';

export const SCRAM_MECHANISMS = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
export type ScramMechanism = (typeof SCRAM_MECHANISMS)[number];

/** Fewer would be cheap to guess; more would cost clients seconds, and are refused by Apache Kafka too. */
export const ITERATIONS_MIN = 4_096;
export const ITERATIONS_MAX = 16_384;

export interface ScramCredential {
  readonly iterations: number;
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

export interface ScramServer {
  readonly mechanism: ScramMechanism;
  /** Of this user; undefined when there is none. */
  find(name: string): ScramCredential | undefined;
  /** What a user that does not exist seems to have: the same at every attempt. */
  imagine(name: string): ScramCredential;
}

const HASHES = {
  'SCRAM-SHA-256': { name: 'sha256', bytes: 32 },
  'SCRAM-SHA-512': { name: 'sha512', bytes: 64 },
} as const;

const SASL_NAME = String.raw`(?:[^,=\0]|=2C|=3D)+`;
const FIRST = new RegExp(
  `^(?<header>[ny],(?:a=(?<authorizationId>${SASL_NAME}))?,)` +
    `(?<bare>n=(?<name>${SASL_NAME}),r=(?<nonce>[!-+\\--~]+)(?<extensions>(?:,[A-Za-z]=[^,\\0]*)*))$`,
  'u',
);
const FINAL =
  /^(?<withoutProof>c=(?<binding>[A-Za-z0-9+/=]+),r=(?<nonce>[!-+\--~]+)(?:,[A-Za-z]=[^,\0]*)*),p=(?<proof>[A-Za-z0-9+/=]+)$/u;

const INVALID = 'wrong name or password';

/** `serverNonce`: fresh and printable, without commas. */
export function scramExchange(server: ScramServer, serverNonce: string): Exchange {
  return { step: (token) => first(server, serverNonce, token.toString('utf8')) };
}

function first(server: ScramServer, serverNonce: string, message: string): Outcome {
  const got = FIRST.exec(message)?.groups;
  if (!got) return refused('got a first SCRAM message of another form');
  const name = unescape(got['name']!);
  const authorizationId = got['authorizationId'];
  if (authorizationId !== undefined && unescape(authorizationId) !== name) {
    return refused('got an authorization id other than the name');
  }
  const found = server.find(name);
  const credential = found ?? server.imagine(name);
  const nonce = got['nonce']! + serverNonce;
  const answer = `r=${nonce},s=${credential.salt.toString('base64')},i=${credential.iterations}`;
  const next: Exchange = {
    step: (token) =>
      final(token.toString('utf8'), {
        mechanism: server.mechanism,
        name,
        credential,
        isKnown: found !== undefined,
        serverNonce,
        header: got['header']!,
        soFar: `${got['bare']!},${answer}`,
      }),
  };
  return { type: 'challenge', bytes: Buffer.from(answer), next };
}

interface Half {
  readonly mechanism: ScramMechanism;
  readonly name: string;
  readonly credential: ScramCredential;
  readonly isKnown: boolean;
  readonly serverNonce: string;
  readonly header: string;
  readonly soFar: string;
}

function final(message: string, half: Half): Outcome {
  const got = FINAL.exec(message)?.groups;
  if (!got) return refused('got a final SCRAM message of another form');
  // Only the server's part, as Kafka 3.9: librdkafka before 2.6.1 sends its own twice, which Kafka 4 refuses. The proof
  // covers the message as it came.
  if (!got['nonce']!.endsWith(half.serverNonce)) return refused('got another nonce than was given');
  if (Buffer.from(got['binding']!, 'base64').toString('utf8') !== half.header) {
    return refused('got another channel binding than announced');
  }
  const { mechanism, credential } = half;
  const authMessage = `${half.soFar},${got['withoutProof']!}`;
  const proof = Buffer.from(got['proof']!, 'base64');
  const signature = hmac(mechanism, credential.storedKey, authMessage);
  if (proof.length !== signature.length) return refused(INVALID);
  const clientKey = Buffer.from(proof.map((byte, index) => byte ^ signature[index]!));
  const isRight = timingSafeEqual(hash(mechanism, clientKey), credential.storedKey);
  if (!isRight || !half.isKnown) return refused(INVALID);
  const verifier = hmac(mechanism, credential.serverKey, authMessage).toString('base64');
  return { type: 'accepted', bytes: Buffer.from(`v=${verifier}`), identity: { name: half.name } };
}

/** RFC 5802's Hi: what AlterUserScramCredentials carries in place of the password. */
export function saltPassword(
  mechanism: ScramMechanism,
  password: string,
  salt: Buffer,
  iterations: number,
): Buffer {
  const { name, bytes } = HASHES[mechanism];
  return pbkdf2Sync(Buffer.from(password, 'utf8'), salt, iterations, bytes, name);
}

export function credentialOf(
  mechanism: ScramMechanism,
  { saltedPassword, salt, iterations }: { saltedPassword: Buffer; salt: Buffer; iterations: number },
): ScramCredential {
  return {
    iterations,
    salt,
    storedKey: hash(mechanism, hmac(mechanism, saltedPassword, 'Client Key')),
    serverKey: hmac(mechanism, saltedPassword, 'Server Key'),
  };
}

/** Derived from a secret, so that it stays and cannot be told from a real one. */
export function imaginedCredential(mechanism: ScramMechanism, secret: Buffer, name: string): ScramCredential {
  const of = (what: string): Buffer => hmac(mechanism, secret, `${what} ${name}`);
  return {
    iterations: ITERATIONS_MIN,
    salt: of('salt').subarray(0, 24),
    storedKey: of('stored'),
    serverKey: of('server'),
  };
}

function hmac(mechanism: ScramMechanism, key: Buffer, text: string): Buffer {
  return createHmac(HASHES[mechanism].name, key).update(text, 'utf8').digest();
}

function hash(mechanism: ScramMechanism, bytes: Buffer): Buffer {
  return createHash(HASHES[mechanism].name).update(bytes).digest();
}

function unescape(saslName: string): string {
  return saslName.replaceAll('=2C', ',').replaceAll('=3D', '=');
}
