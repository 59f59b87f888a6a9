import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { recordBatch } from '../../test/support/record-batch.ts';
import { SimBroker } from '../../test/support/sim-broker.ts';
import fetchHandler from '../handlers/fetch.ts';
import listOffsetsHandler from '../handlers/list-offsets.ts';
import offsetForLeaderEpochHandler from '../handlers/offset-for-leader-epoch.ts';
import type { Partition } from '../log/partition/partition.ts';
import { CODE } from '../wire/errors.ts';
import { fetch, listOffsets, offsetForLeaderEpoch } from '../wire/schemas/index.ts';

/**
 * KIP-320 on one node: a start that had to cut a tail begins a new leader epoch, since somebody may have been told of
 * offsets that are given out again. Consumers that remember the epoch of what they read are told where to go back to.
 */
let broker: SimBroker;
let partition: Partition;
/** End of the log when the torn write came: the first offset of the new epoch. */
let cutAt: number;

beforeEach(async () => {
  broker = await SimBroker.start(3);
  [partition] = (await broker.topic('t')) as [Partition];
  for (let i = 0; i < 3; i += 1) await append();
});
afterEach(async () => {
  await broker.settle(broker.log.close());
});

async function append(): Promise<void> {
  const { durable } = partition.append(recordBatch({ values: ['a'] }), { nowMs: 0, origin: 'client' });
  await broker.settle(durable);
}

/** The power fails while a batch is being written: half an entry is on the disk. */
async function tornRestart(): Promise<void> {
  cutAt = partition.endOffset;
  const { wal } = broker.log;
  const { file, end } = wal.files.kept.at(-1)!;
  const torn = await broker.settle(
    broker.files.open(`/data/wal/${String(file).padStart(20, '0')}.wal`, 'write'),
  );
  await broker.settle(torn.write([Buffer.alloc(40, 7)], end));
  await broker.settle(torn.datasync());
  broker.files.kill();
  await restarted();
}

async function restarted(): Promise<void> {
  await broker.boot();
  partition = broker.log.topic('t')!.partitions[0] as Partition;
}

async function fetched(fetchOffset: number, lastFetchedEpoch: number, currentLeaderEpoch = -1) {
  const { responses } = await broker.settle(
    broker.ask(fetchHandler, fetch, 12, {
      maxWaitMs: 60_000,
      minBytes: 1,
      topics: [
        {
          topic: 't',
          partitions: [
            { partition: 0, fetchOffset, lastFetchedEpoch, currentLeaderEpoch, partitionMaxBytes: 10_000 },
          ],
        },
      ],
    }),
  );
  return responses[0]!.partitions[0]!;
}

async function endOf(leaderEpoch: number, currentLeaderEpoch = -1) {
  const { topics } = await broker.settle(
    broker.ask(offsetForLeaderEpochHandler, offsetForLeaderEpoch, 4, {
      replicaId: -1,
      topics: [{ topic: 't', partitions: [{ partition: 0, leaderEpoch, currentLeaderEpoch }] }],
    }),
  );
  const { errorCode, leaderEpoch: epoch, endOffset } = topics[0]!.partitions[0]!;
  return errorCode === 0 ? [epoch, endOffset] : errorCode;
}

test('a clean restart keeps the leader epoch, an unclean one begins another', async () => {
  await broker.settle(broker.log.close());
  await restarted();
  expect(partition.leaderEpoch).toBe(0);
  broker.files.kill();
  await restarted();
  // What a power cut took of a lax topic would leave no trace.
  expect(partition.leaderEpoch).toBe(1);
});

