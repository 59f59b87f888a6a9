import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { CLIENT, NOW_MS, SimLog } from '../../../test/sim/sim-log.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';

let sim: SimLog;
beforeEach(async () => {
  sim = await SimLog.open(5, { segmentBytes: 10_000 });
});
afterEach(() => sim.close());

describe('retention', () => {
  const old = (): Buffer => recordBatch({ values: ['x'.repeat(900)], baseTimestamp: 1_690_000_000_000 });
  const fresh = (): Buffer => recordBatch({ values: ['x'.repeat(900)], baseTimestamp: NOW_MS });

  test('by time: an idle topic empties, the active segment too', async () => {
    const partition = await sim.createTopic({ 'retention.ms': '3600000' });
    for (let i = 0; i < 25; i++) await sim.append(partition, old());
    await sim.settle(sim.log.checkpoint());
    await sim.settle(sim.log.keepHouse());
    expect([partition.startOffset, partition.sizeBytes]).toEqual([25, 0]);
    await sim.append(partition, fresh());
    await sim.settle(sim.log.keepHouse());
    expect([partition.startOffset, partition.endOffset]).toEqual([25, 26]);
  });

  test('by size: whole segments, oldest first', async () => {
    const partition = await sim.createTopic({ 'retention.bytes': '15000' });
    for (let i = 0; i < 45; i++) await sim.append(partition, fresh());
    await sim.settle(sim.log.checkpoint());
    await sim.settle(sim.log.keepHouse());
    expect(partition.startOffset).toBeGreaterThan(15);
    expect(partition.sizeBytes).toBeGreaterThanOrEqual(15_000);
    expect(partition.sizeBytes).toBeLessThan(25_000);
    await expect(partition.read(0, 10, true)).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' });
  });

  test('what DeleteRecords has emptied gives its bytes back, the active segment too', async () => {
    const partition = await sim.createTopic();
    for (let i = 0; i < 5; i++) await sim.append(partition, fresh());
    await sim.settle(sim.log.checkpoint());
    await sim.settle(partition.deleteBefore(5));
    expect(partition.segmentBytes).toBeGreaterThan(4_000);
    await sim.settle(sim.log.keepHouse());
    expect(partition.segments.map(({ base, bytes }) => [base, bytes])).toEqual([[5, 0]]);
    expect(await sim.settle(sim.host.files.list(partition.directory))).toEqual([]);
    await sim.append(partition, fresh());
    expect([partition.startOffset, partition.endOffset]).toEqual([5, 6]);
  });

  test('compacted topics lose nothing', async () => {
    const partition = await sim.createTopic({
      'cleanup.policy': 'compact',
      'retention.ms': '1',
      'retention.bytes': '1',
    });
    const own = { ...CLIENT, origin: 'coordinator' } as const;
    for (let i = 0; i < 25; i++) await sim.append(partition, old(), own);
    await sim.settle(sim.log.keepHouse());
    expect(partition.startOffset).toBe(0);
  });
});
