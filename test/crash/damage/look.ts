import { openDiskLog } from '../../../broker/log/open-log.ts';
import type { PartitionLog } from '../../../broker/log/log.ts';
import { openProducerIds } from '../../../broker/transactions/producer-ids.ts';
import { SimMachine } from '../../sim/sim-host.ts';
import type { Sample } from './samples.ts';

/** What a start on a disk serves, and what it says of it. */
export interface Look {
  /** Why it did not start; undefined: it did. */
  readonly refused: string | undefined;
  /** By `topic-partition@base offset`: the bytes, in hex. */
  readonly batches: ReadonlyMap<string, string>;
  /** Cluster id, topics, starts and ends, transactions and producers as readers and tools are told. */
  readonly facts: string;
  /** The leader epochs: a new one says that something was lost. */
  readonly epochs: string;
  /** By `topic-partition@time`: the first record from then on; `?` where the log says that it cannot tell. */
  readonly times: ReadonlyMap<string, string>;
  readonly nextProducerId: number;
  /** Errors that reads were answered, by offset asked for. */
  readonly errors: ReadonlyMap<string, string>;
  /** What was logged as a warning or worse. */
  readonly lines: readonly string[];
}

/** Starts on the disk as it is, reads everything, and kills the process. */
export async function lookAt(machine: SimMachine, sample: Sample): Promise<Look> {
  const host = machine.boot();
  const batches = new Map<string, string>();
  const errors = new Map<string, string>();
  const times = new Map<string, string>();
  const facts: string[] = [];
  const epochs: string[] = [];
  let refused: string | undefined;
  let nextProducerId = -1;
  const look = async (): Promise<void> => {
    const log = await openDiskLog(sample.config, host);
    if (log.storageError) throw new Error(log.storageError);
    facts.push(`cluster ${log.clusterId}`);
    for (const topic of log.topics()) {
      for (const partition of topic.partitions) {
        facts.push(factsOf(partition));
        epochs.push(`${partition.leaderEpoch}`);
        await readAll(partition, batches, errors);
        facts.push(await abortedIn(partition));
        await readTimes(partition, batches, times);
      }
    }
    nextProducerId = await (await openProducerIds(host.files, sample.config.dataDir)).next();
  };
  await machine.loop.settle(
    look().catch((error: unknown) => {
      refused = String(error);
    }),
  );
  host.files.kill();
  const lines = host.lines
    .filter(({ level }) => level === 'warn' || level === 'error')
    .map(({ fields, message }) => `${message} ${JSON.stringify(fields)}`);
  return {
    refused,
    batches,
    facts: facts.join('\n'),
    epochs: epochs.join(),
    times,
    nextProducerId,
    errors,
    lines,
  };
}

function factsOf(partition: PartitionLog): string {
  const { topic, startOffset, highWatermark, lastStableOffset } = partition;
  const producers = partition.activeProducers().map((one) => ({ ...one }));
  producers.sort((a, b) => a.producerId - b.producerId);
  return [
    `${topic}-${partition.partition} ${startOffset}-${highWatermark}, stable ${lastStableOffset}`,
    ...producers.map((one) => JSON.stringify(one)),
  ].join('\n');
}

async function abortedIn(partition: PartitionLog): Promise<string> {
  const aborted = await partition.abortedTransactions(partition.startOffset, partition.highWatermark);
  return JSON.stringify(aborted);
}

async function readAll(
  partition: PartitionLog,
  batches: Map<string, string>,
  errors: Map<string, string>,
): Promise<void> {
  const { topic, highWatermark } = partition;
  for (let offset = partition.startOffset; offset < highWatermark;) {
    const where = `${topic}-${partition.partition}@${offset}`;
    try {
      const bytes = await partition.read(offset, 0, true);
      if (bytes.length === 0) throw new Error('nothing there');
      const base = Number(bytes.readBigInt64BE(0));
      const next = base + bytes.readInt32BE(23) + 1;
      if (next <= offset) throw new Error(`a batch that ends at ${next}`);
      // Without records: it only says how far nothing is.
      if (bytes.readInt32BE(57) > 0)
        batches.set(`${topic}-${partition.partition}@${base}`, bytes.toString('hex'));
      offset = next;
    } catch (error) {
      errors.set(where, `${(error as { code?: string }).code ?? ''} ${String(error)}`);
      offset += 1;
    }
  }
}

/** Asked for every time at which a batch is. */
async function readTimes(
  partition: PartitionLog,
  batches: ReadonlyMap<string, string>,
  times: Map<string, string>,
): Promise<void> {
  const place = `${partition.topic}-${partition.partition}`;
  const asked = new Set<number>();
  for (const [where, hex] of batches) {
    if (!where.startsWith(`${place}@`)) continue;
    asked.add(Number(BigInt(`0x${hex.slice(54, 70)}`)));
    asked.add(Number(BigInt(`0x${hex.slice(70, 86)}`)));
  }
  for (const timeMs of asked) {
    const told = await partition
      .offsetForTimestamp(timeMs)
      .then((found) => (found ? `${found.offset} ${found.timestampMs}` : 'none'))
      .catch(() => '?');
    times.set(`${place}@${timeMs}`, told);
  }
}
