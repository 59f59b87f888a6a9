import { spawnSync } from 'node:child_process';

import type { Connection } from '../../../broker/client/connection.ts';
import { createTopics, deleteTopics, listOffsets } from '../../../broker/wire/schemas/index.ts';
import type { Probed } from '../probe.ts';
import { mib } from '../process-usage.ts';
import type { Running } from '../workplace.ts';

export type SideName = 'ours' | 'kafka';

const TIMEOUT_MS = 60_000;
/** A broker may need a moment after its start until it takes topics; one with many files needs longer. */
const RETRY_MS = 100;
const LATEST = -1;
/** Names of topics; later versions take ids as well. */
const DELETE_VERSION_MAX = 5;

export type Turns = Pick<Probed, 'turns' | 'turnsOnProcessor'>;

/** One of the brokers that are compared, running. */
export class Side {
  readonly name: SideName;
  readonly bootstrap: string;
  readonly port: number;
  readonly pid: number;
  /** Where its files are. */
  readonly directory: string;
  /** From the process' start to the first answer. */
  readonly startSeconds: number;
  readonly startMib: number;
  /** How long the turns of its event loop took since the last call, where it has one. */
  readonly turns: (() => Promise<Turns>) | undefined;
  /** Made and not deleted. */
  readonly topics = new Set<string>();
  private readonly running: Running;
  private readonly connection: Connection;

  constructor(
    options: Pick<Side, 'name' | 'port' | 'directory' | 'startSeconds' | 'startMib'> & {
      readonly turns?: Side['turns'];
      readonly running: Running;
      readonly connection: Connection;
    },
  ) {
    this.name = options.name;
    this.port = options.port;
    this.bootstrap = `localhost:${options.port}`;
    this.pid = options.running.pid;
    this.directory = options.directory;
    this.startSeconds = options.startSeconds;
    this.startMib = options.startMib;
    this.turns = options.turns;
    this.running = options.running;
    this.connection = options.connection;
  }

  /** Nothing is deleted while it is measured, whatever the brokers' own defaults. */
  async createTopic(
    name: string,
    partitions: number,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const all = { 'retention.bytes': '-1', 'retention.ms': '-1', ...settings };
    const configs = Object.entries(all).map(([key, value]) => ({ name: key, value }));
    const topic = { name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs };
    const deadline = performance.now() + TIMEOUT_MS;
    for (;;) {
      const request = { topics: [topic], timeoutMs: TIMEOUT_MS };
      const { topics } = await this.connection.request(createTopics, request, { timeoutMs: TIMEOUT_MS });
      const code = topics[0]?.errorCode;
      if (code === 0) break;
      if (performance.now() > deadline) throw new Error(`${this.name} cannot create ${name}: got ${code}`);
      await sleep(RETRY_MS);
    }
    // Until every partition has its leader.
    await this.recordsIn(name, partitions);
    this.topics.add(name);
  }

  async deleteTopic(name: string): Promise<void> {
    this.topics.delete(name);
    const request = { topics: [], topicNames: [name], timeoutMs: TIMEOUT_MS };
    const { responses } = await this.connection.request(deleteTopics, request, {
      timeoutMs: TIMEOUT_MS,
      versionMax: DELETE_VERSION_MAX,
    });
    const code = responses[0]?.errorCode;
    if (code !== 0) throw new Error(`${this.name} cannot delete ${name}: got ${code}`);
  }

  /** The sum of the partitions' ends: each starts at 0 and has neither markers nor deleted records. */
  async recordsIn(name: string, partitions: number): Promise<number> {
    const wanted = Array.from({ length: partitions }, (_, partitionIndex) => ({
      partitionIndex,
      timestamp: LATEST,
    }));
    const request = {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name, partitions: wanted }],
      timeoutMs: TIMEOUT_MS,
    };
    const deadline = performance.now() + TIMEOUT_MS;
    for (;;) {
      const { topics } = await this.connection.request(listOffsets, request, { timeoutMs: TIMEOUT_MS });
      const found = topics[0]?.partitions ?? [];
      const failed = found.find(({ errorCode }) => errorCode !== 0);
      if (!failed && found.length === partitions) {
        return found.reduce((sum, { offset }) => sum + offset, 0);
      }
      if (performance.now() > deadline) {
        throw new Error(`${this.name} cannot tell the ends of ${name}: got error ${failed?.errorCode}`);
      }
      await sleep(RETRY_MS);
    }
  }

  /** What others have left in the page cache is written now, and not while this one is measured. */
  settle(): void {
    spawnSync('sync', ['-f', this.directory]);
  }

  async stop(): Promise<void> {
    this.connection.close();
    await this.running.stop();
  }
}

export function mibPerSecond(records: number, recordBytes: number, seconds: number): number {
  return mib(records * recordBytes) / seconds;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
