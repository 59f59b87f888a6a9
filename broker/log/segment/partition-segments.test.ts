import { afterEach, beforeEach, expect, test } from 'vitest';

import { SimMachine } from '../../../test/sim/sim-host.ts';
import { type BatchPlan, recordBatch } from '../../../test/support/record-batch.ts';
import { crc32c } from '../batch/crc32c.ts';
import type { DiskLog } from '../disk-log.ts';
import { openDiskLog } from '../open-log.ts';
import type { Partition } from '../partition/partition.ts';
import { joinedPieces } from './pieces.ts';
import { ReadBuffers, ReadLease } from './read-buffers.ts';

const T0 = 1_700_000_000_000;
const HOUR_MS = 3_600_000;
const CONFIG = { dataDir: '/data', segmentBytes: 10_000, tailBytesMax: 0, reserveBytes: 0 };
let machine: SimMachine;
let log: DiskLog;

beforeEach(async () => {
  machine = new SimMachine(5);
  log = await machine.loop.settle(openDiskLog(CONFIG, machine.boot()));
});
afterEach(async () => {
  await machine.loop.settle(log.close());
});

async function partitionOf(configs: Record<string, string> = {}): Promise<Partition> {
  await machine.loop.settle(log.createTopic({ name: 't', partitions: 1, configs }));
  return log.topic('t')!.partitions[0] as Partition;
}

async function append(partition: Partition, batch: Buffer): Promise<void> {
  await machine.loop.settle(partition.append(batch, { nowMs: T0, origin: 'client' }).durable);
  await machine.loop.settle(log.checkpoint());
}

const at = (baseTimestamp: number, given: Partial<BatchPlan> = {}): Buffer =>
  recordBatch({ values: ['a'], baseTimestamp, ...given });
const bases = ({ segments }: Partition): number[] => segments.map(({ base }) => base);

test('a batch that does not fit begins the next segment, one that just fits does not', async () => {
  const value = 'x'.repeat(900);
  const size = at(T0, { values: [value] }).length;
  const partition = await partitionOf({ 'segment.bytes': `${3 * size}` });
  for (let i = 0; i < 5; i += 1) await append(partition, at(T0, { values: [value] }));
  expect(bases(partition)).toEqual([0, 3]);
});

test('segment.ms counts from the time of the first record, not from the last one', async () => {
  const partition = await partitionOf({ 'segment.ms': `${HOUR_MS}` });
  for (const minutes of [0, 40, 60, 61, 100, 121, 122]) await append(partition, at(T0 + minutes * 60_000));
  // 61 is more than an hour after 0, 122 after 61.
  expect(bases(partition)).toEqual([0, 3, 6]);
});

test('offsets in a segment stay within 31 bits of its base, whatever counts the headers claim', async () => {
  const huge = (): Buffer => {
    const batch = at(T0);
    batch.writeInt32BE(2 ** 31 - 2, 23);
    batch.writeInt32BE(2 ** 31 - 1, 57);
    batch.writeUInt32BE(crc32c(batch, 21), 17);
    return batch;
  };
  const partition = await partitionOf();
  const count = 2 ** 31 - 1;
  for (let i = 0; i < 3; i += 1) await append(partition, huge());
  await append(partition, at(T0));
  expect(bases(partition)).toEqual([0, count, 2 * count]);
  const last = await machine.loop.settle(partition.read(3 * count, 1_000, true));
  expect(last.readBigInt64BE(0)).toBe(BigInt(3 * count));
});

test("a closed segment's time index ends with its largest timestamp, also where no entry was due", async () => {
  const partition = await partitionOf({ 'segment.ms': `${HOUR_MS}` });
  for (const minutes of [0, 50, 20, 90]) await append(partition, at(T0 + minutes * 60_000));
  const host = log.host;
  const [closed] = partition.segments;
  const path = closed!.logPath.replace(/\.log$/, '.timeindex');
  const bytes = (await machine.loop.settle(host.files.readFile(path)))!;
  expect(bytes.length).toBe(12);
  expect([Number(bytes.readBigInt64BE(0)), bytes.readUInt32BE(8)]).toEqual([T0 + 50 * 60_000, 1]);
});

test('a batch that does not fit into the answer leaves alone what was read into the same memory before it', async () => {
  const made = await partitionOf();
  // Enough that the index leads to other bytes than the first ones.
  for (let i = 0; i < 9; i += 1) await append(made, at(T0, { values: [`${i}`.repeat(900)] }));
  // From the disk, not from memory.
  await machine.loop.settle(log.close());
  log = await machine.loop.settle(openDiskLog(CONFIG, machine.boot()));
  const partition = log.topic('t')!.partitions[0]!;
  const lease = new ReadLease(new ReadBuffers());
  const read = async (offset: number, maxBytes: number, minOneBatch: boolean): Promise<Buffer> =>
    joinedPieces(
      await machine.loop.settle(
        Promise.resolve(partition.readPieces(offset, maxBytes, minOneBatch, Infinity, lease)),
      ),
    );
  const first = await read(0, 1_000, true);
  const before = Buffer.from(first);
  expect(await read(8, 10, false)).toHaveLength(0);
  expect(await read(8, 10, false)).toHaveLength(0);
  expect(first.equals(before)).toBe(true);
});
