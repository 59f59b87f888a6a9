/**
 * The coordinator's own record batches: uncompressed, a few records each. What clients send is never opened.
 *
 *     record = length:varint attributes:i8 timestampDelta:varlong offsetDelta:varint
 *              key:varint-bytes value:varint-bytes headers:varint {name:varint-string value:varint-bytes}
 *
 * The header is drawn in log/batch/batch-header.ts.
 */
import {
  attributesOf,
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  CRC_START,
  baseOffsetOf,
  baseTimestampOf,
  batchSizeOf,
  isControl,
  isTransactional,
  producerIdOf,
  recordCountOf,
  TRANSACTIONAL,
  writeInt64,
} from '../log/batch/batch-header.ts';
import { crc32c } from '../log/batch/crc32c.ts';
import { WireError } from '../wire/wire-error.ts';
import { Writer } from '../wire/writer.ts';

const COMMIT_MARKER = 1;

export interface StoredRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: ReadonlyArray<{ readonly name: string; readonly value: Uint8Array }>;
}

/** Whose transaction a coordinator's batch belongs to. */
export interface BatchProducer {
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** An uncompressed batch; the log fills in base offset and epoch. With a producer, it is part of its transaction. */
export function encodeBatch(
  records: readonly StoredRecord[],
  timestampMs: number,
  producer?: BatchProducer,
): Buffer {
  const body = new Writer();
  for (const [index, record] of records.entries()) {
    const inner = new Writer();
    inner.int8(0);
    varint(inner, 0);
    varint(inner, index);
    varintBytes(inner, record.key);
    varintBytes(inner, record.value);
    varint(inner, record.headers?.length ?? 0);
    for (const { name, value } of record.headers ?? []) {
      varintBytes(inner, Buffer.from(name));
      varintBytes(inner, value);
    }
    varint(body, inner.size);
    for (const chunk of inner.finish()) body.bytes(chunk);
  }
  const payload = body.toBuffer();
  const batch = Buffer.alloc(BATCH_HEADER_BYTES + payload.length);
  batch.writeInt32BE(batch.length - BATCH_PREFIX_BYTES, 8);
  batch.writeInt32BE(-1, 12);
  batch.writeInt8(2, 16);
  if (producer) batch.writeInt16BE(TRANSACTIONAL, 21);
  batch.writeInt32BE(records.length - 1, 23);
  writeInt64(batch, timestampMs, 27);
  writeInt64(batch, timestampMs, 35);
  writeInt64(batch, producer?.producerId ?? -1, 43);
  batch.writeInt16BE(producer?.producerEpoch ?? -1, 51);
  batch.writeInt32BE(-1, 53);
  batch.writeInt32BE(records.length, 57);
  payload.copy(batch, BATCH_HEADER_BYTES);
  batch.writeUInt32BE(crc32c(batch, CRC_START), 17);
  return batch;
}

/** The batches that lie one behind the other in `bytes`; a cut-off last one is left out. */
export function* batchesOf(bytes: Buffer): Generator<Buffer> {
  let at = 0;
  while (at + BATCH_HEADER_BYTES <= bytes.length) {
    const end = at + batchSizeOf(bytes, at);
    if (end <= at || end > bytes.length) return;
    yield bytes.subarray(at, end);
    at = end;
  }
}

export interface ReadRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** The transaction it belongs to; with `end`, the record is the marker of its end. Absent outside of any. */
  readonly transaction?: { readonly producerId: number; readonly end: 'commit' | 'abort' | undefined };
}

/**
 * The records of an uncompressed batch; keys and values are views.
 * @throws WireError
 */
export function recordsOf(batch: Buffer): ReadRecord[] {
  const codec = attributesOf(batch) & 7;
  if (codec !== 0) throw new WireError(`cannot read records: got codec ${codec}, want 0`);
  const baseOffset = baseOffsetOf(batch);
  const baseTimestampMs = baseTimestampOf(batch);
  const cursor = { at: BATCH_HEADER_BYTES };
  const records: ReadRecord[] = [];
  for (let i = 0; i < recordCountOf(batch); i += 1) {
    const length = readVarint(batch, cursor);
    const end = cursor.at + length;
    if (length < 0 || end > batch.length) throw new WireError('cannot read a record: got a length too large');
    cursor.at += 1;
    const timestampMs = baseTimestampMs + readVarint(batch, cursor);
    const offset = baseOffset + readVarint(batch, cursor);
    const key = readVarintBytes(batch, cursor);
    const value = readVarintBytes(batch, cursor);
    const record = { offset, timestampMs, key, value };
    records.push(isTransactional(batch) ? { ...record, transaction: transactionOf(batch, key) } : record);
    cursor.at = end;
  }
  return records;
}

/** The key of a marker is its version and type, int16 each. */
function transactionOf(batch: Buffer, key: Buffer | null): ReadRecord['transaction'] & object {
  const producerId = producerIdOf(batch);
  if (!isControl(batch)) return { producerId, end: undefined };
  const type = key && key.length >= 4 ? key.readInt16BE(2) : -1;
  return { producerId, end: type === COMMIT_MARKER ? 'commit' : 'abort' };
}

function varint(writer: Writer, value: number): void {
  writer.uvarint(value >= 0 ? value * 2 : -value * 2 - 1);
}

function varintBytes(writer: Writer, value: Uint8Array | null): void {
  varint(writer, value === null ? -1 : value.length);
  if (value !== null) writer.bytes(value);
}

/** Zig-zag, up to 64 bits, as a number. */
function readVarint(bytes: Buffer, cursor: { at: number }): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[cursor.at++];
    if (byte === undefined || scale > 2 ** 63) throw new WireError('cannot read a varint: got no end');
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

function readVarintBytes(bytes: Buffer, cursor: { at: number }): Buffer | null {
  const length = readVarint(bytes, cursor);
  if (length < 0) return null;
  const at = cursor.at;
  if (at + length > bytes.length) throw new WireError('cannot read bytes: got a length too large');
  cursor.at = at + length;
  return bytes.subarray(at, at + length);
}
