import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  credentialOf,
  saltPassword,
  SCRAM_MECHANISMS,
  scramExchange,
  type ScramMechanism,
} from '../security/scram.ts';
import type { LoginStep } from './login-exchange.ts';
import { plainLogin } from './login-exchange.ts';
import { scramLogin } from './scram-login.ts';

const SALT = Buffer.from('0123456789abcdef');
const ITERATIONS = 4_096;

test('the example of RFC 7677', () => {
  const nonce = 'rOprNGfwEbeRWgbNEkqO';
  const common = `${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0`;
  const first = scramLogin({ mechanism: 'SCRAM-SHA-256', username: 'user', password: 'pencil', nonce });
  expect(tokenOf(first)).toBe(`n,,n=user,r=${nonce}`);
  const second = answered(first, `r=${common},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`);
  expect(tokenOf(second)).toBe(`c=biws,r=${common},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`);
  expect(answered(second, 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=').type).toBe('done');
});

describe.each(SCRAM_MECHANISMS)('%s with our own server', (mechanism) => {
  test('lets in with the password, of whatever name and password', () => {
    const text = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 20 })
      .filter((one) => !one.includes('\0'));
    fc.assert(
      fc.property(text, text, (name, password) => {
        expect(talk(mechanism, name, password, password)).toBe('done');
      }),
      { numRuns: 20 },
    );
  });

  test('does not let in with another', () => {
    expect(talk(mechanism, 'ann', 'pencil', 'Pencil')).toMatch(/refused/);
  });
});

describe('a server that is not to be trusted', () => {
  const challenges: Array<[name: string, challenge: string, want: RegExp]> = [
    ['answers with another nonce', `r=other,s=c2FsdA==,i=4096`, /does not continue our nonce/],
    ['answers with our nonce alone', `r=abc,s=c2FsdA==,i=4096`, /does not continue our nonce/],
    ['asks for so few iterations that the proof is cheap to guess', 'r=abcd,s=c2FsdA==,i=4095', /got 4095/],
    ['asks for work without end', 'r=abcd,s=c2FsdA==,i=100001', /got 100001 SCRAM iterations/],
    ['wants an extension', 'm=x,r=abcd,s=c2FsdA==,i=4096', /extension/],
    ['says something else', 'hello', /of another form/],
    ['says nothing', '', /of another form/],
  ];
  for (const [name, challenge, want] of challenges) {
    test(`${name}: the proof is not sent`, () => {
      expect(reasonOf(answered(login('abc'), challenge))).toMatch(want);
    });
  }

  const verdicts: Array<[name: string, answer: string, want: RegExp]> = [
    ['without a signature', '', /does not prove/],
    ['with a signature of another password', `v=${Buffer.alloc(32, 1).toString('base64')}`, /does not prove/],
    ['with half a signature', 'v=AAAA', /does not prove/],
    ['with an error', 'e=invalid-proof', /the server says invalid-proof/],
  ];
  for (const [name, answer, want] of verdicts) {
    test(`${name} is refused`, () => {
      const proof = answered(login('abc'), `r=abcd,s=${SALT.toString('base64')},i=4096`);
      expect(reasonOf(answered(proof, answer))).toMatch(want);
    });
  }
});

test('PLAIN names nobody but the user', () => {
  expect(tokenOf(plainLogin('ann', 'pencil'))).toBe('\0ann\0pencil');
  expect(reasonOf(plainLogin('ann\0bob', 'pencil'))).toMatch(/NUL/);
});

function login(nonce: string): LoginStep {
  return scramLogin({ mechanism: 'SCRAM-SHA-256', username: 'ann', password: 'pencil', nonce });
}

/** How a login ends that a server with this password serves. */
function talk(mechanism: ScramMechanism, username: string, password: string, given: string): string {
  const saltedPassword = saltPassword(mechanism, password, SALT, ITERATIONS);
  const credential = credentialOf(mechanism, { saltedPassword, salt: SALT, iterations: ITERATIONS });
  const find = (name: string) => (name === username ? credential : undefined);
  let server = scramExchange({ mechanism, find, imagine: () => credential }, 'server');
  let step = scramLogin({ mechanism, username, password: given, nonce: 'client' });
  while (step.type === 'send') {
    const outcome = server.step(step.token, 0);
    if (outcome.type === 'refused') return `refused: ${outcome.message}`;
    if (outcome.type === 'challenge') server = outcome.next;
    step = step.next(outcome.bytes);
  }
  return step.type;
}

function tokenOf(step: LoginStep): string {
  return step.type === 'send' ? step.token.toString('utf8') : step.type;
}

function reasonOf(step: LoginStep): string {
  return step.type === 'failed' ? step.reason : step.type;
}

function answered(step: LoginStep, answer: string): LoginStep {
  if (step.type !== 'send') throw new Error(`no token is sent: ${step.type}`);
  return step.next(Buffer.from(answer));
}
