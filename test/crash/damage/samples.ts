import type { LogConfig } from '../../../broker/log/config.ts';
import type { DiskLog } from '../../../broker/log/disk-log.ts';
import { openDiskLog } from '../../../broker/log/open-log.ts';
import type { Partition } from '../../../broker/log/partition/partition.ts';
import { encodeBatch } from '../../../broker/state/record-batch.ts';
import { openProducerIds } from '../../../broker/transactions/producer-ids.ts';
import { isDirectory, type SimDirectory } from '../../sim/sim-disk.ts';
import { SimMachine } from '../../sim/sim-host.ts';
import { recordBatch } from '../../support/record-batch.ts';

/** A data directory of a few kilobytes with files of one kind in it, to be damaged at every bit. */
export interface Sample {
  readonly name: string;
  readonly config: Partial<LogConfig> & { readonly dataDir: string };
  /** Which of its files are worth it: the others are in another sample. */
  readonly isMeant: (path: string) => boolean;
  /** Lost besides. */
  readonly isMissing?: (path: string) => boolean;
  /** Fills the log; a sample is left open as by a kill, unless this closes it. */
  readonly fill: (log: DiskLog, machine: SimMachine) => Promise<void>;
}

const BASE = { dataDir: '/data', tailBytesMax: 0, reserveBytes: 0, retentionCheckMs: 3_600_000 };
const NOW_MS = 1_700_000_000_000;

export const SAMPLES: readonly Sample[] = [
  {
    name: 'acknowledged, not yet in segments',
    config: { ...BASE, reserveBytes: 300 },
    isMeant: () => true,
    async fill(log, { loop }) {
      const [first, second] = (await log.createTopic({ name: 't', partitions: 2, configs: {} })).partitions;
      const ids = await openProducerIds(log.host.files, BASE.dataDir);
      await ids.next();
      // Nine groups, so that a damaged entry has later ones behind it that were written after its sync.
      for (let i = 0; i < 9; i += 1) {
        const options = { nowMs: loop.clock().nowMs(), origin: 'client' as const };
        await (i % 3 === 2 ? second : first)!.append(produced(i), options).durable;
      }
      // Also makes the reserve.
      await log.keepHouse();
    },
  },
  {
    name: 'segments with transactions, closed in order',
    config: { ...BASE, segmentBytes: 520 },
    isMeant: (path) => !/topics|meta/.test(path.slice(path.lastIndexOf('/'))),
    async fill(log) {
      const [partition] = (await log.createTopic({ name: 't', partitions: 1, configs: {} })).partitions;
      await transactions(partition as Partition);
      await log.close();
    },
  },
  {
    name: 'compacted segments with a placeholder',
    config: { ...BASE, segmentBytes: 400 },
    isMeant: (path) => /\/\d{20}/.test(path) && !path.endsWith('.wal'),
    async fill(log) {
      const configs = { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.1' };
      const [partition] = (await log.createTopic({ name: 't', partitions: 1, configs })).partitions;
      for (let i = 0; i < 18; i += 1) await appendKeyed(partition as Partition, `k${i % 3}`, `value ${i}`);
      await log.checkpoint();
      await log.compact();
      await log.close();
    },
  },
  {
    name: 'segments without a checkpoint',
    config: { ...BASE, segmentBytes: 520 },
    // For the last batch of a partition nobody vouches then.
    isMeant: (path) => path.endsWith('/00000000000000000000.log'),
    isMissing: (path) => path.endsWith('/checkpoint.json') || path.endsWith('.wal'),
    async fill(log) {
      const [first, second] = (await log.createTopic({ name: 't', partitions: 2, configs: {} })).partitions;
      for (let i = 0; i < 15; i += 1) {
        const options = { nowMs: NOW_MS, origin: 'client' as const };
        await (i % 3 === 2 ? second : first)!.append(produced(i), options).durable;
      }
      await log.close();
    },
  },
  {
    name: 'segments with entries in their indexes',
    config: { ...BASE, segmentBytes: 14_000 },
    isMeant: (path) => path.endsWith('index'),
    async fill(log) {
      const [partition] = (await log.createTopic({ name: 't', partitions: 1, configs: {} })).partitions;
      // Times that go back, so that the largest so far is not the newest.
      for (let i = 0; i < 24; i += 1) {
        const baseTimestamp = NOW_MS + [0, 40, 20, 60, 10][i % 5]! + i * 7;
        const batch = recordBatch({ values: [`${i}`, 'x'.repeat(1_300)], baseTimestamp });
        await partition!.append(batch, { nowMs: NOW_MS, origin: 'client' }).durable;
      }
      await log.close();
    },
  },
];

/** The directory as the disk has it when its process has ended. */
export async function sampleDisk(sample: Sample): Promise<SimMachine> {
  const machine = new SimMachine(1);
  const host = machine.boot();
  await machine.loop.settle(
    (async () => await sample.fill(await openDiskLog(sample.config, host), machine))(),
  );
  host.files.kill();
  if (sample.isMissing) removeFiles(machine.disk.root, '', sample.isMissing);
  return machine;
}

function removeFiles(directory: SimDirectory, at: string, isMissing: (path: string) => boolean): void {
  for (const [name, node] of directory.entries) {
    const path = `${at}/${name}`;
    if (isDirectory(node)) removeFiles(node, path, isMissing);
    else if (isMissing(path)) directory.entries.delete(name);
  }
}

function produced(i: number): Buffer {
  const values = Array.from({ length: 1 + (i % 3) }, (_, j) => `value-${i}-${j}`);
  const partition = i % 3 === 2 ? 1 : 0;
  return recordBatch({ values, producerId: 7 + partition, producerEpoch: 0, baseSequence: sequenceOf(i) });
}

/** Records in the batches of the same partition before. */
function sequenceOf(i: number): number {
  let sequence = 0;
  for (let j = 0; j < i; j += 1) if ((j % 3 === 2) === (i % 3 === 2)) sequence += 1 + (j % 3);
  return sequence;
}

/** An aborted, a committed, an open one, and what is in none. */
async function transactions(partition: Partition): Promise<void> {
  const next = new Map<number, number>();
  const write = async (producerId: number, attributes: number): Promise<void> => {
    const baseSequence = next.get(producerId) ?? 0;
    next.set(producerId, baseSequence + 1);
    const batch = recordBatch({
      values: [`${producerId}:${baseSequence}`],
      producerId,
      producerEpoch: 0,
      baseSequence,
      attributes,
    });
    const options = { nowMs: NOW_MS, origin: 'client' as const, transactionVersion: 1 as const };
    await partition.append(batch, options).durable;
  };
  const end = async (producerId: number, commit: boolean): Promise<void> => {
    const marker = {
      producerId,
      producerEpoch: 0,
      coordinatorEpoch: 0,
      commit,
      transactionVersion: 1 as const,
    };
    await partition.appendMarker(marker, NOW_MS).durable;
  };
  await write(1, 0x10);
  await write(2, 0x10);
  await write(9, 0);
  await end(1, false);
  await write(2, 0x10);
  await end(2, true);
  await write(9, 0);
  await write(3, 0x10);
  await write(1, 0x10);
  await end(1, false);
  await write(9, 0);
}

async function appendKeyed(partition: Partition, key: string, value: string): Promise<void> {
  const batch = encodeBatch([{ key: Buffer.from(key), value: Buffer.from(value) }], NOW_MS);
  await partition.append(batch, { nowMs: NOW_MS, origin: 'coordinator' }).durable;
}
