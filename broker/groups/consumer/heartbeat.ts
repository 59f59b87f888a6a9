/** ConsumerGroupHeartbeat: joining, staying, leaving. */
import { CODE } from '../../wire/errors.ts';
import { ASSIGNORS } from './assignors.ts';
import type { ConsumerHeartbeat, HeartbeatAnswer } from './consumer-events.ts';
import { type ConsumerStep, GroupRefusal, memberOrRefuse, staticMemberOf, touch } from './consumer-group.ts';
import {
  AWAY_EPOCH,
  type ConsumerMember,
  LEAVING_EPOCH,
  newMember,
  sameList,
  updatedAbout,
} from './consumer-member.ts';
import { fence } from './fence.ts';
import { isWithin, NONE_ASSIGNED, type Partitions, sameAssigned } from './partitions.ts';
import { reconcile } from './reconcile.ts';
import { checkRegex, refreshRegexes } from './subscription.ts';
import { bumpEpoch, updateTarget } from './target.ts';

export function onHeartbeat(at: ConsumerStep, event: ConsumerHeartbeat): HeartbeatAnswer {
  if (event.memberEpoch === LEAVING_EPOCH || event.memberEpoch === AWAY_EPOCH) return onLeave(at, event);
  const { group, world } = at;
  checkRoom(at, event.memberId);
  const before = findOrJoin(at, event);
  const { memberId } = before;
  const about = updatedAbout(before.about, {
    instanceId: event.instanceId ?? before.about.instanceId,
    rackId: event.rackId ?? before.about.rackId,
    clientId: event.clientId,
    clientHost: event.clientHost,
    topics: event.topics ? [...new Set(event.topics)].toSorted() : before.about.topics,
    regex: event.regex ?? before.about.regex,
    rebalanceTimeoutMs:
      event.rebalanceTimeoutMs === -1 ? before.about.rebalanceTimeoutMs : event.rebalanceTimeoutMs,
    assignor: event.assignor ?? before.about.assignor,
    classic: null,
  });
  const regexChanged = about.regex !== before.about.regex;
  if (regexChanged && about.regex && !group.regexes.has(about.regex)) checkRegex(about.regex);
  const resubscribed = regexChanged || !sameList(about.topics, before.about.topics);
  group.members.set(memberId, { ...before, about, joinDeadlineMs: undefined, syncDeadlineMs: undefined });

  const resolved = refreshRegexes(at, event.maySee);
  bumpEpoch(at, group.epoch === 0 || resubscribed || resolved);
  updateTarget(at);
  const { current } = reconcile(at, memberId, event.owned, resubscribed);
  touch(at, memberId);

  const isFull =
    event.rebalanceTimeoutMs !== -1 &&
    (event.topics !== null || event.regex !== null) &&
    event.owned !== null;
  const tells =
    event.memberEpoch === 0 || isFull || !sameAssigned(before.current.assigned, current.assigned, false);
  return {
    api: 'consumer-heartbeat',
    memberId,
    memberEpoch: current.epoch,
    heartbeatIntervalMs: world.settings.heartbeatIntervalMs,
    assignment: tells ? current.assigned : null,
  };
}

/** What is wrong with a request, whatever the group. @throws GroupRefusal */
export function checkHeartbeat(event: ConsumerHeartbeat, version: number): void {
  const { memberId, memberEpoch, instanceId, rackId, assignor } = event;
  const refuse = (message: string): never => {
    throw new GroupRefusal(CODE.INVALID_REQUEST, message);
  };
  if (version >= 1 || memberEpoch !== 0) {
    if (memberId.trim() === '') refuse("MemberId can't be empty.");
  }
  if (instanceId !== null && instanceId.trim() === '') refuse("InstanceId can't be empty.");
  if (rackId !== null && rackId.trim() === '') refuse("RackId can't be empty.");
  if (memberEpoch === 0) {
    if (event.rebalanceTimeoutMs === -1) refuse('RebalanceTimeoutMs must be provided in first request.');
    if (event.owned === null || event.owned.size > 0) {
      refuse('TopicPartitions must be empty when (re-)joining.');
    }
    if (event.topics === null && event.regex === null) {
      refuse('Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.');
    }
  } else if (memberEpoch === AWAY_EPOCH) {
    if (instanceId === null) refuse("InstanceId can't be null.");
  } else if (memberEpoch < AWAY_EPOCH) {
    refuse(`MemberEpoch is ${memberEpoch}, want -2 or more.`);
  }
  if (assignor !== null && !ASSIGNORS.has(assignor)) {
    throw new GroupRefusal(
      CODE.UNSUPPORTED_ASSIGNOR,
      `ServerAssignor ${assignor} is not supported. Supported assignors: ${[...ASSIGNORS.keys()].join(', ')}.`,
    );
  }
}

