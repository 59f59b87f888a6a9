import { beforeEach, expect, test } from 'vitest';

import { LogError } from '../errors.ts';
import type { WalItem } from './wal-group.ts';
import { WalItems } from './wal-items.ts';

let items: WalItems;
let events: string[];

beforeEach(() => {
  items = new WalItems();
  events = [];
});

function append(names: string, syncWithinMs = 0): void {
  for (const name of names) {
    items.append({
      topicId: Buffer.alloc(16),
      partition: 0,
      entry: Buffer.alloc(10),
      syncWithinMs,
      owe: () => {},
      committed: () => events.push(name),
      refused: () => events.push(`-${name}`),
    } satisfies WalItem);
  }
}

test('groups are committed in order, and the bytes that wait are known throughout', () => {
  append('ab');
  const first = items.takeGroup();
  append('c');
  expect([items.bytes, items.waitingBytes, items.groupsTaken]).toEqual([30, 10, 1]);
  const second = items.takeGroup();
  expect([items.bytes, items.waitingBytes, items.groupsTaken]).toEqual([30, 0, 2]);
  expect(items.hasWaiting).toBe(false);
  items.commitOldest(first);
  items.commitOldest(second);
  expect([items.bytes, items.groupsTaken]).toEqual([0, 0]);
  expect(events).toEqual(['a', 'b', 'c']);
  append('d');
  items.takeGroup();
  append('e');
  expect(() => items.commitOldest(items.takeGroup())).toThrow(/in the order/);
});

test('what waits is refused before what was taken, each newest first', () => {
  append('ab');
  items.takeGroup();
  append('cd');
  items.takeGroup();
  append('ef');
  const error = new LogError('KAFKA_STORAGE_ERROR', 'no disk');
  items.refuseWaiting(error);
  items.refuseTaken(error);
  expect(events).toEqual(['-f', '-e', '-d', '-c', '-b', '-a']);
  expect([items.bytes, items.waitingBytes, items.groupsTaken]).toEqual([0, 0, 0]);
});

test('of lax topics they are committed when they are written, if nothing older waits for a sync', () => {
  append('a');
  append('b', 1_000);
  append('c');
  items.takeGroup();
  const owed: number[] = [];
  const strict = items.commitLax(({ syncWithinMs }) => owed.push(syncWithinMs));
  expect([events, owed, items.bytes, items.groupsTaken]).toEqual([['b'], [1_000], 20, 1]);
  append('d', 1_000);
  items.takeGroup();
  expect(() => items.commitLax(() => {})).toThrow(/older/);
  items.commitOldest(strict);
  expect(events).toEqual(['b', 'a', 'c']);
});
