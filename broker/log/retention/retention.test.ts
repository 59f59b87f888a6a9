import { describe, expect, test } from 'vitest';

import { LOG_DEFAULTS } from '../config.ts';
import { judgeRetention } from './retention.ts';
import type { SegmentFacts } from '../segment/segment.ts';
import { topicSettings } from '../topics/topic-settings.ts';

const NOW = 1_000_000;

/** Segments by their newest record's time, of 100 bytes each. */
function judged(newest: number[], configs: Record<string, string>, bytes = 100) {
  const segments = newest.map((maxTimestamp) => ({ bytes, maxTimestamp, firstTimestamp: 0 }));
  return judgeRetention(
    segments as unknown as SegmentFacts[],
    topicSettings(configs, { ...LOG_DEFAULTS, dataDir: '' }),
    NOW,
  );
}

describe('by time', () => {
  const configs = { 'retention.ms': '1000' };

  test('a segment is as old as its newest record, and goes when it is older than retention.ms', () => {
    expect(judged([NOW - 1_001, NOW - 1_000, NOW], configs)).toMatchObject({ expired: 1, reason: 'time' });
  });

  test('a segment from the future keeps itself and those behind it', () => {
    expect(judged([NOW + 9_999, NOW - 5_000, NOW], configs).expired).toBe(0);
    expect(judged([NOW - 5_000, NOW + 9_999, NOW - 5_000, NOW], configs).expired).toBe(1);
  });

  test('the active segment is rolled when it is expired, never deleted', () => {
    expect(judged([NOW - 5_000, NOW - 2_000], configs)).toMatchObject({ expired: 1, rollActive: true });
    expect(judged([NOW - 5_000, NOW], configs)).toMatchObject({ expired: 1, rollActive: false });
  });
});

test('a segment goes by size when what stays is still retention.bytes', () => {
  const sized = (retentionBytes: number) =>
    judged([NOW, NOW, NOW, NOW], { 'retention.ms': '-1', 'retention.bytes': `${retentionBytes}` });
  expect(sized(300)).toMatchObject({ expired: 1, reason: 'size' });
  expect(sized(301).expired).toBe(0);
  expect(sized(299).expired).toBe(1);
  expect(sized(200).expired).toBe(2);
  expect(sized(-1).expired).toBe(0);
});

test('an empty cleanup.policy keeps everything, and so does compact', () => {
  for (const policy of ['', 'compact']) {
    const configs = { 'cleanup.policy': policy, 'retention.ms': '1', 'retention.bytes': '1' };
    expect(judged([1, 2, 3], configs)).toMatchObject({ expired: 0, rollActive: false });
  }
  const both = { 'cleanup.policy': 'compact,delete', 'retention.ms': '1' };
  expect(judged([1, 2, NOW], both).expired).toBe(2);
});
