import { expect, test } from 'vitest';

import { recordBatch } from '../../../test/support/record-batch.ts';
import { decodeEntry, FRAME_BYTES, uuidBytes, WAL_HEADER_BYTES } from './wal-entry.ts';
import { encodeGroup, groupLength, type WalItem } from './wal-group.ts';

const TOPIC = '00000000-0000-4000-8000-000000000001';
const MIB = 1024 * 1024;

function item(entry: Buffer): WalItem {
  return {
    topicId: uuidBytes(TOPIC),
    partition: 3,
    entry,
    syncWithinMs: 0,
    committed: () => {},
    owe: () => {},
    refused: () => {},
  };
}

test.each([
  ['all, when they are few', [MIB, MIB, MIB], 3],
  ['up to the one that makes it 16 MiB', [10 * MIB, 6 * MIB, 1], 2],
  ['one that is larger than that, alone', [20 * MIB, 1], 1],
  ['none', [], 0],
])('a group takes %s', (_, sizes, want) => {
  expect(groupLength(sizes.map((size) => item(Buffer.allocUnsafe(size))))).toBe(want);
});

test('entries that follow each other in memory are one part of the write, and all can be read back', () => {
  const batches = ['a', 'b', 'c', 'd'].map((value) => recordBatch({ values: [value] }));
  const size = FRAME_BYTES + batches[0]!.length;
  const slab = Buffer.alloc(4 * size);
  const entries = batches.map((batch, i) => {
    // Behind the second, a hole of one entry.
    const at = (i < 2 ? i : i + 1) * size;
    const entry = i < 3 ? slab.subarray(at, at + size) : Buffer.alloc(size);
    batch.copy(entry, FRAME_BYTES);
    return entry;
  });
  const chunks = encodeGroup(entries.map(item), 7, WAL_HEADER_BYTES, WAL_HEADER_BYTES);
  expect(chunks.map(({ length }) => length)).toEqual([2 * size, size, size]);
  const file = Buffer.concat([Buffer.alloc(WAL_HEADER_BYTES), ...chunks]);
  for (const [i, batch] of batches.entries()) {
    const found = decodeEntry(file, WAL_HEADER_BYTES + i * size, 7)!;
    expect([found.topicId, found.partition, found.batch.equals(batch)]).toEqual([TOPIC, 3, true]);
  }
});
