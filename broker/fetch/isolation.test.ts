import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { readBatches, recordBatch } from '../../test/support/record-batch.ts';
import { SimBroker } from '../../test/support/sim-broker.ts';
import describeProducersHandler from '../handlers/describe-producers.ts';
import fetchHandler from '../handlers/fetch.ts';
import listOffsetsHandler from '../handlers/list-offsets.ts';
import type { Partition } from '../log/partition/partition.ts';
import { CODE } from '../wire/errors.ts';
import { describeProducers, fetch, listOffsets } from '../wire/schemas/index.ts';

const COMMITTED = 1;
const UNCOMMITTED = 0;
let broker: SimBroker;
let partition: Partition;
beforeEach(async () => {
  broker = await SimBroker.start(3);
  [partition] = (await broker.topic('t')) as [Partition];
});
afterEach(async () => {
  await broker.settle(broker.log.close());
});

async function write(producerId: number, timestampMs = 1_000): Promise<number> {
  const batch = recordBatch({
    values: [`${producerId}`],
    baseTimestamp: timestampMs,
    ...(producerId < 0 ? {} : { producerId, producerEpoch: 0, attributes: 0x10 }),
  });
  const { baseOffset, durable } = partition.append(batch, {
    nowMs: 0,
    // Without sequences: this is about readers.
    origin: 'coordinator',
  });
  await broker.settle(durable);
  return baseOffset;
}

async function end(producerId: number, commit: boolean): Promise<void> {
  const { durable } = partition.appendMarker(
    { producerId, producerEpoch: 0, coordinatorEpoch: 0, commit, transactionVersion: 1 },
    0,
  );
  await broker.settle(durable);
}

async function fetched(
  isolationLevel: number,
  fetchOffset = 0,
  given: { version?: number; maxWaitMs?: number; minBytes?: number } = {},
) {
  const { responses } = await broker.ask(fetchHandler, fetch, given.version ?? 11, {
    maxWaitMs: given.maxWaitMs ?? 0,
    minBytes: given.minBytes ?? 1,
    isolationLevel,
    topics: [{ topic: 't', partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1_000_000 }] }],
  });
  return responses[0]!.partitions[0]!;
}

const offsets = ({ records }: { records: Buffer | null }): number[] =>
  readBatches(records!).map(({ baseOffset }) => baseOffset);

test('read_uncommitted returns transactional records at once, read_committed after the transaction has ended', async () => {
  await write(-1);
  await write(7);
  await write(-1);
  const everything = await broker.settle(fetched(UNCOMMITTED));
  expect(offsets(everything)).toEqual([0, 1, 2]);
  expect(everything).toMatchObject({ highWatermark: 3, lastStableOffset: 1, abortedTransactions: null });
  const stable = await broker.settle(fetched(COMMITTED));
  expect(offsets(stable)).toEqual([0]);
  expect(stable).toMatchObject({ highWatermark: 3, lastStableOffset: 1, abortedTransactions: [] });
  await end(7, true);
  const after = await broker.settle(fetched(COMMITTED));
  expect(offsets(after)).toEqual([0, 1, 2, 3]);
  expect(after).toMatchObject({ highWatermark: 4, lastStableOffset: 4, abortedTransactions: [] });
});

test('control batches are returned in both isolation levels', async () => {
  await write(7);
  await end(7, true);
  for (const level of [UNCOMMITTED, COMMITTED]) {
    expect(offsets(await broker.settle(fetched(level)))).toEqual([0, 1]);
  }
});

test('aborted transactions are named to read_committed only, sorted by their first offset, null to others', async () => {
  for (const id of [9, 5, 7]) await write(id);
  await end(7, false);
  await end(5, true);
  await end(9, false);
  for (const version of [4, 11, 12]) {
    const committed = await broker.settle(fetched(COMMITTED, 0, { version }));
    expect(committed.abortedTransactions).toEqual([
      { producerId: 9, firstOffset: 0 },
      { producerId: 7, firstOffset: 2 },
    ]);
    expect((await broker.settle(fetched(UNCOMMITTED, 0, { version }))).abortedTransactions).toBeNull();
  }
  const behind = await broker.settle(fetched(COMMITTED, 4));
  expect(behind.abortedTransactions).toEqual([{ producerId: 9, firstOffset: 0 }]);
});

