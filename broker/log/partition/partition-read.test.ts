import { afterEach, beforeEach, expect, test } from 'vitest';

import { SimLog } from '../../../test/sim/sim-log.ts';
import { readBatches, recordBatch } from '../../../test/support/record-batch.ts';
import type { Partition } from './partition.ts';
import { ReadBuffers, ReadLease } from '../segment/read-buffers.ts';

const MIB = 1024 * 1024;
const SMALL = 100_000;
const LARGE = 3 * MIB;
/** Six MiB, in two segments: forty small batches, a large one in the middle, and twenty small ones. */
const SIZES = [...Array<number>(20).fill(SMALL), LARGE, ...Array<number>(20).fill(SMALL)];

let sim: SimLog;
let partition: Partition;
let batchBytes: number[];
beforeEach(async () => {
  sim = await SimLog.open(8, { segmentBytes: 4 * MIB });
  partition = await sim.createTopic({ 'max.message.bytes': `${4 * MIB}` });
  batchBytes = [];
  for (const size of SIZES) {
    const batch = recordBatch({ values: ['x'.repeat(size)] });
    batchBytes.push(batch.length);
    await sim.append(partition, batch);
  }
  await sim.settle(partition.flush());
  partition.tail.evict();
});
afterEach(() => sim.close());

async function read(offset: number, maxBytes: number, minOneBatch = true, before = Infinity) {
  const lease = new ReadLease(new ReadBuffers());
  const pieces = await sim.settle(
    Promise.resolve(partition.readPieces(offset, maxBytes, minOneBatch, before, lease)),
  );
  expect(pieces.chunks.reduce((sum, { length }) => sum + length, 0)).toBe(pieces.length);
  return {
    pieces,
    offsets: pieces.chunks.flatMap((chunk) => readBatches(chunk).map((one) => one.baseOffset)),
  };
}

function fitting(offset: number, maxBytes: number, before = Infinity): number[] {
  const offsets: number[] = [];
  let left = maxBytes;
  for (let at = offset; at < Math.min(SIZES.length, before) && batchBytes[at]! <= left; at += 1) {
    left -= batchBytes[at]!;
    offsets.push(at);
  }
  return offsets;
}

test('what is asked for is read whole in pieces of a MiB, however much it is, over the end of a segment', async () => {
  for (const maxBytes of [1.5 * MIB, 2 * MIB, 3 * MIB, 5 * MIB, 6 * MIB, 50 * MIB]) {
    const { pieces, offsets } = await read(0, maxBytes);
    expect(offsets).toEqual(fitting(0, maxBytes));
    for (const chunk of pieces.chunks)
      expect(chunk.length === batchBytes[20] || chunk.length <= MIB).toBe(true);
  }
});

test('a batch larger than a piece comes where it fits, and as the first one where one must come', async () => {
  expect((await read(20, 50 * MIB)).offsets).toEqual(fitting(20, 50 * MIB));
  expect((await read(20, 2 * MIB)).offsets).toEqual([20]);
  expect((await read(20, 2 * MIB, false)).offsets).toEqual([]);
  expect((await read(19, 3 * MIB)).offsets).toEqual([19]);
});

test('nothing from the bound on is read', async () => {
  for (const before of [3, 15, 21, 33]) {
    expect((await read(0, 50 * MIB, true, before)).offsets).toEqual(fitting(0, 50 * MIB, before));
  }
});

test('what is in front of a damaged batch is served; asking for the batch itself is an error', async () => {
  const { logPath } = partition.segments[0]!;
  let at = 0;
  for (let i = 0; i < 15; i += 1) at += batchBytes[i]!;
  const damage = sim.log.pool.use('write', logPath, (file) => file.write([Buffer.from('y')], at + 500));
  await sim.settle(damage);
  expect((await read(0, 50 * MIB)).offsets).toEqual(fitting(0, 50 * MIB, 15));
  await expect(read(15, 50 * MIB)).rejects.toMatchObject({ code: 'CORRUPT_MESSAGE' });
  expect((await read(16, 50 * MIB)).offsets).toEqual(fitting(16, 50 * MIB));
});
