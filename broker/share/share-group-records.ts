/**
 * Records of share groups in `__consumer_offsets`, in Kafka's own schemas: what a group is, and how it changes.
 */
import type { StoredRecord } from '../state/record-batch.ts';
import type { Message } from '../wire/codec.ts';
import { Reader } from '../wire/reader.ts';
import {
  shareGroupCurrentMemberAssignmentKey,
  shareGroupCurrentMemberAssignmentValue,
  shareGroupMemberMetadataKey,
  shareGroupMemberMetadataValue,
  shareGroupMetadataKey,
  shareGroupMetadataValue,
  shareGroupStatePartitionMetadataKey,
  shareGroupStatePartitionMetadataValue,
  shareGroupTargetAssignmentMemberKey,
  shareGroupTargetAssignmentMemberValue,
  shareGroupTargetAssignmentMetadataKey,
  shareGroupTargetAssignmentMetadataValue,
} from '../wire/schemas/share-group-records.ts';
import { decodeVersioned, encodeVersioned } from '../wire/versioned.ts';
import type { Assignment } from './share-assignor.ts';
import { emptyShareGroup, type ShareGroup, type ShareMember } from './share-group.ts';

/** The int16 in front of a key says what the record is about. */
export const KEY = {
  member: 10,
  group: 11,
  targetEpoch: 12,
  targetMember: 13,
  currentMember: 14,
  statePartitions: 15,
} as const;
const VALUE_VERSION = 0;
const STABLE = 0;

/** Topics of which the group has delivery state: id to name and partitions. */
export type StateTopics = ReadonlyMap<
  string,
  { readonly name: string; readonly partitions: readonly number[] }
>;

/** A group as it is being read back. */
export interface ReplayedGroup {
  group: ShareGroup;
  topics: StateTopics;
  /** Has the record of a group: without it, the rest are leftovers. */
  isWhole: boolean;
}

export function replayedGroup(groupId: string): ReplayedGroup {
  return { group: emptyShareGroup(groupId), topics: new Map(), isWhole: false };
}

/** What to write so that `before` becomes `after`. */
export function changesBetween(before: ShareGroup, after: ShareGroup, nowMs: number): StoredRecord[] {
  const { groupId } = after;
  const records: StoredRecord[] = [];
  for (const [memberId, member] of after.members) {
    const was = before.members.get(memberId);
    if (!was || !isSameMetadata(was, member)) records.push(memberRecord(groupId, memberId, member));
  }
  if (before.epoch !== after.epoch) {
    records.push(
      record(shareGroupMetadataKey, KEY.group, { groupId }, shareGroupMetadataValue, {
        epoch: after.epoch,
        metadataHash: hashOf(after.topicsKey),
      }),
    );
    for (const [memberId, assignment] of after.target) {
      if (isSameAssignment(before.target.get(memberId), assignment)) continue;
      records.push(targetRecord(groupId, memberId, assignment));
    }
    records.push(
      record(
        shareGroupTargetAssignmentMetadataKey,
        KEY.targetEpoch,
        { groupId },
        shareGroupTargetAssignmentMetadataValue,
        { assignmentEpoch: after.epoch, assignmentTimestamp: nowMs },
      ),
    );
  }
  for (const [memberId, member] of after.members) {
    if (before.members.get(memberId)?.epoch !== member.epoch) {
      records.push(currentRecord(groupId, memberId, member));
    }
  }
  for (const memberId of before.members.keys()) {
    if (!after.members.has(memberId)) records.push(...memberTombstones(groupId, memberId));
  }
  return records;
}

/** What to write so that the group is no more. */
export function tombstones({ groupId, members }: ShareGroup): StoredRecord[] {
  return [
    ...[...members.keys()].flatMap((memberId) => memberTombstones(groupId, memberId)),
    tombstone(shareGroupTargetAssignmentMetadataKey, KEY.targetEpoch, { groupId }),
    tombstone(shareGroupStatePartitionMetadataKey, KEY.statePartitions, { groupId }),
    tombstone(shareGroupMetadataKey, KEY.group, { groupId }),
  ];
}

export function stateTopicsRecord(groupId: string, topics: StateTopics): StoredRecord {
  return record(
    shareGroupStatePartitionMetadataKey,
    KEY.statePartitions,
    { groupId },
    shareGroupStatePartitionMetadataValue,
    {
      initializingTopics: [],
      initializedTopics: [...topics].map(([topicId, { name, partitions }]) => ({
        topicId,
        topicName: name,
        partitions,
      })),
      deletingTopics: [],
    },
  );
}

/** Whose record it is. @throws WireError */
export function groupIdOf(key: Buffer): string {
  const reader = new Reader(key);
  reader.int16();
  return shareGroupMetadataKey.decode(reader, 0).groupId;
}