/** @throws GroupRefusal */
export function checkRoom({ group, world }: ConsumerStep, memberId: string): void {
  const { groupMaxSize } = world.settings;
  if (group.members.size < groupMaxSize || group.members.has(memberId)) return;
  throw new GroupRefusal(
    CODE.GROUP_MAX_SIZE_REACHED,
    `The consumer group has reached its maximum capacity of ${groupMaxSize} members.`,
  );
}

/**
 * The instance came back under another id: it takes over what the former one had, from epoch 0.
 * @returns the new member, which is in the group in place of the old
 */
export function replaceStatic(at: ConsumerStep, old: ConsumerMember, memberId: string): ConsumerMember {
  const { group } = at;
  const member: ConsumerMember = {
    ...old,
    memberId,
    current: { ...old.current, epoch: 0, previousEpoch: 0 },
    revokeDeadlineMs: undefined,
  };
  const target = group.target.get(old.memberId);
  group.members.delete(old.memberId);
  group.target.delete(old.memberId);
  group.members.set(memberId, member);
  if (target) group.target.set(memberId, target);
  at.notes.push(`member ${memberId} took the place of ${old.memberId}, both ${old.about.instanceId}`);
  return member;
}

function findOrJoin(at: ConsumerStep, event: ConsumerHeartbeat): ConsumerMember {
  const { group } = at;
  const memberId = event.memberId === '' ? event.freshMemberId : event.memberId;
  const isJoining = event.memberEpoch === 0;
  if (event.instanceId === null) {
    const known = isJoining ? group.members.get(memberId) : memberOrRefuse(at, memberId);
    if (known) checkEpoch(known, event.memberEpoch, event.owned);
    else at.notes.push(`member ${memberId} joined`);
    return known ?? newMember(memberId);
  }
  const holder = staticMemberOf(group, event.instanceId);
  if (isJoining) {
    if (!holder) {
      at.notes.push(`static member ${memberId} joined as ${event.instanceId}`);
      return group.members.get(memberId) ?? newMember(memberId);
    }
    if (holder.about.classic === null && holder.current.epoch !== AWAY_EPOCH) {
      throw new GroupRefusal(
        CODE.UNRELEASED_INSTANCE_ID,
        `Static member ${memberId} with instance id ${event.instanceId} cannot join the group because the instance ` +
          `id is owned by ${holder.memberId} member.`,
      );
    }
    return replaceStatic(at, holder, memberId);
  }
  const member = staticOrRefuse(at, memberId, event.instanceId);
  checkEpoch(member, event.memberEpoch, event.owned);
  return member;
}

/** @throws GroupRefusal */
function staticOrRefuse({ group }: ConsumerStep, memberId: string, instanceId: string): ConsumerMember {
  const holder = staticMemberOf(group, instanceId);
  if (!holder) {
    throw new GroupRefusal(CODE.UNKNOWN_MEMBER_ID, `Instance id ${instanceId} is unknown.`);
  }
  if (holder.memberId !== memberId) {
    throw new GroupRefusal(
      CODE.FENCED_INSTANCE_ID,
      `Static member ${memberId} with instance id ${instanceId} was fenced by member ${holder.memberId}.`,
    );
  }
  return holder;
}

function checkEpoch({ current }: ConsumerMember, epoch: number, owned: Partitions | null): void {
  if (epoch === 0 || epoch === current.epoch) return;
  // The answer with the higher epoch may have been lost.
  const isRetry = epoch === current.previousEpoch && owned !== null && isWithin(owned, current.assigned);
  if (epoch < current.epoch && isRetry) return;
  throw new GroupRefusal(
    CODE.FENCED_MEMBER_EPOCH,
    `The consumer group member has a ${epoch > current.epoch ? 'greater' : 'smaller'} member epoch (${epoch}) than ` +
      `the one known by the group coordinator (${current.epoch}). The member must abandon all its partitions and ` +
      'rejoin.',
  );
}

function onLeave(at: ConsumerStep, event: ConsumerHeartbeat): HeartbeatAnswer {
  const { memberId, memberEpoch, instanceId } = event;
  const member =
    instanceId === null ? memberOrRefuse(at, memberId) : staticOrRefuse(at, memberId, instanceId);
  if (memberEpoch === AWAY_EPOCH && instanceId !== null) {
    at.notes.push(`static member ${memberId} left for a while`);
    at.group.members.set(memberId, {
      ...member,
      current: { ...member.current, epoch: AWAY_EPOCH, revoking: NONE_ASSIGNED },
      revokeDeadlineMs: undefined,
    });
  } else {
    at.notes.push(`member ${memberId} left`);
    fence(at, [member]);
  }
  return { api: 'consumer-heartbeat', memberId, memberEpoch, heartbeatIntervalMs: 0, assignment: null };
}
