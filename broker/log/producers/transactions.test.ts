import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { SimMachine } from '../../../test/sim/sim-host.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import { recordsOf, batchesOf } from '../../state/record-batch.ts';
import { attributesOf, baseOffsetOf, lastOffsetOf } from '../batch/batch-header.ts';
import type { DiskLog } from '../disk-log.ts';
import type { TransactionEnd } from '../log.ts';
import { openDiskLog } from '../open-log.ts';
import type { Partition } from '../partition/partition.ts';
import { ABORTED_MAX } from './transaction-index.ts';

let machine: SimMachine;
let log: DiskLog;
let partition: Partition;
const nowMs = 1_700_000_000_000;
const CONFIG = { dataDir: '/data', segmentBytes: 10_000, tailBytesMax: 0, reserveBytes: 0 };

beforeEach(async () => {
  machine = new SimMachine(5);
  log = await machine.loop.settle(openDiskLog(CONFIG, machine.boot()));
  await machine.loop.settle(log.createTopic({ name: 't', partitions: 1, configs: {} }));
  partition = log.topic('t')!.partitions[0] as Partition;
});
afterEach(async () => {
  await machine.loop.settle(log.close());
});

interface Place {
  readonly producerId: number;
  readonly sequence: number;
  readonly epoch?: number;
  readonly count?: number;
}

function batch({ producerId, sequence, epoch = 0, count = 1 }: Place, attributes = 0x10): Buffer {
  const values = Array.from({ length: count }, (_, i) => `${producerId}-${sequence + i}`);
  return recordBatch({ values, producerId, producerEpoch: epoch, baseSequence: sequence, attributes });
}

async function write(place: Place): Promise<number> {
  const options = { nowMs, origin: 'client', transactionVersion: 1 } as const;
  const { baseOffset, durable } = partition.append(batch(place), options);
  await machine.loop.settle(durable);
  return baseOffset;
}

async function plain(): Promise<number> {
  const { baseOffset, durable } = partition.append(recordBatch({ values: ['p'] }), {
    nowMs,
    origin: 'client',
  });
  await machine.loop.settle(durable);
  return baseOffset;
}

async function end(producerId: number, commit: boolean, rest: Partial<TransactionEnd> = {}): Promise<number> {
  const { baseOffset, durable } = partition.appendMarker(marker(producerId, commit, rest), nowMs);
  await machine.loop.settle(durable);
  return baseOffset;
}

function marker(producerId: number, commit: boolean, rest: Partial<TransactionEnd> = {}): TransactionEnd {
  return { producerId, producerEpoch: 0, coordinatorEpoch: 0, commit, transactionVersion: 1, ...rest };
}

async function restart(how: 'close' | 'kill' | 'cut'): Promise<void> {
  if (how === 'close') await machine.loop.settle(log.close());
  else (log.host.files as unknown as Record<'kill' | 'cut', () => void>)[how]();
  log = await machine.loop.settle(openDiskLog(CONFIG, machine.boot()));
  partition = log.topic('t')!.partitions[0] as Partition;
}

async function aborted(from = 0, to = partition.endOffset): Promise<Array<[number, number, number]>> {
  const found = await machine.loop.settle(partition.abortedTransactions(from, to));
  return found.map(({ producerId, firstOffset, lastOffset }) => [producerId, firstOffset, lastOffset]);
}

async function offsetsRead(offset: number, before?: number): Promise<number[]> {
  const bytes = await machine.loop.settle(partition.read(offset, 1_000_000, true, before));
  return [...batchesOf(bytes)].map((one) => baseOffsetOf(one));
}

