import { afterEach, beforeEach, expect, test } from 'vitest';

import { SimLog } from '../../../test/sim/sim-log.ts';
import { readBatches, recordBatch } from '../../../test/support/record-batch.ts';

let sim: SimLog;
beforeEach(async () => {
  sim = await SimLog.open(5, { segmentBytes: 10_000 });
});
afterEach(() => sim.close());

test('readers below the end get whole batches up to their bound, and at least one when they ask', async () => {
  const partition = await sim.createTopic();
  for (let i = 0; i < 10; i++) await sim.append(partition, recordBatch({ values: [`${i}`] }));
  const size = recordBatch({ values: ['0'] }).length;
  const read = async (offset: number, maxBytes: number, minOneBatch: boolean): Promise<number[]> =>
    readBatches(await sim.settle(partition.read(offset, maxBytes, minOneBatch))).map((one) => one.baseOffset);
  for (const when of ['from memory', 'from the segment']) {
    if (when === 'from the segment') await sim.settle(sim.log.checkpoint());
    expect(await read(3, size * 3, false)).toEqual([3, 4, 5]);
    expect(await read(3, 1, true)).toEqual([3]);
    expect(await read(3, 1, false)).toEqual([]);
    expect(await read(10, 100, true)).toEqual([]);
  }
});
