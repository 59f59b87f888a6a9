/** What a group of either type looks like from outside. */
import { consumerPhase, type ConsumerGroup } from './consumer/consumer-group.ts';
import { subscribedNames } from './consumer/subscription.ts';
import { groupValueOf } from './group-value.ts';
import type { Group } from './group.ts';
import { subscribedTopics } from './subscription.ts';

export function phaseOf(group: Group | ConsumerGroup): string {
  return group.type === 'consumer' ? consumerPhase(group) : group.phase;
}

/** Nobody is in it, and nobody was given an id to come with. */
export function isVacant(group: Group | ConsumerGroup): boolean {
  if (group.type === 'consumer') return group.members.size === 0;
  return group.phase === 'Empty' && group.pending.size === 0;
}

/** Null for a group that only ever committed. */
export function protocolTypeOf(group: Group | ConsumerGroup): string | null {
  return group.type === 'consumer' ? 'consumer' : group.protocolType;
}

/** The topics that its members read; undefined when they do not say. */
export function topicsReadBy(group: Group | ConsumerGroup): ReadonlySet<string> | undefined {
  return group.type === 'consumer' ? subscribedNames(group) : subscribedTopics(group);
}

/** What DescribeGroups tells of the members of a classic group. */
export function describeMembers(group: Group): Array<{
  memberId: string;
  groupInstanceId: string | null;
  clientId: string;
  clientHost: string;
  memberMetadata: Uint8Array;
  memberAssignment: Uint8Array;
}> {
  const settled = group.phase === 'Stable';
  return groupValueOf(group).members.map((member) => ({
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    memberMetadata: settled ? member.subscription : Buffer.alloc(0),
    memberAssignment: settled ? member.assignment : Buffer.alloc(0),
  }));
}
