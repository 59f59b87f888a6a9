import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { z } from 'zod';

import { type BrokerConfig, brokerConfig } from '../../broker/config.ts';
import { nodeHost } from '../../broker/host/node-host.ts';
import { type BrokerPart, start } from '../../broker/main.ts';
import type { NodeControl } from '../../broker/nodes/nodes.ts';
import type { Intercept } from '../../broker/server/handler.ts';
import { passingTime, type PassingTime } from './passing-time.ts';
import { type LogLine, recordingLog } from './recording-log.ts';

export type { LogLine };

export interface TestBroker {
  readonly host: PassingTime;
  readonly config: BrokerConfig;
  readonly port: number;
  /** Of a listener by its name. */
  portOf(listener: string): number;
  /** `localhost:port`. */
  readonly address: string;
  /** Stops and starts single nodes, where `virtualNodes` are played. */
  readonly nodes: NodeControl;
  /** What it said, all starts together. */
  readonly lines: LogLine[];
  /** Stops and starts on the same directory and port. */
  restart(): Promise<void>;
  /** Stops, keeps the directory. */
  halt(): Promise<void>;
  /** Stops and removes the directory. */
  stop(): Promise<void>;
}

/** A real broker on a free port over a directory of its own. */
export async function startTestBroker(
  settings: Partial<z.input<typeof brokerConfig>> = {},
  options: { readonly intercept?: Intercept } = {},
): Promise<TestBroker> {
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-broker-'));
  const lines: LogLine[] = [];
  const host = passingTime(nodeHost(recordingLog(lines)));
  const config = brokerConfig.parse({ dataDir, port: 0, groupMinSessionTimeoutMs: 100, ...settings });
  let part: BrokerPart = await start(config, host, options);
  const { port } = part.addresses['kafka']!;
  const portOf = (name: string): number =>
    name === config.listeners?.[0]?.name ? port : part.addresses[`kafka.${name}`]!.port;
  const listeners = config.listeners?.map((one) => ({ ...one, port: portOf(one.name) }));
  return {
    host,
    config,
    port,
    portOf,
    address: `localhost:${port}`,
    nodes: { stop: (nodeId) => part.nodes.stop(nodeId), start: (nodeId) => part.nodes.start(nodeId) },
    lines,
    async restart() {
      await part.stop(5_000);
      part = await start({ ...config, port, listeners }, host, options);
    },
    halt: () => part.stop(5_000),
    async stop() {
      await part.stop(5_000);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** How many requests of this API were served so far. */
export function requestsServed({ host }: TestBroker, api: string): number {
  const family = host.metrics.snapshot().find(({ name }) => name === 'millrace_broker_requests_total');
  return family?.series.find(({ labels }) => labels['api'] === api)?.value ?? 0;
}
