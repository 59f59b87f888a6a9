import type { Host } from '../../host/host.ts';
import { checkpointPath, readCheckpoint, type Checkpoint, type PartitionCheckpoint } from './checkpoint.ts';
import type { LogMetrics } from '../log-metrics.ts';
import { walStarts } from './replay.ts';
import { cutToCheckpoint, rebuildCheckpoint, type RestoredSegments } from './segment-recovery.ts';

/**
 * From files to partitions: segments are brought back to the checkpoint; then the write-ahead log is replayed behind it
 * (`replay.ts`). Nothing here changes what a second run would find, except for bytes that the checkpoint does not count.
 */
export interface RecoverySource {
  readonly checkpoint: Checkpoint | undefined;
  /** No checkpoint can be used: segments are read whole. */
  readonly rebuild: boolean;
  /** Then: the first offset that the write-ahead log has of a partition. */
  readonly heldFrom: (topicId: string, partition: number) => number;
}

export async function recoverySource(host: Host, dataDir: string): Promise<RecoverySource> {
  const { checkpoint, damaged } = await readCheckpoint(host.files, dataDir);
  if (damaged)
    host.log.error(
      { path: checkpointPath(dataDir) },
      'the checkpoint is damaged: every segment is read and checked instead',
    );
  const rebuild = checkpoint === undefined;
  const starts = rebuild ? await walStarts(host.files, `${dataDir}/wal`) : new Map<string, number>();
  return {
    checkpoint,
    rebuild,
    heldFrom: (topicId, partition) => starts.get(`${topicId} ${partition}`) ?? Number.POSITIVE_INFINITY,
  };
}

export async function restorePartition(
  host: Host,
  metrics: LogMetrics,
  source: RecoverySource,
  place: { topic: string; topicId: string; partition: number; directory: string },
): Promise<{ checkpoint: PartitionCheckpoint; cut: boolean }> {
  const { topic, topicId, partition, directory } = place;
  let restored: RestoredSegments;
  if (source.rebuild) {
    const heldFrom = source.heldFrom(topicId, partition);
    const nowMs = host.clock.nowMs();
    restored = await rebuildCheckpoint(host.files, directory, { topicId, partition }, heldFrom, nowMs);
  } else {
    const found = source.checkpoint?.partitions.find(
      (one) => one.topicId === topicId && one.partition === partition,
    );
    restored = await cutToCheckpoint(host.files, directory, found ?? emptyCheckpoint(topicId, partition));
  }
  for (const { bytes, cut, ...damage } of restored.damage) {
    if (cut) metrics.truncated('damage', bytes);
    host.log.error(
      { topic, partition, bytes, ...damage },
      cut
        ? 'a segment was damaged: what cannot be read was cut off'
        : 'a segment is damaged: reads of these offsets fail, what is in front of it and behind it is there',
    );
  }
  return { checkpoint: restored.checkpoint, cut: restored.damage.length > 0 };
}

export function emptyCheckpoint(topicId: string, partition: number): PartitionCheckpoint {
  return {
    topicId,
    partition,
    startOffset: 0,
    endOffset: 0,
    epochs: [],
    gaps: [],
    segments: [],
    producers: [],
  };
}
