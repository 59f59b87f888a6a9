import { expect, test } from 'vitest';

import { cpuSeconds, residentMib } from './process-usage.ts';
import { median, percentile } from './statistics.ts';
import { benchTable, formatValue } from './table.ts';

const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);

test.each([
  { values: [3, 1, 2], want: 2 },
  { values: [10, 1, 2, 3], want: 2.5 },
  { values: [7], want: 7 },
  { values: [], want: Number.NaN },
])('the median of $values is $want', ({ values, want }) => {
  expect(median(values)).toBe(want);
});

test.each([
  { share: 0.5, want: 50 },
  { share: 0.99, want: 99 },
  { share: 1, want: 100 },
  { share: 0, want: 1 },
])('the percentile $share of 1 to 100 is $want', ({ share, want }) => {
  expect(percentile(hundred, share)).toBe(want);
});

test.each([
  [0.12345, '0.123'],
  [12.345, '12.3'],
  [99.96, '100'],
  [143_210, '143 000'],
  [1_234_567, '1 230 000'],
  [0, '0'],
  [Number.NaN, '-'],
])('%d is printed as %s', (value, want) => {
  expect(formatValue(value)).toBe(want);
});

test('one table, values aligned at their right', () => {
  const rows = [
    { bench: 'broker', what: 'produce', value: 143_210, unit: 'records/s', note: 'acks=all' },
    { bench: 'start', what: 'up', value: 1.5, unit: 's' },
  ];
  expect(benchTable(rows).split('\n')).toEqual([
    'bench   what     value    unit       note',
    'broker  produce  143 000  records/s  acks=all',
    'start   up           1.5  s',
  ]);
});

test('a process costs time and memory', () => {
  expect(cpuSeconds(process.pid)).toBeGreaterThan(0);
  expect(residentMib(process.pid)).toBeGreaterThan(10);
});
