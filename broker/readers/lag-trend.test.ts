import { describe, expect, test } from 'vitest';

import { type LagSample, step, type Trend, type TrendState } from './lag-trend.ts';

/** A history: every 5 s a sample of what was produced and consumed by then. */
function follow(
  seconds: number,
  at: (second: number) => { produced: number; consumed: number; isHeld?: boolean },
  before?: TrendState,
  fromS = 0,
): { state: TrendState; trend: Trend } {
  let state = before;
  let trend: Trend | undefined;
  for (let second = fromS; second <= fromS + seconds; second += 5) {
    const { produced, consumed, isHeld = false } = at(second);
    const sample: LagSample = { records: produced - consumed, position: consumed, end: produced, isHeld };
    ({ state, trend } = step(state, sample, second * 1_000));
  }
  return { state: state!, trend: trend! };
}

describe('in a word', () => {
  const cases: Array<[want: string, what: string, seconds: number, Parameters<typeof follow>[1]]> = [
    ['caught-up', 'all read, at the first look', 0, () => ({ produced: 5, consumed: 5 })],
    ['measuring', 'something unread at the first look', 0, () => ({ produced: 5, consumed: 0 })],
    ['measuring', 'for less than half a minute', 25, (s) => ({ produced: 100 + s, consumed: s })],
    ['keeping-up', 'a lag that stays', 120, (s) => ({ produced: 1_000 + s * 50, consumed: s * 50 })],
    [
      'keeping-up',
      'commits every ten seconds',
      300,
      (s) => ({ produced: s * 50 + 20, consumed: Math.floor(s / 10) * 500 }),
    ],
    ['falling-behind', 'half the rate', 120, (s) => ({ produced: s * 100, consumed: s * 50 })],
    ['catching-up', 'twice the rate', 120, (s) => ({ produced: 20_000 + s * 100, consumed: s * 200 })],
    ['stopped', 'nothing read for a minute', 60, () => ({ produced: 10, consumed: 3 })],
    ['stopped', 'while more comes in', 120, (s) => ({ produced: 10 + s, consumed: 3 })],
    ['measuring', 'nothing read, for less than a minute', 25, () => ({ produced: 10, consumed: 3 })],
    [
      'keeping-up',
      'one record just now, after all was read',
      100,
      (s) => ({ produced: s >= 100 ? 8 : 7, consumed: 7 }),
    ],
    ['waiting', 'behind an open transaction', 40, () => ({ produced: 10, consumed: 3, isHeld: true })],
  ];
  for (const [want, what, seconds, at] of cases) {
    test(`${want}: ${what}`, () => expect(follow(seconds, at).trend.name).toBe(want));
  }
});

test('a slow read is not a stop: the position moved within the minute', () => {
  const { trend } = follow(200, (s) => ({ produced: 1_000, consumed: Math.floor(s / 50) }));
  expect(trend.name).not.toBe('stopped');
});

test('catching up tells when it is done, and the rates', () => {
  const { trend } = follow(120, (s) => ({ produced: 20_000 + s * 100, consumed: s * 200 }));
  expect(trend.zeroInS).toBeCloseTo(8_000 / 100, 0);
  expect(trend).toMatchObject({ consumedPerS: 200, producedPerS: 100 });
  expect(trend.slopePerS).toBeCloseTo(-100, 3);
});

test('a reader that has stopped and goes on is not called stopped any more', () => {
  const stopped = follow(120, () => ({ produced: 10_000, consumed: 0 }));
  expect(stopped.trend.name).toBe('stopped');
  const on = follow(60, (s) => ({ produced: 10_000, consumed: (s - 120) * 100 }), stopped.state, 125);
  expect(on.trend.name).toBe('catching-up');
});

describe('it starts anew', () => {
  const before = follow(120, (s) => ({ produced: s * 100, consumed: s * 50 })).state;
  const cases: Array<[string, LagSample]> = [
    ['the position was set back', { records: 12_000, position: 0, end: 12_000, isHeld: false }],
    ['the topic is another of this name', { records: 10, position: 6_000, end: 6_010, isHeld: false }],
  ];
  for (const [what, sample] of cases) {
    test(`${what}`, () => {
      const { state, trend } = step(before, sample, 125_000);
      expect(trend).toMatchObject({ name: 'measuring', slopePerS: undefined, zeroInS: undefined });
      expect(state.points).toHaveLength(4);
    });
  }

  test('nothing was measured for longer than the window', () => {
    const { trend } = step(before, { records: 7, position: 6_000, end: 20_000, isHeld: false }, 10_000_000);
    expect(trend.name).toBe('measuring');
  });
});

test('memory is bounded: 16 points and the newest', () => {
  const { state } = follow(3_600, (s) => ({ produced: s, consumed: s - 1 }));
  expect(state.points.length / 4).toBeLessThanOrEqual(17);
});
