import { describe, expect, test } from 'vitest';

import type { SegmentFacts } from '../segment/segment.ts';
import { cleanablePart, type CompactionSettings } from './cleanable.ts';

const NOW = 1_000_000;
const settings: CompactionSettings = {
  minCleanableDirtyRatio: 0.5,
  minCompactionLagMs: 0,
  maxCompactionLagMs: Number.POSITIVE_INFINITY,
  deleteRetentionMs: 0,
};
/** Ten offsets and 100 bytes each; the last one is the active. */
const segments = [0, 10, 20, 30].map((base): SegmentFacts => {
  const firstTimestamp = NOW - 1_000 + base;
  return { base, bytes: 100, maxTimestamp: firstTimestamp + 5, maxTimestampOffset: base + 9, firstTimestamp };
});
const all = { cleanedTo: 0, stableOffset: 40 };

describe('what is cleaned', () => {
  const cases: Array<[string, Partial<CompactionSettings>, typeof all, ReturnType<typeof cleanablePart>]> = [
    ['never the active segment', {}, all, { segments: 3, firstDirty: 0, dirtyRatio: 1 }],
    ['nothing at or below the ratio', {}, { ...all, cleanedTo: 20 }, undefined],
    [
      'more than the ratio',
      { minCleanableDirtyRatio: 0.3 },
      { ...all, cleanedTo: 20 },
      { segments: 3, firstDirty: 2, dirtyRatio: 1 / 3 },
    ],
    [
      'whatever the ratio, when the oldest uncleaned record is overdue',
      { maxCompactionLagMs: 900 },
      { ...all, cleanedTo: 20 },
      { segments: 3, firstDirty: 2, dirtyRatio: 1 / 3 },
    ],
    ['nothing when all is cleaned', { minCleanableDirtyRatio: 0 }, { ...all, cleanedTo: 30 }, undefined],
    [
      'nothing that holds records younger than the minimum lag',
      { minCompactionLagMs: 980 },
      all,
      { segments: 2, firstDirty: 0, dirtyRatio: 1 },
    ],
    [
      'nothing at or above the first open transaction',
      {},
      { ...all, stableOffset: 25 },
      { segments: 2, firstDirty: 0, dirtyRatio: 1 },
    ],
  ];
  for (const [name, changed, bounds, want] of cases) {
    test(`${name}`, () => {
      expect(cleanablePart(segments, bounds, { ...settings, ...changed }, NOW)).toEqual(want);
    });
  }
});
