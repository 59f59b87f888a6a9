import type { Checkpointer } from '../durable/checkpointer.ts';
import type { DiskRoom } from './disk-room.ts';
import type { FilePool } from '../segment/file-pool.ts';
import type { LogMetrics } from '../log-metrics.ts';
import type { Partition } from '../partition/partition.ts';
import type { SegmentWriter } from '../segment/segment-writer.ts';
import type { Wal } from '../wal/wal.ts';
import { rewriteFromWal } from '../wal/wal-rewrite.ts';

/** What is needed of the log to write again. */
export interface ResumptionOwner {
  readonly wal: Wal;
  readonly room: DiskRoom;
  readonly writer: SegmentWriter;
  readonly checkpointer: Checkpointer;
  readonly pool: FilePool;
  readonly metrics: LogMetrics;
  readonly partitions: () => Partition[];
  readonly partitionOf: (topicId: string, partition: number) => Partition | undefined;
  /** Lets retention remove what it may, now. */
  readonly retain: () => Promise<void>;
}

/**
 * Tries to write again after the disk refused; true when appends may be taken. All that runs ends first, then a new
 * write-ahead log file is begun, and what is behind the last checkpoint is written again:
 *
 *     room? → nothing under way → new write-ahead log file → rewrite → checkpoint
 */
export async function resumeWrites(owner: ResumptionOwner): Promise<boolean> {
  const { wal, writer, checkpointer, pool, metrics } = owner;
  try {
    if (!(await findRoom(owner))) return false;
    await wal.drain();
    await writer.idle();
    await checkpointer.idle();
    await pool.forgetAll();
    await wal.open();
    await checkpointer.repair(() => rewrite(owner));
    return true;
  } catch (error) {
    metrics.storageError('resume');
    wal.fail(error);
    await wal.discardUnused();
    return false;
  }
}

/** On a full disk: gives up the reserve and lets retention remove what it may. True when there is room. */
async function findRoom({ wal, room, retain }: ResumptionOwner): Promise<boolean> {
  const { code } = (wal.failure?.cause ?? {}) as { code?: string };
  // A quota may be used up on a disk with room.
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  if (!full && (await room.isEnoughToResume())) return true;
  await room.releaseReserve();
  await retain();
  return await room.isEnoughToResume();
}

/** Nothing else writes to segments meanwhile. */
async function rewrite({ wal, pool, partitions, partitionOf }: ResumptionOwner): Promise<void> {
  const { directory, kept } = wal.files;
  const releases: Array<() => void> = [];
  try {
    for (const { stored } of partitions()) releases.push(await stored.turns.hold());
    await rewriteFromWal(pool.files, directory, kept, partitionOf);
  } finally {
    for (const release of releases) release();
  }
}
