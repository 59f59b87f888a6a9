/**
 * One member's way to its target. It gives up what is not its target before it gets anything, and gets only what
 * nobody else holds: so a partition has one owner at any time.
 */
import type { ConsumerStep } from './consumer-group.ts';
import type { ConsumerMember, CurrentAssignment } from './consumer-member.ts';
import {
  type Assigned,
  AssignedDraft,
  has,
  NO_PARTITIONS,
  NONE_ASSIGNED,
  overlaps,
  type Partitions,
  sameAssigned,
} from './partitions.ts';
import { subscribedIds } from './subscription.ts';

/** `owned`: what the member says it holds, null when it does not say. `resubscribed`: it reads other topics now. */
export function reconcile(
  at: ConsumerStep,
  memberId: string,
  owned: Partitions | null,
  resubscribed: boolean,
): ConsumerMember {
  const member = at.group.members.get(memberId)!;
  const next = nextAssignment(at, member, owned, resubscribed);
  if (sameCurrent(next, member.current)) return member;
  const waits = next.state === 'unrevoked' && member.about.classic === null;
  const moved: ConsumerMember = {
    ...member,
    current: next,
    revokeDeadlineMs: waits ? at.now + member.about.rebalanceTimeoutMs : undefined,
  };
  at.group.members.set(memberId, moved);
  return moved;
}

function nextAssignment(
  at: ConsumerStep,
  member: ConsumerMember,
  owned: Partitions | null,
  resubscribed: boolean,
): CurrentAssignment {
  const { current } = member;
  const { assignmentEpoch } = at.group;
  if (current.state === 'stable') {
    if (current.epoch !== assignmentEpoch) return towardsTarget(at, member, owned);
    return resubscribed ? withoutUnsubscribed(at, member, owned) : current;
  }
  if (current.state === 'unrevoked' && (owned === null || overlaps(owned, current.revoking))) {
    return resubscribed ? withoutUnsubscribed(at, member, owned) : current;
  }
  return towardsTarget(at, member, owned);
}

function towardsTarget(
  at: ConsumerStep,
  member: ConsumerMember,
  owned: Partitions | null,
): CurrentAssignment {
  const { group, world } = at;
  const { current } = member;
  const subscribed = subscribedIds(member.about, group, world.topics);
  const target = group.target.get(member.memberId) ?? NO_PARTITIONS;
  const assigned = new AssignedDraft();
  const revoking = new AssignedDraft();
  for (const [topicId, partitions] of current.assigned) {
    const wanted = subscribed.has(topicId) ? target.get(topicId) : undefined;
    for (const [partition, epoch] of partitions) {
      (wanted?.has(partition) ? assigned : revoking).add(topicId, partition, epoch);
    }
  }
  if (revoking.topics.size > 0 && (owned === null || overlaps(owned, revoking.topics))) {
    return moveTo(current, current.epoch, 'unrevoked', assigned.topics, revoking.topics);
  }
  let unreleased = false;
  const held = heldByOthers(at, member.memberId);
  for (const [topicId, partitions] of target) {
    if (!subscribed.has(topicId)) continue;
    for (const partition of partitions) {
      if (has(assigned.topics, topicId, partition)) continue;
      if (held.get(topicId)?.has(partition)) unreleased = true;
      else assigned.add(topicId, partition, group.assignmentEpoch);
    }
  }
  const state = unreleased ? 'unreleased' : 'stable';
  return moveTo(current, group.assignmentEpoch, state, assigned.topics, NONE_ASSIGNED);
}

/** Topics that the member no longer reads are asked back at once, whatever the target says. */
function withoutUnsubscribed(
  at: ConsumerStep,
  { about, current }: ConsumerMember,
  owned: Partitions | null,
): CurrentAssignment {
  const subscribed = subscribedIds(about, at.group, at.world.topics);
  const assigned = new Map(current.assigned);
  const revoking = new Map(current.revoking);
  for (const [topicId, partitions] of current.assigned) {
    if (subscribed.has(topicId)) continue;
    assigned.delete(topicId);
    revoking.set(topicId, new Map([...(revoking.get(topicId) ?? []), ...partitions]));
  }
  if (assigned.size === current.assigned.size) return current;
  if (owned === null || overlaps(owned, revoking)) {
    return moveTo(current, current.epoch, 'unrevoked', assigned, revoking);
  }
  return moveTo(current, current.epoch, current.state, assigned, current.revoking);
}

function moveTo(
  from: CurrentAssignment,
  epoch: number,
  state: CurrentAssignment['state'],
  assigned: Assigned,
  revoking: Assigned,
): CurrentAssignment {
  return { epoch, previousEpoch: from.epoch, state, assigned, revoking };
}

function heldByOthers({ group }: ConsumerStep, memberId: string): Map<string, Set<number>> {
  const held = new Map<string, Set<number>>();
  for (const other of group.members.values()) {
    if (other.memberId === memberId) continue;
    for (const holding of [other.current.assigned, other.current.revoking]) {
      for (const [topicId, partitions] of holding) {
        const some = held.get(topicId) ?? new Set();
        for (const partition of partitions.keys()) some.add(partition);
        held.set(topicId, some);
      }
    }
  }
  return held;
}

function sameCurrent(a: CurrentAssignment, b: CurrentAssignment): boolean {
  return (
    a === b ||
    (a.epoch === b.epoch &&
      a.state === b.state &&
      sameAssigned(a.assigned, b.assigned, true) &&
      sameAssigned(a.revoking, b.revoking, true))
  );
}

/** Whether anything of the member's target is still held by another. */
export function waitsForOthers(at: ConsumerStep, { memberId }: ConsumerMember): boolean {
  const held = heldByOthers(at, memberId);
  for (const [topicId, partitions] of at.group.target.get(memberId) ?? NO_PARTITIONS) {
    for (const partition of partitions) if (held.get(topicId)?.has(partition)) return true;
  }
  return false;
}
