import { describe, expect, test } from 'vitest';

import { gathered, joinedPieces, piecesOf } from './pieces.ts';
import { ReadBuffers, ReadLease } from './read-buffers.ts';

describe('batches of these sizes leave in these pieces', () => {
  test.each([
    ['none', [], []],
    ['one small: as it is', [100], [100]],
    ['small neighbours: one piece', [100, 200, 300], [600]],
    ['large ones: each from where it is', [5_000, 4_096], [5_000, 4_096]],
    ['small ones around a large one', [100, 200, 5_000, 10, 20], [300, 5_000, 30]],
    [
      'many small ones: pieces of a quarter MiB at most',
      Array.from({ length: 90 }, () => 4_000),
      [260_000, 100_000],
    ],
  ])('%s', (_, sizes, want) => {
    const batches = sizes.map((bytes, i) => Buffer.alloc(bytes, i + 1));
    const pieces = gathered(batches, new ReadLease(new ReadBuffers()));
    expect(pieces.chunks.map(({ length }) => length)).toEqual(want);
    expect(joinedPieces(pieces).equals(joinedPieces(piecesOf(batches)))).toBe(true);
  });
});

describe('borrowed memory', () => {
  test('what is taken does not overlap until the lease ends, then it is lent again', () => {
    const buffers = new ReadBuffers();
    const lease = new ReadLease(buffers);
    const taken = [1_000_000, 900_000, 100_000, 2_000_000, 5].map((bytes, i) =>
      lease.take(bytes).fill(i + 1),
    );
    for (const [i, one] of taken.entries()) expect(one.every((byte) => byte === i + 1)).toBe(true);
    expect(taken.map(({ length }) => length)).toEqual([1_000_000, 900_000, 100_000, 2_000_000, 5]);
    lease.end();
    const others = [new ReadLease(buffers).take(10), new ReadLease(buffers).take(10)];
    const before = new Set([taken[0]!.buffer, taken[1]!.buffer]);
    expect(others.every((one) => before.has(one.buffer))).toBe(true);
  });

  test('what a read did not need is taken by the next, but only if nothing was taken since', () => {
    const lease = new ReadLease(new ReadBuffers());
    const first = lease.take(600_000);
    lease.keep(first, 100_000);
    const second = lease.take(800_000);
    expect(second.byteOffset).toBe(first.byteOffset + 100_000);
    const third = lease.take(10);
    lease.keep(second, 0);
    expect(lease.take(10).byteOffset).toBe(third.byteOffset + 10);
  });
});