describe('the last stable offset', () => {
  test('is the high watermark while no transaction is open, and the first offset of the earliest open one', async () => {
    await plain();
    expect(partition.lastStableOffset).toBe(1);
    await write({ producerId: 7, sequence: 0 });
    await plain();
    await write({ producerId: 8, sequence: 0, count: 3 });
    expect(partition.lastStableOffset).toBe(1);
    await end(7, true);
    expect(partition.lastStableOffset).toBe(3);
    await end(8, false);
    expect(partition.lastStableOffset).toBe(partition.highWatermark);
  });

  test('moves only when the marker is durable, and readers are woken then', async () => {
    await write({ producerId: 7, sequence: 0 });
    let woken = 0;
    partition.onAdvance(() => (woken += 1));
    const { durable } = partition.appendMarker(marker(7, true), nowMs);
    expect([partition.lastStableOffset, woken]).toEqual([0, 0]);
    await machine.loop.settle(durable);
    expect([partition.lastStableOffset, woken]).toEqual([2, 1]);
  });

  test('is not held back by a batch that is not durable yet', async () => {
    const { durable } = partition.append(batch({ producerId: 7, sequence: 0 }), {
      nowMs,
      origin: 'client',
      transactionVersion: 1,
    });
    expect(partition.lastStableOffset).toBe(0);
    await machine.loop.settle(durable);
    expect([partition.lastStableOffset, partition.highWatermark]).toEqual([0, 1]);
  });

  test('is never below the start of the log, also when records of an open transaction are deleted', async () => {
    await write({ producerId: 7, sequence: 0 });
    await plain();
    await plain();
    await machine.loop.settle(partition.deleteBefore(2));
    expect(partition.lastStableOffset).toBe(2);
    await end(7, false);
    expect([partition.lastStableOffset, await aborted(2)]).toEqual([4, [[7, 0, 3]]]);
  });

  for (const how of ['close', 'kill', 'cut'] as const) {
    test(`is the same after a restart by ${how}, with checkpoint and without`, async () => {
      for (const withCheckpoint of [true, false]) {
        const producerId = withCheckpoint ? 7 : 9;
        await plain();
        await write({ producerId, sequence: 0 });
        await plain();
        if (withCheckpoint) await machine.loop.settle(log.checkpoint());
        const { lastStableOffset } = partition;
        expect(lastStableOffset).toBe(partition.highWatermark - 2);
        await restart(how);
        expect(partition.lastStableOffset).toBe(lastStableOffset);
        await end(producerId, false);
        expect(partition.lastStableOffset).toBe(partition.highWatermark);
      }
      await restart(how);
      expect(await aborted()).toEqual([
        [7, 1, 3],
        [9, 5, 7],
      ]);
    });
  }
});

test('a marker is a control batch of one record, whose key names the kind and whose value is never null', async () => {
  await write({ producerId: 7, sequence: 0 });
  await end(7, true, { coordinatorEpoch: 5 });
  await end(7, false, { coordinatorEpoch: 6 });
  const bytes = await machine.loop.settle(partition.read(1, 1_000, true));
  const [commit, abort] = [...batchesOf(bytes)];
  expect([attributesOf(commit!), attributesOf(abort!)]).toEqual([0x30, 0x30]);
  const want = [
    { key: '00000001', value: '000000000005', offset: 1 },
    { key: '00000000', value: '000000000006', offset: 2 },
  ];
  for (const [i, one] of [commit!, abort!].entries()) {
    expect(lastOffsetOf(one)).toBe(baseOffsetOf(one));
    expect(
      recordsOf(one).map(({ key, value, offset, timestampMs }) => ({
        key: key?.toString('hex'),
        value: value?.toString('hex'),
        offset,
        timestampMs,
      })),
    ).toEqual([{ ...want[i]!, timestampMs: nowMs }]);
  }
});

describe('reading up to the last stable offset', () => {
  for (const where of ['memory', 'segments'] as const) {
    test(`whole batches below it, from ${where}`, async () => {
      await plain();
      await plain();
      await write({ producerId: 7, sequence: 0, count: 2 });
      await plain();
      if (where === 'segments') await machine.loop.settle(log.checkpoint());
      expect(await offsetsRead(0)).toEqual([0, 1, 2, 4]);
      expect(await offsetsRead(0, partition.lastStableOffset)).toEqual([0, 1]);
      expect(await offsetsRead(2, partition.lastStableOffset)).toEqual([]);
      const size = recordBatch({ values: ['p'] }).length;
      expect(partition.availableBytes(0, 10_000, partition.lastStableOffset)).toBeGreaterThan(size);
      expect(partition.availableBytes(0, 10_000, partition.lastStableOffset)).toBeLessThan(4 * size);
      expect(partition.availableBytes(2, 10_000, partition.lastStableOffset)).toBe(0);
    });
  }
});

