import type { Group } from './group.ts';
import { type Member, metadataFor } from './member.ts';

/** A group as its record in `__consumer_offsets` holds it, but for the time, which the owner adds. */
export interface GroupValue {
  readonly protocolType: string;
  readonly generation: number;
  readonly protocol: string | null;
  readonly leader: string | null;
  readonly members: readonly MemberValue[];
}

export interface MemberValue {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeout: number;
  readonly sessionTimeout: number;
  readonly subscription: Uint8Array;
  readonly assignment: Uint8Array;
}

/** `assignments` overrides what the members hold: an assignment is written before it is theirs. */
export function groupValueOf(group: Group, assignments?: ReadonlyMap<string, Uint8Array>): GroupValue {
  return {
    protocolType: group.protocolType ?? '',
    generation: group.generation,
    protocol: group.protocol,
    leader: group.leaderId,
    members: [...group.members.values()].map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: metadataFor(member, group.protocol),
      assignment: assignments?.get(member.memberId) ?? member.assignment,
    })),
  };
}

/** The group after a restart; `nowMs` is steady time: its members have one session to show up again. */
export function groupFromValue(base: Group, value: GroupValue, nowMs: number): Group {
  const members = new Map<string, Member>();
  for (const stored of value.members) {
    members.set(stored.memberId, {
      memberId: stored.memberId,
      instanceId: stored.groupInstanceId,
      clientId: stored.clientId,
      clientHost: stored.clientHost,
      sessionTimeoutMs: stored.sessionTimeout,
      rebalanceTimeoutMs: stored.rebalanceTimeout === -1 ? stored.sessionTimeout : stored.rebalanceTimeout,
      protocols: [{ name: value.protocol ?? '', metadata: stored.subscription }],
      assignment: stored.assignment,
      sessionDeadlineMs: nowMs + stored.sessionTimeout,
      joining: undefined,
      syncing: undefined,
      isNew: false,
    });
  }
  return {
    ...base,
    phase: members.size === 0 ? 'Empty' : 'Stable',
    generation: value.generation,
    protocolType: value.protocolType === '' ? null : value.protocolType,
    protocol: value.protocol,
    leaderId: value.leader,
    members,
  };
}
