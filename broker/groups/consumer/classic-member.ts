/**
 * Members that still speak the classic protocol inside a KIP-848 group. None of them leads: JoinGroup reconciles the
 * member and SyncGroup hands over what it got. Heartbeat tells it to join again whenever there is more to do.
 */
import { CODE } from '../../wire/errors.ts';
import { type NamedPartitions, readSubscription, writeAssignment } from '../consumer-protocol.ts';
import { failedJoin, failedSync, type JoinAnswer, type SyncAnswer } from '../group.ts';
import type {
  ClassicHeartbeat,
  ClassicJoin,
  ClassicLeave,
  ClassicSync,
  ConsumerAnswer,
} from './consumer-events.ts';
import {
  consumerPhase,
  type ConsumerStep,
  GroupRefusal,
  memberOrRefuse,
  staticMemberOf,
  touch,
} from './consumer-group.ts';
import { type ConsumerMember, newMember, sameList, updatedAbout } from './consumer-member.ts';
import { downgradeIfClassic, fence } from './fence.ts';
import { checkRoom, replaceStatic } from './heartbeat.ts';
import { type Assigned, type Partitions } from './partitions.ts';
import { reconcile, waitsForOthers } from './reconcile.ts';
import { refreshRegexes } from './subscription.ts';
import { bumpEpoch, updateTarget } from './target.ts';
import type { TopicImage } from './topic-image.ts';

const PROTOCOL_TYPE = 'consumer';

export function onClassicJoin(at: ConsumerStep, event: ClassicJoin): JoinAnswer {
  const { group, world } = at;
  checkRoom(at, event.memberId);
  const subscription = event.protocols[0] && readSubscription(event.protocols[0].metadata);
  if (!subscription || !fitsProtocols(at, event)) {
    throw new GroupRefusal(
      CODE.INCONSISTENT_GROUP_PROTOCOL,
      `Member ${event.memberId}'s protocols are not supported.`,
    );
  }
  const memberId = event.memberId === '' ? event.freshMemberId : event.memberId;
  if (event.memberId === '' && event.instanceId === null && event.memberIdRequired) {
    return failedJoin(CODE.MEMBER_ID_REQUIRED, memberId);
  }
  const { member: before, replaced } = findOrAdd(at, event, memberId);
  const about = updatedAbout(before.about, {
    instanceId: event.instanceId ?? before.about.instanceId,
    rackId: subscription.rackId ?? before.about.rackId,
    clientId: event.clientId,
    clientHost: event.clientHost,
    topics: [...new Set(subscription.topics)].toSorted(),
    regex: null,
    rebalanceTimeoutMs: event.rebalanceTimeoutMs,
    assignor: before.about.assignor,
    classic: { sessionTimeoutMs: event.sessionTimeoutMs, protocols: event.protocols },
  });
  const resubscribed = (before.about.regex ?? '') !== '' || !sameList(about.topics, before.about.topics);
  group.members.set(memberId, {
    ...before,
    about,
    revokeDeadlineMs: undefined,
    joinDeadlineMs: undefined,
    // Clients send a rebalance timeout of 0; taken literally nobody could sync in time.
    syncDeadlineMs: at.now + Math.max(event.rebalanceTimeoutMs, event.sessionTimeoutMs),
  });
  const resolved = refreshRegexes(at, event.maySee);
  bumpEpoch(at, group.epoch === 0 || resubscribed || resolved);
  updateTarget(at);
  const { current } = reconcile(at, memberId, partitionsOf(subscription.owned, world.topics), resubscribed);
  touch(at, memberId);
  if (replaced) downgradeIfClassic(at, resubscribed || consumerPhase(group) !== 'Stable');
  return {
    api: 'join',
    errorCode: CODE.NONE,
    generation: current.epoch,
    protocolType: PROTOCOL_TYPE,
    protocol: event.protocols[0]!.name,
    leaderId: '',
    memberId,
    skipAssignment: false,
    members: [],
  };
}

export function onClassicSync(at: ConsumerStep, event: ClassicSync): SyncAnswer {
  const { group, world } = at;
  const { memberId, protocolType, protocol } = event;
  const member = classicOrRefuse(at, memberId, event.instanceId);
  checkGeneration(member, event.generation);
  const own = member.about.classic!.protocols[0]!;
  if (
    (protocolType !== null && protocolType !== PROTOCOL_TYPE) ||
    (protocol !== null && protocol !== own.name)
  ) {
    throw new GroupRefusal(
      CODE.INCONSISTENT_GROUP_PROTOCOL,
      `The protocol ${protocolType}/${protocol} of member ${memberId} is not that of its JoinGroup.`,
    );
  }
  if (group.epoch > member.current.epoch && member.current.state !== 'unrevoked') {
    expectJoin(at, member);
    return failedSync(CODE.REBALANCE_IN_PROGRESS);
  }
  group.members.set(memberId, { ...member, syncDeadlineMs: undefined });
  touch(at, memberId);
  return {
    api: 'sync',
    errorCode: CODE.NONE,
    protocolType: PROTOCOL_TYPE,
    protocol: own.name,
    assignment: assignmentBytes(member, world.topics),
  };
}

export function onClassicHeartbeat(at: ConsumerStep, event: ClassicHeartbeat): ConsumerAnswer {
  const { group } = at;
  const member = classicOrRefuse(at, event.memberId, event.instanceId);
  checkGeneration(member, event.generation);
  touch(at, event.memberId);
  const { current } = member;
  const isBehind =
    current.epoch < group.epoch ||
    current.state === 'unrevoked' ||
    (current.state === 'unreleased' && !waitsForOthers(at, member));
  if (!isBehind) return { api: 'heartbeat', errorCode: CODE.NONE };
  expectJoin(at, group.members.get(event.memberId)!);
  return { api: 'heartbeat', errorCode: CODE.REBALANCE_IN_PROGRESS };
}

