import { expect, test } from 'vitest';
import { tickText, timeTicks, valueRange } from './axis.ts';

test('ticks show no needless decimals', () => {
  expect([0, 500, 1500, 2000].map((value) => tickText('short', value, undefined))).toEqual([
    '0',
    '500',
    '1.5 K',
    '2 K',
  ]);
  expect(tickText('bytes', 1536, undefined)).toBe('1.5 KiB');
  expect(tickText('percentunit', 0.25, undefined)).toBe('25%');
  expect(tickText('Bps', 100, undefined)).toBe('100 B/s');
  expect(tickText('short', 10, undefined)).toBe('10');
  expect(tickText('short', 0.5, 2)).toBe('0.50');
});

test('time ticks follow the step and mark a new day', () => {
  const midnight = Date.UTC(2026, 10, 22);
  expect(timeTicks([midnight - 3_600_000, midnight, midnight + 3_600_000], 3_600_000, true)).toEqual([
    '23:00',
    '11-22',
    '01:00',
  ]);
  expect(timeTicks([midnight + 5000], 5000, true)).toEqual(['00:00:05']);
});

const RANGES: [string, Parameters<typeof valueRange>, [number, number]][] = [
  ['hard bounds', [3, 8, { min: 0, max: 1 }, false], [0, 1]],
  ['all zero', [0, 0, { min: 0 }, false], [0, 1]],
  ['flat', [10, 10, {}, false], [5, 15]],
  ['nothing', [null, null, {}, false], [0, 1.08]],
  ['near zero shows zero', [1, 100, {}, false], [0, 107.92]],
  ['far from zero does not', [1000, 1100, {}, false], [992, 1108]],
  ['soft maximum', [0, 0.1, { min: 0, softMax: 1 }, false], [0, 1.08]],
  ['bars from zero', [50, 100, {}, true], [0, 108]],
];

test.each(RANGES)('%s', (_, args, expected) => {
  const range = valueRange(...args);
  expect(range[0]).toBeCloseTo(expected[0], 6);
  expect(range[1]).toBeCloseTo(expected[1], 6);
});
