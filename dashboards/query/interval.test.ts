import { expect, test } from 'vitest';

import { calculateInterval, parseInterval } from './interval.ts';

const HOUR = 3_600_000;

// What Grafana's own calculateInterval (13.2.3) answers.
const cases: ReadonlyArray<{ hours: number; points: number; min?: string; want: string; ms: number }> = [
  { hours: 1, points: 400, want: '10s', ms: 10_000 },
  { hours: 6, points: 400, want: '1m', ms: 60_000 },
  { hours: 24, points: 400, want: '5m', ms: 300_000 },
  { hours: 1, points: 1200, want: '2s', ms: 2_000 },
  { hours: 168, points: 1200, want: '10m', ms: 600_000 },
  { hours: 1, points: 1200, min: '10s', want: '10s', ms: 10_000 },
  { hours: 1, points: 1200, min: '>30s', want: '30s', ms: 30_000 },
  { hours: 168, points: 1200, min: '10s', want: '10m', ms: 600_000 },
];

test.each(cases)('$hours h over $points points is $want', ({ hours, points, min, want, ms }) => {
  const interval = calculateInterval(hours * HOUR, points, min);
  expect(interval).toEqual({ intervalMs: ms, text: want });
});

test.each([
  ['5m', 300_000],
  ['100ms', 100],
  ['1.5h', 5_400_000],
  ['1M', 30 * 86_400_000],
  ['5', undefined],
  ['m', undefined],
  ['5m; DROP', undefined],
])('interval %s is %s ms', (text, ms) => {
  expect(parseInterval(text)).toBe(ms);
});