describe('aborted transactions', () => {
  test('those that overlap a range, sorted by their first offset; committed ones never', async () => {
    await write({ producerId: 1, sequence: 0 }); // 0
    await write({ producerId: 2, sequence: 0 }); // 1
    await write({ producerId: 3, sequence: 0 }); // 2
    await end(2, false); // 3
    await end(3, true); // 4
    await end(1, false); // 5
    await write({ producerId: 2, sequence: 1 }); // 6
    await end(2, false); // 7
    const cases: Array<[number, number, Array<[number, number, number]>]> = [
      [0, 1, [[1, 0, 5]]],
      [
        0,
        2,
        [
          [1, 0, 5],
          [2, 1, 3],
        ],
      ],
      [4, 6, [[1, 0, 5]]],
      [
        5,
        7,
        [
          [1, 0, 5],
          [2, 6, 7],
        ],
      ],
      [6, 7, [[2, 6, 7]]],
      [8, 9, []],
    ];
    for (const [from, to, want] of cases) expect(await aborted(from, to)).toEqual(want);
  });

  test('are forgotten where the log was deleted, and for good', async () => {
    for (let i = 0; i < 3; i += 1) {
      await write({ producerId: 1, sequence: i });
      await end(1, false);
    }
    await machine.loop.settle(partition.deleteBefore(3));
    expect(await aborted(3, 6)).toEqual([
      [1, 2, 3],
      [1, 4, 5],
    ]);
    expect(partition.transactions.aborted.length).toBe(2);
    await expect(machine.loop.settle(partition.abortedTransactions(2, 6))).rejects.toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
    });
    await restart('cut');
    expect(partition.transactions.aborted.length).toBe(2);
    await machine.loop.settle(partition.deleteBefore(6));
    expect(partition.transactions.aborted.length).toBe(0);
  });

  test('there is a bound, behind which no transaction begins until retention makes room', async () => {
    await write({ producerId: 1, sequence: 0 });
    for (let i = 0; i < ABORTED_MAX; i += 1) partition.transactions.aborted.push(9, 0, 0, 1);
    await expect(write({ producerId: 2, sequence: 0 })).rejects.toMatchObject({
      code: 'KAFKA_STORAGE_ERROR',
    });
    expect(await write({ producerId: 1, sequence: 1 })).toBe(1);
    expect(await end(1, true)).toBe(2);
    expect(await plain()).toBe(3);
    partition.transactions.dropBefore(1);
    expect(await write({ producerId: 2, sequence: 0 })).toBe(4);
  });

  test('a marker without a transaction adds none', async () => {
    await end(1, false);
    expect(await aborted()).toEqual([]);
  });
});

describe('markers', () => {
  test('of an older epoch are refused, and change nothing', async () => {
    await write({ producerId: 1, sequence: 0, epoch: 3 });
    expect(() => partition.appendMarker(marker(1, true, { producerEpoch: 2 }), nowMs)).toThrow(
      expect.objectContaining({ code: 'INVALID_PRODUCER_EPOCH' }),
    );
    expect([partition.endOffset, partition.lastStableOffset]).toEqual([1, 0]);
  });

  test('of a coordinator that was replaced are refused', async () => {
    await write({ producerId: 1, sequence: 0 });
    await end(1, true, { coordinatorEpoch: 4 });
    await write({ producerId: 1, sequence: 1 });
    expect(() => partition.appendMarker(marker(1, true, { coordinatorEpoch: 3 }), nowMs)).toThrow(
      expect.objectContaining({ code: 'TRANSACTION_COORDINATOR_FENCED' }),
    );
    await end(1, true, { coordinatorEpoch: 5 });
  });

  test('of transaction version 2 need an epoch above the open transaction; one repeated after its end is taken', async () => {
    const two = { transactionVersion: 2, producerEpoch: 1 } as const;
    await write({ producerId: 1, sequence: 0, epoch: 1 });
    expect(() => partition.appendMarker(marker(1, true, two), nowMs)).toThrow(
      expect.objectContaining({ code: 'INVALID_PRODUCER_EPOCH' }),
    );
    await end(1, true, { ...two, producerEpoch: 2 });
    await end(1, true, { ...two, producerEpoch: 2 });
    expect(partition.lastStableOffset).toBe(3);
    expect(await write({ producerId: 1, sequence: 0, epoch: 2 })).toBe(3);
  });
});

