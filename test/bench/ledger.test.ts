import { expect, test } from 'vitest';

import { Ledger } from './ledger.ts';

test('a batch is matched whether its acknowledgement or its reader is first', () => {
  const ledger = new Ledger(2);
  ledger.onSent(0, 0, 10, 100);
  ledger.onRead(0, 0, 10, 107);
  ledger.onRead(1, 0, 3, 105);
  expect(ledger.unmatched).toBe(1);
  ledger.onSent(1, 0, 3, 101);
  expect(ledger.takeLatencies()).toEqual([7, 4]);
  expect(ledger.takeLatencies()).toEqual([]);
  expect([ledger.sent, ledger.read, ledger.unmatched]).toEqual([13, 13, 0]);
});

test('a gap and a repeat are named', () => {
  const ledger = new Ledger(1);
  ledger.onRead(0, 0, 10, 1);
  expect(() => ledger.onRead(0, 11, 1, 2)).toThrow('got offset 11, want 10');
  expect(() => ledger.onRead(0, 0, 10, 2)).toThrow('got offset 0, want 10');
});
