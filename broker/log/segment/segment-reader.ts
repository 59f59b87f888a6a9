import {
  baseOffsetOf,
  BATCH_HEADER_BYTES,
  batchSizeOf,
  lastOffsetDeltaOf,
  lastOffsetOf,
  magicOf,
} from '../batch/batch-header.ts';
import { isPlaceholder, withoutPlaceholders } from '../compaction/placeholder.ts';
import { LogError } from '../errors.ts';
import type { FilePool } from './file-pool.ts';
import type { ReadLease } from './read-buffers.ts';
import type { Segment } from './segment.ts';
import { findBatchBehind } from './segment-resync.ts';
import { checkStored, type Expectation } from './segment-scan.ts';

/** A batch is looked for from the nearest index entry, so this much more than asked is read. */
const LOOKAHEAD_BYTES = 8 * 1024;

interface Place {
  readonly position: number;
  /** Offset that the batch there begins with; undefined when only its last offset is known. */
  readonly nextOffset: number | undefined;
  readonly lastOffset: number | undefined;
}

/**
 * Whole batches of the segment from the one that holds `offset`, each checked before it is served; undefined when
 * the segment has none at or above it. A damaged batch is never returned: what is in front of it is, and asking
 * for the batch itself throws CORRUPT_MESSAGE. With a lease, the bytes are borrowed.
 */
export async function readSegment(
  pool: FilePool,
  segment: Segment,
  offset: number,
  bytesMax: number,
  minOneBatch: boolean,
  want: Expectation,
  lease?: ReadLease,
): Promise<Buffer | undefined> {
  const end = segment.bytes;
  let place = await placeByIndex(pool, segment, offset, want);
  let indexDoubted = place.position === 0;
  let chunkBytes = bytesMax + LOOKAHEAD_BYTES;
  while (place.position < end) {
    const bytes = Math.min(end - place.position, chunkBytes);
    const chunk = lease?.take(bytes) ?? Buffer.allocUnsafe(bytes);
    const from = place.position;
    const got = await pool.use('read', segment.logPath, (file) => file.read(chunk, from));
    const walked = walk(chunk.subarray(0, got), place, end, offset, bytesMax, minOneBatch, want);
    const { found } = walked;
    // Nothing is no part of the chunk: it lies elsewhere.
    const isPart = found !== undefined && found.length > 0;
    lease?.keep(chunk, isPart ? found.byteOffset + found.length - chunk.byteOffset : 0);
    if (found) return withoutPlaceholders(found, (at) => batchSizeOf(found, at));
    if (walked.damaged && !indexDoubted && walked.place.position === place.position) {
      // What the index points at is no batch: the index may be at fault, so it is made again, once.
      indexDoubted = true;
      await segment.dropIndex(pool);
      place = await placeByIndex(pool, segment, offset, want);
    } else if (walked.damaged) {
      place = await placeAfterDamage(pool, segment, walked.place, offset, end, want);
    } else {
      if (walked.place.position === place.position) chunkBytes = Math.max(walked.needBytes, chunkBytes * 2);
      place = walked.place;
    }
  }
  return undefined;
}

async function placeByIndex(
  pool: FilePool,
  segment: Segment,
  offset: number,
  want: Expectation,
): Promise<Place> {
  const { position, lastOffset } = (await segment.index(pool, want)).positionFor(offset);
  return { position, nextOffset: position === 0 ? segment.base : undefined, lastOffset };
}

interface Walked {
  found?: Buffer;
  damaged: boolean;
  /** Where it came to. */
  place: Place;
  /** At least this much must be read at `place` to go on. */
  needBytes: number;
}

function walk(
  chunk: Buffer,
  start: Place,
  end: number,
  offset: number,
  bytesMax: number,
  minOneBatch: boolean,
  want: Expectation,
): Walked {
  let at = 0;
  let next = start.nextOffset;
  let lastOffset = start.lastOffset;
  let foundAt = -1;
  const result = (damaged: boolean, needBytes = 0): Walked => ({
    ...(foundAt >= 0 ? { found: chunk.subarray(foundAt, at) } : {}),
    damaged,
    place: { position: start.position + at, nextOffset: next, lastOffset },
    needBytes,
  });
  for (;;) {
    if (start.position + at >= end) return result(false);
    if (at + BATCH_HEADER_BYTES > chunk.length) {
      return result(start.position + at + BATCH_HEADER_BYTES > end, BATCH_HEADER_BYTES);
    }
    const claimed = batchSizeOf(chunk, at);
    if (at + claimed > chunk.length && start.position + at + claimed <= end && magicOf(chunk, at) === 2) {
      return result(false, claimed);
    }
    // The delta is under the CRC, so the batch's own last offset and what the index says must agree.
    next ??= lastOffset! - lastOffsetDeltaOf(chunk, at);
    const size = checkStored(chunk, at, chunk.length, next, want);
    if (size === 0) return result(true);
    const last = lastOffsetOf(chunk, at);
    // Nothing to serve: it only stands for offsets that were compacted away.
    if (last >= offset && (foundAt >= 0 || !isPlaceholder(chunk, at))) {
      if (foundAt === -1) {
        if (size > bytesMax && !minOneBatch) return { ...result(false), found: EMPTY };
        foundAt = at;
      } else if (at + size - foundAt > bytesMax) {
        return result(false);
      }
    }
    next = last + 1;
    lastOffset = undefined;
    at += size;
  }
}

const EMPTY = Buffer.alloc(0);

/**
 * Slow path: where the segment goes on behind the damaged batch at `bad`: where its own length says, if that is
 * right; else at the next batch that can be told by its bytes; else at the next index entry. Throws when the
 * damage holds `offset`, or may.
 */
async function placeAfterDamage(
  pool: FilePool,
  segment: Segment,
  bad: Place,
  offset: number,
  end: number,
  want: Expectation,
): Promise<Place> {
  const entry = (await segment.index(pool, want)).entryAfter(bad.position);
  // An offset outside of the CRC is believed only where it cannot be wrong by a bit: between its neighbours.
  const lowestOffset =
    bad.lastOffset === undefined ? (bad.nextOffset ?? segment.base) + 1 : bad.lastOffset + 1;
  const broken = { position: bad.position, lowestOffset, limit: entry?.position ?? end };
  const fits = (batch: Buffer): boolean => {
    const base = baseOffsetOf(batch);
    return checkStored(batch, 0, batch.length, base, want) > 0 && (!entry || base <= entry.lastOffset);
  };
  return await pool.use('read', segment.logPath, async (file) => {
    const found = await findBatchBehind(file, broken, fits);
    const position = found ?? entry?.position ?? end;
    const header = Buffer.alloc(BATCH_HEADER_BYTES);
    if ((await file.read(header, position)) === header.length) {
      const base = baseOffsetOf(header);
      if (base >= lowestOffset && base <= offset) {
        // At the entry it is not known yet whether there is a good batch: its last offset is.
        return found === undefined
          ? { position, nextOffset: undefined, lastOffset: entry!.lastOffset }
          : { position, nextOffset: base, lastOffset: undefined };
      }
    }
    const where = `${segment.logPath} at ${bad.position}`;
    throw new LogError('CORRUPT_MESSAGE', `cannot read offset ${offset}: got a damaged batch in ${where}`);
  });
}
