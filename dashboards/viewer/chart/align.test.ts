import { expect, test } from 'vitest';
import { alignColumns, isolatedPoints, spanGaps, stackColumns, withNeighbours } from './align.ts';

test('equal times stay, different times are joined with holes', () => {
  expect(
    alignColumns([
      { times: [1, 2], values: [5, null] },
      { times: [1, 2], values: [6, 7] },
    ]),
  ).toEqual({
    times: [1, 2],
    columns: [
      [5, null],
      [6, 7],
    ],
  });
  expect(
    alignColumns([
      { times: [3, 1], values: [5, 4] },
      { times: [2], values: [6] },
    ]),
  ).toEqual({
    times: [1, 2, 3],
    columns: [
      [4, undefined, 5],
      [undefined, 6, undefined],
    ],
  });
});

const GAPS: [string, boolean | number, (number | null | undefined)[]][] = [
  ['no gap is joined', false, [null, 1, null, 2, null, null, 3, null]],
  ['every gap is joined', true, [null, 1, undefined, 2, undefined, undefined, 3, null]],
  ['gaps up to 20 ms', 20, [null, 1, undefined, 2, null, null, 3, null]],
];

test.each(GAPS)('%s', (_, spanNulls, expected) => {
  const times = [0, 10, 20, 30, 40, 50, 60, 70];
  expect(spanGaps(times, [null, 1, null, 2, null, null, 3, null], spanNulls)).toEqual(expected);
});

test('stacks count missing as nothing; shares end at one', () => {
  const columns = [
    [1, null],
    [3, 4],
  ];
  expect(stackColumns(columns, false)).toEqual([
    [1, 0],
    [4, 4],
  ]);
  expect(stackColumns(columns, true)).toEqual([
    [0.25, 0],
    [1, 1],
  ]);
});

test('times have a neighbour one step on', () => {
  expect(withNeighbours({ times: [10, 20, 50], columns: [[1, undefined, 3]] }, 10)).toEqual({
    times: [10, 20, 30, 50, 60],
    columns: [[1, undefined, null, 3, null]],
  });
});

test('a value without a neighbour is a point of its own', () => {
  expect(isolatedPoints([1])).toEqual([0]);
  expect(isolatedPoints([null, 1, null, 2, 3, null, undefined, 4])).toEqual([1, 7]);
  expect(isolatedPoints([1, undefined, 2, null, undefined, undefined])).toEqual([]);
});
