/** What a group has left in a partition, and in a topic. Pure: it is told what the log and the coordinators know. */
import type { Unread } from '../log/partition/unread.ts';
import type { Expiry } from './expiry.ts';
import type { Trend } from './lag-trend.ts';

/** The place of a group in a partition. */
export interface ReaderPosition {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  /** The next offset to read; of a share group the next that was never handed out. */
  readonly offset: number;
  /** First offset that is not done with; a share group's lies below `offset`. */
  readonly startOffset: number;
  /** Below `offset`: handed out, or given back, and not done with. */
  readonly inFlight: number;
}

export interface PartitionLag extends ReaderPosition {
  /** High watermark when it was measured. */
  readonly end: number;
  readonly records: number;
  /** Of them, those that a reader of committed transactions does not get yet, since one in front is open. */
  readonly heldRecords: number;
  readonly bytes: number;
  /** Age of the oldest; 0 when nothing is unread. */
  readonly seconds: number;
  readonly expiry: Expiry;
  /** Offsets that it will never read, because the log begins behind its position. */
  readonly lostOffsets: number;
  readonly trend: Trend;
}

export interface TopicLag {
  readonly group: string;
  readonly topic: string;
  readonly records: number;
  readonly heldRecords: number;
  readonly bytes: number;
  readonly seconds: number;
  /** Of the partition where it comes first. */
  readonly expiry: Expiry;
  readonly lostOffsets: number;
  readonly partitions: number;
}

/** Everything but the trend, which needs the past. */
export function partitionLag(
  position: ReaderPosition,
  log: { readonly startOffset: number; readonly highWatermark: number },
  unread: Unread & { readonly held: number },
  expiry: Expiry,
  nowMs: number,
): Omit<PartitionLag, 'trend'> {
  const records = unread.records + position.inFlight;
  return {
    ...position,
    end: log.highWatermark,
    records,
    heldRecords: Math.min(unread.held, records),
    bytes: unread.bytes,
    // Wall time may have been set back.
    seconds: unread.oldestMs === undefined ? 0 : Math.max(0, nowMs - unread.oldestMs) / 1_000,
    expiry,
    lostOffsets: Math.max(0, log.startOffset - position.startOffset),
  };
}

/** Over the partitions of one group and one topic, of which there is at least one. */
export function topicLag(partitions: ReadonlyArray<Omit<PartitionLag, 'trend'>>): TopicLag {
  const [first, ...others] = partitions;
  let { records, heldRecords, bytes, seconds, expiry, lostOffsets } = first!;
  for (const other of others) {
    records += other.records;
    heldRecords += other.heldRecords;
    bytes += other.bytes;
    seconds = Math.max(seconds, other.seconds);
    if (other.expiry.inMs < expiry.inMs) ({ expiry } = other);
    lostOffsets += other.lostOffsets;
  }
  const { group, topic } = first!;
  return {
    group,
    topic,
    records,
    heldRecords,
    bytes,
    seconds,
    expiry,
    lostOffsets,
    partitions: partitions.length,
  };
}

/**
 * Records that retention took before the group read them: between its position, or the start that it was last
 * seen with, and the start of now.
 * @param ordinals of its next record and of the first that is left, where both are known: offsets may hold no record
 */
export function lostRecords(
  position: number,
  startBefore: number,
  expiredTo: number,
  ordinals: { readonly next: number; readonly first: number } | undefined,
): number {
  const offsets = expiredTo - Math.max(position, startBefore);
  if (offsets <= 0) return 0;
  return ordinals ? Math.min(offsets, Math.max(0, ordinals.first - ordinals.next)) : offsets;
}
