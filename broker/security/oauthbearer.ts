/**
 * SASL OAUTHBEARER (RFC 7628), the server's side, pure.
 *
 *     client  n,,^Aauth=Bearer TOKEN^A[name=value^A...]^A        (^A is a byte of 1)
 *     server  nothing; or {"status":"invalid_token"}, which the client acknowledges with ^A before it is refused
 *
 * Extensions must be well formed; nothing uses them.
 */
import { type Exchange, refused } from './exchange.ts';
import { identityOf, type TokenRules } from './jwt.ts';

const SASL_NAME = String.raw`(?:[^,=\0]|=2C|=3D)+`;
const FIRST = new RegExp(
  `^n,(?:a=(?<authorizationId>${SASL_NAME}))?,\u0001(?<pairs>(?:[A-Za-z]+=[\\x20-\\x7e\\t\\r\\n]*\u0001)*)\u0001$`,
  'u',
);
const BEARER = /^Bearer +(?<token>[-._~+/A-Za-z0-9]+=*)$/i;
const INVALID = 'invalid_token';

/** `rules` is asked at every token, so that renewed keys hold. */
export function oauthBearerExchange(rules: () => TokenRules): Exchange {
  return {
    step(message, nowMs) {
      const got = FIRST.exec(message.toString('utf8'))?.groups;
      if (!got) return refused('got an OAUTHBEARER message of another form');
      const pairs = got['pairs']!.split('\u0001').filter((pair) => pair !== '');
      const auth = pairs.filter((pair) => pair.startsWith('auth='));
      const token = BEARER.exec(auth[0]?.slice('auth='.length) ?? '')?.groups?.['token'];
      if (auth.length !== 1 || token === undefined) return refused('got no bearer token, want one');
      const identity = identityOf(token, rules(), nowMs);
      if (!identity) {
        const next: Exchange = { step: () => refused(`{"status":"${INVALID}"}`) };
        return { type: 'challenge', bytes: Buffer.from(`{"status":"${INVALID}"}`), next };
      }
      const { authorizationId } = got;
      if (authorizationId !== undefined && authorizationId !== identity.name) {
        return refused('got an authorization id other than the name');
      }
      return { type: 'accepted', bytes: Buffer.alloc(0), identity };
    },
  };
}
