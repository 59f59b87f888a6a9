/**
 * The group of KIP-848 as a pure state machine: `stepConsumer(group, event, now, world)` gives the next state and the
 * answer. The owner writes what differs between the two as records (`consumer-records.ts`) and answers when they are
 * durable; when the disk refuses, it goes back to the state before.
 *
 *     membership, subscription or topics change ──▶ group epoch + 1        Assigning
 *     next heartbeat of any member              ──▶ new target assignment  Reconciling
 *     each member, at its own heartbeats: gives up what is not its target (and says so by naming what it still owns),
 *     then moves to the target's epoch, gets what is free and waits for what others still hold
 *     all members have their target                                        Stable
 *
 * Members of the classic protocol take part through JoinGroup, SyncGroup, Heartbeat and LeaveGroup
 * (`classic-member.ts`).
 */
import { CODE } from '../../wire/errors.ts';
import { type Group } from '../group.ts';
import { onClassicHeartbeat, onClassicJoin, onClassicLeave, onClassicSync } from './classic-member.ts';
import type { ConsumerAnswer, ConsumerEvent } from './consumer-events.ts';
import { type ConsumerMember, memberDeadlineMs } from './consumer-member.ts';
import { fence } from './fence.ts';
import { onHeartbeat } from './heartbeat.ts';
import type { Partitions } from './partitions.ts';
import type { TopicImage } from './topic-image.ts';

export interface ConsumerGroup {
  readonly type: 'consumer';
  readonly groupId: string;
  /** Rises whenever a new target is due. */
  readonly epoch: number;
  /** Of the topics that the members read: another one means another target. */
  readonly metadataHash: number;
  /** The group epoch that `target` was made for. */
  readonly assignmentEpoch: number;
  /** Wall time, ms. */
  readonly assignedAtMs: number;
  readonly members: ReadonlyMap<string, ConsumerMember>;
  /** What each member shall have. */
  readonly target: ReadonlyMap<string, Partitions>;
  /** The topics that each pattern stands for. */
  readonly regexes: ReadonlyMap<string, ResolvedRegex>;
  /** The state of the topics that hash and patterns were made from; -1: of before a restart. */
  readonly topicsVersion: number;
}

export interface ResolvedRegex {
  /** Sorted. */
  readonly topics: readonly string[];
  readonly version: number;
  readonly timestampMs: number;
}

export interface ConsumerSettings {
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly groupMaxSize: number;
  readonly mayUpgrade: boolean;
  readonly mayDowngrade: boolean;
  /** A larger group stays as it is when it could become a classic one. */
  readonly classicMaxSize: number;
}

/** What the machine may look at. */
export interface World {
  readonly topics: TopicImage;
  /** Wall time, ms. */
  readonly nowMs: number;
  readonly settings: ConsumerSettings;
}

export type ConsumerDraft = {
  -readonly [K in keyof ConsumerGroup]: ConsumerGroup[K] extends ReadonlyMap<infer Key, infer Value>
    ? Map<Key, Value>
    : ConsumerGroup[K];
};

/** A step in progress: `group` is a copy that the transitions may change. */
export interface ConsumerStep {
  readonly group: ConsumerDraft;
  readonly now: number;
  readonly world: World;
  /** What happened, in words. */
  readonly notes: string[];
  /** Set when only classic members are left. */
  downgraded: Group | undefined;
}

export interface Stepped {
  readonly group: ConsumerGroup | Group;
  readonly answer: ConsumerAnswer | undefined;
  readonly notes: readonly string[];
}

/** Thrown by transitions: the request is answered with this, and nothing has changed. */
export class GroupRefusal extends Error {
  override readonly name = 'GroupRefusal';
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export type ConsumerPhase = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable';

export function emptyConsumerGroup(groupId: string): ConsumerGroup {
  return {
    type: 'consumer',
    groupId,
    epoch: 0,
    metadataHash: 0,
    assignmentEpoch: 0,
    assignedAtMs: 0,
    members: new Map(),
    target: new Map(),
    regexes: new Map(),
    topicsVersion: -1,
  };
}

export function consumerPhase(group: ConsumerGroup): ConsumerPhase {
  if (group.members.size === 0) return 'Empty';
  if (group.epoch > group.assignmentEpoch) return 'Assigning';
  for (const { current } of group.members.values()) {
    if (current.state !== 'stable' || current.epoch !== group.assignmentEpoch) return 'Reconciling';
  }
  return 'Stable';
}

/** When to step with `tick`; undefined when nothing waits for time. */
export function consumerDeadlineMs(group: ConsumerGroup): number | undefined {
  let next = Infinity;
  for (const member of group.members.values()) next = Math.min(next, memberDeadlineMs(member));
  return next === Infinity ? undefined : next;
}

/** Leaves `group` as it is. */
export function stepConsumer(group: ConsumerGroup, event: ConsumerEvent, now: number, world: World): Stepped {
  const at: ConsumerStep = {
    group: {
      ...group,
      members: new Map(group.members),
      target: new Map(group.target),
      regexes: new Map(group.regexes),
    },
    now,
    world,
    notes: [],
    downgraded: undefined,
  };
  try {
    const answer = apply(at, event);
    return { group: at.downgraded ?? at.group, answer, notes: at.notes };
  } catch (error) {
    if (!(error instanceof GroupRefusal)) throw error;
    return { group, answer: { api: 'refused', errorCode: error.code, message: error.message }, notes: [] };
  }
}

function apply(at: ConsumerStep, event: ConsumerEvent): ConsumerAnswer | undefined {
  switch (event.kind) {
    case 'heartbeat':
      return onHeartbeat(at, event);
    case 'classic-join':
      return onClassicJoin(at, event);
    case 'classic-sync':
      return onClassicSync(at, event);
    case 'classic-heartbeat':
      return onClassicHeartbeat(at, event);
    case 'classic-leave':
      return onClassicLeave(at, event);
    case 'tick':
      onTick(at);
      return undefined;
  }
}

/** Starts the member's session anew. */
export function touch(at: ConsumerStep, memberId: string): void {
  const member = at.group.members.get(memberId);
  if (!member) return;
  const timeoutMs = member.about.classic?.sessionTimeoutMs ?? at.world.settings.sessionTimeoutMs;
  at.group.members.set(memberId, { ...member, sessionDeadlineMs: at.now + timeoutMs });
}

/** @throws GroupRefusal */
export function memberOrRefuse({ group }: ConsumerStep, memberId: string): ConsumerMember {
  const member = group.members.get(memberId);
  if (member) return member;
  throw new GroupRefusal(
    CODE.UNKNOWN_MEMBER_ID,
    `Member ${memberId} is not a member of group ${group.groupId}.`,
  );
}

export function staticMemberOf(group: ConsumerGroup | ConsumerDraft, instanceId: string) {
  for (const member of group.members.values()) if (member.about.instanceId === instanceId) return member;
  return undefined;
}

function onTick(at: ConsumerStep): void {
  const late = [...at.group.members.values()].filter((member) => memberDeadlineMs(member) <= at.now);
  for (const member of late) at.notes.push(`member ${member.memberId} ${whyLate(member, at.now)}`);
  if (late.length > 0) fence(at, late);
}

function whyLate(member: ConsumerMember, now: number): string {
  if (member.sessionDeadlineMs <= now) return 'expired';
  if ((member.revokeDeadlineMs ?? Infinity) <= now) return 'did not give its partitions up in time';
  return 'did not join or sync in time';
}
