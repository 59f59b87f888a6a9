/** The join phase: who takes part in the next generation. */
import assert from 'node:assert/strict';

import { CODE } from '../wire/errors.ts';
import { groupValueOf } from './group-value.ts';
import { answer, type Draft, failedJoin, failedSync, type JoinAnswer, type Step } from './group.ts';
import { type Member, metadataFor, NO_ASSIGNMENT } from './member.ts';

/** Opens the join phase, unless it is open; ends it at once when nobody is missing. */
export function prepareRebalance(at: Step): void {
  const { group, now, settings } = at;
  if (group.phase === 'PreparingRebalance') {
    maybeCompleteJoin(at);
    return;
  }
  if (group.phase === 'CompletingRebalance') abandonSync(at);
  const wasEmpty = group.phase === 'Empty';
  group.phase = 'PreparingRebalance';
  group.unsynced.clear();
  group.syncDeadlineMs = undefined;
  const rebalanceMs = rebalanceTimeoutMs(group);
  const delayMs = wasEmpty ? settings.initialRebalanceDelayMs : 0;
  if (delayMs > 0) {
    group.initialDelay = { untilMs: now + Math.max(rebalanceMs, delayMs), newcomer: false };
    group.joinDeadlineMs = now + delayMs;
  } else {
    group.joinDeadlineMs = now + rebalanceMs;
    maybeCompleteJoin(at);
  }
}

/** Ends the join phase when every member has joined and every id given out was used. */
export function maybeCompleteJoin(at: Step): void {
  const { group } = at;
  if (group.phase !== 'PreparingRebalance' || group.initialDelay) return;
  if (group.pending.size > 0) return;
  for (const member of group.members.values()) if (member.joining === undefined) return;
  completeJoin(at);
}

/** The join phase is over, by time or because all are here. */
export function completeJoin(at: Step): void {
  const { group, now } = at;
  assert.equal(group.phase, 'PreparingRebalance');
  if (extendInitialDelay(at)) return;
  for (const member of group.members.values()) {
    // A static member may be restarting: it keeps its place until its session ends.
    if (member.joining === undefined && member.instanceId === null) {
      removeMember(at, member, CODE.UNKNOWN_MEMBER_ID);
    }
  }
  if (group.members.size > 0 && !electJoinedLeader(group)) {
    group.joinDeadlineMs = now + rebalanceTimeoutMs(group);
    return;
  }
  group.joinDeadlineMs = undefined;
  group.generation += 1;
  if (group.members.size === 0) becomeEmpty(at);
  else beginSync(at);
}

/** Takes the member out and answers what it has parked; the caller rebalances. */
export function removeMember(at: Step, member: Member, errorCode: number): void {
  const { group } = at;
  group.members.delete(member.memberId);
  group.unsynced.delete(member.memberId);
  if (member.joining !== undefined) answer(at, member.joining, failedJoin(errorCode, member.memberId));
  if (member.syncing !== undefined) answer(at, member.syncing, failedSync(errorCode));
  if (group.leaderId === member.memberId) {
    group.leaderId = group.members.keys().next().value ?? null;
  }
}

/** Protocols that every member supports. */
export function commonProtocols(group: Draft): Set<string> {
  let common: Set<string> | undefined;
  for (const { protocols } of group.members.values()) {
    const own = new Set(protocols.map(({ name }) => name));
    common = common ? new Set([...common].filter((name) => own.has(name))) : own;
  }
  return common ?? new Set();
}

/** Each member votes for its first choice among the common ones. */
export function selectProtocol(group: Draft): string {
  const common = commonProtocols(group);
  assert(common.size > 0, `group ${group.groupId} has no common protocol`);
  const votes = new Map<string, number>();
  for (const { protocols } of group.members.values()) {
    const choice = protocols.find(({ name }) => common.has(name))!.name;
    votes.set(choice, (votes.get(choice) ?? 0) + 1);
  }
  let best = '';
  for (const [name, count] of votes) if (count > (votes.get(best) ?? 0)) best = name;
  return best;
}

