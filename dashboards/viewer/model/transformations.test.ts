import { expect, test } from 'vitest';
import type { Frame } from './dashboard.ts';
import { transformFrames } from './transformations.ts';

const TABLE: Frame = {
  refId: 'A',
  fields: [
    { name: 'topic', type: 'string', values: ['b', 'a', 'c'] },
    { name: 'lag', type: 'number', values: [2, 10, null] },
    { name: 'noise', type: 'string', values: ['x', 'y', 'z'] },
  ],
};

function apply(id: string, options: Record<string, unknown>, frames: Frame[] = [TABLE]) {
  const result = transformFrames(frames, [{ id, options }]);
  return result.frames.map((frame) =>
    Object.fromEntries(frame.fields.map((field) => [field.name, field.values])),
  );
}

test('organize hides, orders and renames', () => {
  const [columns] = apply('organize', {
    excludeByName: { noise: true },
    indexByName: { lag: 0, topic: 1 },
    renameByName: { lag: 'Lag' },
  });
  expect(Object.entries(columns ?? {})).toEqual([
    ['Lag', [2, 10, null]],
    ['topic', ['b', 'a', 'c']],
  ]);
});

test('sortBy moves whole rows', () => {
  expect(apply('sortBy', { sort: [{ field: 'topic' }] })[0]).toMatchObject({
    topic: ['a', 'b', 'c'],
    lag: [10, 2, null],
  });
  expect(apply('sortBy', { sort: [{ field: 'topic', desc: true }] })[0]).toMatchObject({
    lag: [null, 2, 10],
  });
});

test('reduce: a row a series', () => {
  expect(apply('reduce', { reducers: ['max', 'lastNotNull'] })).toEqual([
    { Field: ['lag'], Max: [10], 'Last *': [10] },
  ]);
});

test('limit, filterFieldsByName, merge', () => {
  expect(apply('limit', { limitField: 1 })[0]).toMatchObject({ topic: ['b'] });
  expect(apply('filterFieldsByName', { include: { names: ['lag'] } })).toEqual([{ lag: [2, 10, null] }]);
  const other: Frame = {
    fields: [
      { name: 'topic', type: 'string', values: ['a'] },
      { name: 'bytes', type: 'number', values: [7] },
    ],
  };
  expect(apply('merge', {}, [TABLE, other])[0]).toMatchObject({
    topic: ['b', 'a', 'c'],
    bytes: [null, 7, null],
  });
});

test('an unknown transformation is named', () => {
  expect(transformFrames([TABLE], [{ id: 'formatTime' }])).toEqual({
    frames: [TABLE],
    notices: ['transformation formatTime'],
  });
  expect(transformFrames([TABLE], [{ id: 'formatTime', disabled: true }]).notices).toEqual([]);
});
