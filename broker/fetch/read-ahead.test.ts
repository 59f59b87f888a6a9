import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { readBatches, recordBatch } from '../../test/support/record-batch.ts';
import { SimBroker } from '../../test/support/sim-broker.ts';
import fetchHandler from '../handlers/fetch.ts';
import { TRANSACTIONAL } from '../log/batch/batch-header.ts';
import type { PartitionLog } from '../log/log.ts';
import type { Partition } from '../log/partition/partition.ts';
import { NO_PIECES, type Pieces } from '../log/segment/pieces.ts';
import { ReadBuffers, ReadLease } from '../log/segment/read-buffers.ts';
import { CODE } from '../wire/errors.ts';
import { fetch } from '../wire/schemas/index.ts';
import { ReadAhead } from './read-ahead.ts';

const BATCHES = 40;
const VALUE_BYTES = 10_000;
const BATCH_BYTES = recordBatch({ values: ['x'.repeat(VALUE_BYTES)] }).length;
const READ_COMMITTED = 1;

let broker: SimBroker;
let partitions: Partition[];
beforeEach(async () => {
  broker = await SimBroker.start(6);
  partitions = await broker.topic('t', 3);
  for (const partition of partitions) await fill(partition);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await broker.settle(broker.log.close());
});

async function fill(partition: Partition, batches = BATCHES): Promise<void> {
  for (let i = 0; i < batches; i += 1) {
    const batch = recordBatch({
      values: [`${partition.partition}/${partition.endOffset}`.padEnd(VALUE_BYTES)],
    });
    await broker.settle(partition.append(batch, { nowMs: 0, origin: 'client' }).durable);
  }
  await broker.settle(partition.flush());
  partition.tail.evict();
}

interface Asked {
  readonly offsets?: readonly number[];
  readonly batches?: number;
  readonly answerBatches?: number;
  readonly isolationLevel?: number;
}

/** One fetch of all partitions, each from its offset. */
async function fetched({
  offsets = [0, 0, 0],
  batches = 10,
  answerBatches = 1_000,
  isolationLevel = 0,
}: Asked) {
  const asked = offsets.map((fetchOffset, partition) => ({
    partition,
    fetchOffset,
    partitionMaxBytes: batches * BATCH_BYTES,
  }));
  const topics = [{ topic: 't', partitions: asked }];
  const request = {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: answerBatches * BATCH_BYTES,
    isolationLevel,
    topics,
  };
  const { responses } = await broker.settle(broker.ask(fetchHandler, fetch, 11, request));
  return responses[0]!.partitions.map(({ errorCode, records }) => ({
    errorCode,
    offsets: readBatches(records!).map(({ baseOffset }) => baseOffset),
    values: readBatches(records!).flatMap((one) => one.values.map((value) => value.trimEnd())),
  }));
}

