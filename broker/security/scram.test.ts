import { describe, expect, test } from 'vitest';

import type { Outcome } from './exchange.ts';
import { credentialOf, imaginedCredential, saltPassword, scramExchange, type ScramServer } from './scram.ts';

/** RFC 7677, section 3. */
const RFC = {
  mechanism: 'SCRAM-SHA-256',
  salt: Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'),
  iterations: 4096,
  serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  first: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
  challenge: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  final:
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  verifier: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
} as const;

function server(): ScramServer {
  const { mechanism, salt, iterations } = RFC;
  const saltedPassword = saltPassword(mechanism, 'pencil', salt, iterations);
  const credential = credentialOf(mechanism, { saltedPassword, salt, iterations });
  const secret = Buffer.alloc(32, 7);
  return {
    mechanism,
    find: (name) => (name === 'user' || name === 'a,b=c' ? credential : undefined),
    imagine: (name) => imaginedCredential(mechanism, secret, name),
  };
}

function begin(message: string): Outcome {
  return scramExchange(server(), RFC.serverNonce).step(Buffer.from(message), 0);
}

function finish(first: string, final: string): Outcome {
  const begun = begin(first);
  if (begun.type !== 'challenge') throw new Error(`got ${begun.type}, want a challenge`);
  return begun.next.step(Buffer.from(final), 0);
}

test('the example of RFC 7677', () => {
  expect(begin(RFC.first)).toMatchObject({ type: 'challenge', bytes: Buffer.from(RFC.challenge) });
  expect(finish(RFC.first, RFC.final)).toEqual({
    type: 'accepted',
    bytes: Buffer.from(RFC.verifier),
    identity: { name: 'user' },
  });
});

describe('a first message is refused', () => {
  const cases = {
    'with channel binding': 'p=tls-unique,,n=user,r=abc',
    'for somebody else': 'n,a=admin,n=user,r=abc',
    'without a nonce': 'n,,n=user,r=',
    'without a name': 'n,,n=,r=abc',
    'with a comma in the nonce': 'n,,n=user,r=a,b',
    'with a bare equals sign in the name': 'n,,n=us=er,r=abc',
    'with an extension that must be understood': 'n,,m=x,n=user,r=abc',
    'that is no SCRAM at all': '\0user\0pencil',
  };
  for (const [name, message] of Object.entries(cases)) {
    test(`${name}`, () => expect(begin(message).type).toBe('refused'));
  }
});

describe('a final message is refused', () => {
  const cases = {
    'with a wrong proof': RFC.final.replace('p=dHz', 'p=dHa'),
    'with a proof that is too short': RFC.final.replace(/p=.*/, 'p=dHzb'),
    'with the nonce of the client alone': RFC.final.replace('%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0', ''),
    'with another channel binding': RFC.final.replace('c=biws', 'c=eSws'),
    'with a nonce of the same length': RFC.final.replace('r=rOpr', 'r=xOpr'),
    'without a proof': RFC.final.replace(/,p=.*/, ''),
  };
  for (const [name, message] of Object.entries(cases)) {
    test(`${name}`, () => expect(finish(RFC.first, message).type).toBe('refused'));
  }
});

test('an unknown user gets a challenge that stays the same, and the refusal of a wrong password', () => {
  const asNobody = RFC.first.replace('n=user', 'n=nobody');
  const [once, again] = [begin(asNobody), begin(asNobody)];
  expect(once).toMatchObject({ type: 'challenge' });
  expect(once).toHaveProperty('bytes', (again as { bytes: Buffer }).bytes);
  expect(String((once as { bytes: Buffer }).bytes)).toMatch(/,s=[A-Za-z0-9+/]{32},i=4096$/);
  expect(finish(asNobody, RFC.final)).toEqual(finish(RFC.first, RFC.final.replace('p=dHz', 'p=dHa')));
});

test('names may hold commas and equals signs, escaped', () => {
  expect(begin('n,,n=a=2Cb=3Dc,r=abc').type).toBe('challenge');
  expect(begin('n,a=a=2Cb=3Dc,n=a=2Cb=3Dc,r=abc').type).toBe('challenge');
});
