import { batchSizeOf, lastOffsetOf, offsetBehind } from '../batch/batch-header.ts';
import { placeholder } from '../compaction/placeholder.ts';
import { LogError, outOfRange, topicGone } from '../errors.ts';
import type { Partition } from './partition.ts';
import { gathered, NO_PIECES, type Pieces, piecesOf } from '../segment/pieces.ts';
import type { ReadLease } from '../segment/read-buffers.ts';

/**
 * What one read of a segment brings. Some clients ask for 50 MiB of a partition: in one go that would be memory which
 * nobody uses again, and a turn of the event loop that does nothing but check it.
 */
const PIECE_BYTES = 1024 * 1024;

/**
 * As `PartitionLog.readPieces`. Whose offset memory holds is answered from it, at once and by reference; others are
 * answered from segments, whose batches are checked first:
 *
 *     start ... segments ... | tail ... | high watermark: nothing yet | end: out of range
 */
export function readPieces(
  partition: Partition,
  offset: number,
  maxBytes: number,
  minOneBatch: boolean,
  before: number,
  lease: ReadLease | undefined,
): Pieces | Promise<Pieces> {
  if (partition.deleted) throw topicGone(partition);
  if (offset < partition.startOffset || offset > partition.endOffset) throw outOfRange(partition, offset);
  if (offset >= Math.min(partition.highWatermark, before)) return NO_PIECES;
  const first = partition.tail.firstOffset;
  // Fast path: consumers that keep up never touch the disk.
  if (first !== undefined && offset >= first) {
    return readTail(partition, offset, maxBytes, minOneBatch, before, lease);
  }
  return readStored(partition, offset, maxBytes, minOneBatch, before, lease);
}

/** As `PartitionLog.availableBytes`. */
export function availableBytes(
  { tail, stored, highWatermark, startOffset }: Partition,
  offset: number,
  atMost: number,
  before: number,
): number {
  const end = Math.min(highWatermark, before);
  if (offset >= end || offset < startOffset) return 0;
  const first = tail.firstOffset;
  if (first !== undefined && offset >= first) return tail.bytesFrom(offset, end, atMost);
  // On disk: an estimate, which is exact enough to decide whether to wait.
  const bytes = first === undefined ? 0 : tail.bytesFrom(first, end, atMost);
  return Math.min(bytes + stored.bytesFrom(offset, atMost - bytes, end), atMost);
}

function readTail(
  { tail, highWatermark, owner }: Partition,
  offset: number,
  maxBytes: number,
  minOneBatch: boolean,
  before: number,
  lease: ReadLease | undefined,
): Pieces {
  const end = Math.min(highWatermark, before);
  const batches = tail.read(offset, end, maxBytes, minOneBatch);
  // Without a lease nobody says when they are done with it, and memory is used again.
  if (!lease) return batches.length === 0 ? NO_PIECES : piecesOf([Buffer.concat(batches)]);
  const pieces = gathered(batches, lease);
  owner.tailMemory.lendAll(pieces.chunks, lease);
  return pieces;
}

async function readStored(
  partition: Partition,
  offset: number,
  maxBytes: number,
  minOneBatch: boolean,
  before: number,
  lease: ReadLease | undefined,
): Promise<Pieces> {
  const written = partition.writtenOffset;
  const listed = partition.stored.list;
  const found = await readPiece(partition, offset, maxBytes, minOneBatch, lease);
  if (found) {
    const chunks = [before < written ? batchesBefore(found, before) : found];
    if (maxBytes > PIECE_BYTES) await readOn(partition, chunks, maxBytes - found.length, before, lease);
    return piecesOf(chunks);
  }
  // Nothing stored from here on (a gap up to the tail), unless the tail moved meanwhile: then look again.
  if (written !== partition.writtenOffset || listed !== partition.stored.list) {
    return readPieces(partition, offset, maxBytes, minOneBatch, before, lease);
  }
  if (offset < partition.startOffset) return NO_PIECES;
  const behind = readTail(partition, offset, maxBytes, minOneBatch, before, lease);
  const isOver = behind.length === 0 && partition.tail.firstOffset === undefined;
  return isOver && isGone(partition, offset) ? endOfGap(partition, offset) : behind;
}

/** Adds what follows, piece by piece, as far as it is stored and fits. */
async function readOn(
  partition: Partition,
  chunks: Buffer[],
  maxBytes: number,
  before: number,
  lease: ReadLease | undefined,
): Promise<void> {
  for (let left = maxBytes; left > 0;) {
    const last = chunks.at(-1)!;
    const next = last.length === 0 ? Infinity : offsetBehind(last);
    if (next >= Math.min(partition.writtenOffset, before)) return;
    // What is in front of a damaged batch is served; who asks for the batch itself is told.
    const found = await readPiece(partition, next, left, false, lease).catch(() => undefined);
    const more = found && batchesBefore(found, before);
    if (!more || more.length === 0) return;
    chunks.push(more);
    left -= more.length;
  }
}

async function readPiece(
  partition: Partition,
  offset: number,
  maxBytes: number,
  minOneBatch: boolean,
  lease: ReadLease | undefined,
): Promise<Buffer | undefined> {
  if (maxBytes <= PIECE_BYTES) return await readSegments(partition, offset, maxBytes, minOneBatch, lease);
  // A batch may be larger than a piece, and fit.
  const found = await readSegments(partition, offset, PIECE_BYTES, true, lease);
  return found && found.length > maxBytes && !minOneBatch ? found.subarray(0, 0) : found;
}

async function readSegments(
  partition: Partition,
  offset: number,
  maxBytes: number,
  minOneBatch: boolean,
  lease: ReadLease | undefined,
): Promise<Buffer | undefined> {
  const { stored, epochs, owner } = partition;
  try {
    return await stored.read(offset, maxBytes, minOneBatch, epochs, lease);
  } catch (error) {
    if (error instanceof LogError && error.code === 'CORRUPT_MESSAGE') owner.damaged(partition, error);
    else owner.metrics.storageError('read');
    throw error;
  }
}

/** The leading batches that end below `before`. */
function batchesBefore(bytes: Buffer, before: number): Buffer {
  let at = 0;
  while (at < bytes.length && lastOffsetOf(bytes, at) < before) at += batchSizeOf(bytes, at);
  return at === bytes.length ? bytes : bytes.subarray(0, at);
}

/** Everything from `offset` to the end was compacted away or lost. */
function isGone({ cleanedTo, stored, highWatermark }: Partition, offset: number): boolean {
  return cleanedTo > 0 || stored.isLost(offset, highWatermark);
}

/** An empty batch tells the reader how far nothing is left; it would ask for the same offset for ever. */
function endOfGap({ highWatermark, leaderEpoch }: Partition, offset: number): Pieces {
  return piecesOf([placeholder(offset, highWatermark - 1, leaderEpoch)]);
}
