import { describe, expect, test } from 'vitest';

import { recordBatch } from '../../../test/support/record-batch.ts';
import { stampBatch } from '../batch/batch-header.ts';
import { Tail } from './tail.ts';
import { TailMemory } from './tail-memory.ts';

/** Batches of two records each, from offset 0. */
function filled(count: number): { tail: Tail; batches: Buffer[] } {
  const tail = new Tail(new TailMemory(0));
  const batches = Array.from({ length: count }, (_, i) => {
    const batch = recordBatch({ values: [`a${i}`, `b${i}`] });
    stampBatch(batch, i * 2, 0);
    tail.push(batch);
    return batch;
  });
  return { tail, batches };
}

describe('reads', () => {
  test.each([
    ['from the batch that holds the offset', 3, 8, 1_000, true, [1, 2, 3]],
    ['not above the high watermark', 0, 5, 1_000, true, [0, 1]],
    ['as many bytes as asked', 0, 8, 170, true, [0, 1]],
    ['the first one always, if asked', 0, 8, 1, true, [0]],
    ['nothing, if the first is too large', 0, 8, 1, false, []],
  ])('%s', (_, offset, highWatermark, bytesMax, minOneBatch, want) => {
    const { tail, batches } = filled(4);
    const got = tail.read(offset, highWatermark, bytesMax, minOneBatch);
    expect(got).toEqual(want.map((i) => batches[i]));
    const bytes = tail.bytesFrom(offset, highWatermark, 10_000);
    expect(bytes).toBeGreaterThanOrEqual(got.reduce((sum, { length }) => sum + length, 0));
  });
});

test('only what was written is evicted, oldest first, and what is refused is taken back', () => {
  const { tail, batches } = filled(200);
  tail.evict();
  expect(tail.firstOffset).toBe(0);
  tail.written(tail.unwritten(300, 1_000_000));
  expect(tail.unwrittenBytes).toBe(batches.slice(150).reduce((sum, { length }) => sum + length, 0));
  tail.evict();
  expect(tail.firstOffset).toBe(300);
  tail.pop();
  expect(tail.unwritten(400, 1_000_000)).toHaveLength(49);
  expect(tail.read(300, 400, 1, true)).toEqual([batches[150]]);
});
