import {
  baseOffsetOf,
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  CRC_START,
  lastOffsetOf,
  leaderEpochOf,
  recordCountOf,
  writeInt64,
} from '../batch/batch-header.ts';
import { crc32c } from '../batch/crc32c.ts';

/** The delta to the last offset is 31 bits wide. */
const OFFSETS_MAX = 2 ** 31;

/**
 * What stands in a cleaned segment where whole batches were: a batch without records that covers their offsets. So
 * offsets in a segment follow each other without a gap, and a flipped bit in one of them is found, which Kafka's CRC
 * leaves out. Readers of the log do not get to see it.
 */
export function placeholder(baseOffset: number, lastOffset: number, leaderEpoch: number): Buffer {
  const batch = Buffer.alloc(BATCH_HEADER_BYTES);
  writeInt64(batch, baseOffset, 0);
  batch.writeInt32BE(BATCH_HEADER_BYTES - BATCH_PREFIX_BYTES, 8);
  batch.writeInt32BE(leaderEpoch, 12);
  batch.writeInt8(2, 16);
  batch.writeInt32BE(lastOffset - baseOffset, 23);
  writeInt64(batch, -1, 27);
  writeInt64(batch, -1, 35);
  writeInt64(batch, -1, 43);
  batch.writeInt16BE(-1, 51);
  batch.writeInt32BE(-1, 53);
  batch.writeUInt32BE(crc32c(batch, CRC_START), 17);
  return batch;
}

export function isPlaceholder(bytes: Buffer, at = 0): boolean {
  return recordCountOf(bytes, at) === 0;
}

/** One for both, where they may be joined: neighbours of one epoch. */
export function joined(first: Buffer, second: Buffer): Buffer | undefined {
  const base = baseOffsetOf(first);
  const last = lastOffsetOf(second);
  const epoch = leaderEpochOf(first);
  if (leaderEpochOf(second) !== epoch || last - base >= OFFSETS_MAX) return undefined;
  return placeholder(base, last, epoch);
}

/** The bytes without placeholders; the same bytes where there is none. */
export function withoutPlaceholders(batches: Buffer, sizeAt: (at: number) => number): Buffer {
  const kept: Buffer[] = [];
  let from = 0;
  for (let at = 0; at < batches.length; at += sizeAt(at)) {
    if (!isPlaceholder(batches, at)) continue;
    if (at > from) kept.push(batches.subarray(from, at));
    from = at + sizeAt(at);
  }
  if (from === 0) return batches;
  if (from < batches.length) kept.push(batches.subarray(from));
  return Buffer.concat(kept);
}
