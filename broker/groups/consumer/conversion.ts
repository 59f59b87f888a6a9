/** Online conversion between the protocols, while the members go on reading. */
import { CODE } from '../../wire/errors.ts';
import { readAssignment, readSubscription } from '../consumer-protocol.ts';
import { emptyGroup, type Group, rebalanced } from '../group.ts';
import { type Member, metadataFor } from '../member.ts';
import { selectProtocol } from '../rebalance.ts';
import { assignmentBytes } from './classic-member.ts';
import {
  type ConsumerDraft,
  type ConsumerGroup,
  type ConsumerSettings,
  emptyConsumerGroup,
  GroupRefusal,
} from './consumer-group.ts';
import { type ConsumerMember, newMember } from './consumer-member.ts';
import { AssignedDraft, type Partitions } from './partitions.ts';
import type { TopicImage } from './topic-image.ts';

/**
 * The classic group as one of KIP-848, its members as they are: the generation becomes the epoch.
 * @throws GroupRefusal when it has to stay classic
 */
export function upgrade(
  group: Group,
  now: number,
  topics: TopicImage,
  settings: ConsumerSettings,
): ConsumerGroup {
  const refuse = (why: string): never => {
    throw new GroupRefusal(
      CODE.GROUP_ID_NOT_FOUND,
      `Cannot upgrade classic group ${group.groupId} to consumer group because ${why}.`,
    );
  };
  if (!settings.mayUpgrade) refuse('online upgrade is disabled');
  if (group.protocolType !== 'consumer') refuse('the group does not use the consumer embedded protocol');
  if (group.members.size > settings.groupMaxSize) {
    refuse('the group size exceeds the consumer group maximum size');
  }
  const members = new Map<string, ConsumerMember>();
  const target = new Map<string, Partitions>();
  const taken = new AssignedDraft();
  for (const member of group.members.values()) {
    const subscription = readSubscription(
      group.protocol === null ? member.protocols[0]!.metadata : metadataFor(member, group.protocol),
    );
    const assignment = readAssignment(member.assignment);
    if (!subscription || !assignment) return refuse('the embedded consumer protocol is malformed');
    if (assignment.hasUserData) refuse('an unsupported custom assignor is in use');
    const assigned = new AssignedDraft();
    for (const { topic, partitions } of assignment.partitions) {
      const id = topics.byName(topic)?.id;
      if (id === undefined) continue;
      for (const partition of partitions) {
        // A broken leader may have given one partition to two.
        if (taken.topics.get(id)?.has(partition)) continue;
        taken.add(id, partition, group.generation);
        assigned.add(id, partition, group.generation);
      }
    }
    const { generation: epoch } = group;
    members.set(member.memberId, {
      ...newMember(member.memberId),
      about: {
        instanceId: member.instanceId,
        rackId: subscription.rackId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        topics: [...new Set(subscription.topics)].toSorted(),
        regex: null,
        rebalanceTimeoutMs: member.rebalanceTimeoutMs,
        assignor: null,
        classic: { sessionTimeoutMs: member.sessionTimeoutMs, protocols: member.protocols },
      },
      current: {
        epoch,
        previousEpoch: epoch,
        state: 'stable',
        assigned: assigned.topics,
        revoking: new Map(),
      },
      sessionDeadlineMs: now + member.sessionTimeoutMs,
    });
    target.set(
      member.memberId,
      new Map([...assigned.topics].map(([id, partitions]) => [id, new Set(partitions.keys())])),
    );
  }
  return {
    ...emptyConsumerGroup(group.groupId),
    epoch: group.generation,
    assignmentEpoch: group.generation,
    members,
    target,
  };
}

/** A group of classic members only, as a classic one, in which they join anew when `rebalance`. */
export function downgrade(
  group: ConsumerGroup | ConsumerDraft,
  now: number,
  topics: TopicImage,
  rebalance: boolean,
): Group {
  const members = new Map<string, Member>();
  for (const member of group.members.values()) {
    const { memberId, about } = member;
    const { sessionTimeoutMs, protocols } = about.classic!;
    members.set(memberId, {
      memberId,
      instanceId: about.instanceId,
      clientId: about.clientId,
      clientHost: about.clientHost,
      sessionTimeoutMs,
      rebalanceTimeoutMs: about.rebalanceTimeoutMs,
      protocols,
      assignment: assignmentBytes(member, topics),
      sessionDeadlineMs: now + sessionTimeoutMs,
      joining: undefined,
      syncing: undefined,
      isNew: false,
    });
  }
  const base = { ...emptyGroup(group.groupId), members };
  const classic: Group = {
    ...base,
    phase: 'Stable',
    generation: group.epoch,
    protocolType: 'consumer',
    protocol: selectProtocol({ ...base, pending: new Map(), unsynced: new Set(), storing: new Map() }),
    leaderId: members.keys().next().value ?? null,
  };
  return rebalance ? rebalanced(classic, now) : classic;
}
