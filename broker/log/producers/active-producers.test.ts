import { afterEach, beforeEach, expect, test } from 'vitest';

import { NOW_MS, SimLog } from '../../../test/sim/sim-log.ts';
import { aborted, end, IN_TRANSACTION, write } from '../../../test/sim/sim-transactions.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';

let sim: SimLog;
beforeEach(async () => {
  sim = await SimLog.open(5, { segmentBytes: 10_000 });
  await sim.createTopic();
});
afterEach(() => sim.close());

test('activeProducers tells epoch, last sequence, coordinator epoch and the start of the open transaction', async () => {
  await write(sim, { producerId: 1, sequence: 0, count: 3 });
  await end(sim, 1, true, { coordinatorEpoch: 2 });
  await write(sim, { producerId: 1, sequence: 3 });
  await end(sim, 2, false, { producerEpoch: 4 });
  expect(sim.partition.activeProducers()).toEqual([
    {
      producerId: 1,
      producerEpoch: 0,
      lastSequence: 3,
      lastTimestampMs: NOW_MS,
      coordinatorEpoch: 2,
      transactionStartOffset: 4,
    },
    {
      producerId: 2,
      producerEpoch: 4,
      lastSequence: -1,
      lastTimestampMs: NOW_MS,
      coordinatorEpoch: 0,
      transactionStartOffset: -1,
    },
  ]);
});

test('activeProducers tells the largest timestamp of the last batch or marker, whenever that came, after any restart', async () => {
  const old = 1_600_000_000_000;
  const attributes = 0x10;
  const sent = { producerId: 7, producerEpoch: 0, baseTimestamp: old, attributes };
  const times = (): number[] => sim.partition.activeProducers().map((one) => one.lastTimestampMs);
  for (const [baseSequence, timestampDeltas] of [
    [0, [100]],
    [1, [1, 3, 2]],
  ] as const) {
    const values = timestampDeltas.map(String);
    const bytes = recordBatch({ ...sent, values, baseSequence, timestampDeltas });
    await sim.append(sim.partition, bytes, IN_TRANSACTION);
  }
  expect(times()).toEqual([old + 3]);
  for (const how of ['kill', 'close'] as const) {
    await sim.restart(how);
    expect(times()).toEqual([old + 3]);
  }
  await end(sim, 7, false);
  expect(times()).toEqual([NOW_MS]);
  await sim.restart('kill');
  expect(times()).toEqual([NOW_MS]);
});

test('a producer with an open transaction is never forgotten', async () => {
  await write(sim, { producerId: 1, sequence: 0 });
  await write(sim, { producerId: 2, sequence: 0 });
  await end(sim, 2, true);
  sim.machine.loop.nowMs += 25 * 3_600_000;
  await sim.settle(sim.log.keepHouse());
  expect(sim.partition.activeProducers().map(({ producerId }) => producerId)).toEqual([1]);
  await end(sim, 1, false);
  expect(await aborted(sim)).toEqual([[1, 0, 3]]);
});
