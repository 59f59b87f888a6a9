import type { Log } from '../../host/log.ts';
import type { LogConfig } from '../config.ts';
import type { Holding } from './holding.ts';
import type { LogMetrics } from '../log-metrics.ts';
import type { Partition } from '../partition/partition.ts';
import { judgeRetention, oldestCandidate, segmentBytesMax } from './retention.ts';
import type { Segment } from '../segment/segment.ts';

type Reason = 'time' | 'size' | 'disk' | 'request';

/** A segment off its partition's list, whose file goes when no checkpoint names it any more. */
export interface Condemned {
  readonly segment: Segment;
  readonly reason: Reason;
}

/** What housekeeping needs of the log around it. */
export interface HousekeepingOwner {
  readonly config: LogConfig;
  readonly log: Log;
  readonly metrics: LogMetrics;
  partitions(): Partition[];
  /** False while the disk refuses: then only sealed segments can go, and nothing is written but start offsets. */
  readonly takesWrites: boolean;
  readonly holding: Holding;
  /** Segments still to be removed: kept when a checkpoint fails, for the next time. */
  condemned: readonly Condemned[];
  /** Makes the start offsets durable; no checkpoint names what is off the lists after it. */
  saveStarts(): Promise<void>;
  removeSegment(segment: Segment): Promise<void>;
}

/** Applies retention, the disk bound and the expiry of producers once. */
export async function keepHouse(owner: HousekeepingOwner, nowMs: number): Promise<void> {
  const { config, log } = owner;
  const moved = new Map<Partition, Reason>();
  for (const partition of owner.partitions()) {
    if (owner.takesWrites) {
      partition.producers.expire(nowMs - config.producerExpiryMs);
      const first = judge(owner, partition, nowMs);
      // DeleteRecords took all of it: its bytes can only go with a segment that is sealed.
      const isEmptied = partition.startOffset >= partition.highWatermark && partition.active.bytes > 0;
      if ((first.rollActive || isEmptied) && partition.highWatermark === partition.endOffset) {
        await partition.flush();
        await partition.roll();
      }
    }
    const { expired, reason } = judge(owner, partition, nowMs);
    if (expired > 0) {
      moveStart(owner, partition, expired);
      moved.set(partition, reason);
    } else if (liveIndex(partition) > 0) {
      // DeleteRecords ended at the end of what was the active segment.
      moved.set(partition, 'request');
    }
  }
  for (const [partition, bytes] of await shrinkToDisk(owner)) {
    moved.set(partition, 'disk');
    log.warn(
      { topic: partition.topic, partition: partition.partition, startOffset: partition.startOffset, bytes },
      'deleted the oldest records: the disk bound for all topics is reached before retention',
    );
  }
  owner.holding.tell(owner.partitions(), nowMs);
  await removeDead(owner, moved);
}

/** Makes moved start offsets durable, then removes what is below them: in this order, or a crash brings it back. */
export async function removeDead(
  owner: HousekeepingOwner,
  moved: ReadonlyMap<Partition, Reason>,
): Promise<void> {
  if (moved.size === 0 && owner.condemned.length === 0) return;
  for (const [partition, reason] of moved) {
    const dead = partition.takeDeadSegments().map((segment) => ({ segment, reason }));
    owner.condemned = [...owner.condemned, ...dead];
  }
  await owner.saveStarts();
  while (owner.condemned.length > 0) {
    const { segment, reason } = owner.condemned[0]!;
    await owner.removeSegment(segment);
    owner.metrics.deleted(reason, segment.bytes);
    owner.condemned = owner.condemned.slice(1);
  }
}

function judge(
  { holding, takesWrites }: HousekeepingOwner,
  partition: Partition,
  nowMs: number,
): ReturnType<typeof judgeRetention> {
  return judgeRetention(
    partition.segments.map((segment) => segment.facts()),
    partition.settings,
    nowMs,
    // A full disk is a bound too: then nobody is waited for.
    takesWrites ? holding.heldFrom(partition) : Number.POSITIVE_INFINITY,
  );
}

function moveStart({ holding }: HousekeepingOwner, partition: Partition, count: number): void {
  const next = partition.segments[count]?.base ?? partition.writtenOffset;
  if (next <= partition.startOffset) return;
  holding.losing(partition, next);
  partition.startOffset = next;
  partition.expiredTo = next;
}

/** Moves start offsets until the segments fit the bound. */
async function shrinkToDisk(owner: HousekeepingOwner): Promise<Map<Partition, number>> {
  const { config } = owner;
  const budget = segmentBytesMax(config);
  const partitions = owner.partitions().filter((partition) => !partition.settings.isKept);
  const shrunk = new Map<Partition, number>();
  let bytes = 0;
  for (const partition of owner.partitions()) bytes += liveBytes(partition);
  while (bytes > budget) {
    const candidates = partitions.map((partition) => {
      const i = liveIndex(partition);
      const segment = partition.segments[i];
      if (!segment) return undefined;
      const sealed = i < partition.segments.length - 1;
      return { bytes: segment.bytes, maxTimestamp: segment.maxTimestamp, sealed };
    });
    const chosen = oldestCandidate(candidates);
    if (chosen === -1) break;
    const partition = partitions[chosen]!;
    if (!candidates[chosen]!.sealed && !owner.takesWrites) break;
    if (!candidates[chosen]!.sealed) await partition.roll();
    const i = liveIndex(partition);
    // A batch may have come between; the next round looks again.
    if (i >= partition.segments.length - 1) break;
    const freed = partition.segments[i]!.bytes;
    moveStart(owner, partition, i + 1);
    bytes -= freed;
    shrunk.set(partition, (shrunk.get(partition) ?? 0) + freed);
  }
  return shrunk;
}

/** What retention has just let go is on the list until its start is durable, and makes room already. */
function liveBytes(partition: Partition): number {
  const { segments } = partition;
  let bytes = 0;
  for (let i = liveIndex(partition); i < segments.length; i += 1) bytes += segments[i]!.bytes;
  return bytes;
}

/** Index of the oldest segment that holds anything at or above the start. */
function liveIndex(partition: Partition): number {
  const { segments, startOffset } = partition;
  let i = 0;
  while (i < segments.length - 1 && segments[i + 1]!.base <= startOffset) i += 1;
  return i;
}
