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
import { recordBatch } from '../../../test/support/record-batch.ts';
import { batchesOf } from '../../state/record-batch.ts';
import { baseOffsetOf } from '../batch/batch-header.ts';

let sim: SimLog;
beforeEach(async () => {
  sim = await SimLog.open(5, { segmentBytes: 10_000 });
  await sim.createTopic();
});
afterEach(() => sim.close());

async function offsetsRead(offset: number, before?: number): Promise<number[]> {
  const bytes = await sim.settle(sim.partition.read(offset, 1_000_000, true, before));
  return [...batchesOf(bytes)].map((one) => baseOffsetOf(one));
}

describe('the last stable offset', () => {
  test('is the high watermark while no transaction is open, and the first offset of the earliest open one', async () => {
    const { partition } = sim;
    await writePlain(sim);
    expect(partition.lastStableOffset).toBe(1);
    await write(sim, { producerId: 7, sequence: 0 });
    await writePlain(sim);
    await write(sim, { producerId: 8, sequence: 0, count: 3 });
    expect(partition.lastStableOffset).toBe(1);
    await end(sim, 7, true);
    expect(partition.lastStableOffset).toBe(3);
    await end(sim, 8, false);
    expect(partition.lastStableOffset).toBe(partition.highWatermark);
  });

  test('moves only when the marker is durable, and readers are woken then', async () => {
    const { partition } = sim;
    await write(sim, { producerId: 7, sequence: 0 });
    let woken = 0;
    partition.onAdvance(() => (woken += 1));
    const { durable } = partition.appendMarker(marker(7, true), NOW_MS);
    expect([partition.lastStableOffset, woken]).toEqual([0, 0]);
    await sim.settle(durable);
    expect([partition.lastStableOffset, woken]).toEqual([2, 1]);
  });

  test('is not held back by a batch that is not durable yet', async () => {
    const { partition } = sim;
    const { durable } = partition.append(transactionalBatch({ producerId: 7, sequence: 0 }), IN_TRANSACTION);
    expect(partition.lastStableOffset).toBe(0);
    await sim.settle(durable);
    expect([partition.lastStableOffset, partition.highWatermark]).toEqual([0, 1]);
  });

  test('is never below the start of the log, also when records of an open transaction are deleted', async () => {
    const { partition } = sim;
    await write(sim, { producerId: 7, sequence: 0 });
    await writePlain(sim);
    await writePlain(sim);
    await sim.settle(partition.deleteBefore(2));
    expect(partition.lastStableOffset).toBe(2);
    await end(sim, 7, false);
    expect([partition.lastStableOffset, await aborted(sim, 2)]).toEqual([4, [[7, 0, 3]]]);
  });

  for (const how of ['close', 'kill', 'cut'] as const) {
    test(`is the same after a restart by ${how}, with checkpoint and without`, async () => {
      for (const withCheckpoint of [true, false]) {
        const producerId = withCheckpoint ? 7 : 9;
        await writePlain(sim);
        await write(sim, { producerId, sequence: 0 });
        await writePlain(sim);
        if (withCheckpoint) await sim.settle(sim.log.checkpoint());
        const { lastStableOffset } = sim.partition;
        expect(lastStableOffset).toBe(sim.partition.highWatermark - 2);
        await sim.restart(how);
        expect(sim.partition.lastStableOffset).toBe(lastStableOffset);
        await end(sim, producerId, false);
        expect(sim.partition.lastStableOffset).toBe(sim.partition.highWatermark);
      }
      await sim.restart(how);
      expect(await aborted(sim)).toEqual([
        [7, 1, 3],
        [9, 5, 7],
      ]);
    });
  }
});

describe('reading up to the last stable offset', () => {
  for (const where of ['memory', 'segments'] as const) {
    test(`whole batches below it, from ${where}`, async () => {
      const { partition } = sim;
      await writePlain(sim);
      await writePlain(sim);
      await write(sim, { producerId: 7, sequence: 0, count: 2 });
      await writePlain(sim);
      if (where === 'segments') await sim.settle(sim.log.checkpoint());
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