describe('after a start that cut a torn tail', () => {
  beforeEach(async () => {
    await tornRestart();
    await append();
    await append();
  });

  test('there is a new leader epoch from the cut on', () => {
    expect([partition.leaderEpoch, partition.epochs.starts]).toEqual([
      1,
      [
        { epoch: 0, startOffset: 0 },
        { epoch: 1, startOffset: 3 },
      ],
    ]);
  });

  test('who read beyond the cut in the old epoch is told at once where that ended, and gets no data', async () => {
    for (const fetchOffset of [cutAt + 1, cutAt + 50]) {
      expect(await fetched(fetchOffset, 0)).toMatchObject({
        errorCode: 0,
        divergingEpoch: { epoch: 0, endOffset: cutAt },
        records: Buffer.alloc(0),
      });
    }
  });

  test('who stopped at the cut reads on, in the new epoch', async () => {
    const answer = await fetched(cutAt, 0);
    expect(answer).toMatchObject({ errorCode: 0, divergingEpoch: undefined });
    expect(answer.records!.readInt32BE(12)).toBe(1);
  });

  test('who read in the new epoch reads on; who gives no epoch is not judged', async () => {
    expect(await fetched(cutAt + 1, 1)).toMatchObject({ errorCode: 0, divergingEpoch: undefined });
    expect(await fetched(cutAt + 1, -1)).toMatchObject({ errorCode: 0, divergingEpoch: undefined });
    expect((await fetched(cutAt + 50, -1)).errorCode).toBe(CODE.OFFSET_OUT_OF_RANGE);
  });

  test('OffsetForLeaderEpoch: the old epoch ends at the cut, the current one at the end, an unknown one at -1', async () => {
    expect(await endOf(0)).toEqual([0, cutAt]);
    expect(await endOf(1)).toEqual([1, partition.endOffset]);
    expect(await endOf(5)).toEqual([-1, -1]);
    expect(await endOf(-1)).toEqual([-1, -1]);
  });

  test('a leader epoch of before is fenced, one from the future is unknown: Fetch and OffsetForLeaderEpoch', async () => {
    expect((await fetched(0, -1, 0)).errorCode).toBe(CODE.FENCED_LEADER_EPOCH);
    expect((await fetched(0, -1, 2)).errorCode).toBe(CODE.UNKNOWN_LEADER_EPOCH);
    expect(await endOf(0, 0)).toBe(CODE.FENCED_LEADER_EPOCH);
    expect(await endOf(0, 2)).toBe(CODE.UNKNOWN_LEADER_EPOCH);
    expect(await endOf(0, 1)).toEqual([0, cutAt]);
  });

  test('ListOffsets judges the leader epoch too, and tells it with what it finds', async () => {
    const codeOf = async (currentLeaderEpoch: number) => {
      const { topics } = await broker.settle(
        broker.ask(listOffsetsHandler, listOffsets, 5, {
          replicaId: -1,
          topics: [{ name: 't', partitions: [{ partitionIndex: 0, currentLeaderEpoch, timestamp: -1 }] }],
        }),
      );
      const { errorCode, leaderEpoch } = topics[0]!.partitions[0]!;
      return [errorCode, leaderEpoch];
    };
    expect(await codeOf(0)).toEqual([CODE.FENCED_LEADER_EPOCH, -1]);
    expect(await codeOf(2)).toEqual([CODE.UNKNOWN_LEADER_EPOCH, -1]);
    expect(await codeOf(1)).toEqual([0, 1]);
    expect(await codeOf(-1)).toEqual([0, 1]);
  });

  test('the epochs survive a further restart, and another cut begins the next', async () => {
    await broker.settle(broker.log.close());
    await restarted();
    expect([partition.leaderEpoch, await endOf(0)]).toEqual([1, [0, 3]]);
    await tornRestart();
    expect([partition.leaderEpoch, await endOf(1)]).toEqual([2, [1, 5]]);
    expect(await fetched(7, 1)).toMatchObject({ divergingEpoch: { epoch: 1, endOffset: 5 } });
  });
});

test('in a session, a diverged partition is in every answer until the client went back', async () => {
  const ask = (sessionId: number, sessionEpoch: number, fetchOffset?: number) =>
    broker.settle(
      broker.ask(fetchHandler, fetch, 12, {
        maxWaitMs: 10,
        minBytes: 1,
        sessionId,
        sessionEpoch,
        topics:
          fetchOffset === undefined
            ? []
            : [
                {
                  topic: 't',
                  partitions: [{ partition: 0, fetchOffset, lastFetchedEpoch: 0, partitionMaxBytes: 10_000 }],
                },
              ],
      }),
    );
  await tornRestart();
  const { sessionId } = await ask(0, 0, 3);
  for (const [epoch, offset, want] of [
    [1, 9, 1],
    [2, undefined, 1],
    [3, 3, 0],
  ] as const) {
    expect((await ask(sessionId, epoch, offset)).responses).toHaveLength(want);
  }
});
