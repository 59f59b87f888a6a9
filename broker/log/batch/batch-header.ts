import { crc32c } from './crc32c.ts';
import { LogError } from '../errors.ts';

/**
 * The header of a record batch, format v2, big-endian:
 *
 *      0 baseOffset i64 | 8 batchLength i32 (from byte 12 on) | 12 partitionLeaderEpoch i32 | 16 magic i8 = 2
 *     17 crc u32 (CRC32C from byte 21 on) | 21 attributes i16 | 23 lastOffsetDelta i32 | 27 baseTimestamp i64
 *     35 maxTimestamp i64 | 43 producerId i64 | 51 producerEpoch i16 | 53 baseSequence i32 | 57 count i32 | 61 records
 *
 * The first 17 bytes are outside of the CRC: the log assigns offset and epoch by overwriting them, and protects
 * them by other means (wal-entry.ts, segment-scan.ts).
 */
export const BATCH_HEADER_BYTES = 61;
/** Bytes in front of what `batchLength` counts. */
export const BATCH_PREFIX_BYTES = 12;
/** Where the bytes under the batch's own CRC begin. */
export const CRC_START = 21;

const TIMESTAMP_TYPE = 0x08;
/** Attribute bits: the batch belongs to a transaction; it holds a marker, no data. */
export const TRANSACTIONAL = 0x10;
export const CONTROL = 0x20;

export function baseOffsetOf(bytes: Buffer, at = 0): number {
  return readInt64(bytes, at);
}
export function batchSizeOf(bytes: Buffer, at = 0): number {
  return bytes.readInt32BE(at + 8) + BATCH_PREFIX_BYTES;
}
export function leaderEpochOf(bytes: Buffer, at = 0): number {
  return bytes.readInt32BE(at + 12);
}
export function magicOf(bytes: Buffer, at = 0): number {
  return bytes[at + 16]!;
}
export function attributesOf(bytes: Buffer, at = 0): number {
  return bytes.readInt16BE(at + 21);
}
export function lastOffsetOf(bytes: Buffer, at = 0): number {
  return readInt64(bytes, at) + bytes.readInt32BE(at + 23);
}
/** The offset that follows these whole batches, at least one. */
export function offsetBehind(batches: Buffer): number {
  let last = 0;
  for (let at = 0; at < batches.length; at += batchSizeOf(batches, at)) last = at;
  return lastOffsetOf(batches, last) + 1;
}
export function lastOffsetDeltaOf(bytes: Buffer, at = 0): number {
  return bytes.readInt32BE(at + 23);
}
export function baseTimestampOf(bytes: Buffer, at = 0): number {
  return readInt64(bytes, at + 27);
}
export function maxTimestampOf(bytes: Buffer, at = 0): number {
  return readInt64(bytes, at + 35);
}
export function producerIdOf(bytes: Buffer, at = 0): number {
  return readInt64(bytes, at + 43);
}
export function producerEpochOf(bytes: Buffer, at = 0): number {
  return bytes.readInt16BE(at + 51);
}
export function baseSequenceOf(bytes: Buffer, at = 0): number {
  return bytes.readInt32BE(at + 53);
}
export function recordCountOf(bytes: Buffer, at = 0): number {
  return bytes.readInt32BE(at + 57);
}
/** True when readers take the batch's maxTimestamp for every record. */
export function isLogAppendTime(bytes: Buffer, at = 0): boolean {
  return (bytes.readInt16BE(at + 21) & TIMESTAMP_TYPE) !== 0;
}

export function isTransactional(bytes: Buffer, at = 0): boolean {
  return (bytes[at + 22]! & TRANSACTIONAL) !== 0;
}
/** Readers are given it and keep it from their users. */
export function isControl(bytes: Buffer, at = 0): boolean {
  return (bytes[at + 22]! & CONTROL) !== 0;
}

/** Markers and what stands for compacted offsets hold none. */
export function dataRecordsOf(bytes: Buffer, at = 0): number {
  return isControl(bytes, at) ? 0 : recordCountOf(bytes, at);
}

/** Exact up to 2^53, which is 285,000 years of milliseconds and more offsets than any log gets. */
function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 4_294_967_296 + bytes.readUInt32BE(at + 4);
}

export function writeInt64(bytes: Buffer, value: number, at: number): void {
  bytes.writeInt32BE(Math.floor(value / 4_294_967_296), at);
  bytes.writeUInt32BE(
    value % 4_294_967_296 < 0 ? (value % 4_294_967_296) + 4_294_967_296 : value % 4_294_967_296,
    at + 4,
  );
}

