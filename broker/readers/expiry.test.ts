import { describe, expect, test } from 'vitest';

import { SimRandom } from '../../test/sim/sim-random.ts';
import type { RetentionSettings } from '../log/log.ts';
import { judgeRetention } from '../log/retention/retention.ts';
import type { SegmentFacts } from '../log/segment/segment.ts';
import { topicSettings } from '../log/topics/topic-settings.ts';
import { LOG_DEFAULTS } from '../log/config.ts';
import { type DiskFill, diskFill, expiryOf } from './expiry.ts';

const NOW = 1_000_000_000;
const EMPTY_DISK = diskFill([], 1e12);

function segment(base: number, bytes: number, maxTimestamp: number): SegmentFacts {
  return { base, bytes, maxTimestamp, maxTimestampOffset: base, firstTimestamp: maxTimestamp };
}

function settings(rest: Partial<RetentionSettings> = {}): RetentionSettings {
  const none = { deletes: true, retentionMs: Infinity, retentionBytes: Infinity, isKept: false };
  return { ...none, segmentBytes: 1_000, holdGroups: [], holdBytes: Infinity, ...rest };
}

const three = [
  segment(0, 1_000, NOW - 9_000),
  segment(10, 1_000, NOW - 6_000),
  segment(20, 400, NOW - 1_000),
];

describe('by time', () => {
  const rule = settings({ retentionMs: 10_000 });
  const cases: Array<[string, number, readonly SegmentFacts[], RetentionSettings, number, string]> = [
    ['in the oldest segment', 5, three, rule, 1_000, 'time'],
    ['in the second', 12, three, rule, 4_000, 'time'],
    ['in the one that is written to', 25, three, rule, 9_000, 'time'],
    ['overdue: with the next check', 5, three, settings({ retentionMs: 100 }), 0, 'time'],
    ['kept for ever', 5, three, settings(), Infinity, 'never'],
    ['a compacted topic', 5, three, settings({ retentionMs: 10_000, deletes: false }), Infinity, 'never'],
    [
      'a segment without timestamps in front',
      12,
      [segment(0, 1, -1), ...three.slice(1)],
      rule,
      Infinity,
      'never',
    ],
    [
      'a timestamp from the future in front of it holds it back',
      12,
      [segment(0, 1_000, NOW + 50_000), ...three.slice(1)],
      rule,
      60_000,
      'time',
    ],
  ];
  for (const [what, offset, segments, retention, inMs, by] of cases) {
    test(`${what}`, () => {
      const got = expiryOf(
        { group: 'g', offset, timestampMs: NOW - 500 },
        { segments, settings: retention },
        { bytesPerS: 0, disk: EMPTY_DISK },
        NOW,
      );
      // What is not in a segment yet has its own timestamp.
      const want = what === 'in the one that is written to' ? 9_500 : inMs;
      expect(got).toEqual({ inMs: want, by });
    });
  }
});

describe('by size, as the log fills', () => {
  const rule = settings({ retentionBytes: 2_000 });
  test('400 bytes are over, 600 are to come before the first goes', () => {
    const fill = { bytesPerS: 100, disk: EMPTY_DISK };
    expect(
      expiryOf({ group: 'g', offset: 5, timestampMs: NOW }, { segments: three, settings: rule }, fill, NOW),
    ).toEqual({
      inMs: 6_000,
      by: 'size',
    });
    expect(
      expiryOf({ group: 'g', offset: 12, timestampMs: NOW }, { segments: three, settings: rule }, fill, NOW),
    ).toEqual({
      inMs: 16_000,
      by: 'size',
    });
    // The last must be filled and sealed before.
    expect(
      expiryOf({ group: 'g', offset: 25, timestampMs: NOW }, { segments: three, settings: rule }, fill, NOW),
    ).toEqual({
      inMs: 26_000,
      by: 'size',
    });
  });
  test('a log that does not fill', () => {
    const fill = { bytesPerS: 0, disk: EMPTY_DISK };
    expect(
      expiryOf({ group: 'g', offset: 5, timestampMs: NOW }, { segments: three, settings: rule }, fill, NOW)
        .by,
    ).toBe('never');
  });
  test('too full already', () => {
    const small = settings({ retentionBytes: 500 });
    const fill = { bytesPerS: 0, disk: EMPTY_DISK };
    expect(
      expiryOf({ group: 'g', offset: 5, timestampMs: NOW }, { segments: three, settings: small }, fill, NOW),
    ).toEqual({
      inMs: 0,
      by: 'size',
    });
  });
});

