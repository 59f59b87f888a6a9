/** All positions that groups of any kind have in the log. */
import type { GroupEntry } from '../groups/group-entry.ts';
import { phaseOf, protocolTypeOf } from '../groups/group-view.ts';
import type { BrokerLog, PartitionLog } from '../log/log.ts';
import type { Delivery } from '../share/delivery.ts';
import { recordsInFlight } from '../share/share-partition.ts';
import type { ReaderPosition } from './reader-lag.ts';

export interface Readers {
  readonly groups: { readonly groups: ReadonlyMap<string, GroupEntry> };
  readonly shares: {
    list(): ReadonlyArray<{ readonly groupId: string }>;
    get(groupId: string): { readonly group: { readonly members: ReadonlyMap<string, unknown> } } | undefined;
    readonly deliveries: { of(groupId: string): Delivery[] };
  };
}

/** The places of one group in one topic. */
export interface GroupTopic {
  readonly group: string;
  readonly topic: string;
  readonly places: ReadonlyArray<{ readonly position: ReaderPosition; readonly log: PartitionLog }>;
}

/** One after the other, so that the caller may stop in between; what changes meanwhile may or may not be seen. */
export function* positionsOf({ groups, shares }: Readers, log: BrokerLog): Generator<GroupTopic> {
  for (const [group, { offsets }] of groups.groups) {
    for (const [topic, positions] of offsets.topics) {
      const partitions = log.topic(topic)?.partitions ?? [];
      const places = [...positions]
        .filter(([partition]) => partition < partitions.length)
        .map(([partition, { offset }]) => ({
          position: { group, topic, partition, offset, startOffset: offset, inFlight: 0 },
          log: partitions[partition]!,
        }));
      if (places.length > 0) yield { group, topic, places };
    }
  }
  for (const { groupId } of shares.list()) {
    const byTopic = Map.groupBy(shares.deliveries.of(groupId), (delivery) => delivery.log.topic);
    for (const [topic, deliveries] of byTopic) {
      const places = deliveries.filter(({ log: own }) => log.topic(topic)?.partitions.includes(own));
      if (places.length > 0) yield { group: groupId, topic, places: places.map(placeOf) };
    }
  }
}

function placeOf({ key, log, partition }: Delivery): GroupTopic['places'][number] {
  const { startOffset, endOffset } = partition;
  const inFlight = recordsInFlight(partition);
  const position = {
    group: key.groupId,
    topic: log.topic,
    partition: key.partition,
    offset: endOffset,
    startOffset,
    inFlight,
  };
  return { position, log };
}

/** Since when nobody reads for the group; undefined while somebody does, or where it is not known. */
export function emptySinceMs({ group, offsets, stateSinceMs }: GroupEntry): number | undefined {
  if (group.members.size > 0 || group.type === 'consumer') return undefined;
  if (protocolTypeOf(group) !== null) return phaseOf(group) === 'Empty' ? stateSinceMs : undefined;
  // It never had members: whoever commits for it was last here then.
  let latestMs: number | undefined;
  for (const { value } of offsets.entries()) latestMs = Math.max(latestMs ?? 0, value.committedAtMs);
  return latestMs;
}
