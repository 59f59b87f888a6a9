import { expect, test } from 'vitest';
import { formatAge, formatTime, parseDurationMs, parseTime, rangeLabel, resolveRange } from './time-range.ts';

const NOW = Date.UTC(2026, 10, 22, 8, 3, 19, 250);

const TIMES: [string, boolean, string | undefined][] = [
  ['now', false, '2026-11-22T08:03:19.250Z'],
  ['now-1h', false, '2026-11-22T07:03:19.250Z'],
  ['now+5m', false, '2026-11-22T08:08:19.250Z'],
  ['now/d', false, '2026-11-22T00:00:00.000Z'],
  ['now/d', true, '2026-11-22T23:59:59.999Z'],
  ['now-1d/d', false, '2026-11-21T00:00:00.000Z'],
  ['now/h', true, '2026-11-22T08:59:59.999Z'],
  ['now/w', false, '2026-11-16T00:00:00.000Z'],
  ['now/M', false, '2026-11-01T00:00:00.000Z'],
  ['now-1d/d+2h', false, '2026-11-21T02:00:00.000Z'],
  ['1700000000000', false, '2023-11-14T22:13:20.000Z'],
  ['2026-01-02 03:04:05', false, '2026-01-02T03:04:05.000Z'],
  ['now-1', false, undefined],
  ['yesterday', false, undefined],
];

test.each(TIMES)('%s, rounding up %s', (text, up, expected) => {
  const parsed = parseTime(text, NOW, up, true);
  expect(parsed === undefined ? undefined : new Date(parsed).toISOString()).toBe(expected);
});

test('a range always has a positive length', () => {
  expect(resolveRange({ from: 'now-5m', to: 'now' }, NOW, true)).toEqual({
    fromMs: NOW - 300_000,
    toMs: NOW,
  });
  const backwards = resolveRange({ from: 'now', to: 'now-5m' }, NOW, true);
  expect(backwards.fromMs).toBeLessThan(backwards.toMs);
});

test('durations and labels', () => {
  expect(parseDurationMs('1h30m')).toBe(5_400_000);
  expect(parseDurationMs('5s')).toBe(5000);
  expect(parseDurationMs('250ms')).toBe(250);
  expect(parseDurationMs('5 s')).toBeUndefined();
  expect(rangeLabel({ from: 'now-1h', to: 'now' }, true)).toBe('Last hour');
  expect(rangeLabel({ from: '1700000000000', to: '1700000060000' }, true)).toBe(
    '2023-11-14 22:13:20 to 2023-11-14 22:14:20',
  );
  expect(formatTime(NOW, true, true)).toBe('2026-11-22 08:03:19.250');
  expect([5_000, 65_000, 7_260_000, 90_000_000].map(formatAge)).toEqual([
    '5 s',
    '1 min 5 s',
    '2 h 1 min',
    '1 d 1 h',
  ]);
});
