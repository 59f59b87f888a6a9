/** Reads the records of KIP-848 groups back, at the start. */
import type { ReadRecord } from '../../state/record-batch.ts';
import { Reader } from '../../wire/reader.ts';
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
import { decodeVersioned } from '../../wire/versioned.ts';
import { type ConsumerDraft, type ConsumerGroup, emptyConsumerGroup } from './consumer-group.ts';
import {
  type ConsumerMember,
  type CurrentAssignment,
  JOINING,
  type MemberAbout,
  type MemberState,
  newMember,
} from './consumer-member.ts';
import { KEY, STATE_CODES } from './consumer-records.ts';
import { type Assigned, AssignedDraft } from './partitions.ts';

export class ConsumerReplay {
  private readonly drafts = new Map<string, ConsumerDraft>();

  /** False when the record is of another kind. @throws WireError */
  apply({ key, value }: ReadRecord): boolean {
    if (key === null || key.length < 2) return false;
    const reader = new Reader(key);
    const kind = reader.int16();
    switch (kind) {
      case KEY.group: {
        const { groupId } = consumerGroupMetadataKey.decode(reader, 0);
        if (value === null) this.drafts.delete(groupId);
        else {
          const { epoch, metadataHash } = decodeVersioned(value, consumerGroupMetadataValue);
          Object.assign(this.draft(groupId), { epoch, metadataHash });
        }
        return true;
      }
      case KEY.topics:
        return true;
      case KEY.member: {
        const { groupId, memberId } = consumerGroupMemberMetadataKey.decode(reader, 0);
        if (value === null) this.drafts.get(groupId)?.members.delete(memberId);
        else this.change(groupId, memberId, { about: readAbout(value) });
        return true;
      }
      case KEY.targetEpoch: {
        const { groupId } = consumerGroupTargetAssignmentMetadataKey.decode(reader, 0);
        if (value !== null) {
          const said = decodeVersioned(value, consumerGroupTargetAssignmentMetadataValue);
          const draft = this.draft(groupId);
          draft.assignmentEpoch = said.assignmentEpoch;
          draft.assignedAtMs = said.assignmentTimestamp;
        }
        return true;
      }
      case KEY.target: {
        const { groupId, memberId } = consumerGroupTargetAssignmentMemberKey.decode(reader, 0);
        if (value === null) this.drafts.get(groupId)?.target.delete(memberId);
        else {
          const { topicPartitions } = decodeVersioned(value, consumerGroupTargetAssignmentMemberValue);
          const target = topicPartitions.map(
            ({ topicId, partitions }) => [topicId, new Set(partitions)] as const,
          );
          this.draft(groupId).target.set(memberId, new Map(target));
        }
        return true;
      }
      case KEY.current: {
        const { groupId, memberId } = consumerGroupCurrentMemberAssignmentKey.decode(reader, 0);
        // A tombstone precedes that of the member itself.
        const isKnown = this.drafts.get(groupId)?.members.has(memberId) ?? false;
        if (value !== null) this.change(groupId, memberId, { current: readCurrent(value) });
        else if (isKnown) this.change(groupId, memberId, { current: JOINING });
        return true;
      }
      case KEY.regex: {
        const { groupId, regularExpression } = consumerGroupRegularExpressionKey.decode(reader, 0);
        if (value === null) this.drafts.get(groupId)?.regexes.delete(regularExpression);
        else {
          const { topics, version, timestamp } = decodeVersioned(value, consumerGroupRegularExpressionValue);
          this.draft(groupId).regexes.set(regularExpression, { topics, version, timestampMs: timestamp });
        }
        return true;
      }
      default:
        return false;
    }
  }

  /** What the records say, with sessions still to be begun (see `resumed`). */
  groups(): Iterable<ConsumerGroup> {
    return this.drafts.values();
  }

  private draft(groupId: string): ConsumerDraft {
    let draft = this.drafts.get(groupId);
    if (!draft) {
      const base = emptyConsumerGroup(groupId);
      draft = { ...base, members: new Map(), target: new Map(), regexes: new Map() };
      this.drafts.set(groupId, draft);
    }
    return draft;
  }

  private change(groupId: string, memberId: string, given: Partial<ConsumerMember>): void {
    const { members } = this.draft(groupId);
    members.set(memberId, { ...(members.get(memberId) ?? newMember(memberId)), ...given });
  }
}

/** The group after a restart, or after the disk refused: everybody has a session, and its time to give things up. */
export function resumed(group: ConsumerGroup, now: number, sessionTimeoutMs: number): ConsumerGroup {
  const members = new Map<string, ConsumerMember>();
  for (const member of group.members.values()) {
    const { classic, rebalanceTimeoutMs } = member.about;
    const revokes = member.current.state === 'unrevoked' && classic === null;
    members.set(member.memberId, {
      ...member,
      sessionDeadlineMs: now + (classic?.sessionTimeoutMs ?? sessionTimeoutMs),
      revokeDeadlineMs: revokes ? now + rebalanceTimeoutMs : undefined,
      joinDeadlineMs: undefined,
      syncDeadlineMs: undefined,
    });
  }
  return { ...group, members, topicsVersion: -1 };
}

function readAbout(value: Buffer): MemberAbout {
  const said = decodeVersioned(value, consumerGroupMemberMetadataValue);
  const { classicMemberMetadata: classic } = said;
  return {
    instanceId: said.instanceId,
    rackId: said.rackId,
    clientId: said.clientId,
    clientHost: said.clientHost,
    topics: said.subscribedTopicNames,
    regex: said.subscribedTopicRegex,
    rebalanceTimeoutMs: said.rebalanceTimeoutMs,
    assignor: said.serverAssignor,
    classic: classic
      ? {
          sessionTimeoutMs: classic.sessionTimeoutMs,
          protocols: classic.supportedProtocols.map(({ name, metadata }) => ({
            name,
            metadata: Buffer.from(metadata),
          })),
        }
      : null,
  };
}

function readCurrent(value: Buffer): CurrentAssignment {
  const said = decodeVersioned(value, consumerGroupCurrentMemberAssignmentValue);
  return {
    epoch: said.memberEpoch,
    previousEpoch: said.previousMemberEpoch,
    state: stateOf(said.state),
    assigned: readAssigned(said.assignedPartitions, said.memberEpoch),
    revoking: readAssigned(said.partitionsPendingRevocation, said.memberEpoch),
  };
}

function stateOf(code: number): MemberState {
  for (const [state, known] of Object.entries(STATE_CODES)) if (known === code) return state as MemberState;
  return 'unreleased';
}

/** Records of before assignment epochs: the member's own will do. */
function readAssigned(
  topics: ReadonlyArray<{
    topicId: string;
    partitions: readonly number[];
    assignmentEpochs: readonly number[] | null;
  }>,
  epoch: number,
): Assigned {
  const assigned = new AssignedDraft();
  for (const { topicId, partitions, assignmentEpochs } of topics) {
    for (const [index, partition] of partitions.entries()) {
      assigned.add(topicId, partition, assignmentEpochs?.[index] ?? epoch);
    }
  }
  return assigned.topics;
}
