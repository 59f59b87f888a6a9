import type { FileHandle } from '../../host/files.ts';
import {
  baseOffsetOf,
  BATCH_HEADER_BYTES,
  batchSizeOf,
  crcHolds,
  lastOffsetDeltaOf,
  leaderEpochOf,
  magicOf,
} from '../batch/batch-header.ts';

/** What the log knows of a batch before it reads it, and checks it against. */
export interface Expectation {
  /** The epoch that the log stamped at this offset. */
  epochAt(offset: number): number;
  /** Where the batch behind `offset` begins: there, or behind the gap that is known to begin there. */
  firstFrom(offset: number): number;
}

/**
 * Bytes of the batch at `at`, or 0 when it is not what was written there. The CRC covers all but the first 17
 * bytes, each of which has one value that it can have: offsets follow each other or a known gap, epochs are
 * recorded, the format is 2, and the length decides which bytes the CRC is taken over.
 */
export function checkStored(
  bytes: Buffer,
  at: number,
  end: number,
  nextOffset: number,
  want: Expectation,
): number {
  if (at + BATCH_HEADER_BYTES > end || magicOf(bytes, at) !== 2) return 0;
  const size = batchSizeOf(bytes, at);
  if (size < BATCH_HEADER_BYTES || at + size > end) return 0;
  const base = baseOffsetOf(bytes, at);
  if (base !== want.firstFrom(nextOffset)) return 0;
  if (lastOffsetDeltaOf(bytes, at) < 0 || leaderEpochOf(bytes, at) !== want.epochAt(base)) return 0;
  return crcHolds(bytes, at, at + size) ? size : 0;
}

/** How much a scan reads at once: large enough for a disk, small enough for memory. */
const CHUNK_BYTES = 1024 * 1024;

/**
 * Calls `visit` for each batch from `position` to `end`, with a buffer that holds it whole from `at`. Stops when
 * `visit` returns false or the bytes are no batch; resolves to the position it came to.
 */
export async function scanBatches(
  file: FileHandle,
  position: number,
  end: number,
  visit: (bytes: Buffer, at: number, size: number, position: number) => boolean,
): Promise<number> {
  let chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(0, end - position)));
  let from = position;
  while (from + BATCH_HEADER_BYTES <= end) {
    const got = await file.read(chunk.subarray(0, Math.min(chunk.length, end - from)), from);
    let at = 0;
    while (at + BATCH_HEADER_BYTES <= got) {
      const size = batchSizeOf(chunk, at);
      if (size < BATCH_HEADER_BYTES || magicOf(chunk, at) !== 2 || from + at + size > end) return from + at;
      if (at + size > got) break;
      if (!visit(chunk, at, size, from + at)) return from + at;
      at += size;
    }
    from += at;
    if (at > 0) continue;
    // Nothing whole in the chunk: the batch is larger, or the file ends.
    const size = got >= BATCH_HEADER_BYTES ? batchSizeOf(chunk, 0) : 0;
    if (size <= chunk.length) return from;
    chunk = Buffer.allocUnsafe(size);
  }
  return from;
}