/** Takes one record in. @throws WireError */
export function replay(into: ReplayedGroup, key: Buffer, value: Buffer | null): void {
  const reader = new Reader(key);
  const kind = reader.int16();
  const { group } = into;
  const read = <T>(message: Message<T, never>): T | undefined =>
    value === null ? undefined : decodeVersioned(value, message);
  switch (kind) {
    case KEY.member: {
      const { memberId } = shareGroupMemberMetadataKey.decode(reader, 0);
      const now = read(shareGroupMemberMetadataValue);
      const members = new Map(group.members);
      const known = members.get(memberId) ?? unknownMember(memberId);
      if (!now) members.delete(memberId);
      else {
        const { rackId, clientId, clientHost, subscribedTopicNames: subscribed } = now;
        members.set(memberId, { ...known, rackId, clientId, clientHost, subscribed });
      }
      into.group = { ...group, members };
      break;
    }
    case KEY.group: {
      const now = read(shareGroupMetadataValue);
      into.isWhole = now !== undefined;
      into.group = now ? { ...group, epoch: now.epoch } : emptyShareGroup(group.groupId);
      if (!now) into.topics = new Map();
      break;
    }
    case KEY.targetMember: {
      const { memberId } = shareGroupTargetAssignmentMemberKey.decode(reader, 0);
      const now = read(shareGroupTargetAssignmentMemberValue);
      const target = new Map(group.target);
      if (now) target.set(memberId, assignmentOf(now.topicPartitions));
      else target.delete(memberId);
      into.group = { ...group, target };
      break;
    }
    case KEY.currentMember: {
      const { memberId } = shareGroupCurrentMemberAssignmentKey.decode(reader, 0);
      const now = read(shareGroupCurrentMemberAssignmentValue);
      const known = group.members.get(memberId);
      if (!now || !known) break;
      const member: ShareMember = {
        ...known,
        epoch: now.memberEpoch,
        previousEpoch: now.previousMemberEpoch,
        assigned: assignmentOf(now.assignedPartitions),
      };
      into.group = { ...group, members: new Map(group.members).set(memberId, member) };
      break;
    }
    case KEY.statePartitions: {
      const now = read(shareGroupStatePartitionMetadataValue);
      const topics = [...(now?.initializedTopics ?? []), ...(now?.initializingTopics ?? [])];
      into.topics = new Map(
        topics.map(({ topicId, topicName, partitions }) => [topicId, { name: topicName, partitions }]),
      );
      break;
    }
  }
}

function memberRecord(groupId: string, memberId: string, member: ShareMember): StoredRecord {
  const { rackId, clientId, clientHost, subscribed } = member;
  return record(
    shareGroupMemberMetadataKey,
    KEY.member,
    { groupId, memberId },
    shareGroupMemberMetadataValue,
    { rackId, clientId, clientHost, subscribedTopicNames: subscribed },
  );
}

function targetRecord(groupId: string, memberId: string, assignment: Assignment): StoredRecord {
  return record(
    shareGroupTargetAssignmentMemberKey,
    KEY.targetMember,
    { groupId, memberId },
    shareGroupTargetAssignmentMemberValue,
    { topicPartitions: topicPartitionsOf(assignment) },
  );
}

function currentRecord(groupId: string, memberId: string, member: ShareMember): StoredRecord {
  return record(
    shareGroupCurrentMemberAssignmentKey,
    KEY.currentMember,
    { groupId, memberId },
    shareGroupCurrentMemberAssignmentValue,
    {
      memberEpoch: member.epoch,
      previousMemberEpoch: member.previousEpoch,
      state: STABLE,
      assignedPartitions: topicPartitionsOf(member.assigned),
    },
  );
}

function memberTombstones(groupId: string, memberId: string): StoredRecord[] {
  const key = { groupId, memberId };
  return [
    tombstone(shareGroupCurrentMemberAssignmentKey, KEY.currentMember, key),
    tombstone(shareGroupTargetAssignmentMemberKey, KEY.targetMember, key),
    tombstone(shareGroupMemberMetadataKey, KEY.member, key),
  ];
}

function record<K, V>(
  keyMessage: Message<unknown, K>,
  kind: number,
  key: K,
  valueMessage: Message<unknown, V>,
  value: V,
): StoredRecord {
  return {
    key: encodeVersioned(kind, keyMessage, key),
    value: encodeVersioned(VALUE_VERSION, valueMessage, value),
  };
}

function tombstone<K>(keyMessage: Message<unknown, K>, kind: number, key: K): StoredRecord {
  return { key: encodeVersioned(kind, keyMessage, key), value: null };
}

export function topicPartitionsOf(
  assignment: Assignment,
): Array<{ topicId: string; partitions: readonly number[] }> {
  return [...assignment].map(([topicId, partitions]) => ({ topicId, partitions }));
}

function assignmentOf(
  topics: ReadonlyArray<{ readonly topicId: string; readonly partitions: readonly number[] }>,
): Assignment {
  return new Map(topics.map(({ topicId, partitions }) => [topicId, partitions]));
}

function unknownMember(memberId: string): ShareMember {
  return {
    memberId,
    rackId: null,
    clientId: '',
    clientHost: '',
    epoch: 0,
    previousEpoch: 0,
    subscribed: [],
    assigned: new Map(),
  };
}

function isSameMetadata(a: ShareMember, b: ShareMember): boolean {
  return (
    a.rackId === b.rackId &&
    a.clientId === b.clientId &&
    a.clientHost === b.clientHost &&
    a.subscribed.join() === b.subscribed.join()
  );
}

function isSameAssignment(a: Assignment | undefined, b: Assignment): boolean {
  return (
    a?.size === b.size && [...b].every(([topic, partitions]) => a.get(topic)?.join() === partitions.join())
  );
}

/** What the topics were, in short: readers compare it, nobody takes it apart. */
function hashOf(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i += 1) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return hash >>> 0;
}