/** LeaveGroup; an administrator names static members by their instance alone, of whatever protocol. */
export function onClassicLeave(at: ConsumerStep, event: ClassicLeave): ConsumerAnswer {
  const { group } = at;
  const leaving = new Map<string, ConsumerMember>();
  const errorCodes = event.members.map(({ memberId, instanceId }) => {
    const member = instanceId === null ? group.members.get(memberId) : staticMemberOf(group, instanceId);
    if (!member) return CODE.UNKNOWN_MEMBER_ID;
    const byInstance = instanceId !== null && memberId === '';
    if (!byInstance && member.memberId !== memberId) return CODE.FENCED_INSTANCE_ID;
    if (!byInstance && member.about.classic === null) return CODE.UNKNOWN_MEMBER_ID;
    leaving.set(member.memberId, member);
    at.notes.push(`member ${member.memberId} left`);
    return CODE.NONE;
  });
  if (leaving.size > 0) fence(at, [...leaving.values()]);
  return { api: 'leave', errorCodes };
}

/** What SyncGroup hands over. */
export function assignmentBytes({ about, current }: ConsumerMember, topics: TopicImage): Buffer {
  const version = readSubscription(about.classic!.protocols[0]!.metadata)?.version ?? 0;
  return writeAssignment(version, namesOf(current.assigned, topics));
}

export function partitionsOf(named: readonly NamedPartitions[], topics: TopicImage): Partitions {
  const partitions = new Map<string, Set<number>>();
  for (const { topic, partitions: some } of named) {
    const id = topics.byName(topic)?.id;
    if (id !== undefined && some.length > 0) {
      partitions.set(id, new Set([...(partitions.get(id) ?? []), ...some]));
    }
  }
  return partitions;
}

function namesOf(assigned: Assigned, topics: TopicImage): NamedPartitions[] {
  const named: NamedPartitions[] = [];
  for (const [topicId, partitions] of assigned) {
    const topic = topics.byId(topicId)?.name;
    if (topic !== undefined) named.push({ topic, partitions: [...partitions.keys()] });
  }
  return named;
}

function findOrAdd(
  at: ConsumerStep,
  event: ClassicJoin,
  memberId: string,
): { member: ConsumerMember; replaced: boolean } {
  const { group } = at;
  if (event.instanceId === null) {
    const known = group.members.get(memberId);
    if (!known) at.notes.push(`classic member ${memberId} joined`);
    return { member: known ?? newMember(memberId), replaced: false };
  }
  const holder = staticMemberOf(group, event.instanceId);
  if (event.memberId !== '') {
    return { member: classicStaticOrRefuse(holder, memberId, event.instanceId), replaced: false };
  }
  if (!holder) return { member: newMember(memberId), replaced: false };
  return { member: replaceStatic(at, holder, memberId), replaced: holder.about.classic === null };
}

function fitsProtocols({ group }: ConsumerStep, event: ClassicJoin): boolean {
  if (event.protocolType !== PROTOCOL_TYPE || event.protocols.length === 0) return false;
  let common = new Set(event.protocols.map(({ name }) => name));
  for (const { memberId, about } of group.members.values()) {
    if (about.classic === null || memberId === event.memberId) continue;
    const own = new Set(about.classic.protocols.map(({ name }) => name));
    common = new Set([...common].filter((name) => own.has(name)));
  }
  return common.size > 0;
}

/** @throws GroupRefusal */
function classicOrRefuse(at: ConsumerStep, memberId: string, instanceId: string | null): ConsumerMember {
  const member =
    instanceId === null
      ? memberOrRefuse(at, memberId)
      : classicStaticOrRefuse(staticMemberOf(at.group, instanceId), memberId, instanceId);
  if (member.about.classic !== null) return member;
  throw new GroupRefusal(CODE.UNKNOWN_MEMBER_ID, `Member ${memberId} does not use the classic protocol.`);
}

function classicStaticOrRefuse(
  holder: ConsumerMember | undefined,
  memberId: string,
  instanceId: string,
): ConsumerMember {
  if (!holder) throw new GroupRefusal(CODE.UNKNOWN_MEMBER_ID, `Instance id ${instanceId} is unknown.`);
  if (holder.memberId === memberId) return holder;
  throw new GroupRefusal(
    CODE.FENCED_INSTANCE_ID,
    `Static member ${memberId} with instance id ${instanceId} was fenced by member ${holder.memberId}.`,
  );
}

function checkGeneration({ memberId, current }: ConsumerMember, generation: number): void {
  if (generation === current.epoch) return;
  throw new GroupRefusal(
    CODE.ILLEGAL_GENERATION,
    `The generation ${generation} is not the epoch ${current.epoch} of member ${memberId}.`,
  );
}

/** It was told to join again: it has its rebalance timeout for that. */
function expectJoin(at: ConsumerStep, member: ConsumerMember): void {
  const { rebalanceTimeoutMs, classic } = member.about;
  at.group.members.set(member.memberId, {
    ...member,
    joinDeadlineMs:
      member.joinDeadlineMs ?? at.now + Math.max(rebalanceTimeoutMs, classic?.sessionTimeoutMs ?? 0),
  });
}
