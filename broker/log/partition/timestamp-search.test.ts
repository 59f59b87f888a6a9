import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { SimLog } from '../../../test/sim/sim-log.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import type { CodecName } from '../../records/codecs.ts';

let sim: SimLog;
beforeEach(async () => {
  sim = await SimLog.open(5, { segmentBytes: 10_000 });
});
afterEach(() => sim.close());

describe('the offset for a timestamp is that of a record', () => {
  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] satisfies CodecName[]) {
    test(`${codec}`, async () => {
      const partition = await sim.createTopic();
      for (let i = 0; i < 40; i++) {
        const values = Array.from({ length: 20 }, (_, record) => `${i}-${record}-${'x'.repeat(50)}`);
        const timestampDeltas = values.map((_, at) => at * 10);
        const batch = recordBatch({ values, codec, baseTimestamp: 1_000 * i, timestampDeltas });
        await sim.append(partition, batch);
      }
      await sim.settle(sim.log.checkpoint());
      for (const [timestampMs, want] of [
        [0, { offset: 0, timestampMs: 0 }],
        [1, { offset: 1, timestampMs: 10 }],
        [17_095, { offset: 17 * 20 + 10, timestampMs: 17_100 }],
        [17_500, { offset: 18 * 20, timestampMs: 18_000 }],
        [39_190, { offset: 799, timestampMs: 39_190 }],
        [39_191, undefined],
      ] as const) {
        expect(await sim.settle(partition.offsetForTimestamp(timestampMs))).toEqual(want);
      }
      expect(await sim.settle(partition.maxTimestamp())).toEqual({
        offset: 799,
        timestampMs: 39_190,
      });
      expect(await sim.settle(partition.timestampAt(45))).toBe(2_190);
    });
  }
});
