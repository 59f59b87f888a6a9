import { describe, expect, test } from 'vitest';

import { decodeIndex, SegmentIndex } from './segment-index.ts';

const BASE = 1_000;
const BATCH_BYTES = 1_500;

/** Batches of ten records each; their timestamps are as given, or rise. */
function indexOf(count: number, timestamps?: readonly number[]): SegmentIndex {
  const index = new SegmentIndex(BASE);
  for (let i = 0; i < count; i++) {
    index.add(BASE + i * 10 + 9, timestamps?.[i] ?? 5_000 + i, i * BATCH_BYTES, BATCH_BYTES);
  }
  return index;
}

/** Written and read back, as from files. */
function reread(index: SegmentIndex, segmentBytes = index.coveredBytes): SegmentIndex | undefined {
  return decodeIndex(BASE, segmentBytes, index.encodeOffsets(), index.encodeTimes());
}

test('an entry every 4,096 bytes, none for the first batch', () => {
  const index = indexOf(10);
  const rows = Array.from({ length: index.offsets.length }, (_, row) => [
    index.offsets.at(row, 0),
    index.offsets.at(row, 1),
  ]);
  expect(rows).toEqual([
    [39, 4_500],
    [69, 9_000],
    [99, 13_500],
  ]);
  expect(index.coveredBytes).toBe(15_000);
});

test('its files are as Kafka has them, big-endian', () => {
  const index = indexOf(4);
  expect(index.encodeOffsets().toString('hex')).toBe('00000027' + '00001194');
  expect(index.encodeTimes().toString('hex')).toBe('000000000000138b' + '00000027');
});

describe('a search', () => {
  test.each([
    [BASE, 0, undefined],
    [BASE + 38, 0, undefined],
    [BASE + 39, 4_500, BASE + 39],
    [BASE + 68, 4_500, BASE + 39],
    [BASE + 5_000, 13_500, BASE + 99],
  ])('for offset %i starts at %i', (offset, position, lastOffset) => {
    for (const index of [indexOf(10), reread(indexOf(10))!]) {
      expect(index.positionFor(offset)).toEqual({ position, lastOffset });
    }
  });

  test.each([
    [0, { position: 4_500, lastOffset: BASE + 39 }],
    [4_500, { position: 9_000, lastOffset: BASE + 69 }],
    [13_499, { position: 13_500, lastOffset: BASE + 99 }],
    [13_500, undefined],
  ])('for an entry behind %i', (position, want) => {
    expect(indexOf(10).entryAfter(position)).toEqual(want);
  });

  test.each([
    [0, BASE],
    [5_003, BASE],
    [5_004, BASE + 40],
    [99_999, BASE + 100],
  ])('for time %i starts at offset %i', (timestampMs, want) => {
    expect(indexOf(10).offsetBefore(timestampMs)).toBe(want);
  });

  test('for a time with records out of order starts early enough', () => {
    const times = [10, 90, 20, 30, 95, 15, 91, 96, 40, 50];
    const index = indexOf(10, times);
    index.addTime();
    for (const wanted of times) {
      const first = times.findIndex((time) => time >= wanted);
      expect(index.offsetBefore(wanted)).toBeLessThanOrEqual(BASE + first * 10);
    }
    expect([index.maxTimestamp, index.maxTimestampOffset]).toEqual([96, BASE + 79]);
  });
});

describe('files that cannot be right are not used', () => {
  const good = indexOf(10);
  const [offsets, times] = [good.encodeOffsets(), good.encodeTimes()];
  const changed = (bytes: Buffer, at: number, value: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy.writeUInt32BE(value, at);
    return copy;
  };
  test.each([
    ['absent', undefined, times],
    ['half of an entry', offsets.subarray(0, 12), times],
    ['half of a time', offsets, times.subarray(0, 20)],
    ['offsets that fall', changed(offsets, 8, 38), times],
    ['positions that fall', changed(offsets, 12, 4_500), times],
    ['a position behind the segment', changed(offsets, 20, 15_000), times],
    ['times that fall', offsets, changed(times, 16, 1)],
  ])('%s', (_, offsetBytes, timeBytes) => {
    expect(decodeIndex(BASE, 15_000, offsetBytes, timeBytes)).toBeUndefined();
  });

  test('what is behind the last entry is not covered', () => {
    expect(reread(good)?.coveredBytes).toBe(13_500);
    expect(decodeIndex(BASE, 100, Buffer.alloc(0), Buffer.alloc(0))?.coveredBytes).toBe(0);
  });
});
