import { describe, expect, test } from 'vitest';

import { recordBatch } from '../../../test/support/record-batch.ts';
import { checkBatch, crcHolds, maxTimestampOf, stampAppendTime, stampBatch } from './batch-header.ts';
import { crc32c } from './crc32c.ts';

const LIMITS = { maxMessageBytes: 10_000, segmentBytes: 1_000 };
const judge = (batch: Buffer): void => checkBatch(batch, LIMITS, { origin: 'client' });

/** With another int32 in its header, under a CRC that fits. */
function patched(at: number, value: number): Buffer {
  const batch = recordBatch({ values: ['a', 'b'] });
  batch.writeInt32BE(value, at);
  batch.writeUInt32BE(crc32c(batch, 21), 17);
  return batch;
}

const LAST_OFFSET_DELTA = 23;
const RECORD_COUNT = 57;

describe('refused', () => {
  const cases = [
    { what: 'a record count of 0', batch: patched(RECORD_COUNT, 0), code: 'INVALID_RECORD' },
    { what: 'a record count below 0', batch: patched(RECORD_COUNT, -1), code: 'INVALID_RECORD' },
    { what: 'another count than the offsets tell', batch: patched(RECORD_COUNT, 3), code: 'INVALID_RECORD' },
    {
      what: 'a last offset delta that does not fit',
      batch: patched(LAST_OFFSET_DELTA, 7),
      code: 'INVALID_RECORD',
    },
    {
      what: 'a batch larger than a segment',
      batch: recordBatch({ values: ['x'.repeat(2_000)] }),
      code: 'RECORD_LIST_TOO_LARGE',
    },
  ];
  for (const { what, batch, code } of cases) {
    test(`${what}: ${code}`, () => {
      expect(() => judge(batch)).toThrow(expect.objectContaining({ code }));
    });
  }
});

test('the CRC32C is of everything behind it: any bit there is missed, none before it', () => {
  const batch = recordBatch({ values: ['a'] });
  for (let at = 0; at < batch.length; at += 1) {
    if (at >= 17 && at < 21) continue;
    const flipped = Buffer.from(batch);
    flipped[at]! ^= 1;
    expect(crcHolds(flipped, 0, flipped.length)).toBe(at < 17);
  }
});

test('offset and leader epoch are set without touching anything else', () => {
  for (const codec of ['none', 'gzip', 'zstd'] as const) {
    const sent = recordBatch({ values: ['a', 'b'], codec });
    const stamped = Buffer.from(sent);
    stampBatch(stamped, 5_000_000_000, 3);
    expect(stamped.toString('hex', 0, 16)).toBe(`000000012a05f200${sent.toString('hex', 8, 12)}00000003`);
    expect(stamped.subarray(16)).toEqual(sent.subarray(16));
    expect(crcHolds(stamped, 0, stamped.length)).toBe(true);
  }
});

test('LogAppendTime leaves the base timestamp and the records, and the CRC holds again', () => {
  const sent = recordBatch({ values: ['a', 'b'], baseTimestamp: 5, codec: 'lz4' });
  const stamped = Buffer.from(sent);
  stampAppendTime(stamped, 9_000);
  expect([stamped.readBigInt64BE(27), maxTimestampOf(stamped), stamped.readInt16BE(21)]).toEqual([
    5n,
    9_000,
    3 | 8,
  ]);
  expect(stamped.subarray(43)).toEqual(sent.subarray(43));
  expect(crcHolds(stamped, 0, stamped.length)).toBe(true);
});
