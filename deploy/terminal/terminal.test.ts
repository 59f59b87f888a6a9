import { expect, test } from 'vitest';

import { parseDurationMs } from './duration.ts';
import { formatCount } from './quantity.ts';
import { formatTable } from './table.ts';

test('durations', () => {
  const cases: Array<[string, number]> = [
    ['30s', 30_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
    ['7d', 604_800_000],
  ];
  for (const [text, ms] of cases) expect(parseDurationMs(text, 'since')).toBe(ms);
  for (const text of ['', '5', 'h', '1x', '1h ', '-1h']) {
    expect(() => parseDurationMs(text, 'since')).toThrow(/^cannot use --since: got /);
  }
});

test('quantities and columns', () => {
  expect(formatCount(1_234_567)).toBe('1,234,567');
  expect(
    formatTable(
      ['A', 'N'],
      [
        ['long', '1'],
        ['b', '22'],
      ],
      1,
    ),
  ).toBe('A      N\nlong   1\nb     22');
});