describe('by the disk bound', () => {
  const other = [segment(0, 500, NOW - 8_000), segment(9, 100, NOW)];
  const fillOf = (bytesMax: number, bytesPerS: number): DiskFill =>
    diskFill(
      [
        { segments: three, settings: settings(), bytesPerS },
        { segments: other, settings: settings(), bytesPerS: 0 },
      ],
      bytesMax,
    );
  const inMs = (offset: number, disk: DiskFill, rule = settings()): number =>
    expiryOf(
      { group: 'g', offset, timestampMs: NOW },
      { segments: three, settings: rule },
      { bytesPerS: 0, disk },
      NOW,
    ).inMs;

  test('the oldest of all topics goes first', () => {
    const disk = fillOf(4_000, 100);
    expect(disk.bytes).toBe(3_000);
    expect(inMs(5, disk)).toBe(10_000);
    // Behind it the 1,000 bytes of the first and the 500 of the other topic, which are older.
    expect(inMs(12, disk)).toBe(25_000);
    expect(inMs(25, disk)).toBe(35_000);
  });
  test('never, where nothing comes in, where the topic is kept, where retention settles below it', () => {
    expect(inMs(5, fillOf(4_000, 0))).toBe(Infinity);
    expect(inMs(5, fillOf(4_000, 100), settings({ isKept: true }))).toBe(Infinity);
    const settled = diskFill(
      [{ segments: three, settings: settings({ retentionBytes: 2_000 }), bytesPerS: 100 }],
      4_000,
    );
    expect(settled.settles).toBe(true);
    expect(inMs(5, settled)).toBe(Infinity);
    const short = settings({ retentionMs: 10_000 });
    expect(diskFill([{ segments: three, settings: short, bytesPerS: 100 }], 4_000).settles).toBe(true);
    expect(diskFill([{ segments: three, settings: short, bytesPerS: 1_000 }], 4_000).settles).toBe(false);
  });
});

describe('what the group holds', () => {
  const holding = (rest: Partial<RetentionSettings>): RetentionSettings =>
    settings({ retentionMs: 5_000, holdGroups: ['g'], ...rest });
  const expiry = (rule: RetentionSettings, group = 'g', disk = EMPTY_DISK) =>
    expiryOf(
      { group, offset: 5, timestampMs: NOW },
      { segments: three, settings: rule },
      { bytesPerS: 100, disk },
      NOW,
    );

  test('is not lost by time and size: never without a bound, else when the bound is reached', () => {
    expect(expiry(holding({}))).toEqual({ inMs: Infinity, by: 'never', isHeld: true });
    // 1,400 bytes are behind it; 1,600 more may come.
    expect(expiry(holding({ holdBytes: 3_000 }))).toEqual({ inMs: 16_000, by: 'hold', isHeld: true });
    expect(expiry(holding({ holdBytes: 1_000 }))).toEqual({ inMs: 0, by: 'time' });
    expect(expiry(holding({ retentionMs: 60_000, holdBytes: 1_500 }))).toEqual({ inMs: 51_000, by: 'time' });
  });
  test('is lost to another group, which may have to do without it at any moment', () => {
    expect(expiry(holding({}), 'other')).toEqual({ inMs: 0, by: 'time' });
  });
  test('is lost to the bound on the disk, also of a topic that would settle without the hold', () => {
    const of = (isHeld: boolean): DiskFill =>
      diskFill([{ segments: three, settings: holding({}), bytesPerS: 100, isHeld }], 6_000);
    expect(of(false).settles).toBe(true);
    expect(expiry(holding({}), 'g', of(true))).toEqual({ inMs: 36_000, by: 'disk', isHeld: true });
  });
});

test('what it says is what retention does: not before, and at the check after', () => {
  for (let seed = 1; seed <= 500; seed += 1) {
    const random = new SimRandom(seed);
    const below = (max: number): number => random.below(max);
    let base = 0;
    const segments = Array.from({ length: 1 + below(5) }, () => {
      const one = segment(base, 100 + below(900), random.chance(0.05) ? -1 : NOW - below(20_000));
      base += 10;
      return one;
    });
    const configs = {
      'retention.ms': String(below(15_000)),
      'retention.bytes': random.chance(0.5) ? '-1' : String(below(4_000)),
      'retention.hold.groups': random.chance(0.5) ? 'holder' : '',
      'retention.hold.bytes': random.chance(0.5) ? '-1' : String(below(4_000)),
    };
    const group = random.chance(0.7) ? 'holder' : 'other';
    const rule = topicSettings(configs, { ...LOG_DEFAULTS, dataDir: '' });
    const index = below(segments.length);
    const isActive = index === segments.length - 1;
    const { maxTimestamp } = segments[index]!;
    const { inMs, by } = expiryOf(
      { group, offset: index * 10, timestampMs: maxTimestamp },
      { segments, settings: rule },
      { bytesPerS: 0, disk: EMPTY_DISK },
      NOW,
    );
    const goesAt = (ms: number): boolean => {
      // Where others hold, they are taken to have read all.
      const heldFrom = rule.holdGroups.includes(group) ? index * 10 : Infinity;
      const { expired, rollActive } = judgeRetention(segments, rule, ms, heldFrom);
      return expired > index || (isActive && rollActive && expired === index);
    };
    const isNever = inMs === Infinity;
    const behind = goesAt(NOW + (isNever ? 1e9 : inMs + 1));
    const before = inMs > 0 && goesAt(NOW + (isNever ? 0 : inMs));
    expect({ seed, by, behind, before }).toEqual({ seed, by, behind: !isNever, before: false });
  }
});