export function joinAnswer(group: Draft, member: Member): JoinAnswer {
  const isLeader = group.leaderId === member.memberId;
  return {
    api: 'join',
    errorCode: CODE.NONE,
    generation: group.generation,
    protocolType: group.protocolType,
    protocol: group.protocol,
    leaderId: group.leaderId ?? '',
    memberId: member.memberId,
    skipAssignment: false,
    members: isLeader ? memberList(group) : [],
  };
}

export function memberList(group: Draft): JoinAnswer['members'] {
  return [...group.members.values()].map((member) => ({
    memberId: member.memberId,
    instanceId: member.instanceId,
    metadata: metadataFor(member, group.protocol),
  }));
}

function extendInitialDelay(at: Step): boolean {
  const { group, now, settings } = at;
  const delay = group.initialDelay;
  if (delay?.newcomer && delay.untilMs > now) {
    group.initialDelay = { untilMs: delay.untilMs, newcomer: false };
    group.joinDeadlineMs = Math.min(delay.untilMs, now + settings.initialRebalanceDelayMs);
    return true;
  }
  group.initialDelay = undefined;
  return false;
}

function electJoinedLeader(group: Draft): boolean {
  const leader = group.leaderId === null ? undefined : group.members.get(group.leaderId);
  if (leader?.joining !== undefined) return true;
  for (const member of group.members.values()) {
    if (member.joining === undefined) continue;
    group.leaderId = member.memberId;
    return true;
  }
  return false;
}

function becomeEmpty(at: Step): void {
  const { group } = at;
  group.phase = 'Empty';
  group.protocol = null;
  group.leaderId = null;
  at.effects.push({ kind: 'log', message: `is empty in generation ${group.generation}` });
  const ticket = group.nextTicket++;
  group.storing.set(ticket, { kind: 'empty' });
  at.effects.push({ kind: 'store', ticket, value: groupValueOf(group) });
}

function beginSync(at: Step): void {
  const { group, now } = at;
  group.phase = 'CompletingRebalance';
  group.protocol = selectProtocol(group);
  let waitMs = rebalanceTimeoutMs(group);
  group.unsynced = new Set(group.members.keys());
  for (const member of group.members.values()) {
    // Clients send a rebalance timeout of 0; taken literally nobody could sync in time.
    waitMs = Math.max(waitMs, member.sessionTimeoutMs);
    const { joining } = member;
    if (joining === undefined) continue;
    const joined = {
      ...member,
      joining: undefined,
      isNew: false,
      sessionDeadlineMs: now + member.sessionTimeoutMs,
    };
    group.members.set(member.memberId, joined);
    answer(at, joining, joinAnswer(group, joined));
  }
  group.syncDeadlineMs = now + waitMs;
  at.effects.push({
    kind: 'log',
    message: `has generation ${group.generation} with ${group.members.size} members, protocol ${group.protocol}`,
  });
}

/** A generation that ends before its assignment came: those who wait for it must join again. */
function abandonSync(at: Step): void {
  const { group } = at;
  for (const member of group.members.values()) {
    if (member.syncing !== undefined) {
      answer(at, member.syncing, failedSync(CODE.REBALANCE_IN_PROGRESS));
    }
    group.members.set(member.memberId, {
      ...member,
      syncing: undefined,
      assignment: NO_ASSIGNMENT,
      // A newcomer is parked and cannot beat: it has its own, longer time.
      sessionDeadlineMs: member.isNew ? member.sessionDeadlineMs : at.now + member.sessionTimeoutMs,
    });
  }
}

function rebalanceTimeoutMs(group: Draft): number {
  let longest = 0;
  for (const member of group.members.values()) longest = Math.max(longest, member.rebalanceTimeoutMs);
  return longest;
}
