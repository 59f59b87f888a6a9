import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { CODE } from '../wire/errors.ts';
import {
  type Authentication,
  type AuthenticationEvent,
  type Stepped,
  stepAuthentication,
} from './authentication.ts';
import type { Exchange } from './exchange.ts';
import { passwordCheck, plainExchange } from './plain.ts';

const check = passwordCheck(
  new Map([
    ['ann', 'secret'],
    ['bob', 'other'],
  ]),
);
const plain = (): Exchange => plainExchange(check);
const START: Authentication = { phase: 'handshake' };
const MAX_REAUTH_MS = 10_000;

const handshake = (mechanism = 'PLAIN'): AuthenticationEvent => ({
  type: 'handshake',
  version: 1,
  mechanism,
  exchange: mechanism === 'NONE' ? undefined : plain(),
});
const token = (name: string, password: string): AuthenticationEvent => ({
  type: 'token',
  bytes: Buffer.from(`\0${name}\0${password}`),
});
const request = (api: (AuthenticationEvent & { type: 'request' })['api']): AuthenticationEvent => ({
  type: 'request',
  api,
});

function walk(
  steps: ReadonlyArray<readonly [atMs: number, event: AuthenticationEvent]>,
  state = START,
): Stepped {
  let last: Stepped = { state };
  for (const [atMs, event] of steps) last = stepAuthentication(last.state, event, atMs, MAX_REAUTH_MS);
  return last;
}

const authenticated = [
  [0, handshake()],
  [0, token('ann', 'secret')],
] as const;

test('a session holds for as long as the listener gives, and is told', () => {
  const { state, answer } = walk(authenticated);
  expect(answer).toMatchObject({ errorCode: 0, sessionLifetimeMs: MAX_REAUTH_MS });
  expect(state).toMatchObject({ session: { principal: 'User:ann', expiresMs: MAX_REAUTH_MS } });
});

test('without connectionsMaxReauthMs a session never ends', () => {
  const begun = stepAuthentication(START, handshake(), 0, 0);
  const { state, answer } = stepAuthentication(begun.state, token('ann', 'secret'), 0, 0);
  expect(answer?.sessionLifetimeMs).toBe(0);
  expect(stepAuthentication(state, request('other'), 1e15, 0).close).toBeUndefined();
});

describe('a session that ends with its credential', () => {
  const cases = [
    { left: 3_000, given: MAX_REAUTH_MS, want: 3_000 },
    { left: 30_000, given: MAX_REAUTH_MS, want: MAX_REAUTH_MS },
    { left: 30_000, given: 0, want: 30_000 },
  ];
  for (const { left, given, want } of cases) {
    test(`${left} ms left, ${given} given: ${want}`, () => {
      const exchange: Exchange = {
        step: (_token, nowMs) => ({
          type: 'accepted',
          bytes: Buffer.alloc(0),
          identity: { name: 'ann', expiresMs: nowMs + left },
        }),
      };
      const begun = stepAuthentication(
        START,
        { type: 'handshake', version: 1, mechanism: 'X', exchange },
        5,
        given,
      );
      const { answer } = stepAuthentication(begun.state, { type: 'token', bytes: Buffer.alloc(0) }, 5, given);
      expect(answer?.sessionLifetimeMs).toBe(want);
    });
  }
});

describe('closes the connection', () => {
  const cases: Record<string, Parameters<typeof walk>[0]> = {
    'any request before authentication': [[0, request('other')]],
    'a token before a handshake': [[0, request('authenticate')]],
    'another request between handshake and token': [
      [0, handshake()],
      [0, request('other')],
    ],
    'a second handshake in place of a token': [
      [0, handshake()],
      [0, request('handshake')],
    ],
    'an unknown mechanism': [[0, handshake('NONE')]],
    'a wrong password': [
      [0, handshake()],
      [0, token('ann', 'wrong')],
    ],
    'an unknown user': [
      [0, handshake()],
      [0, token('eve', 'secret')],
    ],
    'a request after the lifetime': [...authenticated, [MAX_REAUTH_MS, request('other')]],
    'ApiVersions after the lifetime': [...authenticated, [MAX_REAUTH_MS, request('versions')]],
    'another mechanism at renewal': [
      ...authenticated,
      [5, handshake('SCRAM-SHA-256')],
      [5, token('ann', 'secret')],
    ],
    'another principal at renewal': [...authenticated, [5, handshake()], [5, token('bob', 'other')]],
    'a wrong password at renewal': [...authenticated, [5, handshake()], [5, token('ann', 'wrong')]],
    'another request while renewing': [...authenticated, [5, handshake()], [5, request('other')]],
  };
  for (const [name, steps] of Object.entries(cases)) {
    test(`${name}`, () => {
      const { close, state } = walk(steps);
      expect(close).toBeDefined();
      expect(state.phase).toBe('ended');
    });
  }
});

