/**
 * The SASL session of one connection of ours. A broker may limit it (KIP-368) and then closes connections that go on
 * beyond; so the login is repeated on the same connection before the first request that comes near the end.
 */
import type { Host } from '../host/host.ts';
import { saslAuthenticate, saslHandshake } from '../wire/schemas/index.ts';
import { ERRORS } from '../wire/errors.ts';
import type { WireApi } from './connection.ts';
import { KafkaError } from './error.ts';
import type { KafkaSasl } from './kafka-config.ts';
import { login, loginError } from './login.ts';

/** Of a session's lifetime, after which it is renewed: a random share, so that clients do not come all at once. */
const RENEWAL_SHARE_MIN = 0.85;
const RENEWAL_SHARE_MAX = 0.95;
/** Of the broker's words for a refusal, as many as are passed on. */
const REASON_LENGTH_MAX = 200;

/** Sends a request at once, whatever the session. */
export type Ask = <In, Out>(api: WireApi<In, Out>, body: In) => Promise<Out>;

export class Session {
  private readonly host: Host;
  private readonly sasl: KafkaSasl;
  private readonly ask: Ask;
  private renewAtMs = Infinity;
  private renewing: Promise<void> | undefined;

  constructor(host: Host, sasl: KafkaSasl, ask: Ask) {
    this.host = host;
    this.sasl = sasl;
    this.ask = ask;
  }

  /** Logs in. @throws KafkaError */
  async begin(): Promise<void> {
    const { mechanism } = this.sasl;
    const handshake = await this.ask(saslHandshake, { mechanism });
    if (handshake.errorCode === ERRORS.UNSUPPORTED_SASL_MECHANISM.code) {
      const reason = `the broker takes ${handshake.mechanisms.join(', ').slice(0, REASON_LENGTH_MAX)}`;
      throw new KafkaError('UNSUPPORTED_SASL_MECHANISM', loginError(this.sasl, reason).message, false);
    }
    if (handshake.errorCode !== 0) {
      throw loginError(this.sasl, `got error ${handshake.errorCode} for the handshake`);
    }
    let lifetimeMs = 0;
    // From before the last token, so that the answer's way counts against us.
    let sentMs = 0;
    await login(this.sasl, this.host, async (authBytes) => {
      sentMs = this.host.clock.monotonicMs();
      const answer = await this.ask(saslAuthenticate, { authBytes });
      if (answer.errorCode !== 0) {
        const reason = answer.errorMessage?.slice(0, REASON_LENGTH_MAX) ?? `got error ${answer.errorCode}`;
        throw loginError(this.sasl, reason);
      }
      lifetimeMs = answer.sessionLifetimeMs;
      return answer.authBytes;
    });
    const share = RENEWAL_SHARE_MIN + this.host.random.unit() * (RENEWAL_SHARE_MAX - RENEWAL_SHARE_MIN);
    this.renewAtMs = lifetimeMs > 0 ? sentMs + lifetimeMs * share : Infinity;
  }

  /** Undefined when requests may go at once; else they wait, since nothing may come between the tokens. */
  renewal(): Promise<void> | undefined {
    if (!this.renewing && this.host.clock.monotonicMs() >= this.renewAtMs) {
      this.renewing = this.begin().finally(() => {
        this.renewing = undefined;
      });
    }
    return this.renewing;
  }
}
