/**
 * Who a connection is: the state machine behind SaslHandshake and SaslAuthenticate, pure.
 *
 *     handshake ──mechanism──▶ tokens ──accepted──▶ session ──SaslHandshake──▶ tokens (again, KIP-368)
 *         │                      │ refused              │ past its lifetime
 *         ▼                      ▼                      ▼
 *       ended                  ended                  ended
 *
 * A listener without SASL begins and stays in `open`. Wall time is in ms; a clock that jumps ends sessions early or
 * late by the jump, which their credentials' expiry means anyway.
 */
import { CODE } from '../wire/errors.ts';
import type { Exchange, Identity } from './exchange.ts';

export type Authentication =
  | { readonly phase: 'open' }
  | { readonly phase: 'handshake' }
  | {
      readonly phase: 'tokens';
      readonly mechanism: string;
      readonly exchange: Exchange;
      /** Handshake version 0: frames are tokens, without a header. */
      readonly isRaw: boolean;
      /** What is to be renewed, when the client authenticates again. */
      readonly before: Session | undefined;
    }
  | { readonly phase: 'session'; readonly session: Session }
  | { readonly phase: 'ended' };

export interface Session {
  readonly principal: string;
  readonly mechanism: string;
  /** When the handshake to renew it began, to bound how often; undefined for the first. */
  readonly renewalMs: number | undefined;
  readonly expiresMs: number | undefined;
}

export type AuthenticationEvent =
  /** Any request, before it is served. */
  | { readonly type: 'request'; readonly api: 'versions' | 'handshake' | 'authenticate' | 'other' }
  | {
      readonly type: 'handshake';
      readonly version: number;
      readonly mechanism: string;
      /** A fresh one; undefined when the mechanism is not enabled. */
      readonly exchange: Exchange | undefined;
    }
  | { readonly type: 'token'; readonly bytes: Buffer };

export interface Stepped {
  readonly state: Authentication;
  readonly answer?: AuthenticationAnswer;
  /** Why the connection ends, after the answer if there is one. */
  readonly close?: string;
}

export interface AuthenticationAnswer {
  readonly errorCode: number;
  readonly message: string | null;
  readonly bytes: Buffer;
  readonly sessionLifetimeMs: number;
}

const NOTHING = Buffer.alloc(0);
const ENDED: Authentication = { phase: 'ended' };
/** A client that authenticates again more often does not need to, and makes the broker work. */
const RENEWAL_INTERVAL_MIN_MS = 1_000;

export function stepAuthentication(
  state: Authentication,
  event: AuthenticationEvent,
  nowMs: number,
  connectionsMaxReauthMs: number,
): Stepped {
  switch (event.type) {
    case 'request':
      return admit(state, event.api, nowMs);
    case 'handshake':
      return handshake(state, event, nowMs);
    case 'token':
      return token(state, event.bytes, nowMs, connectionsMaxReauthMs);
  }
}

function admit(
  state: Authentication,
  api: (AuthenticationEvent & { type: 'request' })['api'],
  nowMs: number,
): Stepped {
  if (state.phase === 'open') return { state };
  if (state.phase === 'session') {
    const { expiresMs } = state.session;
    if (expiresMs === undefined || nowMs < expiresMs || api === 'handshake') return { state };
    return { state: ENDED, close: 'its session is past its lifetime' };
  }
  if (state.phase === 'ended') return { state, close: 'it could not be authenticated' };
  // While it authenticates again nothing else may come between.
  const isAllowed =
    state.phase === 'handshake'
      ? api === 'versions' || api === 'handshake'
      : api === 'authenticate' || (api === 'versions' && state.before === undefined);
  return isAllowed ? { state } : { state: ENDED, close: 'got a request before authentication' };
}

function handshake(
  state: Authentication,
  { version, mechanism, exchange }: AuthenticationEvent & { type: 'handshake' },
  nowMs: number,
): Stepped {
  if (state.phase === 'open') {
    return { state, answer: answer(CODE.ILLEGAL_SASL_STATE, 'this listener has no SASL') };
  }
  if (state.phase === 'ended' || state.phase === 'tokens') {
    const message = 'a handshake where none is due';
    return { state: ENDED, answer: answer(CODE.ILLEGAL_SASL_STATE, message), close: message };
  }
  const before = state.phase === 'session' ? state.session : undefined;
  if (before?.renewalMs !== undefined && nowMs - before.renewalMs < RENEWAL_INTERVAL_MIN_MS) {
    return { state, answer: answer(CODE.ILLEGAL_SASL_STATE, 'authenticated again too soon') };
  }
  if (!exchange) {
    return {
      state: ENDED,
      answer: answer(CODE.UNSUPPORTED_SASL_MECHANISM, 'mechanism not enabled'),
      close: `got SASL mechanism ${JSON.stringify(mechanism.slice(0, 100))}, which is not enabled`,
    };
  }
  const renewed = before && { ...before, renewalMs: nowMs };
  return {
    state: { phase: 'tokens', mechanism, exchange, isRaw: version === 0, before: renewed },
    answer: answer(CODE.NONE, null),
  };
}

function token(state: Authentication, bytes: Buffer, nowMs: number, connectionsMaxReauthMs: number): Stepped {
  if (state.phase !== 'tokens') {
    return { state, answer: answer(CODE.ILLEGAL_SASL_STATE, 'a token without a handshake before it') };
  }
  const { mechanism, before } = state;
  if (before && before.mechanism !== mechanism) {
    return failed(`SASL mechanism ${mechanism} in place of ${before.mechanism} on the same connection`);
  }
  const outcome = state.exchange.step(bytes, nowMs);
  if (outcome.type === 'refused') return failed(outcome.message);
  if (outcome.type === 'challenge') {
    return {
      state: { ...state, exchange: outcome.next },
      answer: { ...answer(CODE.NONE, null), bytes: outcome.bytes },
    };
  }
  const principal = `User:${outcome.identity.name}`;
  if (before && before.principal !== principal) {
    return failed('another principal than before on the same connection');
  }
  const lifetimeMs = lifetimeOf(outcome.identity, nowMs, connectionsMaxReauthMs);
  const session: Session = {
    principal,
    mechanism,
    renewalMs: before?.renewalMs,
    expiresMs: lifetimeMs === undefined ? undefined : nowMs + lifetimeMs,
  };
  return {
    state: { phase: 'session', session },
    answer: { ...answer(CODE.NONE, null), bytes: outcome.bytes, sessionLifetimeMs: lifetimeMs ?? 0 },
  };
}

/** The shorter of what the listener gives and what the credential has left; undefined when neither ends. */
function lifetimeOf(
  { expiresMs }: Identity,
  nowMs: number,
  connectionsMaxReauthMs: number,
): number | undefined {
  const left = expiresMs === undefined ? Infinity : Math.max(0, expiresMs - nowMs);
  const given = connectionsMaxReauthMs > 0 ? connectionsMaxReauthMs : Infinity;
  const lifetimeMs = Math.min(left, given);
  return lifetimeMs === Infinity ? undefined : lifetimeMs;
}

function failed(message: string): Stepped {
  return {
    state: ENDED,
    answer: answer(CODE.SASL_AUTHENTICATION_FAILED, message),
    close: message,
  };
}

function answer(errorCode: number, message: string | null): AuthenticationAnswer {
  return { errorCode, message, bytes: NOTHING, sessionLifetimeMs: 0 };
}
