/** One connection's authentication: holds the state, asks the clock, makes exchanges. */
import type { Clock } from '../host/host.ts';
import { saslAuthenticate, saslHandshake, apiVersions } from '../wire/schemas/index.ts';
import { ANONYMOUS } from './authorizer.ts';
import {
  type Authentication,
  type AuthenticationAnswer,
  type AuthenticationEvent,
  type Stepped,
  stepAuthentication,
} from './authentication.ts';
import type { Exchange } from './exchange.ts';

/** What a listener asks of those who connect. */
export interface SaslServer {
  /** Enabled mechanisms in the order in which they are told, with a fresh exchange of each. */
  readonly mechanisms: ReadonlyMap<string, () => Exchange>;
  readonly connectionsMaxReauthMs: number;
  /** Told of every verdict. */
  readonly onOutcome: (mechanism: string, isAccepted: boolean) => void;
}

const KINDS = new Map<number, (AuthenticationEvent & { type: 'request' })['api']>([
  [apiVersions.key, 'versions'],
  [saslHandshake.key, 'handshake'],
  [saslAuthenticate.key, 'authenticate'],
]);

export class ConnectionAuthentication {
  private readonly sasl: SaslServer | undefined;
  private readonly anonymous: string;
  private readonly clock: Clock;
  private state: Authentication;

  /** `transportPrincipal`: who the client's certificate says it is. */
  constructor(sasl: SaslServer | undefined, clock: Clock, transportPrincipal = ANONYMOUS) {
    this.sasl = sasl;
    this.clock = clock;
    this.anonymous = sasl ? ANONYMOUS : transportPrincipal;
    this.state = sasl ? { phase: 'handshake' } : { phase: 'open' };
  }

  get principal(): string {
    if (this.state.phase === 'session') return this.state.session.principal;
    if (this.state.phase === 'tokens' && this.state.before) return this.state.before.principal;
    return this.anonymous;
  }

  /** Whether it is known who this is; until then requests are small and few. */
  get isSettled(): boolean {
    return this.state.phase === 'open' || this.state.phase === 'session' || this.isRenewing;
  }

  /** Whether the next frame is a token, without a request's header. */
  get isRaw(): boolean {
    return this.state.phase === 'tokens' && this.state.isRaw;
  }

  get mechanisms(): string[] {
    return [...(this.sasl?.mechanisms.keys() ?? [])];
  }

  /** Why this request may not be served, for which the connection closes; undefined when it may. */
  refusal(apiKey: number): string | undefined {
    return this.step({ type: 'request', api: KINDS.get(apiKey) ?? 'other' }).close;
  }

  handshake(version: number, mechanism: string): Stepped & { readonly answer: AuthenticationAnswer } {
    const exchange = this.sasl?.mechanisms.get(mechanism)?.();
    return answered(this.step({ type: 'handshake', version, mechanism, exchange }));
  }

  token(bytes: Buffer): Stepped & { readonly answer: AuthenticationAnswer } {
    const before = this.state;
    const stepped = answered(this.step({ type: 'token', bytes }));
    if (before.phase === 'tokens' && stepped.state.phase !== 'tokens') {
      this.sasl?.onOutcome(before.mechanism, stepped.state.phase === 'session');
    }
    return stepped;
  }

  private get isRenewing(): boolean {
    return this.state.phase === 'tokens' && this.state.before !== undefined;
  }

  private step(event: AuthenticationEvent): Stepped {
    const maxReauthMs = this.sasl?.connectionsMaxReauthMs ?? 0;
    const stepped = stepAuthentication(this.state, event, this.clock.nowMs(), maxReauthMs);
    this.state = stepped.state;
    return stepped;
  }
}

function answered({ state, answer, close }: Stepped): Stepped & { readonly answer: AuthenticationAnswer } {
  if (!answer) throw new Error('a handshake and a token are always answered');
  return { state, answer, ...(close === undefined ? {} : { close }) };
}