describe('goes on', () => {
  const cases: Record<string, Parameters<typeof walk>[0]> = {
    'ApiVersions before authentication': [
      [0, request('versions')],
      [0, request('versions')],
    ],
    'ApiVersions between handshake and token': [
      [0, handshake()],
      [0, request('versions')],
    ],
    'a request within the lifetime': [...authenticated, [MAX_REAUTH_MS - 1, request('other')]],
    'a handshake after the lifetime': [...authenticated, [MAX_REAUTH_MS + 1, request('handshake')]],
    'a renewal within the lifetime': [...authenticated, [5, handshake()], [5, token('ann', 'secret')]],
    'a request after a renewal, past the first lifetime': [
      ...authenticated,
      [9_000, handshake()],
      [9_000, token('ann', 'secret')],
      [15_000, request('other')],
    ],
  };
  for (const [name, steps] of Object.entries(cases)) {
    test(`${name}`, () => expect(walk(steps).close).toBeUndefined());
  }
});

test('renewing more than once a second is answered ILLEGAL_SASL_STATE, and the session stays', () => {
  const { answer, state, close } = walk([
    ...authenticated,
    [5, handshake()],
    [5, token('ann', 'secret')],
    [900, handshake()],
  ]);
  expect(answer?.errorCode).toBe(CODE.ILLEGAL_SASL_STATE);
  expect([state.phase, close]).toEqual(['session', undefined]);
});

test('the message of a refusal does not tell whether the user exists', () => {
  const messages = ['ann', 'eve'].map(
    (name) =>
      walk([
        [0, handshake()],
        [0, token(name, 'wrong')],
      ]).answer,
  );
  expect(messages[0]).toEqual(messages[1]);
  expect(messages[0]).toMatchObject({ errorCode: CODE.SASL_AUTHENTICATION_FAILED });
});

test('a listener without SASL answers a handshake ILLEGAL_SASL_STATE and serves everything', () => {
  const open: Authentication = { phase: 'open' };
  expect(walk([[0, handshake()]], open).answer?.errorCode).toBe(CODE.ILLEGAL_SASL_STATE);
  expect(walk([[0, request('other')]], open).close).toBeUndefined();
});

test('whatever is sent, nobody is anybody without having given the password', () => {
  const event = fc.oneof(
    fc.constantFrom('versions', 'handshake', 'authenticate', 'other').map((api) => request(api)),
    fc.constantFrom('PLAIN', 'SCRAM-SHA-256', 'NONE').map(handshake),
    fc
      .constantFrom(['ann', 'secret'], ['ann', 'wrong'], ['bob', 'other'], ['eve', 'secret'])
      .map(([name, password]) => token(name!, password!)),
  );
  const holds = fc.check(
    fc.property(fc.array(fc.tuple(fc.nat(6_000), event), { maxLength: 30 }), (steps) => {
      let state: Authentication = START;
      let nowMs = 0;
      let given: string | undefined;
      for (const [laterMs, next] of steps) {
        nowMs += laterMs;
        const before = state;
        ({ state } = stepAuthentication(state, next, nowMs, MAX_REAUTH_MS));
        const name =
          next.type === 'token' ? /^\0(ann)\0secret$|^\0(bob)\0other$/.exec(next.bytes.toString()) : null;
        if (name && before.phase === 'tokens') given = `User:${name[1] ?? name[2]}`;
        expect(state.phase === 'session' ? state.session.principal : given).toBe(given);
        // What has ended never comes back, and a session past its lifetime serves nothing.
        expect(before.phase === 'ended' ? state.phase : 'ended').toBe('ended');
      }
    }),
  );
  expect(fc.defaultReportMessage(holds)).toBeUndefined();
});
