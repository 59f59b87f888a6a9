import type { Host } from '../host/host.ts';
import type { AppendGate } from './room/append-gate.ts';
import type { Checkpointer } from './durable/checkpointer.ts';
import type { DiskRoom } from './room/disk-room.ts';
import type { DiskTopics } from './topics/disk-topics.ts';
import type { LogMetrics } from './log-metrics.ts';
import { recoverySource } from './durable/recovery.ts';
import { type Replayed, replayWal } from './durable/replay.ts';
import type { Wal } from './wal/wal.ts';

/** What a start brings back. */
export interface StartOwner {
  readonly host: Host;
  readonly dataDir: string;
  readonly metrics: LogMetrics;
  readonly topics: DiskTopics;
  readonly wal: Wal;
  readonly room: DiskRoom;
  readonly checkpointer: Checkpointer;
  readonly gate: AppendGate;
}

/**
 * Reads everything back, then makes the log ready to write; a disk that refuses leaves it read-only.
 *
 *     topics → segments, cut to the checkpoint → replay → new epochs → sync what was replayed → checkpoint → new file
 *
 * Throws when the directory cannot be served at all.
 */
export async function startLog(owner: StartOwner, isClean: boolean): Promise<void> {
  const { host, dataDir, metrics, topics, wal, room, checkpointer } = owner;
  await host.files.makeDirectory(`${dataDir}/wal`);
  await host.files.makeDirectory(`${dataDir}/topics`);
  await topics.load();
  await room.findReserve();
  const source = await recoverySource(host, dataDir);
  const firstFile = source.checkpoint?.walFile ?? 0;
  if (source.checkpoint) checkpointer.found(firstFile);
  const cut = await topics.restore(source);
  // What was found without a checkpoint may be in the page cache only.
  if (source.rebuild) {
    for (const { segments } of topics.partitions()) for (const segment of segments) segment.distrust();
  }
  const replayed = await replayWal(host, metrics, wal.files.directory, firstFile, (topicId, partition) =>
    topics.partition(topicId, partition),
  );
  for (const partition of topics.partitions()) partition.skipToStart();
  // Somebody may have been told of offsets that are given out again: consumers see it by the epoch. What was lost
  // of lax topics leaves no trace.
  topics.bumpEpochs(cut || replayed.cut ? 'all' : isClean ? 'none' : 'lax');
  await topics.removeOrphans();
  wal.files.nextFile = Math.max(firstFile, replayed.kept.at(-1)?.file ?? 0) + 1;
  await beginWriting(owner, replayed);
  for (const partition of topics.partitions()) partition.tail.evict();
  if (replayed.batches > 0) host.log.info({ batches: replayed.batches }, 'replayed the write-ahead log');
}

async function beginWriting(
  { metrics, wal, room, checkpointer, gate }: StartOwner,
  { kept }: Replayed,
): Promise<void> {
  try {
    await wal.files.adopt(kept);
    await room.wantCheckpointRoom();
    // First: then it does not matter what the disk has of what was never synced.
    await checkpointer.run();
    await wal.open();
    gate.open();
  } catch (error) {
    metrics.storageError('open');
    wal.fail(error);
  }
}