test('activeProducers tells epoch, last sequence, coordinator epoch and the start of the open transaction', async () => {
  await write({ producerId: 1, sequence: 0, count: 3 });
  await end(1, true, { coordinatorEpoch: 2 });
  await write({ producerId: 1, sequence: 3 });
  await end(2, false, { producerEpoch: 4 });
  expect(partition.activeProducers()).toEqual([
    {
      producerId: 1,
      producerEpoch: 0,
      lastSequence: 3,
      lastTimestampMs: nowMs,
      coordinatorEpoch: 2,
      transactionStartOffset: 4,
    },
    {
      producerId: 2,
      producerEpoch: 4,
      lastSequence: -1,
      lastTimestampMs: nowMs,
      coordinatorEpoch: 0,
      transactionStartOffset: -1,
    },
  ]);
});

test('activeProducers tells the largest timestamp of the last batch or marker, whenever that came, after any restart', async () => {
  const old = 1_600_000_000_000;
  const attributes = 0x10;
  const sent = { producerId: 7, producerEpoch: 0, baseTimestamp: old, attributes };
  const times = (): number[] => partition.activeProducers().map((one) => one.lastTimestampMs);
  for (const [baseSequence, timestampDeltas] of [
    [0, [100]],
    [1, [1, 3, 2]],
  ] as const) {
    const values = timestampDeltas.map(String);
    const bytes = recordBatch({ ...sent, values, baseSequence, timestampDeltas });
    const { durable } = partition.append(bytes, { nowMs, origin: 'client', transactionVersion: 1 });
    await machine.loop.settle(durable);
  }
  expect(times()).toEqual([old + 3]);
  for (const how of ['kill', 'close'] as const) {
    await restart(how);
    expect(times()).toEqual([old + 3]);
  }
  await end(7, false);
  expect(times()).toEqual([nowMs]);
  await restart('kill');
  expect(times()).toEqual([nowMs]);
});

test('a producer with an open transaction is never forgotten', async () => {
  await write({ producerId: 1, sequence: 0 });
  await write({ producerId: 2, sequence: 0 });
  await end(2, true);
  machine.loop.nowMs += 25 * 3_600_000;
  await machine.loop.settle(log.keepHouse());
  expect(partition.activeProducers().map(({ producerId }) => producerId)).toEqual([1]);
  await end(1, false);
  expect(await aborted()).toEqual([[1, 0, 3]]);
});

test('what the disk refused leaves no trace of the transaction that it began or ended', async () => {
  await write({ producerId: 1, sequence: 0 });
  const files = log.host.files as unknown as { fault: (operation: string) => { code: string } | undefined };
  files.fault = (operation) => (operation === 'datasync' ? { code: 'EIO' } : undefined);
  const ended = partition.appendMarker(marker(1, false), nowMs);
  const begun = partition.append(batch({ producerId: 2, sequence: 0 }), {
    nowMs,
    origin: 'client',
    transactionVersion: 1,
  });
  for (const { durable } of [ended, begun]) {
    await expect(machine.loop.settle(durable)).rejects.toMatchObject({ code: 'KAFKA_STORAGE_ERROR' });
  }
  files.fault = () => undefined;
  expect(await machine.loop.settle(log.resume())).toBe(true);
  expect([partition.lastStableOffset, partition.endOffset, await aborted()]).toEqual([0, 1, []]);
  expect(await end(1, true)).toBe(1);
  expect([partition.lastStableOffset, await aborted()]).toEqual([2, []]);
  expect(partition.activeProducers().map(({ producerId }) => producerId)).toEqual([1]);
});

test('compaction goes on where the start of the log lies within a segment, and aborted transactions stay known', async () => {
  const configs = { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0' };
  await machine.loop.settle(log.createTopic({ name: 'compacted', partitions: 1, configs }));
  partition = log.topic('compacted')!.partitions[0] as Partition;
  for (let i = 0; i < 120; i += 1) {
    // Records without keys, which clients may not send to such a topic.
    const given = batch({ producerId: 1, sequence: 2 * i, count: 2 });
    await machine.loop.settle(
      partition.append(given, { nowMs, origin: 'coordinator', transactionVersion: 1 }).durable,
    );
    await end(1, false);
  }
  await machine.loop.settle(partition.deleteBefore(4));
  await machine.loop.settle(log.checkpoint());
  expect(partition.segments.length).toBeGreaterThan(1);
  await machine.loop.settle(log.compact());
  const { lines } = log.host as unknown as { lines: Array<{ level: string }> };
  expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
  expect(lines.filter(({ level }) => level === 'debug')).toHaveLength(1);
  expect(await aborted(4, 9)).toEqual([
    [1, 3, 5],
    [1, 6, 8],
  ]);
});
