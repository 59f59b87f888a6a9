import { expect, test } from 'vitest';

import { parseDurationMs } from './duration.ts';
import { formatBytes, formatCount, formatSeconds } from './quantity.ts';
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
  const bytes = [0, 1_023, 1_024, 1_536, 1_048_575, 1_048_576, 5e15].map(formatBytes);
  expect(bytes).toEqual(['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '1.0 MiB', '1.0 MiB', '4547.5 TiB']);
  const seconds = [0, 0.03, 4.2, 59.6, 60, 3_599, 3_600, 93_784, 86_400, 86_461].map(formatSeconds);
  expect(seconds).toEqual(['0s', '0.03s', '4.2s', '1m', '1m', '59m 59s', '1h', '1d 2h', '1d', '1d']);
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