describe('a parked read_committed fetch', () => {
  async function parked(given: { minBytes?: number; maxWaitMs?: number }) {
    const state = { done: false };
    const answer = fetched(COMMITTED, 0, { maxWaitMs: 20_000, ...given }).then((one) => {
      state.done = true;
      return one;
    });
    await broker.machine.loop.pass(1);
    return { answer, state };
  }

  test('is not woken by records of an open transaction, and is by its marker', async () => {
    const { answer, state } = await parked({});
    await write(7);
    await broker.machine.loop.pass(100);
    expect(state.done).toBe(false);
    await end(7, true);
    expect(offsets(await broker.settle(answer))).toEqual([0, 1]);
  });

  test('counts bytes up to the last stable offset only', async () => {
    const size = recordBatch({ values: ['7'] }).length;
    const { answer, state } = await parked({ minBytes: 2 * size });
    await write(-1);
    await write(7);
    await write(-1);
    await broker.machine.loop.pass(100);
    expect(state.done).toBe(false);
    await end(7, false);
    const got = await broker.settle(answer);
    expect(offsets(got)).toEqual([0, 1, 2, 3]);
    expect(got.abortedTransactions).toEqual([{ producerId: 7, firstOffset: 1 }]);
  });

  test('ends after max_wait with what is stable', async () => {
    const { answer } = await parked({ minBytes: 10_000, maxWaitMs: 50 });
    await write(-1);
    await write(7);
    expect(offsets(await broker.settle(answer))).toEqual([0]);
  });
});

describe('ListOffsets', () => {
  const cases: Array<[string, number, number, [offset: number, timestamp: number]]> = [
    ['the latest, of everything', UNCOMMITTED, -1, [4, -1]],
    ['the latest, committed: the last stable offset', COMMITTED, -1, [2, -1]],
    ['the earliest, committed', COMMITTED, -2, [0, -1]],
    ['the largest timestamp, of everything', UNCOMMITTED, -3, [2, 9_000]],
    ['the largest timestamp, where it is not stable yet', COMMITTED, -3, [-1, -1]],
    ['a time, of everything', UNCOMMITTED, 2_500, [2, 9_000]],
    ['a time whose record is stable', COMMITTED, 1_500, [1, 2_000]],
    ['a time whose record is not stable yet', COMMITTED, 2_500, [-1, -1]],
  ];
  for (const [what, isolationLevel, timestamp, want] of cases) {
    test(`${what}: ${want[0]}`, async () => {
      await write(-1, 1_000);
      await write(-1, 2_000);
      await write(7, 9_000);
      await write(-1, 3_000);
      const { topics } = await broker.settle(
        broker.ask(listOffsetsHandler, listOffsets, 7, {
          replicaId: -1,
          isolationLevel,
          topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp }] }],
        }),
      );
      const got = topics[0]!.partitions[0]!;
      expect([got.errorCode, got.offset, got.timestamp]).toEqual([0, ...want]);
    });
  }
});

describe('DescribeProducers', () => {
  const ask = async (name: string, partitionIndexes: number[]) => {
    const answer = await broker.settle(
      broker.ask(describeProducersHandler, describeProducers, 0, { topics: [{ name, partitionIndexes }] }),
    );
    return answer.topics[0]!.partitions;
  };

  test('tells who wrote, and where the open transaction begins', async () => {
    await write(-1);
    await write(7);
    const [found] = await ask('t', [0]);
    expect(found).toMatchObject({
      errorCode: 0,
      activeProducers: [{ producerId: 7, producerEpoch: 0, coordinatorEpoch: -1, currentTxnStartOffset: 1 }],
    });
    await end(7, false);
    const [ended] = await ask('t', [0]);
    expect(ended!.activeProducers).toMatchObject([{ coordinatorEpoch: 0, currentTxnStartOffset: -1 }]);
  });

  test('unknown and forbidden topics are errors of their partitions', async () => {
    expect((await ask('t', [4]))[0]!.errorCode).toBe(CODE.UNKNOWN_TOPIC_OR_PARTITION);
    expect((await ask('x', [0]))[0]!.errorCode).toBe(CODE.UNKNOWN_TOPIC_OR_PARTITION);
    broker.may = () => false;
    expect((await ask('t', [0]))[0]!.errorCode).toBe(CODE.TOPIC_AUTHORIZATION_FAILED);
  });
});

test('a topic that may not be read or described is an error of its partitions', async () => {
  broker.may = (operation) => operation !== 'Read' && operation !== 'Describe';
  expect((await broker.settle(fetched(UNCOMMITTED))).errorCode).toBe(CODE.TOPIC_AUTHORIZATION_FAILED);
  const { topics } = await broker.settle(
    broker.ask(listOffsetsHandler, listOffsets, 7, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
    }),
  );
  expect(topics[0]!.partitions[0]!.errorCode).toBe(CODE.TOPIC_AUTHORIZATION_FAILED);
});
