import type { PartitionCheckpoint } from '../durable/checkpoint.ts';
import type { Partition } from './partition.ts';

/** One write to a segment while many batches wait. */
const WRITE_BYTES_MAX = 4 * 1024 * 1024;

/**
 * In turn: writes what is durable now from memory to the segments. What becomes durable meanwhile is left to the next
 * flush, so that all that a checkpoint says of the partition is as of one offset.
 */
export async function flushPartition(partition: Partition): Promise<PartitionCheckpoint> {
  const { tail, owner, stored, topicId, partition: number } = partition;
  const { endOffset, epochs, producers, aborted } = snapshot(partition);
  for (;;) {
    const batches = tail.unwritten(endOffset, WRITE_BYTES_MAX);
    if (batches.length === 0) break;
    // Of a deleted topic nothing is written, but its memory is given back.
    const written = partition.deleted ? batches : await stored.write(batches, partition.settings);
    tail.written(written);
    owner.tailMemory.trim();
  }
  const { startOffset, cleanedTo } = partition;
  const gaps = [...stored.gaps];
  const segments = partition.segments.map((segment) => segment.facts());
  const made = {
    topicId,
    partition: number,
    startOffset,
    endOffset,
    epochs,
    gaps,
    segments,
    producers,
    aborted,
  };
  return cleanedTo === 0 ? made : { ...made, cleanedTo };
}

/** What changes with appends, as of the high watermark. */
function snapshot({
  highWatermark,
  epochs,
  producers,
  transactions,
}: Partition): Required<Pick<PartitionCheckpoint, 'endOffset' | 'epochs' | 'producers' | 'aborted'>> {
  return {
    endOffset: highWatermark,
    epochs: [...epochs.starts],
    producers: [...producers.durable],
    aborted: transactions.aborted.toArray(),
  };
}
