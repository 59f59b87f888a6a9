/**
 * Keeps `__consumer_offsets` as small as what it says: writes what is still true to the end of a partition, then
 * moves the partition's start behind everything older. It does what compaction would, from memory.
 *
 *     start ┌───────────── old, mostly overwritten ────────────┐ fence ┌── what is true ──┐ end
 *
 * What was appended before the fence is durable and in memory before the writing begins. What is on its way
 * meanwhile lies behind the fence and is newer: it is left out. Nothing is cut unless all of it was stored.
 */
import type { Host } from '../host/host.ts';
import type { PartitionLog } from '../log/log.ts';
import { CODE } from '../wire/errors.ts';
import { snapshot } from './consumer/consumer-records.ts';
import { groupRecord, offsetRecord } from './coordinator-records.ts';
import { type GroupEntry, placeOf } from './group-entry.ts';
import { groupValueOf } from './group-value.ts';
import type { StoredRecord } from '../state/record-batch.ts';

const RECORDS_PER_BATCH = 500;

export interface Rewrite {
  readonly partition: PartitionLog;
  /** The partition's groups. */
  entries(): readonly GroupEntry[];
  append(entry: GroupEntry, records: readonly StoredRecord[]): Promise<number>;
  /** Appends of the coordinator that failed so far. */
  failures(): number;
  /** Whether the partition has records that this memory cannot tell. */
  holdsOthers(): boolean;
}

/** True when the partition was cut. */
export async function rewritePartition(rewrite: Rewrite, host: Pick<Host, 'timers'>): Promise<boolean> {
  const { partition } = rewrite;
  const failuresBefore = rewrite.failures();
  const fence = partition.endOffset;
  await durable(partition, fence);
  // One turn, in which those who waited for the same bytes have put them into memory.
  await new Promise<void>((resolve) => host.timers.soon(resolve));
  for (const entry of rewrite.entries()) {
    for (const place of placesOf(entry)) {
      // Taken in the turn of the append, so that no newer value can come between.
      const records = place();
      if (records.length > 0 && (await rewrite.append(entry, records)) !== CODE.NONE) return false;
    }
  }
  // A commit that failed on its way had been left out here: its former value stands only in the old part.
  // And what others wrote while this was going on stands nowhere else.
  if (rewrite.failures() !== failuresBefore || rewrite.holdsOthers()) return false;
  await partition.deleteBefore(fence);
  return true;
}

/** The entry's records, in portions that are read when they are due. */
function placesOf(entry: GroupEntry): Array<() => StoredRecord[]> {
  const { groupId } = entry;
  const places = [...entry.offsets.entries()].map(({ topic, partition }) => ({ topic, partition }));
  const portions: Array<() => StoredRecord[]> = [() => groupRecords(entry)];
  for (let at = 0; at < places.length; at += RECORDS_PER_BATCH) {
    const some = places.slice(at, at + RECORDS_PER_BATCH);
    portions.push(() =>
      some.flatMap(({ topic, partition }) => {
        const value = entry.offsets.get(topic, partition);
        const isOnItsWay = entry.committing.has(placeOf(topic, partition));
        return value && !isOnItsWay ? [offsetRecord(groupId, topic, partition, value)] : [];
      }),
    );
  }
  return portions;
}

function groupRecords({ groupId, group, stateSinceMs }: GroupEntry): StoredRecord[] {
  // Differences that are on their way come before this in the log, and are in it.
  if (group.type === 'consumer') return snapshot(group);
  if (group.storing.size > 0 || group.generation === 0) return [];
  return [groupRecord(groupId, groupValueOf(group), stateSinceMs)];
}

function durable(partition: PartitionLog, offset: number): Promise<void> {
  if (partition.highWatermark >= offset) return Promise.resolve();
  return new Promise((resolve) => {
    const cancel = partition.onAdvance(() => {
      if (partition.highWatermark < offset) return;
      cancel();
      resolve();
    });
  });
}
