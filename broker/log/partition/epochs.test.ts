import { expect, test } from 'vitest';

import { Epochs } from './epochs.ts';

const starts = [
  { epoch: 0, startOffset: 0 },
  { epoch: 2, startOffset: 10 },
  { epoch: 5, startOffset: 20 },
];

test.each([
  [0, 0],
  [9, 0],
  [10, 2],
  [19, 2],
  [20, 5],
  [1_000, 5],
])('the epoch at offset %i is %i', (offset, want) => {
  expect(new Epochs(starts).at(offset)).toBe(want);
});

test.each([
  [-1, { epoch: -1, endOffset: -1 }],
  [0, { epoch: 0, endOffset: 10 }],
  [1, { epoch: 0, endOffset: 10 }],
  [2, { epoch: 2, endOffset: 20 }],
  [4, { epoch: 2, endOffset: 20 }],
  [5, { epoch: 5, endOffset: 33 }],
  [6, { epoch: -1, endOffset: -1 }],
])('a consumer of epoch %i is told %o', (epoch, want) => {
  expect(new Epochs(starts).endOffset(epoch, 33)).toEqual(want);
});

test('an epoch that holds no record is replaced, an older one begins nothing', () => {
  const epochs = new Epochs(starts);
  epochs.begin(6, 20);
  epochs.begin(4, 30);
  expect(epochs.starts).toEqual([starts[0], starts[1], { epoch: 6, startOffset: 20 }]);
  expect(epochs.current).toBe(6);
  expect(new Epochs([]).current).toBe(0);
});

test.each([
  [9, 3],
  [10, 2],
  [20, 1],
  [100, 1],
])('below offset %i all but %i are forgotten', (offset, left) => {
  const epochs = new Epochs(starts);
  epochs.dropBefore(offset);
  expect(epochs.starts).toEqual(starts.slice(3 - left));
});
