import { expect, test } from 'vitest';

import { FlushRule } from './flush-rule.ts';

const WAITS = 0;

test('a topic that sets nothing waits for the sync of each batch', () => {
  const rule = new FlushRule();
  const settings = { flushMessages: 1, flushMs: Infinity };
  expect(rule.syncWithinMs(1, { endOffset: 1, highWatermark: 0 }, settings)).toBe(WAITS);
  expect(rule.syncWithinMs(1, { endOffset: 2, highWatermark: 1 }, settings)).toBe(WAITS);
});

test('the batch with which flush.messages are full waits, those before have flush.ms', () => {
  const rule = new FlushRule();
  const settings = { flushMessages: 10, flushMs: 500 };
  const found: number[] = [];
  for (const endOffset of [4, 8, 12, 16]) {
    found.push(rule.syncWithinMs(4, { endOffset, highWatermark: endOffset - 4 }, settings));
  }
  expect(found).toEqual([500, 500, WAITS, 500]);
});

test('behind a batch that waits all wait, since offsets become readable in their order', () => {
  const rule = new FlushRule();
  const settings = { flushMessages: 10, flushMs: 500 };
  expect(rule.syncWithinMs(12, { endOffset: 12, highWatermark: 0 }, settings)).toBe(WAITS);
  expect(rule.syncWithinMs(1, { endOffset: 13, highWatermark: 0 }, settings)).toBe(WAITS);
  // The first is durable, the second not yet.
  expect(rule.syncWithinMs(1, { endOffset: 14, highWatermark: 12 }, settings)).toBe(WAITS);
  expect(rule.syncWithinMs(1, { endOffset: 15, highWatermark: 14 }, settings)).toBe(500);
});