/** The answer has left, and what is read behind it has been read. */
async function readAhead(): Promise<void> {
  broker.sent();
  await broker.settle(broker.log.host.timers.sleep(100));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

function outcomes(): Record<string, number> {
  const { series } = broker.log.host.metrics.snapshot().find(({ name }) => name === 'ahead')!;
  return Object.fromEntries(series.map(({ labels, value }) => [labels['outcome'], value]));
}

test('who goes on from where the answer ended gets what was read meanwhile', async () => {
  expect((await fetched({})).map(({ offsets }) => offsets)).toEqual(Array(3).fill(range(0, 10)));
  await readAhead();
  const reads = partitions.map((partition) => vi.spyOn(partition, 'readPieces'));
  const second = await fetched({ offsets: [10, 10, 10] });
  expect(second.map(({ values }) => values)).toEqual(
    partitions.map(({ partition }) => range(10, 20).map((offset) => `${partition}/${offset}`)),
  );
  for (const { mock } of reads) expect(mock.calls).toEqual([]);
  expect(outcomes()).toEqual({ used: 3 });
});

test('a whole log is read once, in order, whatever the sizes of answers', async () => {
  for (const [batches, answerBatches] of [
    [10, 1_000],
    [10, 15],
    [7, 10],
    [10, 3],
    [1, 1],
  ] as const) {
    const offsets = [0, 0, 0];
    const read: string[][] = [[], [], []];
    for (let round = 0; round < 200 && offsets.some((offset) => offset < BATCHES); round += 1) {
      const answers = await fetched({ offsets, batches, answerBatches });
      for (const [at, { values }] of answers.entries()) {
        read[at]!.push(...values);
        offsets[at]! += values.length;
      }
      await readAhead();
    }
    expect(read).toEqual(
      partitions.map(({ partition }) => range(0, BATCHES).map((offset) => `${partition}/${offset}`)),
    );
  }
  expect(outcomes()['used']).toBeGreaterThan(30);
});

test('who takes less the next time gets less, and at least one batch', async () => {
  await fetched({});
  await readAhead();
  const less = await fetched({ offsets: [10, 10, 10], batches: 4 });
  expect(less.map(({ offsets }) => offsets)).toEqual(Array(3).fill(range(10, 14)));
  await fetched({});
  await readAhead();
  expect(
    (await fetched({ offsets: [10, 10, 10], batches: 0.1, answerBatches: 0.1 })).map(
      ({ offsets }) => offsets.length,
    ),
  ).toEqual([1, 0, 0]);
});

test('elsewhere, and for what memory has, it is read when it is asked for', async () => {
  await fetched({});
  await readAhead();
  expect((await fetched({ offsets: [5, 20, 11] })).map(({ offsets }) => offsets[0])).toEqual([5, 20, 11]);
  expect(outcomes()).toEqual({});
  // To the end: what follows will be in memory.
  await fetched({ offsets: [30, 30, 30] });
  await readAhead();
  await fetched({ offsets: [40, 40, 40] });
  expect(outcomes()['used']).toBeUndefined();
});

test('what nobody came for is given back after a second', async () => {
  await fetched({});
  await readAhead();
  await broker.settle(broker.log.host.timers.sleep(1_000));
  expect(outcomes()).toEqual({ unused: 3 });
  expect((await fetched({ offsets: [10, 10, 10] }))[2]!.offsets).toEqual(range(10, 20));
});

test('what was deleted meanwhile is not handed out', async () => {
  await fetched({});
  await readAhead();
  await broker.settle(partitions[1]!.deleteBefore(15));
  const [first, second] = await fetched({ offsets: [10, 10, 10] });
  expect(first!.offsets).toEqual(range(10, 20));
  expect(second).toMatchObject({ errorCode: CODE.OFFSET_OUT_OF_RANGE, offsets: [] });
  await broker.settle(broker.log.deleteTopic('t'));
  const renewed = await broker.topic('t', 3);
  await fill(renewed[0]!, 12);
  expect((await fetched({ offsets: [10, 0, 0] }))[0]!.offsets).toEqual([10, 11]);
});

test('of an open transaction nothing is handed out to readers of committed records', async () => {
  const [partition] = partitions;
  await fill(partition!, 5);
  const producer = { producerId: 9, producerEpoch: 0, baseSequence: 0, attributes: TRANSACTIONAL };
  const open = recordBatch({ values: ['open'.padEnd(VALUE_BYTES)], ...producer });
  const client = { nowMs: 0, origin: 'client', transactionVersion: 2 } as const;
  await broker.settle(partition!.append(open, client).durable);
  await fill(partition!, 10);
  await fetched({ offsets: [30, 30, 30] });
  await readAhead();
  const [committed] = await fetched({ offsets: [40, 40, 40], isolationLevel: READ_COMMITTED });
  expect(committed!.offsets).toEqual(range(40, 45));
  expect(outcomes()).toEqual({ used: 1 });
});

test('damage that a read ahead meets is told to who asks for it', async () => {
  await fetched({});
  const [partition] = partitions;
  const [segment] = partition!.segments;
  const handle = await broker.settle(broker.files.open(segment!.logPath, 'write'));
  await broker.settle(handle.write([Buffer.from('damage')], 12 * BATCH_BYTES + 100));
  await readAhead();
  expect((await fetched({ offsets: [10, 10, 10] }))[0]!.offsets).toEqual([10, 11]);
  await readAhead();
  expect((await fetched({ offsets: [12, 20, 20] }))[0]).toMatchObject({ errorCode: CODE.CORRUPT_MESSAGE });
});

test('two read at a time, up to the bytes of one answer over all readers', async () => {
  const bytesMax = 1024 * 1024;
  const waiting: Array<() => void> = [];
  const readPieces = (): Promise<Pieces> =>
    new Promise((resolve) => void waiting.push(() => resolve(NO_PIECES)));
  const logs = Array.from({ length: 40 }, () => {
    const log: Partial<PartitionLog> = { readPieces, availableBytes: () => bytesMax };
    return log as PartitionLog;
  });
  const { timers, metrics } = broker.log.host;
  const ahead = new ReadAhead(timers, new ReadBuffers(), metrics.counter('fakes', 'Reads.'));
  for (const log of logs) ahead.begin([{ log, offset: 7, bytesMax }]);
  let reads = 0;
  while (waiting.length > 0) {
    expect(waiting.length).toBeLessThanOrEqual(2);
    waiting.shift()!();
    reads += 1;
    await broker.settle(timers.sleep(1));
  }
  expect(reads).toBe(16);
  // What is taken makes room.
  const bounds = { bytesMax, minOneBatch: true, before: Infinity };
  expect(await ahead.take(logs[3]!, 7, bounds, new ReadLease(new ReadBuffers()))).toEqual(NO_PIECES);
  expect(ahead.take(logs[20]!, 7, bounds, new ReadLease(new ReadBuffers()))).toBeUndefined();
  ahead.begin([{ log: logs[20]!, offset: 7, bytesMax }]);
  expect(waiting.length).toBe(1);
  ahead.stop();
});
