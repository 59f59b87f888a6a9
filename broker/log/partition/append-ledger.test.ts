import { expect, test } from 'vitest';

import { AppendLedger } from './append-ledger.ts';

test('totals at a boundary and at the end agree with what was appended', () => {
  const ledger = new AppendLedger(100, 0);
  const appended: Array<{ offset: number; records: number; ms: number }> = [];
  let offset = 100;
  let nowMs = 0;
  for (let i = 0; i < 20_000; i += 1) {
    const isMarker = i % 7 === 0;
    nowMs += i % 400;
    ledger.append(offset, isMarker ? 0 : 3, 500, nowMs);
    appended.push({ offset, records: isMarker ? 0 : 3, ms: nowMs });
    offset += isMarker ? 1 : 3;
  }
  for (let i = 0; i < appended.length; i += 271) {
    const { offset: from, ms } = appended[i]!;
    const boundary = ledger.boundaryFrom(from);
    const below = appended.filter((one) => one.offset < (boundary?.offset ?? offset));
    const records = below.reduce((sum, one) => sum + one.records, 0);
    expect(boundary?.records ?? ledger.records).toBe(records);
    expect(boundary?.bytes ?? ledger.bytes).toBe(below.filter((one) => one.records > 0).length * 500);
    const { notBeforeMs, notAfterMs } = ledger.appendedWithin(from);
    expect(notBeforeMs).toBeLessThanOrEqual(ms);
    expect(notAfterMs).toBeGreaterThanOrEqual(ms);
  }
});

test('of what was there before, only that it was appended by then', () => {
  const ledger = new AppendLedger(100, 5_000);
  ledger.append(100, 1, 10, 9_000);
  expect(ledger.appendedWithin(99)).toEqual({ notBeforeMs: -Infinity, notAfterMs: 5_000 });
  expect(ledger.appendedWithin(100)).toEqual({ notBeforeMs: 9_000, notAfterMs: 9_000 });
});

test('the first append after a silence is known to the second', () => {
  const ledger = new AppendLedger(0, 0);
  ledger.append(0, 1, 10, 100);
  ledger.append(1, 1, 10, 3_600_000);
  expect(ledger.appendedWithin(0)).toEqual({ notBeforeMs: 0, notAfterMs: 100 });
  expect(ledger.appendedWithin(1)).toEqual({ notBeforeMs: 3_600_000, notAfterMs: 3_600_000 });
});

test('a clock that is set back makes no interval that ends before it begins', () => {
  const ledger = new AppendLedger(0, 10_000);
  for (let i = 0; i < 100; i += 1) ledger.append(i, 1, 40_000, 10_000 - i * 100);
  for (let i = 0; i < 100; i += 1) {
    const { notBeforeMs, notAfterMs } = ledger.appendedWithin(i);
    expect(notAfterMs).toBeGreaterThanOrEqual(notBeforeMs);
  }
});
