import { describe, expect, test } from 'vitest';

import { durable, say, states, take } from '../../test/support/shared-partition.ts';
import { ACKNOWLEDGE } from './settle.ts';
import {
  archivingRanges,
  newSharePartition,
  restoredPartition,
  snapshotOf,
  trimmed,
} from './share-partition.ts';

test('deleted records are done with, whoever has them', () => {
  const { partition } = take(newSharePartition(0));
  const after = trimmed(partition, 7);
  expect(after.startOffset).toBe(7);
  expect(states(after)).toBe('7-9 acquired 1');
  expect(say(after, 5, 6, [ACKNOWLEDGE.accept]).effects).toEqual([]);
  expect(trimmed(partition, 30)).toMatchObject({ startOffset: 30, endOffset: 30, runs: [] });
});

describe('what is kept', () => {
  test('acquired records are available after a restart, with their delivery count', () => {
    const { partition } = take(newSharePartition(0));
    const after = durable(say(partition, 2, 3, [ACKNOWLEDGE.accept]));
    const { startOffset, batches } = snapshotOf(after);
    const again = restoredPartition(startOffset, batches);
    expect(states(again)).toBe('0-1 available 1, 2-3 acknowledged 1, 4-9 available 1');
    expect(again).toMatchObject({ startOffset: 0, endOffset: 10 });
  });

  test('what is on its way to the disk counts as done in a snapshot, since it stands before it', () => {
    const { partition } = take(newSharePartition(0));
    const { partition: storing } = say(partition, 0, 3, [ACKNOWLEDGE.accept]);
    expect(snapshotOf(storing)).toEqual({
      startOffset: 4,
      batches: [{ first: 4, last: 9, state: 'available', deliveryCount: 1 }],
    });
  });

  test('offsets between what is stored were never handed out', () => {
    const again = restoredPartition(3, [
      { first: 0, last: 4, state: 'acknowledged', deliveryCount: 1 },
      { first: 8, last: 9, state: 'available', deliveryCount: 2 },
    ]);
    expect(again.startOffset).toBe(5);
    expect(states(again)).toBe('5-7 available 0, 8-9 available 2');
  });

  test('after a restart the letters are still to be written', () => {
    const again = restoredPartition(0, [{ first: 0, last: 1, state: 'archiving', deliveryCount: 3 }]);
    expect(archivingRanges(again, 3)).toEqual([
      { first: 0, last: 1, deliveryCount: 3, reason: 'delivery-count' },
    ]);
    expect(archivingRanges(again, 5)).toEqual([{ first: 0, last: 1, deliveryCount: 3, reason: 'rejected' }]);
  });
});
