import { expect, test } from 'vitest';
import { reduceValues, reducerOf } from './reducers.ts';

// Captured from `reduceField` of @grafana/data 13.2.3 over these values.
const VALUES = [1, null, 5, 3, 0, 8, 2];
const GOLDEN: [string, number][] = [
  ['sum', 19],
  ['max', 8],
  ['min', 0],
  ['mean', 3.1666666666666665],
  ['last', 2],
  ['lastNotNull', 2],
  ['first', 1],
  ['count', 6],
  ['countAll', 7],
  ['range', 8],
  ['diff', 1],
  ['diffperc', 100],
  ['median', 2.5],
  ['variance', 7.138888888888889],
  ['p50', 3],
  ['p90', 8],
];

test.each(GOLDEN)('%s', (id, expected) => {
  expect(reduceValues(id, VALUES)).toBeCloseTo(expected, 10);
});

test('of nothing there is no value, and no reducer by an unknown name', () => {
  for (const id of ['last', 'lastNotNull', 'mean', 'min', 'max', 'diff', 'p95']) {
    expect(reduceValues(id, [])).toBeNull();
  }
  expect(reducerOf('constructor')).toBeUndefined();
  expect(reduceValues('lastNotNull', [1, 2, null])).toBe(2);
  expect(reduceValues('last', [1, 2, null])).toBeNull();
});
