/** JoinGroup: new members, members that come back, and static members under a new id. */
import { CODE } from '../wire/errors.ts';
import { groupValueOf } from './group-value.ts';
import { answer, failedJoin, type JoinEvent, type Step } from './group.ts';
import { hasProtocols, type Member, NEW_MEMBER_JOIN_TIMEOUT_MS, NO_ASSIGNMENT } from './member.ts';
import { staticMember } from './membership.ts';
import {
  commonProtocols,
  joinAnswer,
  maybeCompleteJoin,
  memberList,
  prepareRebalance,
  selectProtocol,
} from './rebalance.ts';

export function onJoin(at: Step, event: JoinEvent): void {
  const { group } = at;
  const refuse = (errorCode: number): void => {
    answer(at, event.to, failedJoin(errorCode, event.memberId));
  };
  if (!fitsProtocols(at, event)) return refuse(CODE.INCONSISTENT_GROUP_PROTOCOL);
  if (event.memberId === '') return joinWithoutId(at, event, refuse);

  if (event.instanceId === null && group.pending.has(event.memberId)) {
    return addMember(at, event, event.memberId, refuse);
  }
  if (event.instanceId !== null) {
    const holder = staticMember(group, event.instanceId);
    if (holder && holder.memberId !== event.memberId) return refuse(CODE.FENCED_INSTANCE_ID);
    if (!holder) return refuse(CODE.UNKNOWN_MEMBER_ID);
  }
  const member = group.members.get(event.memberId);
  if (!member) return refuse(CODE.UNKNOWN_MEMBER_ID);
  rejoin(at, event, member);
}

function joinWithoutId(at: Step, event: JoinEvent, refuse: (errorCode: number) => void): void {
  const { group } = at;
  if (event.instanceId !== null) {
    const holder = staticMember(group, event.instanceId);
    if (holder) replaceStatic(at, event, holder);
    else addMember(at, event, event.freshMemberId, refuse);
  } else if (!event.memberIdRequired) {
    addMember(at, event, event.freshMemberId, refuse);
  } else if (group.members.size + group.pending.size >= at.settings.groupMaxSize) {
    refuse(CODE.GROUP_MAX_SIZE_REACHED);
  } else {
    group.pending.set(event.freshMemberId, at.now + event.sessionTimeoutMs);
    answer(at, event.to, failedJoin(CODE.MEMBER_ID_REQUIRED, event.freshMemberId));
  }
}

function addMember(at: Step, event: JoinEvent, memberId: string, refuse: (errorCode: number) => void): void {
  const { group, now } = at;
  if (group.members.size >= at.settings.groupMaxSize) return refuse(CODE.GROUP_MAX_SIZE_REACHED);
  group.pending.delete(memberId);
  if (group.members.size === 0) group.protocolType = event.protocolType;
  group.leaderId ??= memberId;
  group.members.set(memberId, {
    memberId,
    instanceId: event.instanceId,
    clientId: event.clientId,
    clientHost: event.clientHost,
    sessionTimeoutMs: event.sessionTimeoutMs,
    rebalanceTimeoutMs: event.rebalanceTimeoutMs,
    protocols: event.protocols,
    assignment: NO_ASSIGNMENT,
    sessionDeadlineMs: now + NEW_MEMBER_JOIN_TIMEOUT_MS,
    joining: event.to,
    syncing: undefined,
    isNew: true,
  });
  if (group.initialDelay) group.initialDelay = { ...group.initialDelay, newcomer: true };
  prepareRebalance(at);
}

function rejoin(at: Step, event: JoinEvent, member: Member): void {
  const { group } = at;
  const same = hasProtocols(member, event.protocols);
  const changes =
    group.phase === 'PreparingRebalance' ||
    !same ||
    (group.phase === 'Stable' && group.leaderId === member.memberId);
  if (changes) {
    park(at, event, member);
    prepareRebalance(at);
    return;
  }
  // The answer to the first JoinGroup was lost, or a follower asks for nothing new.
  const alive = { ...member, sessionDeadlineMs: at.now + member.sessionTimeoutMs };
  group.members.set(member.memberId, alive);
  answer(at, event.to, joinAnswer(group, alive));
}

