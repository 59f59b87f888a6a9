import { afterEach, beforeEach, expect, test } from 'vitest';

import { NOW_MS, SimLog } from '../../../test/sim/sim-log.ts';
import { type BatchPlan, recordBatch } from '../../../test/support/record-batch.ts';
import { crc32c } from '../batch/crc32c.ts';
import type { Partition } from '../partition/partition.ts';
import { joinedPieces } from './pieces.ts';
import { ReadBuffers, ReadLease } from './read-buffers.ts';

const T0 = NOW_MS;
const HOUR_MS = 3_600_000;
let sim: SimLog;
beforeEach(async () => {
  sim = await SimLog.open(5, { segmentBytes: 10_000 });
});
afterEach(() => sim.close());

async function append(partition: Partition, batch: Buffer): Promise<void> {
  await sim.append(partition, batch);
  await sim.settle(sim.log.checkpoint());
}

const at = (baseTimestamp: number, given: Partial<BatchPlan> = {}): Buffer =>
  recordBatch({ values: ['a'], baseTimestamp, ...given });
const bases = ({ segments }: Partition): number[] => segments.map(({ base }) => base);

test('a batch that does not fit begins the next segment, one that just fits does not', async () => {
  const value = 'x'.repeat(900);
  const size = at(T0, { values: [value] }).length;
  const partition = await sim.createTopic({ 'segment.bytes': `${3 * size}` });
  for (let i = 0; i < 5; i += 1) await append(partition, at(T0, { values: [value] }));
  expect(bases(partition)).toEqual([0, 3]);
});

test('segment.ms counts from the time of the first record, not from the last one', async () => {
  const partition = await sim.createTopic({ 'segment.ms': `${HOUR_MS}` });
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
  const partition = await sim.createTopic();
  const count = 2 ** 31 - 1;
  for (let i = 0; i < 3; i += 1) await append(partition, huge());
  await append(partition, at(T0));
  expect(bases(partition)).toEqual([0, count, 2 * count]);
  const last = await sim.settle(partition.read(3 * count, 1_000, true));
  expect(last.readBigInt64BE(0)).toBe(BigInt(3 * count));
});

test("a closed segment's time index ends with its largest timestamp, also where no entry was due", async () => {
  const partition = await sim.createTopic({ 'segment.ms': `${HOUR_MS}` });
  for (const minutes of [0, 50, 20, 90]) await append(partition, at(T0 + minutes * 60_000));
  const [closed] = partition.segments;
  const path = closed!.logPath.replace(/\.log$/, '.timeindex');
  const bytes = (await sim.settle(sim.host.files.readFile(path)))!;
  expect(bytes.length).toBe(12);
  expect([Number(bytes.readBigInt64BE(0)), bytes.readUInt32BE(8)]).toEqual([T0 + 50 * 60_000, 1]);
});

test('a batch that does not fit into the answer leaves alone what was read into the same memory before it', async () => {
  const made = await sim.createTopic();
  // Enough that the index leads to other bytes than the first ones.
  for (let i = 0; i < 9; i += 1) await append(made, at(T0, { values: [`${i}`.repeat(900)] }));
  // From the disk, not from memory.
  await sim.restart('close');
  const { partition } = sim;
  const lease = new ReadLease(new ReadBuffers());
  const read = async (offset: number, maxBytes: number, minOneBatch: boolean): Promise<Buffer> =>
    joinedPieces(
      await sim.settle(Promise.resolve(partition.readPieces(offset, maxBytes, minOneBatch, Infinity, lease))),
    );
  const first = await read(0, 1_000, true);
  const before = Buffer.from(first);
  expect(await read(8, 10, false)).toHaveLength(0);
  expect(await read(8, 10, false)).toHaveLength(0);
  expect(first.equals(before)).toBe(true);
});
