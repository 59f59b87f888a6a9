/** All connections of the broker: accepts them within bounds, closes the idle, drains at the end. */
import type { BrokerConfig, ListenerSettings } from '../config.ts';
import type { Cancel, Host } from '../host/host.ts';
import type { Address, Listener, Socket } from '../host/net.ts';
import type { Entrance, Security } from '../security/security.ts';
import { type CloseReason, Connection, nameOf } from './connection.ts';
import type { Dispatch } from './dispatch.ts';
import { listen } from './listener.ts';
import { exposure, listenersOf } from './listeners.ts';

type ServerConfig = Pick<
  BrokerConfig,
  | 'host'
  | 'port'
  | 'advertisedHost'
  | 'listeners'
  | 'allowPlaintextBeyondLoopback'
  | 'requestBytesMax'
  | 'unauthenticatedRequestBytesMax'
  | 'bufferedBytesMax'
  | 'connectionsMax'
  | 'connectionIdleMs'
>;

/** How often idle connections are looked for, as a part of the idle time. */
const SWEEPS_IN_IDLE_TIME = 5;

export class Server {
  private readonly config: ServerConfig;
  private readonly host: Host;
  private readonly dispatch: Dispatch;
  private readonly security: Security;
  private readonly connections = new Set<Connection>();
  private listeners: Listener[] = [];
  private buffered = 0;
  private cancelSweep: Cancel = () => {};
  private onEmpty: (() => void) | undefined;
  private readonly count: (reason: CloseReason | 'refused') => void;

  constructor(config: ServerConfig, host: Host, dispatch: Dispatch, security: Security) {
    this.config = config;
    this.host = host;
    this.security = security;
    this.dispatch = dispatch;
    const open = host.metrics.gauge('millrace_broker_connections', 'Open client connections.');
    host.metrics.onCollect(() => open.set(this.connections.size));
    const closed = host.metrics.counter(
      'millrace_broker_closed_connections_total',
      'Client connections that ended, by who ended them and why.',
    );
    this.count = (reason) => closed.add(1, { reason });
  }

  /**
   * Resolves when clients can connect; where they can, by listener. @throws Error when a port is taken, a certificate
   * cannot be used or bytes would go about in the open
   */
  async start(): Promise<Map<string, Address>> {
    const problem = exposure(this.config);
    if (problem !== undefined) throw new Error(problem);
    const addresses = new Map<string, Address>();
    try {
      for (const listener of listenersOf(this.config)) {
        addresses.set(listener.name, await this.open(listener));
      }
    } catch (error) {
      await Promise.all(this.listeners.map((one) => one.close()));
      throw error;
    }
    const { connectionIdleMs } = this.config;
    this.cancelSweep = this.host.timers.every(connectionIdleMs / SWEEPS_IN_IDLE_TIME, () => this.sweep());
    return addresses;
  }

  private async open(listener: ListenerSettings): Promise<Address> {
    const { host, port } = listener;
    const entrance = await this.security.entrance(listener);
    const opened = await listen(
      this.host.net,
      { host, port },
      (socket) => this.accept(socket, listener, entrance),
      entrance.tls,
    );
    this.listeners.push(...opened);
    entrance.onListening(opened);
    return { host, port: opened[0]!.address.port };
  }

  /** Takes no more requests, lets those at work end, and cuts off what is left at the deadline. */
  async stop(deadlineMs: number): Promise<void> {
    this.cancelSweep();
    const listeners = this.listeners.map((listener) => listener.close());
    for (const connection of this.connections) connection.finish();
    if (this.connections.size > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.host.timers.after(deadlineMs, resolve);
        this.onEmpty = () => {
          cancel();
          resolve();
        };
      });
    }
    for (const connection of this.connections) connection.destroy();
    await Promise.all(listeners);
  }

  private accept(socket: Socket, listener: ListenerSettings, entrance: Entrance): void {
    const { connectionsMax, requestBytesMax, unauthenticatedRequestBytesMax, bufferedBytesMax } = this.config;
    if (this.connections.size >= connectionsMax) {
      socket.start({ data() {}, drain() {}, close() {} });
      socket.destroy();
      this.count('refused');
      this.host.log.warn(
        { remote: nameOf(socket.remote) },
        `connection refused: got one more than ${connectionsMax}`,
      );
      return;
    }
    const arrival = {
      listener,
      advertised: advertised(listener, socket),
      authentication: entrance.authentication(socket),
    };
    const connection = new Connection(socket, arrival, {
      dispatch: this.dispatch,
      clock: this.host.clock,
      log: this.host.log,
      requestBytesMax,
      unauthenticatedRequestBytesMax,
      buffer: (bytes) => {
        this.buffered += bytes;
        return this.buffered <= bufferedBytesMax || bytes <= 0;
      },
      closed: (gone, reason) => {
        this.count(reason);
        this.connections.delete(gone);
        if (this.connections.size === 0) this.onEmpty?.();
      },
    });
    this.connections.add(connection);
  }

  private sweep(): void {
    const idleSinceMs = this.host.clock.monotonicMs() - this.config.connectionIdleMs;
    for (const connection of this.connections) {
      if (!connection.busy && connection.activeMs < idleSinceMs) connection.close('idle');
    }
  }
}

/** Of the listener that the client came in by: nothing else need be reachable for it. */
function advertised({ host, advertisedHost, advertisedPort }: ListenerSettings, socket: Socket): Address {
  const isWildcard = host === '0.0.0.0' || host === '::';
  return {
    host: advertisedHost ?? (isWildcard ? 'localhost' : host),
    port: advertisedPort ?? socket.local.port,
  };
}
