import type { Host } from '../../host/host.ts';
import type { FilePool } from '../segment/file-pool.ts';
import type { LogMetrics } from '../log-metrics.ts';
import type { Partition } from '../partition/partition.ts';
import type { Segment } from '../segment/segment.ts';
import { cleanPartition, sourcesOf } from './cleaner.ts';

/** What compaction needs of the log around it. */
export interface CompactionOwner {
  readonly host: Host;
  readonly pool: FilePool;
  readonly metrics: LogMetrics;
  /** Replaced segments whose files are still there, because no checkpoint could be had. */
  readonly superseded: Segment[];
  partitions(): Partition[];
  /** False while the disk refuses and when the log closes. */
  mayClean(): boolean;
  /** Makes the partitions' lists of segments durable. */
  checkpoint(): Promise<void>;
}

/** One round over the compacted partitions. Never rejects: what fails is said, counted and tried again. */
export async function compactPartitions(owner: CompactionOwner): Promise<void> {
  const { host, pool, metrics } = owner;
  await removeSuperseded(owner).catch(() => {
    // Said and counted where it failed first.
  });
  for (const partition of owner.partitions()) {
    if (!partition.settings.compacts || partition.deleted) continue;
    if (!owner.mayClean()) return;
    const { topic, partition: index } = partition;
    try {
      const startedMs = host.clock.monotonicMs();
      const nowMs = host.clock.nowMs();
      if (sourcesOf(partition, nowMs)?.segments.some(({ dirty }) => dirty)) await owner.checkpoint();
      const sources = sourcesOf(partition, nowMs);
      // One that was sealed meanwhile waits for the next round.
      if (!sources || sources.segments.some(({ dirty }) => dirty)) continue;
      const cleaned = await cleanPartition(partition, sources, { pool, log: host.log, nowMs });
      if (!cleaned) continue;
      owner.superseded.push(...cleaned.replaced);
      await removeSuperseded(owner);
      const { bytesBefore, bytesAfter } = cleaned;
      metrics.deleted('compaction', bytesBefore - bytesAfter);
      const tookMs = Math.round(host.clock.monotonicMs() - startedMs);
      host.log.debug(
        { topic, partition: index, bytesBefore, bytesAfter, tookMs },
        `compacted ${topic}-${index}`,
      );
    } catch (error) {
      metrics.storageError('compaction');
      host.log.error(
        { topic, partition: index, err: error },
        `cannot compact ${topic}-${index}; it is tried again`,
      );
    }
  }
}

/** Until a checkpoint names the new files, a crash needs the old ones. */
async function removeSuperseded(owner: CompactionOwner): Promise<void> {
  const { superseded, pool } = owner;
  if (superseded.length === 0) return;
  await owner.checkpoint();
  for (let segment = superseded[0]; segment; segment = superseded[0]) {
    await segment.remove(pool);
    superseded.shift();
  }
}
