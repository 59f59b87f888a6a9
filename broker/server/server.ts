/** All connections of the broker: accepts them within bounds, closes the idle, drains at the end. */
import type { BrokerConfig, ListenerSettings } from '../config.ts';
import type { Cancel, Host } from '../host/host.ts';
import type { Address, Listener, Socket } from '../host/net.ts';
import type { Nodes } from '../nodes/nodes.ts';
import type { Entrance, Security } from '../security/security.ts';
import { Admission, type Refusal } from './admission.ts';
import { Connection, nameOf } from './connection.ts';
import type { CloseReason, ConnectionOwner } from './connection-owner.ts';
import { FrameMemory } from '../wire/frame-memory.ts';
import type { Dispatch } from './dispatch.ts';
import { listen } from './listener.ts';
import { MemoryBudget } from './memory-budget.ts';
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
  | 'requestMemoryBytesMax'
  | 'answerMemoryBytesMax'
  | 'connectionsMax'
  | 'connectionsPerAddressMax'
  | 'connectionsPerSecondMax'
  | 'connectionsPerSecondPerAddressMax'
  | 'firstRequestMs'
  | 'firstAuthenticationMs'
  | 'requestReceiveMs'
  | 'answerSendMs'
  | 'connectionIdleMs'
>;

/** What a node that stops leaves its connections to end what is at work. */
const NODE_STOP_MS = 1_000;
/** How often overdue connections are looked for, as a part of the shortest of their times. */
const SWEEPS_IN_TIME = 10;
/** One line says for how many refusals it stands, or a flood of connections would be a flood of lines. */
const REFUSAL_LINE_MS = 1_000;

export class Server {
  private readonly config: ServerConfig;
  private readonly host: Host;
  private readonly owner: ConnectionOwner;
  private readonly security: Security;
  private readonly connections = new Set<Connection>();
  private readonly nodes: Nodes;
  private listeners: Array<{ readonly nodeId: number; readonly listener: Listener }> = [];
  private buffered = 0;
  private cancelSweep: Cancel = () => {};
  private onEmpty: (() => void) | undefined;
  private readonly count: (reason: CloseReason | Refusal | 'certificate') => void;
  private readonly admission: Admission;
  private readonly requestMemory: MemoryBudget;
  private readonly answerMemory: MemoryBudget;
  private refused = 0;
  private refusalLineMs = -Infinity;

