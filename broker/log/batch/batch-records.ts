import { codecOf, DECOMPRESSED_BYTES_MAX } from '../../records/codecs.ts';
import {
  attributesOf,
  baseOffsetOf,
  baseTimestampOf,
  BATCH_HEADER_BYTES,
  isLogAppendTime,
  maxTimestampOf,
  recordCountOf,
} from './batch-header.ts';

/**
 * The first record of the batch at or above `fromOffset` with this timestamp or later. The log looks
 * into batches where it must: here, since ListOffsets by time must name a record, not a batch.
 *
 * A record: length varint | attributes i8 | timestampDelta varlong | offsetDelta varint | … (zig-zag).
 */
export function findTimestamp(
  batch: Buffer,
  timestampMs: number,
  fromOffset: number,
): { offset: number; timestampMs: number } | undefined {
  const baseOffset = baseOffsetOf(batch);
  const count = recordCountOf(batch);
  if (isLogAppendTime(batch)) {
    const offset = Math.max(baseOffset, fromOffset);
    const stamped = maxTimestampOf(batch);
    return stamped >= timestampMs && offset < baseOffset + count
      ? { offset, timestampMs: stamped }
      : undefined;
  }
  const packed = batch.subarray(BATCH_HEADER_BYTES);
  const records = codecOf(attributesOf(batch)).decompress(packed, DECOMPRESSED_BYTES_MAX);
  const baseTimestamp = baseTimestampOf(batch);
  const cursor = { at: 0 };
  for (let i = 0; i < count; i++) {
    const length = readVarint(records, cursor);
    const end = cursor.at + length;
    cursor.at += 1;
    const timestamp = baseTimestamp + readVarint(records, cursor);
    const offset = baseOffset + readVarint(records, cursor);
    if (timestamp >= timestampMs && offset >= fromOffset) return { offset, timestampMs: timestamp };
    if (length < 0 || end > records.length)
      throw new Error(`cannot read record ${i}: got a length of ${length}`);
    cursor.at = end;
  }
  return undefined;
}

/** Zig-zag, up to 64 bits, as a number: timestamps' deltas may exceed 32 bits. */
export function readVarint(bytes: Buffer, cursor: { at: number }): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[cursor.at++];
    if (byte === undefined || scale > 2 ** 63)
      throw new Error(`cannot read varint: got no end at ${cursor.at}`);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
