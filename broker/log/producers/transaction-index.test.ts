import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { NOW_MS, SimLog } from '../../../test/sim/sim-log.ts';
import {
  aborted,
  end,
  IN_TRANSACTION,
  marker,
  transactionalBatch,
  write,
  writePlain,
} from '../../../test/sim/sim-transactions.ts';
import { ABORTED_MAX } from './transaction-index.ts';

let sim: SimLog;
beforeEach(async () => {
  sim = await SimLog.open(5, { segmentBytes: 10_000 });
  await sim.createTopic();
});
afterEach(() => sim.close());

describe('aborted transactions', () => {
  test('those that overlap a range, sorted by their first offset; committed ones never', async () => {
    await write(sim, { producerId: 1, sequence: 0 }); // 0
    await write(sim, { producerId: 2, sequence: 0 }); // 1
    await write(sim, { producerId: 3, sequence: 0 }); // 2
    await end(sim, 2, false); // 3
    await end(sim, 3, true); // 4
    await end(sim, 1, false); // 5
    await write(sim, { producerId: 2, sequence: 1 }); // 6
    await end(sim, 2, false); // 7
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
    for (const [from, to, want] of cases) expect(await aborted(sim, from, to)).toEqual(want);
  });

  test('are forgotten where the log was deleted, and for good', async () => {
    for (let i = 0; i < 3; i += 1) {
      await write(sim, { producerId: 1, sequence: i });
      await end(sim, 1, false);
    }
    await sim.settle(sim.partition.deleteBefore(3));
    expect(await aborted(sim, 3, 6)).toEqual([
      [1, 2, 3],
      [1, 4, 5],
    ]);
    expect(sim.partition.transactions.aborted.length).toBe(2);
    await expect(sim.settle(sim.partition.abortedTransactions(2, 6))).rejects.toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
    });
    await sim.restart('cut');
    expect(sim.partition.transactions.aborted.length).toBe(2);
    await sim.settle(sim.partition.deleteBefore(6));
    expect(sim.partition.transactions.aborted.length).toBe(0);
  });

  test('there is a bound, behind which no transaction begins until retention makes room', async () => {
    const { partition } = sim;
    await write(sim, { producerId: 1, sequence: 0 });
    for (let i = 0; i < ABORTED_MAX; i += 1) partition.transactions.aborted.push(9, 0, 0, 1);
    await expect(write(sim, { producerId: 2, sequence: 0 })).rejects.toMatchObject({
      code: 'KAFKA_STORAGE_ERROR',
    });
    expect(await write(sim, { producerId: 1, sequence: 1 })).toBe(1);
    expect(await end(sim, 1, true)).toBe(2);
    expect(await writePlain(sim)).toBe(3);
    partition.transactions.dropBefore(1);
    expect(await write(sim, { producerId: 2, sequence: 0 })).toBe(4);
  });

  test('a marker without a transaction adds none', async () => {
    await end(sim, 1, false);
    expect(await aborted(sim)).toEqual([]);
  });
});

test('what the disk refused leaves no trace of the transaction that it began or ended', async () => {
  const { partition } = sim;
  await write(sim, { producerId: 1, sequence: 0 });
  const { files } = sim.host;
  files.fault = (operation) => (operation === 'datasync' ? { code: 'EIO' } : undefined);
  const ended = partition.appendMarker(marker(1, false), NOW_MS);
  const begun = partition.append(transactionalBatch({ producerId: 2, sequence: 0 }), IN_TRANSACTION);
  for (const { durable } of [ended, begun]) {
    await expect(sim.settle(durable)).rejects.toMatchObject({ code: 'KAFKA_STORAGE_ERROR' });
  }
  files.fault = () => undefined;
  expect(await sim.settle(sim.log.resume())).toBe(true);
  expect([partition.lastStableOffset, partition.endOffset, await aborted(sim)]).toEqual([0, 1, []]);
  expect(await end(sim, 1, true)).toBe(1);
  expect([partition.lastStableOffset, await aborted(sim)]).toEqual([2, []]);
  expect(partition.activeProducers().map(({ producerId }) => producerId)).toEqual([1]);
});

test('compaction goes on where the start of the log lies within a segment, and aborted transactions stay known', async () => {
  const { partition } = sim;
  const configs = { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0' };
  await sim.settle(sim.log.alterConfigs('t', configs));
  for (let i = 0; i < 120; i += 1) {
    // Records without keys, which clients may not send to such a topic.
    const given = transactionalBatch({ producerId: 1, sequence: 2 * i, count: 2 });
    await sim.append(partition, given, { ...IN_TRANSACTION, origin: 'coordinator' });
    await end(sim, 1, false);
  }
  await sim.settle(partition.deleteBefore(4));
  await sim.settle(sim.log.checkpoint());
  expect(partition.segments.length).toBeGreaterThan(1);
  await sim.settle(sim.log.compact());
  const { lines } = sim.host;
  expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
  expect(lines.filter(({ level }) => level === 'debug')).toHaveLength(1);
  expect(await aborted(sim, 4, 9)).toEqual([
    [1, 3, 5],
    [1, 6, 8],
  ]);
});
