/**
 * JSON Web Tokens as OAUTHBEARER carries them: RS256 and ES256 against a key set, issuer, audience, times, scope.
 * Unsecured ones (`alg: none`) only where the settings say so, for tests. Nothing else is taken: a token's own header
 * must not choose how it is checked.
 */
import { createPublicKey, type JsonWebKey, type KeyObject, verify } from 'node:crypto';

import { z } from 'zod';

import type { Identity } from './exchange.ts';

export interface TokenRules {
  readonly keys: readonly TokenKey[];
  readonly allowUnsecured: boolean;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  readonly principalClaim: string;
  readonly requiredScopes: readonly string[];
  readonly clockSkewMs: number;
}

export interface TokenKey {
  readonly id: string | undefined;
  readonly algorithm: 'RS256' | 'ES256';
  readonly key: KeyObject;
}

const keySet = z.object({
  keys: z.array(
    z.looseObject({
      kty: z.string(),
      kid: z.string().optional(),
      crv: z.string().optional(),
      use: z.string().optional(),
    }),
  ),
});
const header = z.object({ alg: z.string(), kid: z.string().optional() });
const claims = z.looseObject({
  exp: z.number(),
  nbf: z.number().optional(),
  iss: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
  scope: z.union([z.string(), z.array(z.string())]).optional(),
});
type Claims = z.infer<typeof claims>;

/** Keys of other kinds than RS256 and ES256 use are left out. @throws Error when it is no key set (RFC 7517) */
export function readKeySet(text: string): TokenKey[] {
  const parsed = keySet.safeParse(jsonOf(text));
  if (!parsed.success) throw new Error('cannot read a key set: want JSON with a list of `keys`');
  return parsed.data.keys.flatMap((jwk) => {
    const isRsa = jwk.kty === 'RSA';
    if (jwk.use === 'enc' || !(isRsa || (jwk.kty === 'EC' && jwk.crv === 'P-256'))) return [];
    const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
    return [{ id: jwk.kid, algorithm: isRsa ? ('RS256' as const) : ('ES256' as const), key }];
  });
}

/** Undefined when the token does not hold, for whatever reason. */
export function identityOf(token: string, rules: TokenRules, nowMs: number): Identity | undefined {
  const parts = token.split('.');
  if (parts.length !== 3) return undefined;
  const [head, body, signature] = parts as [string, string, string];
  const headed = header.safeParse(jsonOf(Buffer.from(head, 'base64url').toString('utf8')));
  const claimed = claims.safeParse(jsonOf(Buffer.from(body, 'base64url').toString('utf8')));
  if (!headed.success || !claimed.success) return undefined;
  const { alg, kid } = headed.data;
  const isSigned =
    alg === 'none'
      ? rules.allowUnsecured && signature === ''
      : rules.keys.some(
          ({ id, algorithm, key }) =>
            algorithm === alg &&
            (kid === undefined || id === undefined || id === kid) &&
            verify(
              'sha256',
              Buffer.from(`${head}.${body}`),
              { key, dsaEncoding: 'ieee-p1363' },
              Buffer.from(signature, 'base64url'),
            ),
        );
  return isSigned ? named(claimed.data, rules, nowMs) : undefined;
}

function named(claim: Claims, rules: TokenRules, nowMs: number): Identity | undefined {
  const { issuer, audience, principalClaim, requiredScopes, clockSkewMs } = rules;
  const expiresMs = claim.exp * 1_000;
  if (!(nowMs < expiresMs + clockSkewMs)) return undefined;
  if (claim.nbf !== undefined && claim.nbf * 1_000 > nowMs + clockSkewMs) return undefined;
  if (issuer !== undefined && claim.iss !== issuer) return undefined;
  if (audience !== undefined && ![claim.aud].flat().includes(audience)) return undefined;
  const scopes = typeof claim.scope === 'string' ? claim.scope.split(' ') : (claim.scope ?? []);
  if (!requiredScopes.every((scope) => scopes.includes(scope))) return undefined;
  const name = claim[principalClaim];
  return typeof name === 'string' && name !== '' ? { name, expiresMs } : undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
