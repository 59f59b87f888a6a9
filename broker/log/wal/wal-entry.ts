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
/** What the frame's CRC covers, and the frame. */
export const FRAME_HEAD_BYTES = FRAME_BYTES + CRC_START;
export const WAL_HEADER_BYTES = 32;
const MARKER = 0x4d57414c;
const MARKER_AT = 40;
const MARKER_BYTES = Buffer.from('MWAL', 'latin1');
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
  entry.writeUInt32BE(MARKER, MARKER_AT);
  // Frame and the batch's first bytes lie next to each other.
  entry.writeUInt32BE(crc32c(entry, 4, FRAME_HEAD_BYTES), 0);
}

export interface WalEntry {
  readonly topicId: string;
  readonly partition: number;
  readonly batch: Buffer;
  readonly synced: number;
  /** Of its frame in the file, and where the next entry begins there. */
  readonly position: number;
  readonly end: number;
}

/** Whether the frame at `at`, all of whose head is there, is as it was written. `bytes` are the file from `origin` on. */
export function frameHolds(bytes: Buffer, at: number, file: number, origin: number): boolean {
  return (
    bytes.readUInt32BE(at + MARKER_AT) === MARKER &&
    bytes.readUInt32BE(at + 8) === file &&
    bytes.readUInt32BE(at + 12) === origin + at &&
    crc32c(bytes, at + 4, at + FRAME_HEAD_BYTES) === bytes.readUInt32BE(at)
  );
}

/** As its frame says. */
export function sizeOfEntry(bytes: Buffer, at: number): number {
  return FRAME_BYTES + bytes.readUInt32BE(at + 4);
}

/** Where the next frame may begin at or behind `from`, by its marker; -1: nowhere. */
export function markerBehind(bytes: Buffer, from: number): number {
  const at = bytes.indexOf(MARKER_BYTES, from + MARKER_AT);
  return at === -1 ? -1 : at - MARKER_AT;
}

/**
 * The entry at `at`, or undefined when any bit of it is not as it was written. The batch is a view of `bytes`, which are
 * the file from `origin` on.
 */
export function decodeEntry(bytes: Buffer, at: number, file: number, origin = 0): WalEntry | undefined {
  const start = at + FRAME_BYTES;
  if (start + BATCH_HEADER_BYTES > bytes.length || !frameHolds(bytes, at, file, origin)) return undefined;
  const end = at + sizeOfEntry(bytes, at);
  if (end > bytes.length || end < start + BATCH_HEADER_BYTES) return undefined;
  if (batchSizeOf(bytes, start) !== end - start || !crcHolds(bytes, start, end)) return undefined;
  return {
    topicId: uuidOf(bytes, at + 20),
    partition: bytes.readUInt32BE(at + 36),
    batch: bytes.subarray(start, end),
    synced: bytes.readUInt32BE(at + 16),
    position: origin + at,
    end: origin + end,
  };
}

/** What can still be told of an entry that cannot be used. */
export interface DamagedEntry {
  readonly topicId: string;
  readonly partition: number;
  readonly baseOffset: number;
  readonly endOffset: number;
  /** Of frame and batch. */
  readonly bytes: number;
}

/** As much as `damagedEntryPlace` looks at. */
export const ENTRY_HEAD_BYTES = FRAME_BYTES + BATCH_HEADER_BYTES;

/**
 * What the entry that stood at `position` of the file says of itself, though it cannot be used: when its frame is whole,
 * or only one bit of it is wrong. `bytes` begin with it. For people, who want to know what was lost.
 */
export function damagedEntryPlace(bytes: Buffer, position: number, file: number): DamagedEntry | undefined {
  if (bytes.length < FRAME_HEAD_BYTES) return undefined;
  const frame = Buffer.from(bytes.subarray(0, ENTRY_HEAD_BYTES));
  for (let bit = -1; bit < FRAME_HEAD_BYTES * 8; bit += 1) {
    if (bit >= 0) frame[bit >> 3]! ^= 1 << (bit & 7);
    if (frameHolds(frame, 0, file, position)) {
      const baseOffset = baseOffsetOf(frame, FRAME_BYTES);
      // Where the rest of the header was torn off, one record at least.
      const delta =
        frame.length === ENTRY_HEAD_BYTES ? Math.max(0, lastOffsetDeltaOf(frame, FRAME_BYTES)) : 0;
      const endOffset = baseOffset + delta + 1;
      return {
        topicId: uuidOf(frame, 20),
        partition: frame.readUInt32BE(36),
        baseOffset,
        endOffset,
        bytes: sizeOfEntry(frame, 0),
      };
    }
    if (bit >= 0) frame[bit >> 3]! ^= 1 << (bit & 7);
  }
  return undefined;
}

export function uuidBytes(id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

function uuidOf(bytes: Buffer, at: number): string {
  const hex = bytes.toString('hex', at, at + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
