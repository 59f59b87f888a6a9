import {
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  batchSizeOf,
  CRC_START,
  crcHolds,
  lastOffsetDeltaOf,
} from '../batch/batch-header.ts';
import { crc32c } from '../batch/crc32c.ts';

/**
 * One batch in the write-ahead log, big-endian (files: see FORMAT.md):
 *
 *      0 crc u32        CRC32C from byte 4 to the batch's own CRC field and that field: frame and first 21 bytes
 *      4 length u32     of the batch
 *      8 file u32       number of the file, so that no byte of another file passes
 *     12 position u32   of this frame in the file, so that no misplaced byte passes
 *     16 synced u32     what of the file was durable when this entry was written: tells damage from a torn tail
 *     20 topic          id, 16 bytes
 *     36 partition u32
 *     40 marker u32     where a search for the next entry after damage looks
 *     44 batch
 *
 * With the batch's CRC over its bytes from 21 on, every byte of an entry is covered.
 */
export const FRAME_BYTES = 44;
export const WAL_HEADER_BYTES = 32;
const MARKER = 0x4d57414c;
const MAGIC = Buffer.from('MLRWAL01', 'latin1');

/**
 * The first bytes of a file: 'MLRWAL01' | file u32 | previousFile u32 | previousEnd u32 | 8 reserved | crc u32.
 */
export interface WalFileHeader {
  readonly file: number;
  /** The file that was written before this one; 0: none. Numbers rise, but not always by one. */
  readonly previousFile: number;
  /** Bytes of that file that count: what is behind them was never acknowledged. */
  readonly previousEnd: number;
}

export function encodeWalHeader({ file, previousFile, previousEnd }: WalFileHeader): Buffer {
  const header = Buffer.alloc(WAL_HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32BE(file, 8);
  header.writeUInt32BE(previousFile, 12);
  header.writeUInt32BE(previousEnd, 16);
  header.writeUInt32BE(crc32c(header, 0, 28), 28);
  return header;
}

export function decodeWalHeader(bytes: Buffer): WalFileHeader | undefined {
  if (bytes.length < WAL_HEADER_BYTES || bytes.compare(MAGIC, 0, 8, 0, 8) !== 0) return undefined;
  if (crc32c(bytes, 0, 28) !== bytes.readUInt32BE(28)) return undefined;
  return {
    file: bytes.readUInt32BE(8),
    previousFile: bytes.readUInt32BE(12),
    previousEnd: bytes.readUInt32BE(16),
  };
}

/** The header of which one bit is wrong, which the CRC tells; undefined when that is not what is wrong with it. */
export function repairWalHeader(bytes: Buffer): WalFileHeader | undefined {
  if (bytes.length < WAL_HEADER_BYTES) return undefined;
  const header = Buffer.from(bytes.subarray(0, WAL_HEADER_BYTES));
  for (let bit = 0; bit < WAL_HEADER_BYTES * 8; bit += 1) {
    header[bit >> 3]! ^= 1 << (bit & 7);
    const repaired = decodeWalHeader(header);
    if (repaired) return repaired;
    header[bit >> 3]! ^= 1 << (bit & 7);
  }
  return undefined;
}

export interface FramePlace {
  readonly file: number;
  readonly position: number;
  readonly synced: number;
}

/** Writes the frame in front of the batch that follows it in `entry`. */
export function encodeFrame(entry: Buffer, topicId: Buffer, partition: number, place: FramePlace): void {
  entry.writeUInt32BE(entry.length - FRAME_BYTES, 4);
  entry.writeUInt32BE(place.file, 8);
  entry.writeUInt32BE(place.position, 12);
  entry.writeUInt32BE(place.synced, 16);
  topicId.copy(entry, 20, 0, 16);
  entry.writeUInt32BE(partition, 36);
  entry.writeUInt32BE(MARKER, 40);
  // Frame and the batch's first bytes lie next to each other.
  entry.writeUInt32BE(crc32c(entry, 4, FRAME_BYTES + CRC_START), 0);
}

export interface WalEntry {
  readonly topicId: string;
  readonly partition: number;
  readonly batch: Buffer;
  readonly synced: number;
  /** Where the next entry begins, in what it was decoded from. */
  readonly end: number;
}

/**
 * The entry at `at`, or undefined when any bit of it is not as it was written. The batch is a view of `bytes`, which are
 * the file from `origin` on.
 */
export function decodeEntry(bytes: Buffer, at: number, file: number, origin = 0): WalEntry | undefined {
  const start = at + FRAME_BYTES;
  if (start + BATCH_HEADER_BYTES > bytes.length) return undefined;
  if (bytes.readUInt32BE(at + 40) !== MARKER) return undefined;
  const end = start + bytes.readUInt32BE(at + 4);
  if (end > bytes.length || end < start + BATCH_HEADER_BYTES) return undefined;
  if (bytes.readUInt32BE(at + 8) !== file || bytes.readUInt32BE(at + 12) !== origin + at) return undefined;
  if (crc32c(bytes, at + 4, start + CRC_START) !== bytes.readUInt32BE(at)) return undefined;
  if (batchSizeOf(bytes, start) !== end - start || !crcHolds(bytes, start, end)) return undefined;
  return {
    topicId: uuidOf(bytes, at + 20),
    partition: bytes.readUInt32BE(at + 36),
    batch: bytes.subarray(start, end),
    synced: bytes.readUInt32BE(at + 16),
    end,
  };
}

/**
 * What the entry that was at `at` says of itself, though it cannot be used: when its frame is whole, or only one bit of
 * it is wrong. For people, who want to know what was lost.
 */
export function damagedEntryPlace(
  bytes: Buffer,
  at: number,
  file: number,
): { topicId: string; partition: number; baseOffset: number; endOffset: number } | undefined {
  const size = FRAME_BYTES + CRC_START;
  if (at + size > bytes.length) return undefined;
  const frame = Buffer.from(bytes.subarray(at, at + FRAME_BYTES + BATCH_HEADER_BYTES));
  const isWhole = (): boolean =>
    frame.readUInt32BE(8) === file &&
    frame.readUInt32BE(12) === at &&
    crc32c(frame, 4, size) === frame.readUInt32BE(0);
  for (let bit = -1; bit < size * 8; bit += 1) {
    if (bit >= 0) frame[bit >> 3]! ^= 1 << (bit & 7);
    if (isWhole()) {
      const baseOffset = baseOffsetOf(frame, FRAME_BYTES);
      // Where the rest of the header was torn off, one record at least.
      const isThere = frame.length === FRAME_BYTES + BATCH_HEADER_BYTES;
      const delta = isThere ? Math.max(0, lastOffsetDeltaOf(frame, FRAME_BYTES)) : 0;
      const endOffset = baseOffset + delta + 1;
      return { topicId: uuidOf(frame, 20), partition: frame.readUInt32BE(36), baseOffset, endOffset };
    }
    if (bit >= 0) frame[bit >> 3]! ^= 1 << (bit & 7);
  }
  return undefined;
}

/** Position of the next intact entry at or after `from`, or -1. Slow path: only after damage. */
export function findEntry(bytes: Buffer, from: number, file: number, origin = 0): number {
  const marker = Buffer.alloc(4);
  marker.writeUInt32BE(MARKER);
  for (let at = bytes.indexOf(marker, from + 40); at !== -1; at = bytes.indexOf(marker, at + 1)) {
    if (decodeEntry(bytes, at - 40, file, origin)) return at - 40;
  }
  return -1;
}

export function uuidBytes(id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

function uuidOf(bytes: Buffer, at: number): string {
  const hex = bytes.toString('hex', at, at + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
