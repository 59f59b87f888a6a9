/** SyncGroup: the leader's assignment is stored first, then handed to everybody. */
import { CODE } from '../wire/errors.ts';
import { groupValueOf } from './group-value.ts';
import {
  answer,
  type Draft,
  failedJoin,
  failedSync,
  type Step,
  type SyncAnswer,
  type SyncEvent,
} from './group.ts';
import { type Member, NO_ASSIGNMENT } from './member.ts';
import { checkMember } from './membership.ts';
import { prepareRebalance } from './rebalance.ts';

export function onSync(at: Step, event: SyncEvent): void {
  const { group } = at;
  const refusal = refusalOf(group, event);
  if (refusal !== undefined) {
    answer(at, event.to, failedSync(refusal));
    return;
  }
  const member = group.members.get(event.memberId)!;
  const alive = { ...member, sessionDeadlineMs: at.now + member.sessionTimeoutMs };
  group.unsynced.delete(member.memberId);
  if (group.phase === 'Stable') {
    if (group.unsynced.size === 0) group.syncDeadlineMs = undefined;
    group.members.set(member.memberId, alive);
    answer(at, event.to, syncAnswer(group, alive));
    return;
  }
  if (member.syncing !== undefined) {
    answer(at, member.syncing, failedSync(CODE.REBALANCE_IN_PROGRESS));
  }
  group.members.set(member.memberId, { ...alive, syncing: event.to });
  if (group.leaderId === member.memberId) storeAssignment(at, event.assignments);
}

/** A `store` effect has ended. */
export function onStored(at: Step, event: { ticket: number; errorCode: number }): void {
  const { group } = at;
  const stored = group.storing.get(event.ticket);
  group.storing.delete(event.ticket);
  if (stored?.kind === 'static-join') {
    answer(
      at,
      stored.to,
      event.errorCode === CODE.NONE ? stored.answer : failedJoin(event.errorCode, stored.answer.memberId),
    );
  } else if (stored?.kind === 'assignment') {
    // The group may have moved on while the record was on its way.
    if (group.phase !== 'CompletingRebalance' || group.generation !== stored.generation) return;
    if (event.errorCode === CODE.NONE) becomeStable(at, stored.assignments);
    else failAssignment(at, event.errorCode);
  }
}

function refusalOf(group: Draft, event: SyncEvent): number | undefined {
  const unknown = checkMember(group, event.memberId, event.instanceId);
  if (unknown !== undefined) return unknown;
  if (event.generation !== group.generation) return CODE.ILLEGAL_GENERATION;
  if (
    (event.protocolType !== null && event.protocolType !== group.protocolType) ||
    (event.protocol !== null && event.protocol !== group.protocol)
  ) {
    return CODE.INCONSISTENT_GROUP_PROTOCOL;
  }
  if (group.phase === 'Empty') return CODE.UNKNOWN_MEMBER_ID;
  return group.phase === 'PreparingRebalance' ? CODE.REBALANCE_IN_PROGRESS : undefined;
}

function storeAssignment(at: Step, given: ReadonlyMap<string, Uint8Array>): void {
  const { group } = at;
  for (const one of group.storing.values()) {
    if (one.kind === 'assignment' && one.generation === group.generation) return;
  }
  // A member that the leader left out gets empty bytes.
  const assignments = new Map<string, Uint8Array>();
  for (const memberId of group.members.keys()) {
    assignments.set(memberId, given.get(memberId) ?? NO_ASSIGNMENT);
  }
  const ticket = group.nextTicket++;
  group.storing.set(ticket, { kind: 'assignment', generation: group.generation, assignments });
  at.effects.push({ kind: 'store', ticket, value: groupValueOf(group, assignments) });
}

function becomeStable(at: Step, assignments: ReadonlyMap<string, Uint8Array>): void {
  const { group, now } = at;
  group.phase = 'Stable';
  if (group.unsynced.size === 0) group.syncDeadlineMs = undefined;
  for (const member of group.members.values()) {
    const assigned: Member = {
      ...member,
      assignment: assignments.get(member.memberId) ?? NO_ASSIGNMENT,
    };
    group.members.set(member.memberId, assigned);
    if (member.syncing === undefined) continue;
    group.members.set(member.memberId, {
      ...assigned,
      syncing: undefined,
      sessionDeadlineMs: now + member.sessionTimeoutMs,
    });
    answer(at, member.syncing, syncAnswer(group, assigned));
  }
}

/** The disk refused: those who wait hear it, and everybody joins again. */
function failAssignment(at: Step, errorCode: number): void {
  const { group } = at;
  for (const member of group.members.values()) {
    if (member.syncing === undefined) continue;
    answer(at, member.syncing, failedSync(errorCode));
    group.members.set(member.memberId, {
      ...member,
      syncing: undefined,
      sessionDeadlineMs: at.now + member.sessionTimeoutMs,
    });
  }
  prepareRebalance(at);
}

function syncAnswer(group: Draft, member: Member): SyncAnswer {
  return {
    api: 'sync',
    errorCode: CODE.NONE,
    protocolType: group.protocolType,
    protocol: group.protocol,
    assignment: member.assignment,
  };
}