/** The member waits in the join phase, with what it says of itself now. */
function park(at: Step, event: JoinEvent, member: Member): void {
  if (member.joining !== undefined) {
    answer(at, member.joining, failedJoin(CODE.REBALANCE_IN_PROGRESS, member.memberId));
  }
  at.group.members.set(member.memberId, {
    ...member,
    clientId: event.clientId,
    clientHost: event.clientHost,
    sessionTimeoutMs: event.sessionTimeoutMs,
    rebalanceTimeoutMs: event.rebalanceTimeoutMs,
    protocols: event.protocols,
    sessionDeadlineMs: member.isNew ? member.sessionDeadlineMs : at.now + event.sessionTimeoutMs,
    joining: event.to,
  });
}

/** KIP-345: the instance restarted. It takes over place and assignment; its old id is fenced from now on. */
function replaceStatic(at: Step, event: JoinEvent, old: Member): void {
  const { group, now } = at;
  const formerLeaderId = group.leaderId ?? '';
  if (old.joining !== undefined) {
    answer(at, old.joining, failedJoin(CODE.FENCED_INSTANCE_ID, old.memberId));
  }
  if (old.syncing !== undefined) {
    answer(at, old.syncing, {
      api: 'sync',
      errorCode: CODE.FENCED_INSTANCE_ID,
      protocolType: null,
      protocol: null,
      assignment: NO_ASSIGNMENT,
    });
  }
  const memberId = event.freshMemberId;
  const member: Member = {
    ...old,
    memberId,
    clientId: event.clientId,
    clientHost: event.clientHost,
    sessionTimeoutMs: event.sessionTimeoutMs,
    rebalanceTimeoutMs: event.rebalanceTimeoutMs,
    protocols: event.protocols,
    sessionDeadlineMs: now + event.sessionTimeoutMs,
    joining: undefined,
    syncing: undefined,
  };
  replaceInOrder(group.members, old.memberId, member);
  if (group.unsynced.delete(old.memberId)) group.unsynced.add(memberId);
  if (group.leaderId === old.memberId) group.leaderId = memberId;

  if (group.phase !== 'Stable' || selectProtocol(group) !== group.protocol) {
    group.members.set(memberId, { ...member, joining: event.to });
    prepareRebalance(at);
    maybeCompleteJoin(at);
    return;
  }
  const isLeader = group.leaderId === memberId;
  const ticket = group.nextTicket++;
  group.storing.set(ticket, {
    kind: 'static-join',
    to: event.to,
    answer: {
      ...joinAnswer(group, member),
      // An older client that leads would compute an assignment; it is told of a leader that it is not.
      leaderId: event.canSkipAssignment ? (group.leaderId ?? '') : formerLeaderId,
      members: isLeader && event.canSkipAssignment ? memberList(group) : [],
      skipAssignment: isLeader && event.canSkipAssignment,
    },
  });
  at.effects.push({ kind: 'store', ticket, value: groupValueOf(group) });
}

function fitsProtocols(at: Step, event: JoinEvent): boolean {
  const { group } = at;
  if (event.protocolType === '' || event.protocols.length === 0) return false;
  if (group.members.size === 0) return true;
  if (group.protocolType !== event.protocolType) return false;
  // A lone member may change all it supports; others must keep something in common with the rest.
  const others = new Map(group.members);
  const own =
    event.memberId === '' && event.instanceId !== null
      ? staticMember(group, event.instanceId)?.memberId
      : event.memberId;
  if (own !== undefined) others.delete(own);
  if (others.size === 0) return true;
  const common = commonProtocols({ ...group, members: others });
  return event.protocols.some(({ name }) => common.has(name));
}

/** Keeps the member's position in the map: the list that the leader sees stays in the order of joining. */
function replaceInOrder(members: Map<string, Member>, oldId: string, member: Member): void {
  const entries = [...members];
  members.clear();
  for (const [id, one] of entries) {
    if (id === oldId) members.set(member.memberId, member);
    else members.set(id, one);
  }
}
