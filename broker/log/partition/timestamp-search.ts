import { findTimestamp } from '../batch/batch-records.ts';
import { batchSizeOf, lastOffsetOf, maxTimestampOf } from '../batch/batch-header.ts';
import type { Partition } from './partition.ts';

/** How much is read at once while looking. */
const READ_BYTES = 256 * 1024;

type Found = { offset: number; timestampMs: number } | undefined;

/** First record with this timestamp or later: by segment, then time index, then batch, then record. */
export async function findOffsetForTimestamp(partition: Partition, timestampMs: number): Promise<Found> {
  // Read first: what is written while the index loads is behind it.
  const { writtenOffset } = partition;
  const segment = partition.segments.find((one) => one.maxTimestamp >= timestampMs);
  const index = await segment?.index(partition.owner.pool, partition.expectation());
  const from = index?.offsetBefore(timestampMs) ?? writtenOffset;
  return await scan(partition, from, (batch) =>
    maxTimestampOf(batch) >= timestampMs
      ? findTimestamp(batch, timestampMs, partition.startOffset)
      : undefined,
  );
}

/** The first of the records with the largest timestamp. */
export async function findMaxTimestamp(partition: Partition): Promise<Found> {
  let largest = -1;
  let from = partition.writtenOffset;
  for (const { maxTimestamp, maxTimestampOffset } of partition.segments) {
    if (maxTimestamp <= largest || maxTimestampOffset < partition.startOffset) continue;
    largest = maxTimestamp;
    from = maxTimestampOffset;
  }
  // Where DeleteRecords cut through a segment, its largest timestamp may be below the start.
  const [first] = partition.segments;
  if (first && first.base < partition.startOffset && first.maxTimestampOffset < partition.startOffset) {
    from = partition.startOffset;
    largest = -1;
  }
  let best: Found;
  await scan(partition, partition.writtenOffset, (batch) => {
    if (maxTimestampOf(batch) > largest) {
      largest = maxTimestampOf(batch);
      from = lastOffsetOf(batch);
    }
    return undefined;
  });
  if (largest === -1) {
    await scan(partition, from, (batch) => {
      largest = Math.max(largest, maxTimestampOf(batch));
      return undefined;
    });
  }
  if (largest >= 0) {
    best = await scan(partition, from, (batch) =>
      maxTimestampOf(batch) >= largest ? findTimestamp(batch, largest, partition.startOffset) : undefined,
    );
  }
  return best;
}

/** Calls `visit` with each batch from `from` on, until it finds something. */
async function scan(partition: Partition, from: number, visit: (batch: Buffer) => Found): Promise<Found> {
  let offset = Math.max(from, partition.startOffset);
  while (offset < partition.highWatermark) {
    const bytes = await partition.read(offset, READ_BYTES, true);
    if (bytes.length === 0) return undefined;
    for (let at = 0; at < bytes.length;) {
      const batch = bytes.subarray(at, at + batchSizeOf(bytes, at));
      const found = visit(batch);
      if (found) return found;
      offset = lastOffsetOf(batch) + 1;
      at += batch.length;
    }
  }
  return undefined;
}
