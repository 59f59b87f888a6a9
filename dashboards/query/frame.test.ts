import { expect, test } from 'vitest';

import { fieldType, tableFrame, timeSeriesFrame } from './frame.ts';

const columns = (...list: Array<[string, string]>) => list.map(([name, type]) => ({ name, type }));

test('long becomes wide: a field for each set of labels, holes are null', () => {
  const frame = timeSeriesFrame('A', {
    columns: columns(['time', 'DateTime'], ['level', 'LowCardinality(String)'], ['Value', 'UInt64']),
    rows: [
      ['2026-11-22T08:00:10Z', 'info', 5],
      ['2026-11-22T08:00:00Z', 'info', 3],
      ['2026-11-22T08:00:10Z', 'error', 1],
    ],
  });
  const t = Date.parse('2026-11-22T08:00:00Z');
  expect(frame).toEqual({
    refId: 'A',
    fields: [
      { name: 'time', type: 'time', values: [t, t + 10_000] },
      { name: 'Value', type: 'number', labels: { level: 'error' }, values: [null, 1] },
      { name: 'Value', type: 'number', labels: { level: 'info' }, values: [3, 5] },
    ],
  });
});

test('two value columns and two labels', () => {
  const { fields } = timeSeriesFrame('B', {
    columns: columns(
      ['t', 'DateTime64(9)'],
      ['a', 'String'],
      ['b', 'Nullable(String)'],
      ['x', 'Float64'],
      ['y', 'Decimal(10, 2)'],
    ),
    rows: [
      ['2026-11-22T08:00:00.123456789Z', 'p', null, 1.5, '2.25'],
      ['2026-11-22T08:00:00.123456789Z', 'p', 'q', null, '3.5'],
    ],
  });
  expect(fields).toEqual([
    { name: 't', type: 'time', values: [Date.parse('2026-11-22T08:00:00.123Z')] },
    { name: 'x', type: 'number', labels: { a: 'p', b: '' }, values: [1.5] },
    { name: 'x', type: 'number', labels: { a: 'p', b: 'q' }, values: [null] },
    { name: 'y', type: 'number', labels: { a: 'p', b: '' }, values: [2.25] },
    { name: 'y', type: 'number', labels: { a: 'p', b: 'q' }, values: [3.5] },
  ]);
});

test('without labels the rows are sorted by time and stay as they are', () => {
  const { fields } = timeSeriesFrame('A', {
    columns: columns(['n', 'UInt8'], ['day', 'Date']),
    rows: [
      [2, '2026-11-23'],
      [1, '2026-11-22'],
    ],
  });
  expect(fields).toEqual([
    { name: 'n', type: 'number', values: [1, 2] },
    { name: 'day', type: 'time', values: [Date.parse('2026-11-22'), Date.parse('2026-11-23')] },
  ]);
});

test('a result without rows keeps its columns', () => {
  const empty = { columns: columns(['time', 'DateTime'], ['Value', 'UInt64']), rows: [] };
  expect(timeSeriesFrame('A', empty).fields.map(({ name, values }) => [name, values])).toEqual([
    ['time', []],
    ['Value', []],
  ]);
});

test('a table keeps order, maps and texts', () => {
  const rows = [['b', { k: 'v' }, true] as const, ['a', {}, false] as const];
  const frame = tableFrame('A', {
    columns: columns(['s', 'String'], ['m', 'Map(String, String)'], ['ok', 'Bool']),
    rows,
  });
  expect(frame.fields).toEqual([
    { name: 's', type: 'string', values: ['b', 'a'] },
    { name: 'm', type: 'other', values: [{ k: 'v' }, {}] },
    { name: 'ok', type: 'boolean', values: [true, false] },
  ]);
});

test('series that would fill memory are refused', () => {
  const rows = Array.from({ length: 2_100 }, (_, index) => [index, `series ${index}`, index]);
  const wide = {
    columns: columns(['time', 'DateTime'], ['s', 'String'], ['Value', 'UInt64']),
    rows,
  };
  expect(() => timeSeriesFrame('A', wide)).toThrow('cannot draw query A: got over');
});

test.each([
  ['LowCardinality(Nullable(String))', 'string'],
  ["DateTime64(3, 'UTC')", 'time'],
  ['Date32', 'time'],
  ['Int256', 'number'],
  ["Enum8('a' = 1)", 'string'],
  ['Array(String)', 'other'],
] as const)('%s is a field of type %s', (type, want) => {
  expect(fieldType(type)).toBe(want);
});
