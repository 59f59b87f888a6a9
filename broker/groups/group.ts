/**
 * The classic consumer group as a pure state machine: `step(group, event, now)` gives the next state and what
 * is to be done. It owns no clock, no timer and no disk; the coordinator applies the effects and feeds back
 * what became of them.
 *
 *               join                      all joined, or time is up
 *     Empty ──────────▶ PreparingRebalance ──────────────────────▶ CompletingRebalance
 *       ▲                 │        ▲  ▲                              │      │ leader's assignment stored
 *       │ nobody joined   │        │  └──── join, leave, expiry ─────┘      ▼
 *       └─────────────────┘        └──────── join, leave, expiry ──────── Stable
 *
 * What a coordinator decides is a record first: an assignment reaches the members only after `stored`.
 */
import type { Token } from '../state/parked-requests.ts';
import { CODE } from '../wire/errors.ts';
import type { GroupValue } from './group-value.ts';
import { onJoin } from './join.ts';
import { isExpired, type Member, type Protocol, sessionEndMs } from './member.ts';
import { onHeartbeat, onLeave } from './membership.ts';
import { completeJoin, maybeCompleteJoin, prepareRebalance, removeMember } from './rebalance.ts';
import { onStored, onSync } from './sync.ts';

export type Phase = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable';

export interface Group {
  readonly type: 'classic';
  readonly groupId: string;
  readonly phase: Phase;
  readonly generation: number;
  readonly protocolType: string | null;
  readonly protocol: string | null;
  readonly leaderId: string | null;
  readonly members: ReadonlyMap<string, Member>;
  /** Member ids handed out with MEMBER_ID_REQUIRED and not used yet, with the end of their wait. */
  readonly pending: ReadonlyMap<string, number>;
  /** End of the join phase, undefined outside PreparingRebalance. */
  readonly joinDeadlineMs: number | undefined;
  /** First rebalance of an empty group: it waits for more members up to this time, in steps. */
  readonly initialDelay: { readonly untilMs: number; readonly newcomer: boolean } | undefined;
  /** Members that have not synced in this generation, and when they are given up. */
  readonly unsynced: ReadonlySet<string>;
  readonly syncDeadlineMs: number | undefined;
  /** Records on their way to the disk. */
  readonly storing: ReadonlyMap<number, Storing>;
  readonly nextTicket: number;
}

export type Storing =
  | {
      readonly kind: 'assignment';
      readonly generation: number;
      readonly assignments: ReadonlyMap<string, Uint8Array>;
    }
  | { readonly kind: 'static-join'; readonly to: Token; readonly answer: JoinAnswer }
  | { readonly kind: 'empty' };

export interface GroupSettings {
  readonly initialRebalanceDelayMs: number;
  readonly groupMaxSize: number;
}

export interface JoinEvent {
  readonly kind: 'join';
  readonly to: Token;
  /** Empty when the client has none yet. */
  readonly memberId: string;
  /** The id for a member that comes without one: random, so it is the owner's. */
  readonly freshMemberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  readonly protocols: readonly Protocol[];
  /** JoinGroup v4+: a dynamic member must come back with the id it was given. */
  readonly memberIdRequired: boolean;
  /** JoinGroup v9+: a static leader may be told to skip the assignment. */
  readonly canSkipAssignment: boolean;
}

export interface SyncEvent {
  readonly kind: 'sync';
  readonly to: Token;
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
  /** Null before v5. */
  readonly protocolType: string | null;
  readonly protocol: string | null;
  readonly assignments: ReadonlyMap<string, Uint8Array>;
}

export interface HeartbeatEvent {
  readonly kind: 'heartbeat';
  readonly to: Token;
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
}

export interface LeaveEvent {
  readonly kind: 'leave';
  readonly to: Token;
  readonly members: ReadonlyArray<{ memberId: string; instanceId: string | null }>;
}

export type GroupEvent =
  | JoinEvent
  | SyncEvent
  | HeartbeatEvent
  | LeaveEvent
  /** A commit of this member was accepted: it is alive. */
  | { readonly kind: 'seen'; readonly memberId: string }
  /** A `store` effect ended; code 0 when durable. */
  | { readonly kind: 'stored'; readonly ticket: number; readonly errorCode: number }
  /** Time passed: see `nextDeadlineMs`. */
  | { readonly kind: 'tick' }
  /** The broker stops, or the group is no longer a classic one: parked requests are answered with this. */
  | { readonly kind: 'stop'; readonly errorCode: number };

export interface JoinAnswer {
  readonly api: 'join';
  readonly errorCode: number;
  readonly generation: number;
  readonly protocolType: string | null;
  readonly protocol: string | null;
  readonly leaderId: string;
  readonly memberId: string;
  readonly skipAssignment: boolean;
  readonly members: ReadonlyArray<{ memberId: string; instanceId: string | null; metadata: Uint8Array }>;
}

export interface SyncAnswer {
  readonly api: 'sync';
  readonly errorCode: number;
  readonly protocolType: string | null;
  readonly protocol: string | null;
  readonly assignment: Uint8Array;
}

export type Answer =
  | JoinAnswer
  | SyncAnswer
  | { readonly api: 'heartbeat'; readonly errorCode: number }
  | { readonly api: 'leave'; readonly errorCodes: readonly number[] };

