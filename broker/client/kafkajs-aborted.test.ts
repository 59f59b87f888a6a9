import Batch from 'kafkajs/src/consumer/batch.js';
import { describe, expect, test } from 'vitest';

import { type FetchedMessage, type FetchedPartition, hideAborted } from './kafkajs-aborted.ts';

function record(offset: number, producerId: number, isControlRecord = false, type = 0): FetchedMessage {
  const key = isControlRecord ? Buffer.from([0, 0, 0, type]) : Buffer.from('key');
  const batchContext = { producerId: `${producerId}`, inTransaction: producerId >= 0 };
  return { offset: `${offset}`, key, isControlRecord, batchContext };
}

const abort = (offset: number, producerId: number): FetchedMessage => record(offset, producerId, true, 0);
const commit = (offset: number, producerId: number): FetchedMessage => record(offset, producerId, true, 1);

/** Offsets that the application gets. */
function seen(
  messages: FetchedMessage[],
  aborted: ReadonlyArray<readonly [producerId: number, firstOffset: number]>,
  hide = hideAborted,
): number[] {
  const abortedTransactions = aborted.map(([producerId, firstOffset]) => ({
    producerId: `${producerId}`,
    firstOffset: `${firstOffset}`,
  }));
  const partition: FetchedPartition = { messages, abortedTransactions };
  hide(partition);
  const data = { partition: 0, highWatermark: '100', ...partition };
  return new Batch('t', messages[0]!.offset, data).messages.map(({ offset }) => Number(offset));
}

// Producer 7 began at 3, producer 8 at 5; the answer begins with the marker of 8.
const overlapping = (): FetchedMessage[] => [
  abort(10, 8),
  record(11, 7),
  record(12, 8),
  commit(13, 8),
  abort(14, 7),
  record(15, 7),
  commit(16, 7),
  record(17, -1),
];

test('what follows an aborted transaction is seen, where an answer begins with its marker while another is open', () => {
  expect(
    seen(overlapping(), [
      [7, 3],
      [8, 5],
    ]),
  ).toEqual([12, 15, 17]);
});

test('without it kafkajs drops committed records there: the reason for all this', () => {
  const nothing = (): void => {};
  expect(
    seen(
      overlapping(),
      [
        [7, 3],
        [8, 5],
      ],
      nothing,
    ),
  ).not.toContain(12);
});

describe('an aborted transaction', () => {
  test('is hidden from its first offset to its marker, and no other producer with it', () => {
    const messages = [
      record(0, 7),
      record(1, 8),
      record(2, 7),
      abort(3, 7),
      record(4, 7),
      commit(5, 8),
      commit(6, 7),
    ];
    expect(seen(messages, [[7, 0]])).toEqual([1, 4]);
  });

  test('hides nothing that its producer wrote before it, nor what is not in a transaction', () => {
    const messages = [record(0, 7), commit(1, 7), record(2, -1), record(3, 7), record(4, -1), abort(5, 7)];
    expect(seen(messages, [[7, 3]])).toEqual([0, 2, 4]);
  });

  test('of the same producer may come again in one answer, and not in the order of the list', () => {
    const messages = [
      record(0, 7),
      abort(1, 7),
      record(2, 7),
      commit(3, 7),
      record(4, 7),
      abort(5, 7),
      record(6, -1),
    ];
    expect(
      seen(messages, [
        [7, 4],
        [7, 0],
      ]),
    ).toEqual([2, 6]);
  });

  test('a record whose key looks like an abort marker does not end it', () => {
    const looksLike = { ...record(1, 7), key: Buffer.from([0, 0, 0, 0]) };
    expect(seen([record(0, 7), looksLike, record(2, 7), abort(3, 7)], [[7, 0]])).toEqual([]);
  });
});

test('an answer of aborted records alone is passed over, not asked for again', () => {
  const messages = [record(0, 7), record(1, 7)];
  const partition: FetchedPartition = {
    messages,
    abortedTransactions: [{ producerId: '7', firstOffset: '0' }],
  };
  hideAborted(partition);
  const batch = new Batch('t', '0', { partition: 0, highWatermark: '100', ...partition });
  expect(batch.isEmptyDueToFiltering()).toBe(true);
  expect(batch.lastOffset()).toBe('1');
});
