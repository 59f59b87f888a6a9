import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { readKeySet, type TokenRules } from './jwt.ts';
import { oauthBearerExchange } from './oauthbearer.ts';

const NOW_MS = 1_800_000_000_000;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const keys = readKeySet(
  JSON.stringify({
    keys: [
      { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'r' },
      { ...ec.publicKey.export({ format: 'jwk' }), kid: 'e' },
      { kty: 'oct', k: 'AAAA', kid: 'o' },
    ],
  }),
);
const RULES: TokenRules = {
  keys,
  allowUnsecured: false,
  issuer: 'https://issuer',
  audience: 'kafka',
  principalClaim: 'sub',
  requiredScopes: ['logs'],
  clockSkewMs: 0,
};
const CLAIMS = {
  sub: 'ann',
  iss: 'https://issuer',
  aud: ['kafka'],
  scope: 'a logs',
  exp: NOW_MS / 1_000 + 60,
};

function token(head: object, claims: object, signer: (input: string) => Buffer): string {
  const input = [head, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${input}.${signer(input).toString('base64url')}`;
}
const signed = (alg: string, key: KeyObject, claims: object = {}, kid?: string): string =>
  token({ alg, kid }, { ...CLAIMS, ...claims }, (input) =>
    sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }),
  );
const message = (bearer: string, extensions = ''): Buffer =>
  Buffer.from(`n,,\u0001auth=Bearer ${bearer}\u0001${extensions}\u0001`);
const outcome = (bytes: Buffer, rules: TokenRules = RULES) =>
  oauthBearerExchange(() => rules).step(bytes, NOW_MS);

describe('a token is accepted', () => {
  const cases: Array<[name: string, bytes: Buffer, rules?: TokenRules]> = [
    ['signed with RS256', message(signed('RS256', rsa.privateKey))],
    ['signed with ES256', message(signed('ES256', ec.privateKey, {}, 'e'))],
    ['with extensions', message(signed('ES256', ec.privateKey), 'traceId=1\u0001team=ops and more\u0001')],
    [
      'with its name as the authorization id',
      Buffer.from(message(signed('ES256', ec.privateKey)).toString().replace('n,,', 'n,a=ann,')),
    ],
    [
      'unsecured, where that is allowed',
      message(token({ alg: 'none' }, CLAIMS, () => Buffer.alloc(0))),
      { ...RULES, allowUnsecured: true },
    ],
    [
      'just expired, within the skew',
      message(signed('ES256', ec.privateKey, { exp: NOW_MS / 1_000 - 1 })),
      { ...RULES, clockSkewMs: 2_000 },
    ],
  ];
  for (const [name, bytes, rules] of cases) {
    test(`${name}`, () => {
      expect(outcome(bytes, rules)).toMatchObject({ type: 'accepted', identity: { name: 'ann' } });
    });
  }

  test('and its session ends with it', () => {
    const got = outcome(message(signed('ES256', ec.privateKey)));
    expect(got).toMatchObject({ identity: { expiresMs: NOW_MS + 60_000 } });
  });
});

describe('a token is answered invalid_token, and refused once that is acknowledged', () => {
  const cases: Record<string, Buffer> = {
    'of another key': message(signed('ES256', stranger.privateKey)),
    'that names another key': message(signed('ES256', ec.privateKey, {}, 'r')),
    expired: message(signed('ES256', ec.privateKey, { exp: NOW_MS / 1_000 })),
    'without an end': message(signed('ES256', ec.privateKey, { exp: undefined })),
    'not yet valid': message(signed('ES256', ec.privateKey, { nbf: NOW_MS / 1_000 + 5 })),
    'of another issuer': message(signed('ES256', ec.privateKey, { iss: 'https://other' })),
    'for another audience': message(signed('ES256', ec.privateKey, { aud: 'other' })),
    'without the scope': message(signed('ES256', ec.privateKey, { scope: 'logs2' })),
    'without a name': message(signed('ES256', ec.privateKey, { sub: '' })),
    unsecured: message(token({ alg: 'none' }, CLAIMS, () => Buffer.alloc(0))),
    'with a public key as a shared secret': message(
      token({ alg: 'HS256' }, CLAIMS, (input) =>
        createHmac('sha256', rsa.publicKey.export({ type: 'spki', format: 'pem' }))
          .update(input)
          .digest(),
      ),
    ),
    'that is none': message('abc'),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    test(`${name}`, () => {
      const got = outcome(bytes);
      expect(got).toMatchObject({ type: 'challenge', bytes: Buffer.from('{"status":"invalid_token"}') });
      const next = got.type === 'challenge' ? got.next.step(Buffer.from([1]), NOW_MS) : got;
      expect(next.type).toBe('refused');
    });
  }
});

describe('a message is refused', () => {
  const good = signed('ES256', ec.privateKey);
  const cases: Record<string, Buffer> = {
    'without a token': Buffer.from('n,,\u0001\u0001'),
    'with two tokens': message(good, `auth=Bearer ${good}\u0001`),
    'with an extension of a bad name': message(good, 'bad-name=1\u0001'),
    'with an extension of bad characters': message(good, 'name=\u0002\u0001'),
    'for somebody else': Buffer.from(message(good).toString().replace('n,,', 'n,a=bob,')),
    'of another scheme': Buffer.from('n,,\u0001auth=Basic abc\u0001\u0001'),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    test(`${name}`, () => expect(outcome(bytes).type).toBe('refused'));
  }
});

test('what is no key set is refused', () => {
  expect(() => readKeySet('{"keys": 1}')).toThrow(/cannot read a key set/);
});
