import { expect, test } from 'vitest';

import { newTransaction } from './transaction.ts';
import { TransactionalIds } from './transactional-ids.ts';

test('an id is found by the producer that it has now', () => {
  const ids = new TransactionalIds();
  const entry = ids.add(newTransaction('orders', 7, 0));
  expect([ids.get('orders'), ids.ofProducer(7)]).toEqual([entry, entry]);
  const { transaction } = entry;
  ids.replace(entry, { ...transaction, value: { ...transaction.value, producerId: 8 } });
  expect([ids.ofProducer(7), ids.ofProducer(8)]).toEqual([undefined, entry]);
});

test('an id goes when nothing of it is stored or on its way, and leaves another of its name alone', () => {
  const ids = new TransactionalIds();
  const gone = ids.add(newTransaction('orders', 7, 0));
  ids.replace(gone, { ...gone.transaction, durable: gone.transaction.value });
  ids.forgetIfGone(gone);
  expect(ids.get('orders')).toBe(gone);
  ids.replace(gone, { ...gone.transaction, durable: undefined });
  ids.forgetIfGone(gone);
  expect([ids.get('orders'), ids.ofProducer(7)]).toEqual([undefined, undefined]);
  const next = ids.add(newTransaction('orders', 9, 0));
  ids.forgetIfGone(gone);
  expect([ids.get('orders'), ids.ofProducer(9)]).toEqual([next, next]);
});

test('ids of clients have a bound in memory, which those that go give back', () => {
  const ids = new TransactionalIds();
  const long = 'x'.repeat(32_000);
  let count = 0;
  while (ids.hasRoomFor(`${long}${count}`)) ids.add(newTransaction(`${long}${count++}`, count, 0));
  expect(count).toBeGreaterThan(1_000);
  expect(ids.hasRoomFor('orders')).toBe(true);
  const first = ids.get(`${long}0`)!;
  ids.forgetIfGone(first);
  expect(ids.hasRoomFor(`${long}0`)).toBe(true);
});
