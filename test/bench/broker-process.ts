import { Connection } from '../../broker/client/connection.ts';
import { nodeHost } from '../../broker/host/node-host.ts';
import { createTopics } from '../../broker/wire/schemas/index.ts';
import { freePortOffset } from '../support/millrace.ts';
import { type Running, untilReady, type Workplace } from './workplace.ts';

export interface BrokerProcess extends Running {
  readonly port: number;
  readonly portOffset: number;
  /** Where its data is. */
  readonly directory: string;
  /** A connection that has asked for the broker's versions. */
  connect(): Promise<Connection>;
  createTopic(name: string, partitions: number, settings?: Readonly<Record<string, string>>): Promise<void>;
}

export interface BrokerProcessOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** A module that runs in the process before anything else. */
  readonly preload?: string;
}

/** Own metrics and logs would be a load of their own. */
export const QUIET = { MILLRACE_TELEMETRY__ENABLED: 'false' } as const;

/** The broker as its command starts it, on a directory of its own; resolves when it answers ApiVersions. */
export async function startBroker(
  workplace: Workplace,
  { env = {}, preload }: BrokerProcessOptions = {},
): Promise<BrokerProcess> {
  const portOffset = await freePortOffset();
  const port = 9092 + portOffset;
  const directory = workplace.directory();
  const args = ['broker', '--data-dir', directory, '--port-offset', String(portOffset)];
  const running = workplace.millrace(args, { ...QUIET, ...env }, preload);
  const host = nodeHost();
  const connect = async (): Promise<Connection> => {
    const connection = await Connection.open(host, { host: '127.0.0.1', port }, 'bench');
    workplace.onClose(() => connection.close());
    return connection;
  };
  const first = await untilReady(running, connect, { everyMs: 2 });
  return {
    ...running,
    port,
    portOffset,
    directory,
    connect,
    async createTopic(name, numPartitions, settings = {}) {
      const configs = Object.entries(settings).map(([key, value]) => ({ name: key, value }));
      const topics = [{ name, numPartitions, replicationFactor: 1, assignments: [], configs }];
      const { topics: made } = await first.request(createTopics, { topics, timeoutMs: 10_000 });
      if (made[0]?.errorCode !== 0) throw new Error(`cannot create ${name}: got ${made[0]?.errorCode}`);
    },
  };
}
