/** A whole broker without sockets: frames go in as its network would hand them over, and what it does is measured. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';

import { brokerConfig } from '../../broker/config.ts';
import type { Log } from '../../broker/host/log.ts';
import type { Net, Socket, SocketEvents } from '../../broker/host/net.ts';
import { nodeHost } from '../../broker/host/node-host.ts';
import { start } from '../../broker/main.ts';
import { requestFrame } from '../../broker/wire/frame.ts';
import { createTopics } from '../../broker/wire/schemas/index.ts';
import { type Intercept, NO_ANSWER } from '../../broker/server/handler.ts';

/** Exists, so that some of what is sent is about something. */
export const KNOWN_TOPIC = 'known';
/** What one frame may cost the event loop. */
export const WORK_MS_MAX = 100;
/** Above what the frame itself holds: decoded objects and an answer, never what a length promised. */
export const MEMORY_RISE_MAX = 64 * 1024 * 1024;

export interface Outcome {
  readonly workMs: number;
  readonly memoryRise: number;
}

export interface FuzzBroker {
  /** What the broker said went wrong inside of it. */
  readonly errors: readonly string[];
  /** Hands a frame over on a connection of its own. */
  give(frame: Buffer): Outcome;
  /** Ends the connections so far, once what they asked for had some turns. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

/** Topics made by senseless requests cost files; a few prove as much as thousands. */
const CREATIONS_MAX = 50;
const PARTITIONS_MAX = 10;

export async function startFuzzBroker(): Promise<FuzzBroker> {
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-fuzz-'));
  const errors: string[] = [];
  const log: Log = {
    debug() {},
    info() {},
    warn() {},
    error: (fields, message) =>
      void errors.push(`${message} ${String((fields as { err?: Error }).err?.stack)}`),
  };
  const { net, connect } = memoryNet();
  const config = brokerConfig.parse({
    dataDir,
    port: 1,
    autoCreateTopics: false,
    connectionsPerSecondMax: 1e9,
    connectionsPerSecondPerAddressMax: 1e9,
  });
  const part = await start(config, { ...nodeHost(log), net }, { intercept: sparing() });
  await new Promise<void>((answered) => {
    const topics = [
      { name: KNOWN_TOPIC, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
    ];
    const header = { version: 4, correlationId: 1, clientId: 'fuzz' };
    connect(answered).events.data(Buffer.concat(requestFrame(createTopics, header, { topics })));
  });
  let open: Array<() => void> = [];
  return {
    errors,
    give(frame) {
      const framed = Buffer.alloc(4 + frame.length);
      framed.writeInt32BE(frame.length);
      frame.copy(framed, 4);
      const { events, close } = connect();
      open.push(close);
      const before = memory();
      const cpu = process.threadCpuUsage();
      events.data(framed);
      const { user, system } = process.threadCpuUsage(cpu);
      return { workMs: (user + system) / 1_000, memoryRise: memory() - before - framed.length };
    },
    async settle() {
      for (let turns = 0; turns < 3; turns += 1) await new Promise((resolve) => void setImmediate(resolve));
      for (const close of open) close();
      open = [];
    },
    async stop() {
      await part.stop(2_000);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function memory(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

function sparing(): Intercept {
  let creations = 0;
  return async (call, next) => {
    if (call.name !== 'CreateTopics' && call.name !== 'CreatePartitions') return next();
    const { topics } = call.request as { topics: Array<{ numPartitions?: number; count?: number }> };
    const isLarge = topics.some((one) => (one.numPartitions ?? one.count ?? 0) > PARTITIONS_MAX);
    creations += topics.length;
    return isLarge || creations > CREATIONS_MAX ? NO_ANSWER : next();
  };
}

/** A network in which nobody listens but this broker, and whose sockets take everything. */
function memoryNet(): {
  net: Net;
  connect: (onWrite?: () => void) => { events: SocketEvents; close: () => void };
} {
  let onSocket: (socket: Socket) => void;
  let ports = 0;
  const connect = (onWrite?: () => void): { events: SocketEvents; close: () => void } => {
    let events: SocketEvents;
    let isOpen = true;
    const close = (): void => {
      if (!isOpen) return;
      isOpen = false;
      events.close();
    };
    ports += 1;
    onSocket({
      remote: { host: '127.0.0.1', port: ports },
      local: { host: '127.0.0.1', port: 1 },
      subject: undefined,
      start: (given) => void (events = given),
      write() {
        onWrite?.();
        return true;
      },
      pause() {},
      resume() {},
      end: close,
      destroy: close,
    });
    return { events: events!, close };
  };
  const net: Net = {
    listen(address, given) {
      onSocket = given;
      return Promise.resolve({ address, renew() {}, close: () => Promise.resolve() });
    },
    connect: () => Promise.reject(new Error('cannot connect: this network has no other machines')),
  };
  return { net, connect };
}
