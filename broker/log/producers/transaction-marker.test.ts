import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { NOW_MS, SimLog } from '../../../test/sim/sim-log.ts';
import { end, marker, write } from '../../../test/sim/sim-transactions.ts';
import { batchesOf, recordsOf } from '../../state/record-batch.ts';
import { attributesOf, baseOffsetOf, lastOffsetOf } from '../batch/batch-header.ts';

let sim: SimLog;
beforeEach(async () => {
  sim = await SimLog.open(5, { segmentBytes: 10_000 });
  await sim.createTopic();
});
afterEach(() => sim.close());

test('a marker is a control batch of one record, whose key names the kind and whose value is never null', async () => {
  await write(sim, { producerId: 7, sequence: 0 });
  await end(sim, 7, true, { coordinatorEpoch: 5 });
  await end(sim, 7, false, { coordinatorEpoch: 6 });
  const bytes = await sim.settle(sim.partition.read(1, 1_000, true));
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
    ).toEqual([{ ...want[i]!, timestampMs: NOW_MS }]);
  }
});

describe('markers', () => {
  test('of an older epoch are refused, and change nothing', async () => {
    const { partition } = sim;
    await write(sim, { producerId: 1, sequence: 0, epoch: 3 });
    expect(() => partition.appendMarker(marker(1, true, { producerEpoch: 2 }), NOW_MS)).toThrow(
      expect.objectContaining({ code: 'INVALID_PRODUCER_EPOCH' }),
    );
    expect([partition.endOffset, partition.lastStableOffset]).toEqual([1, 0]);
  });

  test('of a coordinator that was replaced are refused', async () => {
    await write(sim, { producerId: 1, sequence: 0 });
    await end(sim, 1, true, { coordinatorEpoch: 4 });
    await write(sim, { producerId: 1, sequence: 1 });
    expect(() => sim.partition.appendMarker(marker(1, true, { coordinatorEpoch: 3 }), NOW_MS)).toThrow(
      expect.objectContaining({ code: 'TRANSACTION_COORDINATOR_FENCED' }),
    );
    await end(sim, 1, true, { coordinatorEpoch: 5 });
  });

  test('of transaction version 2 need an epoch above the open transaction; one repeated after its end is taken', async () => {
    const { partition } = sim;
    const two = { transactionVersion: 2, producerEpoch: 1 } as const;
    await write(sim, { producerId: 1, sequence: 0, epoch: 1 });
    expect(() => partition.appendMarker(marker(1, true, two), NOW_MS)).toThrow(
      expect.objectContaining({ code: 'INVALID_PRODUCER_EPOCH' }),
    );
    await end(sim, 1, true, { ...two, producerEpoch: 2 });
    await end(sim, 1, true, { ...two, producerEpoch: 2 });
    expect(partition.lastStableOffset).toBe(3);
    expect(await write(sim, { producerId: 1, sequence: 0, epoch: 2 })).toBe(3);
  });
});
