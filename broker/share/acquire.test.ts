import { describe, expect, test } from 'vitest';

import { durable, say, states, take } from '../../test/support/shared-partition.ts';
import { ACKNOWLEDGE } from './settle.ts';
import { newSharePartition, nextFetchOffset } from './share-partition.ts';

describe('acquiring', () => {
  test('a fetch takes whole batches of the log until it has enough', () => {
    const { acquired, partition } = take(newSharePartition(0), { recordsMax: 3 });
    expect(acquired).toEqual([{ first: 0, last: 4, deliveryCount: 1 }]);
    expect(nextFetchOffset(partition, 50)).toBe(5);
    expect(take(newSharePartition(0), { recordsMax: 6 }).acquired).toEqual([
      { first: 0, last: 9, deliveryCount: 1 },
    ]);
  });

  test('with a record limit it takes no more than that, in the middle of a batch too', () => {
    const { acquired, partition } = take(newSharePartition(0), { recordsMax: 6, isStrict: true });
    expect(acquired).toEqual([{ first: 0, last: 5, deliveryCount: 1 }]);
    expect(nextFetchOffset(partition, 50)).toBe(6);
  });

  test('ranges of an answer end at the end of a batch of the log where they would exceed the batch size', () => {
    expect(take(newSharePartition(0), { recordsMax: 6, batchSize: 2 }).acquired).toEqual([
      { first: 0, last: 4, deliveryCount: 1 },
      { first: 5, last: 9, deliveryCount: 1 },
    ]);
    expect(take(newSharePartition(0), { recordsMax: 6, batchSize: 2, isStrict: true }).acquired).toEqual([
      { first: 0, last: 5, deliveryCount: 1 },
    ]);
  });

  test('what one member has, another does not get', () => {
    const { partition } = take(newSharePartition(0), { recordsMax: 1 });
    expect(take(partition, { memberId: 'b' }).acquired).toEqual([{ first: 5, last: 9, deliveryCount: 1 }]);
  });

  test('a thousand records of one fetch are one run', () => {
    const batches = Array.from({ length: 200 }, (_, i) => ({ first: i * 5, last: i * 5 + 4 }));
    const { partition } = take(newSharePartition(0), {
      batches,
      to: 1000,
      recordsMax: 1000,
      batchSize: 1000,
      rules: { recordLocksMax: 2000 },
    });
    expect(states(partition)).toBe('0-999 acquired 1');
  });

  test('no more than the limit of locks is handed out, to the end of a batch', () => {
    const { acquired, partition } = take(newSharePartition(0), { rules: { recordLocksMax: 3 } });
    expect(acquired).toEqual([{ first: 0, last: 4, deliveryCount: 1 }]);
    expect(nextFetchOffset(partition, 3)).toBeUndefined();
    const freed = durable(say(partition, 0, 2, [ACKNOWLEDGE.accept]));
    expect(nextFetchOffset(freed, 3)).toBe(5);
  });

  test('markers, and what compaction took, are passed over for good', () => {
    const { acquired, partition } = take(newSharePartition(0), {
      batches: [
        { first: 2, last: 3 },
        { first: 6, last: 7 },
      ],
    });
    expect(acquired).toEqual([
      { first: 2, last: 3, deliveryCount: 1 },
      { first: 6, last: 7, deliveryCount: 1 },
    ]);
    expect(partition.startOffset).toBe(2);
    expect(states(partition)).toBe('2-3 acquired 1, 4-5 archived 0, 6-7 acquired 1, 8-9 archived 0');
    expect(durable(say(partition, 2, 3, [ACKNOWLEDGE.accept])).startOffset).toBe(6);
  });

  test('nothing but markers moves the start behind them', () => {
    const { acquired, partition } = take(newSharePartition(0), { batches: [] });
    expect(acquired).toEqual([]);
    expect(partition).toMatchObject({ startOffset: 10, endOffset: 10, runs: [] });
  });
});
