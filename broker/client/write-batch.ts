import { BATCH_HEADER_BYTES, BATCH_PREFIX_BYTES, CRC_START, writeInt64 } from '../log/batch/batch-header.ts';
import { crc32c } from '../log/batch/crc32c.ts';
import type { ProduceRecord } from './port.ts';

/**
 * One uncompressed record batch (format v2) without a producer, in one piece: sizes first, then one allocation into
 * which every byte is copied once.
 *
 *     record = length:varint attributes:i8 timestampDelta:varlong offsetDelta:varint
 *              key:varint-bytes value:varint-bytes headers:varint {name:varint-string value:varint-bytes}
 *
 * The header is drawn in log/batch/batch-header.ts.
 */
export function writeBatch(records: readonly ProduceRecord[], nowMs: number): Buffer {
  const baseTimestampMs = records[0]?.timestampMs ?? nowMs;
  let maxTimestampMs = baseTimestampMs;
  const sizes: number[] = [];
  let total = BATCH_HEADER_BYTES;
  for (const [index, record] of records.entries()) {
    const timestampMs = record.timestampMs ?? nowMs;
    maxTimestampMs = Math.max(maxTimestampMs, timestampMs);
    const size = sizeOf(record, timestampMs - baseTimestampMs, index);
    sizes.push(size);
    total += varintSize(size) + size;
  }
  const batch = Buffer.allocUnsafe(total);
  writeInt64(batch, 0, 0);
  batch.writeInt32BE(total - BATCH_PREFIX_BYTES, 8);
  batch.writeInt32BE(-1, 12);
  batch[16] = 2;
  batch.writeInt16BE(0, 21);
  batch.writeInt32BE(records.length - 1, 23);
  writeInt64(batch, baseTimestampMs, 27);
  writeInt64(batch, maxTimestampMs, 35);
  writeInt64(batch, -1, 43);
  batch.writeInt16BE(-1, 51);
  batch.writeInt32BE(-1, 53);
  batch.writeInt32BE(records.length, 57);
  let at = BATCH_HEADER_BYTES;
  for (const [index, record] of records.entries()) {
    at = varint(batch, at, sizes[index]!);
    batch[at] = 0;
    at = varint(batch, at + 1, (record.timestampMs ?? nowMs) - baseTimestampMs);
    at = varint(batch, at, index);
    at = field(batch, at, record.key);
    at = field(batch, at, record.value);
    const { headers = {} } = record;
    const names = Object.keys(headers);
    at = varint(batch, at, names.length);
    for (const name of names) {
      at = field(batch, at, name);
      at = field(batch, at, headers[name]!);
    }
  }
  batch.writeUInt32BE(crc32c(batch, CRC_START), 17);
  return batch;
}

function sizeOf({ key, value, headers = {} }: ProduceRecord, timestampDelta: number, index: number): number {
  const names = Object.keys(headers);
  let size = 1 + varintSize(timestampDelta) + varintSize(index) + fieldSize(key) + fieldSize(value);
  size += varintSize(names.length);
  for (const name of names) size += fieldSize(name) + fieldSize(headers[name]!);
  return size;
}

type Field = string | Uint8Array | null;

function fieldSize(value: Field): number {
  if (value === null) return 1;
  const length = typeof value === 'string' ? Buffer.byteLength(value) : value.length;
  return varintSize(length) + length;
}

function field(into: Buffer, at: number, value: Field): number {
  if (value === null) return varint(into, at, -1);
  if (typeof value === 'string') {
    const length = Buffer.byteLength(value);
    const start = varint(into, at, length);
    into.write(value, start, 'utf8');
    return start + length;
  }
  const start = varint(into, at, value.length);
  into.set(value, start);
  return start + value.length;
}

// Zigzag varints, as numbers: times may differ by more than 32 bits.

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = zigzag(value); rest >= 128; rest = Math.floor(rest / 128)) size += 1;
  return size;
}

function varint(into: Buffer, at: number, value: number): number {
  let rest = zigzag(value);
  let next = at;
  for (; rest >= 128; rest = Math.floor(rest / 128)) into[next++] = (rest % 128) | 128;
  into[next++] = rest;
  return next;
}