export type Effect =
  | { readonly kind: 'answer'; readonly to: Token; readonly answer: Answer }
  /** Write this group record; then step with `stored` and the same ticket. */
  | { readonly kind: 'store'; readonly ticket: number; readonly value: GroupValue }
  | { readonly kind: 'log'; readonly message: string };

/** A step in progress: `group` is a copy that the transitions may change. */
export interface Step {
  readonly group: Draft;
  readonly effects: Effect[];
  readonly now: number;
  readonly settings: GroupSettings;
}

export type Draft = {
  -readonly [K in keyof Group]: Group[K] extends ReadonlyMap<infer Key, infer Value>
    ? Map<Key, Value>
    : Group[K] extends ReadonlySet<infer Item>
      ? Set<Item>
      : Group[K];
};

export function emptyGroup(groupId: string): Group {
  return {
    type: 'classic',
    groupId,
    phase: 'Empty',
    generation: 0,
    protocolType: null,
    protocol: null,
    leaderId: null,
    members: new Map(),
    pending: new Map(),
    joinDeadlineMs: undefined,
    initialDelay: undefined,
    unsynced: new Set(),
    syncDeadlineMs: undefined,
    storing: new Map(),
    nextTicket: 1,
  };
}

/** Leaves `group` as it is. */
export function step(
  group: Group,
  event: GroupEvent,
  now: number,
  settings: GroupSettings,
): { group: Group; effects: Effect[] } {
  const at: Step = { group: draftOf(group), effects: [], now, settings };
  switch (event.kind) {
    case 'join':
      onJoin(at, event);
      break;
    case 'sync':
      onSync(at, event);
      break;
    case 'heartbeat':
      onHeartbeat(at, event);
      break;
    case 'leave':
      onLeave(at, event);
      break;
    case 'seen':
      touch(at, event.memberId);
      break;
    case 'stored':
      onStored(at, event);
      break;
    case 'tick':
      onTick(at);
      break;
    case 'stop':
      onStop(at, event.errorCode);
      break;
  }
  return { group: at.group, effects: at.effects };
}

/** The group with its join phase opened, for a reason that is no request. */
export function rebalanced(group: Group, now: number): Group {
  const settings = { initialRebalanceDelayMs: 0, groupMaxSize: Infinity };
  const at: Step = { group: draftOf(group), effects: [], now, settings };
  prepareRebalance(at);
  return at.group;
}

/** When to step with `tick`; undefined when nothing waits for time. */
export function nextDeadlineMs(group: Group): number | undefined {
  let next = Math.min(group.joinDeadlineMs ?? Infinity, group.syncDeadlineMs ?? Infinity);
  for (const deadlineMs of group.pending.values()) next = Math.min(next, deadlineMs);
  for (const member of group.members.values()) next = Math.min(next, sessionEndMs(member) ?? Infinity);
  return next === Infinity ? undefined : next;
}

function draftOf(group: Group): Draft {
  return {
    ...group,
    members: new Map(group.members),
    pending: new Map(group.pending),
    unsynced: new Set(group.unsynced),
    storing: new Map(group.storing),
  };
}

/** Starts the member's session anew. */
export function touch(at: Step, memberId: string): void {
  const member = at.group.members.get(memberId);
  if (!member) return;
  at.group.members.set(memberId, { ...member, sessionDeadlineMs: at.now + member.sessionTimeoutMs });
}

export function answer(at: Step, to: Token, given: Answer): void {
  at.effects.push({ kind: 'answer', to, answer: given });
}

function onTick(at: Step): void {
  const { group, now } = at;
  for (const [memberId, deadlineMs] of group.pending) {
    if (deadlineMs <= now) group.pending.delete(memberId);
  }
  const expired = [...group.members.values()].filter((member) => isExpired(member, now));
  for (const member of expired) {
    at.effects.push({ kind: 'log', message: `member ${member.memberId} expired` });
    removeMember(at, member, CODE.UNKNOWN_MEMBER_ID);
  }
  if (expired.length > 0) prepareRebalance(at);
  expireSync(at);
  if (group.joinDeadlineMs !== undefined && group.joinDeadlineMs <= now) completeJoin(at);
  else maybeCompleteJoin(at);
}

/** Who joined but never synced holds its partitions without working on them: out, and again. */
function expireSync(at: Step): void {
  const { group } = at;
  if (group.syncDeadlineMs === undefined || group.syncDeadlineMs > at.now) return;
  group.syncDeadlineMs = undefined;
  for (const memberId of group.unsynced) {
    const member = group.members.get(memberId);
    if (member) removeMember(at, member, CODE.UNKNOWN_MEMBER_ID);
  }
  group.unsynced.clear();
  prepareRebalance(at);
}

function onStop(at: Step, errorCode: number): void {
  for (const member of at.group.members.values()) {
    if (member.joining !== undefined) {
      answer(at, member.joining, failedJoin(errorCode, member.memberId));
    }
    if (member.syncing !== undefined) {
      answer(at, member.syncing, failedSync(errorCode));
    }
    at.group.members.set(member.memberId, { ...member, joining: undefined, syncing: undefined });
  }
}

export function failedJoin(errorCode: number, memberId: string): JoinAnswer {
  return {
    api: 'join',
    errorCode,
    generation: -1,
    protocolType: null,
    protocol: null,
    leaderId: '',
    memberId,
    skipAssignment: false,
    members: [],
  };
}

export function failedSync(errorCode: number): SyncAnswer {
  return { api: 'sync', errorCode, protocolType: null, protocol: null, assignment: Buffer.alloc(0) };
}
