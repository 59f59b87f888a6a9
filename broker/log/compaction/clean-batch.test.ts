import { describe, expect, test } from 'vitest';

import { CODECS, codecOf } from '../../records/codecs.ts';
import { encodeBatch, recordsOf, type StoredRecord } from '../../state/record-batch.ts';
import {
  attributesOf,
  baseOffsetOf,
  BATCH_HEADER_BYTES,
  CRC_START,
  crcHolds,
  lastOffsetOf,
  maxTimestampOf,
  recordCountOf,
  stampBatch,
} from '../batch/batch-header.ts';
import { crc32c } from '../batch/crc32c.ts';
import { cleanBatch, type CleaningRules } from './clean-batch.ts';

const NOW = 1_700_000_500_000;
const SENT = 1_700_000_000_000;

/** Records at offsets from 100 on, `key=value`; `key=` is a tombstone, `=value` has no key. */
function batchOf(plan: string, codec = 0): Buffer {
  const records = plan.split(' ').map((one): StoredRecord => {
    const [key = '', value = ''] = one.split('=');
    return { key: key === '' ? null : Buffer.from(key), value: value === '' ? null : Buffer.from(value) };
  });
  const plain = encodeBatch(records, SENT);
  const packed = CODECS[codec]!.compress(plain.subarray(BATCH_HEADER_BYTES));
  const batch = Buffer.concat([plain.subarray(0, BATCH_HEADER_BYTES), packed]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt16BE(codec, 21);
  batch.writeUInt32BE(crc32c(batch, CRC_START), 17);
  stampBatch(batch, 100, 7);
  return batch;
}

/** Latest offsets by key. */
function rules(latest: Record<string, number>, more: Partial<CleaningRules> = {}): CleaningRules {
  return {
    latest: (key) => latest[key.toString()] ?? -1,
    isAborted: () => false,
    isLoneMarker: () => false,
    nowMs: NOW,
    deleteRetentionMs: 1_000,
    ...more,
  };
}

function shown(batch: Buffer | undefined): string {
  if (!batch) return 'nothing';
  const codec = codecOf(attributesOf(batch));
  const records = codec.decompress(batch.subarray(BATCH_HEADER_BYTES), 1_000_000);
  const plain = Buffer.concat([batch.subarray(0, BATCH_HEADER_BYTES), records]);
  plain.writeInt16BE(attributesOf(batch) & ~7, 21);
  return recordsOf(plain)
    .map(({ offset, key, value }) => `${offset}:${key?.toString() ?? ''}=${value?.toString() ?? ''}`)
    .join(' ');
}

for (const { id, name } of CODECS) {
  describe(`a batch with codec ${name}`, () => {
    test('keeps its very bytes when all of its records are the latest of their keys', () => {
      const batch = batchOf('a=1 b=2', id);
      expect(cleanBatch(batch, rules({ a: 100, b: 101 }))).toBe(batch);
    });

    test('loses the records that a later one replaces; what stays keeps offset, time and codec', () => {
      const batch = batchOf('a=1 b=2 a=3 c=4', id);
      const cleaned = cleanBatch(batch, rules({ a: 102, b: 200, c: 103 }))!;
      expect(shown(cleaned)).toBe('102:a=3 103:c=4');
      expect([baseOffsetOf(cleaned), lastOffsetOf(cleaned), recordCountOf(cleaned)]).toEqual([100, 103, 2]);
      expect(attributesOf(cleaned) & 7).toBe(id);
      expect(maxTimestampOf(cleaned)).toBe(SENT);
      expect(crcHolds(cleaned, 0, cleaned.length)).toBe(true);
    });
  });
}

test('records without a key go', () => {
  expect(shown(cleanBatch(batchOf('=1 b=2'), rules({ b: 101 })))).toBe('101:b=2');
});

test('a batch of which nothing stays is gone', () => {
  expect(cleanBatch(batchOf('a=1 b=2'), rules({ a: 200, b: 200 }))).toBeUndefined();
  expect(cleanBatch(batchOf('a=1'), rules({}, { isAborted: () => true }))).toBeUndefined();
});

test('a tombstone stays until its time, counted from the first cleaning that found it', () => {
  const latest = { a: 100, b: 101 };
  const first = cleanBatch(batchOf('a= b=2'), rules(latest))!;
  expect(shown(first)).toBe('100:a= 101:b=2');
  expect(attributesOf(first) & 0x40).toBe(0x40);
  const records = recordsOf(first);
  expect(records.map(({ timestampMs }) => timestampMs)).toEqual([SENT, SENT]);
  expect(crcHolds(first, 0, first.length)).toBe(true);
  // Cleaned again before its time: nothing changes, and the time does not move.
  expect(cleanBatch(first, rules(latest, { nowMs: NOW + 999 }))).toBe(first);
  expect(shown(cleanBatch(first, rules(latest, { nowMs: NOW + 1_000 })))).toBe('101:b=2');
});

test('a marker stays while anything of its transaction does, then as long as a tombstone', () => {
  const marker = batchOf('k=v');
  marker.writeInt16BE(0x30, 21);
  marker.writeUInt32BE(crc32c(marker, CRC_START), 17);
  expect(cleanBatch(marker, rules({ k: 900 }))).toBe(marker);
  const lone = { isLoneMarker: () => true };
  const first = cleanBatch(marker, rules({}, lone))!;
  expect(shown(first)).toBe('100:k=v');
  expect(cleanBatch(first, rules({}, { ...lone, nowMs: NOW + 999 }))).toBe(first);
  expect(cleanBatch(first, rules({}, { ...lone, nowMs: NOW + 1_000 }))).toBeUndefined();
});