  constructor(
    config: ServerConfig,
    host: Host,
    nodes: Nodes,
    dispatch: Dispatch,
    security: Security,
    connectionRate: (address: string) => number | undefined,
  ) {
    this.config = config;
    this.nodes = nodes;
    this.host = host;
    this.security = security;
    const open = host.metrics.gauge('millrace_broker_connections', 'Open client connections.');
    host.metrics.onCollect(() => open.set(this.connections.size));
    const closed = host.metrics.counter(
      'millrace_broker_closed_connections_total',
      'Client connections that ended, by who ended them and why.',
    );
    this.admission = new Admission(config, connectionRate);
    this.requestMemory = new MemoryBudget(config.requestMemoryBytesMax);
    this.answerMemory = new MemoryBudget(config.answerMemoryBytesMax);
    const held = host.metrics.gauge('millrace_broker_request_memory_bytes', 'What requests at work hold.');
    const waits = host.metrics.gauge(
      'millrace_broker_memory_waits',
      'Requests so far that waited for memory, by what for.',
    );
    host.metrics.onCollect(() => {
      for (const [of, budget] of [
        ['request', this.requestMemory],
        ['answer', this.answerMemory],
      ] as const) {
        held.set(budget.usedBytes, { of });
        waits.set(budget.waits, { of });
      }
    });
    this.owner = {
      ...config,
      dispatch,
      clock: host.clock,
      timers: host.timers,
      log: host.log,
      requestMemory: this.requestMemory,
      answerMemory: this.answerMemory,
      frameMemory: new FrameMemory(),
      buffer: (bytes) => {
        this.buffered += bytes;
        return this.buffered <= config.bufferedBytesMax || bytes <= 0;
      },
      closed: (gone, reason) => {
        this.count(reason);
        this.admission.leave(gone.remote.host);
        this.connections.delete(gone);
        if (this.connections.size === 0) this.onEmpty?.();
      },
    };
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
      for (const nodeId of this.nodes.ids) {
        for (const listener of listenersOf(this.config)) {
          const address = await this.open(listener, nodeId);
          if (nodeId === this.nodes.ids[0]) addresses.set(listener.name, address);
        }
      }
    } catch (error) {
      await this.closeListeners();
      throw error;
    }
    const { connectionIdleMs, firstRequestMs, firstAuthenticationMs, requestReceiveMs, answerSendMs } =
      this.config;
    const shortestMs = Math.min(
      connectionIdleMs,
      firstRequestMs,
      firstAuthenticationMs,
      requestReceiveMs,
      answerSendMs,
    );
    this.cancelSweep = this.host.timers.every(shortestMs / SWEEPS_IN_TIME, () => this.sweep());
    return addresses;
  }

  /** Ends one node of several; the others take over what it led. */
  async stopNode(nodeId: number): Promise<void> {
    this.nodes.setRunning(nodeId, false);
    const own = [...this.connections].filter((connection) => connection.nodeId === nodeId);
    const closed = this.closeListeners(nodeId);
    for (const connection of own) connection.finish();
    const cancel = this.host.timers.after(NODE_STOP_MS, () => {
      for (const connection of own) connection.destroy();
    });
    await closed;
    cancel();
  }

  async startNode(nodeId: number): Promise<void> {
    if (this.nodes.isRunning(nodeId)) return;
    for (const listener of listenersOf(this.config)) await this.open(listener, nodeId);
    this.nodes.setRunning(nodeId, true);
  }

  /** The first node has the ports of the settings, each other the next ones, and the same ones after a stop. */
  private async open(listener: ListenerSettings, nodeId: number): Promise<Address> {
    const { host } = listener;
    const ahead = nodeId - this.nodes.ids[0]!;
    const port = this.nodes.portOf(listener.name, nodeId) ?? (listener.port && listener.port + ahead);
    const entrance = await this.security.entrance(listener);
    const opened = await listen(
      this.host.net,
      { host, port },
      (socket) => this.accept(socket, listener, nodeId, entrance),
      entrance.tls,
    );
    this.listeners.push(...opened.map((one) => ({ nodeId, listener: one })));
    await entrance.onListening(opened);
    const bound = opened[0]!.address.port;
    this.nodes.opened(listener.name, nodeId, bound);
    return { host, port: bound };
  }

  private async closeListeners(nodeId?: number): Promise<void> {
    const isMeant = (one: { nodeId: number }): boolean => nodeId === undefined || one.nodeId === nodeId;
    const meant = this.listeners.filter(isMeant);
    this.listeners = this.listeners.filter((one) => !isMeant(one));
    await Promise.all(meant.map(({ listener }) => listener.close()));
  }

  /** Takes no more requests, lets those at work end, and cuts off what is left at the deadline. */
  async stop(deadlineMs: number): Promise<void> {
    this.cancelSweep();
    const listeners = this.closeListeners();
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
    await listeners;
  }

  private accept(socket: Socket, listener: ListenerSettings, nodeId: number, entrance: Entrance): void {
    const address = socket.remote.host;
    const refusal = this.admission.enter(address, this.host.clock.monotonicMs());
    if (refusal) {
      this.refuse(socket, refusal);
      return;
    }
    const authentication = entrance.authentication(socket);
    if (!authentication) {
      this.admission.leave(address);
      this.refuse(socket, 'certificate', 'got a certificate whose subject no rule maps to a name');
      return;
    }
    const arrival = {
      nodeId,
      listener,
      advertised: advertised(listener, socket, nodeId - this.nodes.ids[0]!),
      authentication,
    };
    const connection = new Connection(socket, arrival, this.owner);
    this.connections.add(connection);
  }

  private refuse(socket: Socket, reason: Refusal | 'certificate', explanation: string = reason): void {
    socket.start({ data() {}, drain() {}, close() {} });
    socket.destroy();
    this.count(reason);
    this.refused += 1;
    const nowMs = this.host.clock.monotonicMs();
    if (nowMs - this.refusalLineMs < REFUSAL_LINE_MS) return;
    this.host.log.warn(
      { remote: nameOf(socket.remote), reason, refused: this.refused },
      `connection refused: ${explanation}`,
    );
    this.refused = 0;
    this.refusalLineMs = nowMs;
  }

  private sweep(): void {
    const nowMs = this.host.clock.monotonicMs();
    this.admission.sweep(nowMs);
    for (const connection of this.connections) {
      const reason = connection.overdue(nowMs, this.config.connectionIdleMs);
      if (reason) connection.close(reason);
    }
  }
}

/** Of the listener that the client came in by: nothing else need be reachable for it. */
function advertised(
  { host, advertisedHost, advertisedPort }: ListenerSettings,
  socket: Socket,
  ahead: number,
): Address {
  const isWildcard = host === '0.0.0.0' || host === '::';
  return {
    host: advertisedHost ?? (isWildcard ? 'localhost' : host),
    port: advertisedPort === undefined ? socket.local.port : advertisedPort + ahead,
  };
}
