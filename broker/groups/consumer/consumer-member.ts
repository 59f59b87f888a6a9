/** One member of a KIP-848 group. Immutable: a change is a new object in the group's map. */
import type { Protocol } from '../member.ts';
import { type Assigned, NONE_ASSIGNED } from './partitions.ts';

export interface ConsumerMember {
  readonly memberId: string;
  /** What it says of itself: one record. The object stays the same while nothing changes. */
  readonly about: MemberAbout;
  /** What it has: one record. The object stays the same while nothing changes. */
  readonly current: CurrentAssignment;
  /** When it is taken for dead. */
  readonly sessionDeadlineMs: number;
  /** Until when it has to give up what it was asked to; undefined when nothing is asked. */
  readonly revokeDeadlineMs: number | undefined;
  /** A classic member that was told to join, or has joined and has to sync. */
  readonly joinDeadlineMs: number | undefined;
  readonly syncDeadlineMs: number | undefined;
}

export interface MemberAbout {
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** Sorted, each once. */
  readonly topics: readonly string[];
  /** Null and empty: none. */
  readonly regex: string | null;
  readonly rebalanceTimeoutMs: number;
  readonly assignor: string | null;
  /** Of a member that speaks the classic protocol. */
  readonly classic: ClassicAbout | null;
}

export interface ClassicAbout {
  readonly sessionTimeoutMs: number;
  readonly protocols: readonly Protocol[];
}

/**
 * stable: has its target. unrevoked: has to give partitions up first, and stays in its epoch until it says that it
 * has. unreleased: is in the new epoch and waits for partitions that others still hold.
 */
export type MemberState = 'stable' | 'unrevoked' | 'unreleased';

export interface CurrentAssignment {
  readonly epoch: number;
  /** The answer that raised the epoch may be lost: the one before is taken for a while. */
  readonly previousEpoch: number;
  readonly state: MemberState;
  readonly assigned: Assigned;
  /** Asked back, and not given up yet. */
  readonly revoking: Assigned;
}

/** Static members that will be back are kept under this epoch. */
export const AWAY_EPOCH = -2;
export const LEAVING_EPOCH = -1;

export const JOINING: CurrentAssignment = {
  epoch: 0,
  previousEpoch: 0,
  state: 'stable',
  assigned: NONE_ASSIGNED,
  revoking: NONE_ASSIGNED,
};

export const NOTHING_SAID: MemberAbout = {
  instanceId: null,
  rackId: null,
  clientId: '',
  clientHost: '',
  topics: [],
  regex: null,
  rebalanceTimeoutMs: -1,
  assignor: null,
  classic: null,
};

export function newMember(memberId: string): ConsumerMember {
  return {
    memberId,
    about: NOTHING_SAID,
    current: JOINING,
    sessionDeadlineMs: Infinity,
    revokeDeadlineMs: undefined,
    joinDeadlineMs: undefined,
    syncDeadlineMs: undefined,
  };
}

/** The earliest of what it is given up for. */
export function memberDeadlineMs(member: ConsumerMember): number {
  const { sessionDeadlineMs, revokeDeadlineMs, joinDeadlineMs, syncDeadlineMs } = member;
  return Math.min(
    sessionDeadlineMs,
    revokeDeadlineMs ?? Infinity,
    joinDeadlineMs ?? Infinity,
    syncDeadlineMs ?? Infinity,
  );
}

/** The same object when it says the same. */
export function updatedAbout(before: MemberAbout, after: MemberAbout): MemberAbout {
  const same =
    before.instanceId === after.instanceId &&
    before.rackId === after.rackId &&
    before.clientId === after.clientId &&
    before.clientHost === after.clientHost &&
    before.regex === after.regex &&
    before.rebalanceTimeoutMs === after.rebalanceTimeoutMs &&
    before.assignor === after.assignor &&
    sameList(before.topics, after.topics) &&
    sameClassic(before.classic, after.classic);
  return same ? before : after;
}

export function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}

function sameClassic(a: ClassicAbout | null, b: ClassicAbout | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.sessionTimeoutMs === b.sessionTimeoutMs &&
    a.protocols.length === b.protocols.length &&
    a.protocols.every(
      ({ name, metadata }, index) =>
        name === b.protocols[index]!.name && Buffer.compare(metadata, b.protocols[index]!.metadata) === 0,
    )
  );
}
