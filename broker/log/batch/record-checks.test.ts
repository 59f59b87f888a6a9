import { expect, test } from 'vitest';

import { type BatchPlan, readBatches, recordBatch } from '../../../test/support/record-batch.ts';
import { CODECS, type CodecName } from '../../records/codecs.ts';
import { attributesOf, crcHolds, maxTimestampOf } from './batch-header.ts';
import { LogError } from '../errors.ts';
import { checkRecords, type RecordRules } from './record-checks.ts';

const NOW = 1_700_000_000_000;
const HOUR = 3_600_000;
const open: RecordRules = {
  compacts: false,
  logAppendTime: false,
  timestampBeforeMaxMs: Number.POSITIVE_INFINITY,
  timestampAfterMaxMs: HOUR,
  codec: undefined,
  maxMessageBytes: 1_000_000,
};

function outcome(plan: BatchPlan, rules: Partial<RecordRules>): LogError | Buffer {
  try {
    return checkRecords(recordBatch({ baseTimestamp: NOW, ...plan }), { ...open, ...rules }, NOW);
  } catch (error) {
    if (error instanceof LogError) return error;
    throw error;
  }
}
const refusal = (plan: BatchPlan, rules: Partial<RecordRules>): LogError => {
  const result = outcome(plan, rules);
  if (!(result instanceof LogError)) throw new Error('was taken');
  return result;
};

test('a batch that nobody asks about is not opened: it may hold anything', () => {
  const batch = recordBatch({ values: ['a'], baseTimestamp: NOW });
  batch.fill(0xff, 61);
  expect(checkRecords(batch, open, NOW)).toBe(batch);
});

for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
  test(`${codec}: a record beyond message.timestamp.after.max.ms is INVALID_TIMESTAMP, by its index`, () => {
    const error = refusal({ values: ['a', 'b', 'c'], timestampDeltas: [0, HOUR + 1, HOUR], codec }, {});
    expect(error.code).toBe('INVALID_TIMESTAMP');
    expect(error.recordErrors.map(({ batchIndex }) => batchIndex)).toEqual([1]);
  });

  test(`${codec}: a record without a key is INVALID_RECORD on a compacted topic`, () => {
    const error = refusal({ values: ['a', 'b'], codec }, { compacts: true });
    expect(error.code).toBe('INVALID_RECORD');
    expect(error.recordErrors.map(({ batchIndex }) => batchIndex)).toEqual([0, 1]);
  });
}

test('exactly at the bound is taken', () => {
  const plan = { values: ['a', 'b'], timestampDeltas: [-HOUR, HOUR] };
  expect(outcome(plan, { timestampBeforeMaxMs: HOUR })).toBeInstanceOf(Buffer);
});

test('a record older than message.timestamp.before.max.ms is INVALID_TIMESTAMP', () => {
  const plan = { values: ['a', 'b'], timestampDeltas: [0, -HOUR - 1] };
  const error = refusal(plan, { timestampBeforeMaxMs: HOUR });
  expect(error.code).toBe('INVALID_TIMESTAMP');
  expect(error.recordErrors.map(({ batchIndex }) => batchIndex)).toEqual([1]);
});

test('a topic that stamps records itself does not mind what they say', () => {
  expect(outcome({ values: ['a'], timestampDeltas: [HOUR * 9] }, { logAppendTime: true })).toBeInstanceOf(
    Buffer,
  );
});

test('at most three records are told of', () => {
  expect(refusal({ values: ['a', 'b', 'c', 'd', 'e'] }, { compacts: true }).recordErrors).toHaveLength(3);
});

test('a header that says a later time than its records is put right', () => {
  const batch = recordBatch({ values: ['a', 'b'], baseTimestamp: NOW });
  batch.writeBigInt64BE(BigInt(NOW + 9 * HOUR), 35);
  const kept = checkRecords(batch, open, NOW);
  expect(maxTimestampOf(kept)).toBe(NOW + 1);
  expect(crcHolds(kept, 0, kept.length)).toBe(true);
});

const names = CODECS.map(({ name }) => name);
for (const from of names) {
  for (const to of names) {
    test(`compression.type: ${from} is kept as ${to}, with the same records`, () => {
      const values = Array.from({ length: 20 }, (_, i) => `value ${i}`);
      const kept = outcome({ values, codec: from }, { codec: CODECS.findIndex(({ name }) => name === to) });
      if (kept instanceof LogError) throw kept;
      expect(codecNameOf(kept)).toBe(to);
      expect(crcHolds(kept, 0, kept.length)).toBe(true);
      expect(readBatches(kept)).toMatchObject([{ values }]);
    });
  }
}

test('a batch that is too large once it is kept uncompressed is MESSAGE_TOO_LARGE', () => {
  const values = ['x'.repeat(10_000)];
  expect(refusal({ values, codec: 'gzip' }, { codec: 0, maxMessageBytes: 5_000 }).code).toBe(
    'MESSAGE_TOO_LARGE',
  );
});

test('records that cannot be read are INVALID_RECORD where they have to be', () => {
  const batch = recordBatch({ values: ['a', 'b'], codec: 'gzip', baseTimestamp: NOW });
  batch.fill(0xff, 61);
  expect(() => checkRecords(batch, { ...open, compacts: true }, NOW)).toThrow(/records that cannot be read/);
  const plain = recordBatch({ values: ['a', 'b'], baseTimestamp: NOW });
  for (let cut = 62; cut < plain.length; cut += 1) {
    expect(() => checkRecords(plain.subarray(0, cut), { ...open, compacts: true }, NOW)).toThrow(LogError);
  }
});

function codecNameOf(batch: Buffer): CodecName {
  return CODECS[attributesOf(batch) & 7]!.name;
}
