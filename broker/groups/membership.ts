/** Who is a member, and who stays one: Heartbeat and LeaveGroup, and the check that every request makes. */
import { CODE } from '../wire/errors.ts';
import { answer, type Group, type HeartbeatEvent, type LeaveEvent, type Step, touch } from './group.ts';
import type { Member } from './member.ts';
import { maybeCompleteJoin, prepareRebalance, removeMember } from './rebalance.ts';

export function staticMember(group: Group, instanceId: string): Member | undefined {
  for (const member of group.members.values()) if (member.instanceId === instanceId) return member;
  return undefined;
}

/** The error code when this is no member, undefined when it is one. */
export function checkMember(group: Group, memberId: string, instanceId: string | null): number | undefined {
  if (instanceId !== null) {
    const holder = staticMember(group, instanceId);
    if (!holder) return CODE.UNKNOWN_MEMBER_ID;
    if (holder.memberId !== memberId) return CODE.FENCED_INSTANCE_ID;
  }
  return group.members.has(memberId) ? undefined : CODE.UNKNOWN_MEMBER_ID;
}

export function onHeartbeat(at: Step, event: HeartbeatEvent): void {
  const { group } = at;
  const reply = (errorCode: number): void => answer(at, event.to, { api: 'heartbeat', errorCode });
  const unknown = checkMember(group, event.memberId, event.instanceId);
  if (unknown !== undefined) return reply(unknown);
  if (event.generation !== group.generation) return reply(CODE.ILLEGAL_GENERATION);
  if (group.phase === 'Empty') return reply(CODE.UNKNOWN_MEMBER_ID);
  touch(at, event.memberId);
  // While the leader computes the assignment there is nothing to rejoin for.
  reply(group.phase === 'PreparingRebalance' ? CODE.REBALANCE_IN_PROGRESS : CODE.NONE);
}

export function onLeave(at: Step, event: LeaveEvent): void {
  const { group } = at;
  const before = group.members.size;
  const errorCodes = event.members.map(({ memberId, instanceId }) => {
    if (instanceId === null && group.pending.delete(memberId)) return CODE.NONE;
    const holder = instanceId === null ? group.members.get(memberId) : staticMember(group, instanceId);
    if (!holder) return CODE.UNKNOWN_MEMBER_ID;
    // By instance alone is how an administrator removes a static member.
    if (memberId !== '' && holder.memberId !== memberId) return CODE.FENCED_INSTANCE_ID;
    at.effects.push({ kind: 'log', message: `member ${holder.memberId} left` });
    removeMember(at, holder, CODE.UNKNOWN_MEMBER_ID);
    return CODE.NONE;
  });
  answer(at, event.to, { api: 'leave', errorCodes });
  if (group.members.size < before) prepareRebalance(at);
  else maybeCompleteJoin(at);
}
