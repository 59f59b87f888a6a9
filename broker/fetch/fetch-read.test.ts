import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { readBatches, recordBatch } from '../../test/support/record-batch.ts';
import { SimBroker } from '../../test/support/sim-broker.ts';
import fetchHandler from '../handlers/fetch.ts';
import { LogError } from '../log/errors.ts';
import type { Partition } from '../log/partition/partition.ts';
import { CODE } from '../wire/errors.ts';
import { fetch } from '../wire/schemas/index.ts';

const PARTITIONS = 30;
const BATCHES = 4;
const VALUE_BYTES = 500;
const BATCH_BYTES = recordBatch({ values: ['x'.repeat(VALUE_BYTES)] }).length;

let broker: SimBroker;
let partitions: Partition[];
beforeEach(async () => {
  broker = await SimBroker.start(5);
  partitions = await broker.topic('t', PARTITIONS);
  for (const partition of partitions) {
    for (let i = 0; i < BATCHES; i += 1) {
      const batch = recordBatch({ values: ['x'.repeat(VALUE_BYTES)] });
      await broker.settle(partition.append(batch, { nowMs: 0, origin: 'client' }).durable);
    }
    await broker.settle(partition.flush());
    partition.tail.evict();
  }
});
afterEach(async () => {
  vi.restoreAllMocks();
  await broker.settle(broker.log.close());
});

async function fetched(maxBytes: number, partitionMaxBytes = 1_000_000, of = partitions) {
  const asked = of.map(({ partition }) => ({ partition, fetchOffset: 0, partitionMaxBytes }));
  const topics = [{ topic: 't', partitions: asked }];
  const request = { maxWaitMs: 0, minBytes: 1, maxBytes, topics };
  const { responses } = await broker.settle(broker.ask(fetchHandler, fetch, 11, request));
  return responses[0]!.partitions.map(({ errorCode, records }) => ({
    errorCode,
    offsets: readBatches(records!).map(({ baseOffset }) => baseOffset),
  }));
}

test('partitions behind the one that no longer fits are not read', async () => {
  const reads = partitions.map((partition) => vi.spyOn(partition, 'readPieces'));
  const found = await fetched(BATCHES * 2.5 * BATCH_BYTES + 1);
  expect(found.slice(0, 3).map(({ offsets }) => offsets)).toEqual([
    [0, 1, 2, 3],
    [0, 1, 2, 3],
    [0, 1],
  ]);
  expect(found.slice(3).flatMap(({ offsets }) => offsets)).toEqual([]);
  // The fourth was looked into.
  expect(reads.map(({ mock }) => mock.calls.length).reduce((sum, calls) => sum + calls)).toBe(4);
});

test('a partition that bounds itself below its next batch does not end the answer for others', async () => {
  const small = { partition: 1, fetchOffset: 0, partitionMaxBytes: BATCH_BYTES - 1 };
  const large = { fetchOffset: 0, partitionMaxBytes: 1_000_000 };
  const asked = [{ partition: 0, ...large }, small, { partition: 2, ...large }];
  const topics = [{ topic: 't', partitions: asked }];
  const request = { maxWaitMs: 0, minBytes: 1, maxBytes: 1_000_000, topics };
  const { responses } = await broker.settle(broker.ask(fetchHandler, fetch, 11, request));
  const counts = responses[0]!.partitions.map(({ records }) => readBatches(records!).length);
  expect(counts).toEqual([BATCHES, 0, BATCHES]);
});

test('reads that go on beside each other bring what they would bring one after the other', async () => {
  for (const batches of [1, 3, 5, 6, 17, 31, 118, 119, 120, 1_000]) {
    const counts = (await fetched(batches * BATCH_BYTES)).map(({ offsets }) => offsets.length);
    const full = Math.min(PARTITIONS, Math.floor(batches / BATCHES));
    const rest = full === PARTITIONS ? 0 : batches % BATCHES;
    const want = [...Array<number>(full).fill(BATCHES), ...(rest > 0 ? [rest] : [])];
    // Whoever was first, the next is it the next time.
    const some = counts.filter((count) => count > 0).toSorted((a, b) => b - a);
    expect(some).toEqual(want);
  }
});

test('four partitions are read at a time', async () => {
  let going = 0;
  const seen: number[] = [];
  for (const partition of partitions) {
    const original = partition.readPieces.bind(partition);
    vi.spyOn(partition, 'readPieces').mockImplementation(async (...args) => {
      going += 1;
      seen.push(going);
      return await Promise.resolve(original(...args)).finally(() => (going -= 1));
    });
  }
  const found = await fetched(1_000_000, 10_000);
  expect(found.every(({ offsets }) => offsets.length === BATCHES)).toBe(true);
  expect(seen.slice(0, 5)).toEqual([1, 2, 3, 4, 4]);
  expect(Math.max(...seen)).toBe(4);
});

test('a partition that cannot be read has its error; the next one is the first', async () => {
  const error = new LogError('KAFKA_STORAGE_ERROR', 'cannot read');
  vi.spyOn(partitions[0]!, 'readPieces').mockRejectedValue(error);
  const found = await fetched(1_000_000, BATCH_BYTES - 1, partitions.slice(0, 3));
  expect(found).toEqual([
    { errorCode: CODE.KAFKA_STORAGE_ERROR, offsets: [] },
    { errorCode: CODE.NONE, offsets: [0] },
    { errorCode: CODE.NONE, offsets: [] },
  ]);
});
