/** Everything about who may come in and do what, opened once at the start. */
import type { BrokerConfig, ListenerSettings } from '../config.ts';
import type { Host } from '../host/host.ts';
import type { Listener, Socket, TlsListen } from '../host/net.ts';
import { allowAll, type Authorizer } from './authorizer.ts';
import { ConnectionAuthentication, type SaslServer } from './connection-authentication.ts';

export interface Security {
  readonly authorizer: Authorizer;
  /** @throws Error when its certificates cannot be used */
  entrance(listener: ListenerSettings): Promise<Entrance>;
  stop(): void;
}

/** What a listener needs to let clients in. */
export interface Entrance {
  readonly tls: TlsListen | undefined;
  /** Told of what listens now, to renew its certificates. */
  onListening(opened: readonly Listener[]): void;
  authentication(socket: Socket): ConnectionAuthentication;
}

/** @throws Error when what was stored is damaged */
export async function openSecurity(_config: BrokerConfig, host: Host): Promise<Security> {
  return {
    authorizer: allowAll,
    async entrance(listener) {
      const sasl: SaslServer | undefined = listener.sasl && {
        mechanisms: new Map(),
        connectionsMaxReauthMs: listener.sasl.connectionsMaxReauthMs,
        onOutcome() {},
      };
      return {
        tls: undefined,
        onListening() {},
        authentication: () => new ConnectionAuthentication(sasl, host.clock),
      };
    },
    stop() {},
  };
}
