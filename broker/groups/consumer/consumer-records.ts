/**
 * A KIP-848 group as records in `__consumer_offsets`, in Kafka's own schemas. The int16 in front of a key says what it
 * is:
 *
 *     3 group epoch   5 a member   6 epoch of the target   7 a member's target   8 what a member has   16 a pattern
 *
 * What is written is the difference between two states; no value takes the key away.
 */
import type { StoredRecord } from '../../state/record-batch.ts';
import {
  consumerGroupCurrentMemberAssignmentKey,
  consumerGroupCurrentMemberAssignmentValue,
  consumerGroupMemberMetadataKey,
  consumerGroupMemberMetadataValue,
  consumerGroupMetadataKey,
  consumerGroupMetadataValue,
  consumerGroupRegularExpressionKey,
  consumerGroupRegularExpressionValue,
  consumerGroupTargetAssignmentMemberKey,
  consumerGroupTargetAssignmentMemberValue,
  consumerGroupTargetAssignmentMetadataKey,
  consumerGroupTargetAssignmentMetadataValue,
} from '../../wire/schemas/consumer-group-records.ts';
import { encodeVersioned } from '../../wire/versioned.ts';
import { type ConsumerGroup, emptyConsumerGroup, type ResolvedRegex } from './consumer-group.ts';
import { type CurrentAssignment, JOINING, type MemberAbout, type MemberState } from './consumer-member.ts';
import type { Assigned, Partitions } from './partitions.ts';

export const KEY = {
  group: 3,
  /** Written by Kafka 4.0 only. */
  topics: 4,
  member: 5,
  targetEpoch: 6,
  target: 7,
  current: 8,
  regex: 16,
} as const;

export const STATE_CODES: Readonly<Record<MemberState, number>> = { stable: 0, unrevoked: 1, unreleased: 2 };

/** What turns `before` into `after`, in an order in which every prefix can be read back. */
export function changes(before: ConsumerGroup, after: ConsumerGroup): StoredRecord[] {
  const { groupId } = after;
  const records: StoredRecord[] = [];
  for (const memberId of before.members.keys()) {
    if (after.members.has(memberId)) continue;
    records.push(currentRecord(groupId, memberId, null));
    if (before.target.has(memberId)) records.push(targetRecord(groupId, memberId, null));
    records.push(memberRecord(groupId, memberId, null));
  }
  for (const regex of before.regexes.keys()) {
    if (!after.regexes.has(regex)) records.push(regexRecord(groupId, regex, null));
  }
  for (const { memberId, about } of after.members.values()) {
    if (before.members.get(memberId)?.about !== about) records.push(memberRecord(groupId, memberId, about));
  }
  for (const [regex, resolved] of after.regexes) {
    if (before.regexes.get(regex) !== resolved) records.push(regexRecord(groupId, regex, resolved));
  }
  if (before.epoch !== after.epoch || before.metadataHash !== after.metadataHash) {
    records.push(groupEpochRecord(groupId, { epoch: after.epoch, metadataHash: after.metadataHash }));
  }
  for (const [memberId, partitions] of after.target) {
    if (before.target.get(memberId) !== partitions) {
      records.push(targetRecord(groupId, memberId, partitions));
    }
  }
  if (before.assignmentEpoch !== after.assignmentEpoch) records.push(targetEpochRecord(groupId, after));
  for (const member of after.members.values()) {
    const current = before.members.get(member.memberId)?.current ?? JOINING;
    if (current !== member.current) records.push(currentRecord(groupId, member.memberId, member.current));
  }
  return records;
}

/** All of it. */
export function snapshot(group: ConsumerGroup): StoredRecord[] {
  return changes(emptyConsumerGroup(group.groupId), group);
}

/** The end of the group. */
export function removal(group: ConsumerGroup): StoredRecord[] {
  const { groupId } = group;
  return [
    ...changes(group, { ...group, members: new Map(), target: new Map(), regexes: new Map() }),
    targetEpochRecord(groupId, null),
    groupEpochRecord(groupId, null),
  ];
}

function groupEpochRecord(
  groupId: string,
  value: { readonly epoch: number; readonly metadataHash: number } | null,
): StoredRecord {
  return {
    key: encodeVersioned(KEY.group, consumerGroupMetadataKey, { groupId }),
    value: value && encodeVersioned(0, consumerGroupMetadataValue, value),
  };
}

function memberRecord(groupId: string, memberId: string, about: MemberAbout | null): StoredRecord {
  return {
    key: encodeVersioned(KEY.member, consumerGroupMemberMetadataKey, { groupId, memberId }),
    value:
      about &&
      encodeVersioned(0, consumerGroupMemberMetadataValue, {
        instanceId: about.instanceId,
        rackId: about.rackId,
        clientId: about.clientId,
        clientHost: about.clientHost,
        subscribedTopicNames: [...about.topics],
        subscribedTopicRegex: about.regex,
        rebalanceTimeoutMs: about.rebalanceTimeoutMs,
        serverAssignor: about.assignor,
        ...(about.classic && {
          classicMemberMetadata: {
            sessionTimeoutMs: about.classic.sessionTimeoutMs,
            supportedProtocols: about.classic.protocols.map(({ name, metadata }) => ({ name, metadata })),
          },
        }),
      }),
  };
}

function targetEpochRecord(
  groupId: string,
  group: Pick<ConsumerGroup, 'assignmentEpoch' | 'assignedAtMs'> | null,
): StoredRecord {
  return {
    key: encodeVersioned(KEY.targetEpoch, consumerGroupTargetAssignmentMetadataKey, { groupId }),
    value:
      group &&
      encodeVersioned(0, consumerGroupTargetAssignmentMetadataValue, {
        assignmentEpoch: group.assignmentEpoch,
        assignmentTimestamp: group.assignedAtMs,
      }),
  };
}

function targetRecord(groupId: string, memberId: string, partitions: Partitions | null): StoredRecord {
  return {
    key: encodeVersioned(KEY.target, consumerGroupTargetAssignmentMemberKey, { groupId, memberId }),
    value:
      partitions &&
      encodeVersioned(0, consumerGroupTargetAssignmentMemberValue, {
        topicPartitions: [...partitions].map(([topicId, some]) => ({ topicId, partitions: [...some] })),
      }),
  };
}

function currentRecord(groupId: string, memberId: string, current: CurrentAssignment | null): StoredRecord {
  return {
    key: encodeVersioned(KEY.current, consumerGroupCurrentMemberAssignmentKey, { groupId, memberId }),
    value:
      current &&
      encodeVersioned(0, consumerGroupCurrentMemberAssignmentValue, {
        memberEpoch: current.epoch,
        previousMemberEpoch: current.previousEpoch,
        state: STATE_CODES[current.state],
        assignedPartitions: withEpochs(current.assigned),
        partitionsPendingRevocation: withEpochs(current.revoking),
      }),
  };
}

function regexRecord(
  groupId: string,
  regularExpression: string,
  resolved: ResolvedRegex | null,
): StoredRecord {
  return {
    key: encodeVersioned(KEY.regex, consumerGroupRegularExpressionKey, { groupId, regularExpression }),
    value:
      resolved &&
      encodeVersioned(0, consumerGroupRegularExpressionValue, {
        topics: [...resolved.topics],
        version: resolved.version,
        timestamp: resolved.timestampMs,
      }),
  };
}

function withEpochs(assigned: Assigned) {
  return [...assigned].map(([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions.keys()],
    assignmentEpochs: [...partitions.values()],
  }));
}