export interface BatchLimits {
  readonly maxMessageBytes: number;
  readonly segmentBytes: number;
}

export interface BatchSource {
  readonly origin: 'client' | 'coordinator';
  /** Given: the coordinator knows of the transaction that a transactional batch belongs to. */
  readonly transactionVersion?: 0 | 1 | 2 | undefined;
}

/** Everything about a batch that can be judged without its records. @throws LogError */
export function checkBatch(batch: Buffer, limits: BatchLimits, source: BatchSource): void {
  if (batch.length < BATCH_HEADER_BYTES) {
    throw new LogError(
      'CORRUPT_MESSAGE',
      `cannot append batch: got ${batch.length} bytes, want a header of 61`,
    );
  }
  if (magicOf(batch) !== 2) {
    const message = `cannot append batch: got format ${magicOf(batch)}, want 2`;
    throw new LogError(magicOf(batch) < 2 ? 'UNSUPPORTED_FOR_MESSAGE_FORMAT' : 'INVALID_RECORD', message);
  }
  if (batchSizeOf(batch) !== batch.length) {
    const message = `cannot append batch: got a length of ${batchSizeOf(batch)}, want one batch of ${batch.length}`;
    throw new LogError('CORRUPT_MESSAGE', message);
  }
  if (batch.length > limits.maxMessageBytes) {
    const message = `cannot append batch: got ${batch.length} bytes, want max.message.bytes ${limits.maxMessageBytes}`;
    throw new LogError('MESSAGE_TOO_LARGE', message);
  }
  if (batch.length > limits.segmentBytes) {
    const message = `cannot append batch: got ${batch.length} bytes, want segment.bytes ${limits.segmentBytes}`;
    throw new LogError('RECORD_LIST_TOO_LARGE', message);
  }
  if (!crcHolds(batch, 0, batch.length)) {
    throw new LogError('CORRUPT_MESSAGE', 'cannot append batch: its CRC32C does not fit its bytes');
  }
  const count = recordCountOf(batch);
  if (count <= 0 || lastOffsetDeltaOf(batch) !== count - 1) {
    const message = `cannot append batch: got ${count} records up to offset delta ${lastOffsetDeltaOf(batch)}`;
    throw new LogError('INVALID_RECORD', message);
  }
  const attributes = attributesOf(batch);
  if ((attributes & 7) > 4) {
    throw new LogError('UNSUPPORTED_COMPRESSION_TYPE', `cannot append batch: got codec ${attributes & 7}`);
  }
  const producerId = producerIdOf(batch);
  if (producerId > Number.MAX_SAFE_INTEGER) {
    throw new LogError(
      'INVALID_RECORD',
      'cannot append batch: got a producer id that this broker never gave',
    );
  }
  if (attributes & TRANSACTIONAL && producerId < 0) {
    throw new LogError('INVALID_RECORD', 'cannot append batch: got one of a transaction without a producer');
  }
  // A coordinator's own batches are ordered by the coordinator and carry no sequence.
  if (source.origin === 'coordinator') return;
  if (producerId >= 0 && baseSequenceOf(batch) < 0) {
    throw new LogError('INVALID_RECORD', 'cannot append batch: got a producer id without a sequence');
  }
  if (attributes & CONTROL) {
    throw new LogError('INVALID_RECORD', 'cannot append batch: got a control batch from a client');
  }
  if (attributes & TRANSACTIONAL && source.transactionVersion === undefined) {
    throw new LogError('INVALID_TXN_STATE', 'cannot append batch: got one of a transaction that is not open');
  }
}

export function crcHolds(bytes: Buffer, start: number, end: number): boolean {
  return crc32c(bytes, start + CRC_START, end) === bytes.readUInt32BE(start + 17);
}

/** Gives the batch its place. Neither field is under the CRC, so nothing is computed again. */
export function stampBatch(batch: Buffer, baseOffset: number, leaderEpoch: number): void {
  writeInt64(batch, baseOffset, 0);
  batch.writeInt32BE(leaderEpoch, 12);
}

/** `message.timestamp.type=LogAppendTime`: changes bytes under the CRC, so that is computed once more. */
export function stampAppendTime(batch: Buffer, nowMs: number): void {
  batch.writeInt16BE(attributesOf(batch) | TIMESTAMP_TYPE, 21);
  writeInt64(batch, nowMs, 35);
  batch.writeUInt32BE(crc32c(batch, CRC_START), 17);
}
