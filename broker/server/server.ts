/** All connections of the broker: accepts them within bounds, closes the idle, drains at the end. */
import type { BrokerConfig } from '../config.ts';
import type { Cancel, Host } from '../host/host.ts';
import type { Address, Listener, Socket } from '../host/net.ts';
import { type CloseReason, Connection, nameOf } from './connection.ts';
import type { Dispatch } from './dispatch.ts';
import { listen } from './listener.ts';

type ServerConfig = Pick<
  BrokerConfig,
  | 'host'
  | 'port'
  | 'advertisedHost'
  | 'requestBytesMax'
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
  private readonly connections = new Set<Connection>();
  private listeners: Listener[] = [];
  private buffered = 0;
  private cancelSweep: Cancel = () => {};
  private onEmpty: (() => void) | undefined;
  private readonly count: (reason: CloseReason | 'refused') => void;

  constructor(config: ServerConfig, host: Host, dispatch: Dispatch) {
    this.config = config;
    this.host = host;
    this.dispatch = dispatch;
    const open = host.metrics.gauge('millrace_broker_connections', 'Open client connections.');
    host.metrics.onCollect(() => open.set(this.connections.size));
    const closed = host.metrics.counter(
      'millrace_broker_closed_connections_total',
      'Client connections that ended, by who ended them and why.',
    );
    this.count = (reason) => closed.add(1, { reason });
  }

  /** Resolves when clients can connect; where they can. @throws Error when the port is taken */
  async start(): Promise<Address> {
    const { host, port, connectionIdleMs } = this.config;
    this.listeners = await listen(this.host.net, { host, port }, (socket) => this.accept(socket));
    this.cancelSweep = this.host.timers.every(connectionIdleMs / SWEEPS_IN_IDLE_TIME, () => this.sweep());
    return { host, port: this.listeners[0]!.address.port };
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

  private accept(socket: Socket): void {
    const { connectionsMax, requestBytesMax, bufferedBytesMax } = this.config;
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
    const connection = new Connection(socket, this.advertised(socket), {
      dispatch: this.dispatch,
      clock: this.host.clock,
      log: this.host.log,
      requestBytesMax,
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

  private advertised(socket: Socket): Address {
    const { host, advertisedHost } = this.config;
    const isWildcard = host === '0.0.0.0' || host === '::';
    return { host: advertisedHost ?? (isWildcard ? 'localhost' : host), port: socket.local.port };
  }

  private sweep(): void {
    const idleSinceMs = this.host.clock.monotonicMs() - this.config.connectionIdleMs;
    for (const connection of this.connections) {
      if (!connection.busy && connection.activeMs < idleSinceMs) connection.close('idle');
    }
  }
}
