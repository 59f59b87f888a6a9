/**
 * Owns all groups: steps their state machines, applies the effects, keeps one timer a group, and remembers the
 * committed offsets. Everything is a record in `__consumer_offsets` first and true in memory after.
 */
import assert from 'node:assert/strict';

import type { Cancel, Host } from '../host/host.ts';
import type { BrokerLog, PartitionLog } from '../log/log.ts';
import { InternalTopic, OFFSETS_TOPIC } from '../state/internal-topic.ts';
import type { StoredRecord } from '../state/record-batch.ts';
import { CODE } from '../wire/errors.ts';
import { Reader } from '../wire/reader.ts';
import { consumerSubscription } from '../wire/schemas/group-records.ts';
import { WireError } from '../wire/wire-error.ts';
import { type CommittedOffset, CommittedOffsets, expiredOffsets } from './committed-offsets.ts';
import { groupRecord, offsetRecord, readCoordinatorRecord } from './coordinator-records.ts';
import { groupFromValue, groupValueOf, type GroupValue } from './group-value.ts';
import {
  type Answer,
  type Effect,
  emptyGroup,
  type Group,
  type GroupEvent,
  type HeartbeatEvent,
  type JoinAnswer,
  type JoinEvent,
  type LeaveEvent,
  nextDeadlineMs,
  step,
  type SyncAnswer,
  type SyncEvent,
} from './group.ts';
import { metadataFor } from './member.ts';
import { checkMember } from './membership.ts';
import { rewritePartition } from './offsets-rewrite.ts';

export interface CoordinatorConfig {
  readonly groupInitialRebalanceDelayMs: number;
  readonly groupMaxSize: number;
  readonly offsetsRetentionMs: number;
  readonly offsetsTopicPartitions: number;
  /** Size of a partition of `__consumer_offsets` above which it is rewritten. */
  readonly offsetsRewriteBytes: number;
}

/** One group with what belongs to it. */
export interface GroupEntry {
  group: Group;
  readonly offsets: CommittedOffsets;
  /** Wall time of the last change of phase, ms. */
  stateSinceMs: number;
  /** Commits appended and not yet durable, by topic and partition. */
  readonly committing: Map<string, number>;
  /** Has records: its end must be one too. */
  recorded: boolean;
  timer: { readonly atMs: number; readonly cancel: Cancel } | undefined;
}

export interface CommitRequest {
  readonly groupId: string;
  readonly generation: number;
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly offsets: ReadonlyArray<{
    topic: string;
    partition: number;
    offset: number;
    leaderEpoch: number;
    metadata: string;
  }>;
}

const EXPIRY_CHECK_MS = 10 * 60 * 1000;
/** An unchanged position is written again this often within the retention time, so that it counts as used. */
const REFRESHES_IN_RETENTION = 10;
/** Clients ask for rebalance timeouts of 2^31 ms, which a timer takes for none; it fires early and is set anew. */
const TIMER_MAX_MS = 60 * 60 * 1000;
/** Records of one batch when many are written at once (expiry, deletion). */
const RECORDS_PER_BATCH = 1_000;

type EventWithoutToken<E> = E extends { to: number } ? Omit<E, 'to' | 'kind'> : never;

export class GroupCoordinator {
  readonly groups = new Map<string, GroupEntry>();
  readonly topic: InternalTopic;
  private readonly config: CoordinatorConfig;
  private readonly host: Host;
  private readonly rewriting = new Set<PartitionLog>();
  /** Size after the last rewrite, bytes. */
  private readonly rewritten = new Map<PartitionLog, number>();
  private readonly parked = new Map<number, (answer: Answer) => void>();
  private nextToken = 1;
  private stopped = false;
  private cancelExpiry: Cancel = () => {};

  constructor(config: CoordinatorConfig, host: Host, log: BrokerLog) {
    this.config = config;
    this.host = host;
    this.topic = new InternalTopic(log, host, {
      name: OFFSETS_TOPIC,
      partitions: config.offsetsTopicPartitions,
    });
  }

  /** Reads `__consumer_offsets`; groups with members get one session to show up. */
  async start(): Promise<void> {
    const values = new Map<string, GroupValue & { stateSinceMs: number }>();
    await this.topic.replay((stored) => {
      const record = readCoordinatorRecord(stored);
      if (record?.kind === 'offset') {
        const { offsets } = this.entry(record.groupId);
        if (record.value) offsets.set(record.topic, record.partition, record.value);
        else offsets.delete(record.topic, record.partition);
      } else if (record?.kind === 'group') {
        if (record.value) values.set(record.groupId, record.value);
        else values.delete(record.groupId);
      }
    });
    const nowMs = this.host.clock.monotonicMs();
    for (const [groupId, value] of values) {
      const entry = this.entry(groupId);
      entry.group = groupFromValue(entry.group, value, nowMs);
      if (value.stateSinceMs !== -1) entry.stateSinceMs = value.stateSinceMs;
    }
    for (const entry of this.groups.values()) {
      entry.recorded = values.has(entry.group.groupId) || entry.offsets.size > 0;
      this.arm(entry);
      this.dropIfUnused(entry);
    }
    this.cancelExpiry = this.host.timers.every(EXPIRY_CHECK_MS, () => void this.expireOffsets());
  }

  /** Answers everything parked with a retriable code; later requests are refused the same way. */
  stop(): void {
    this.stopped = true;
    this.cancelExpiry();
    for (const entry of this.groups.values()) {
      this.step(entry, { kind: 'stop' });
      entry.timer?.cancel();
      entry.timer = undefined;
    }
  }

  async join(groupId: string, event: EventWithoutToken<JoinEvent>): Promise<JoinAnswer> {
    const answer = await this.request(groupId, { kind: 'join', to: 0, ...event });
    assert(answer.api === 'join');
    return answer;
  }

  /** Undefined when there is no such group, or the coordinator has stopped. */
  async sync(groupId: string, event: EventWithoutToken<SyncEvent>): Promise<SyncAnswer | undefined> {
    if (!this.groups.has(groupId)) return undefined;
    const answer = await this.request(groupId, { kind: 'sync', to: 0, ...event });
    assert(answer.api === 'sync');
    return answer;
  }

  async heartbeat(groupId: string, event: EventWithoutToken<HeartbeatEvent>): Promise<number> {
    if (!this.groups.has(groupId)) return CODE.UNKNOWN_MEMBER_ID;
    const answer = await this.request(groupId, { kind: 'heartbeat', to: 0, ...event });
    assert(answer.api === 'heartbeat');
    return answer.errorCode;
  }

  /** One code a member. */
  async leave(groupId: string, event: EventWithoutToken<LeaveEvent>): Promise<readonly number[]> {
    if (!this.groups.has(groupId)) return event.members.map(() => CODE.UNKNOWN_MEMBER_ID);
    const answer = await this.request(groupId, { kind: 'leave', to: 0, ...event });
    assert(answer.api === 'leave');
    return answer.errorCodes;
  }

  /**
   * Judged and appended in this turn, so that a rebalance that follows cannot be crossed.
   * @returns 0 when durable, else the code for every partition of the request
   */
  async commit(request: CommitRequest): Promise<number> {
    if (this.stopped) return CODE.COORDINATOR_NOT_AVAILABLE;
    const known = this.groups.get(request.groupId);
    const refusal = commitRefusal(known?.group, request);
    if (refusal !== undefined) return refusal;
    const entry = known ?? this.entry(request.groupId);
    if (request.memberId !== '') this.step(entry, { kind: 'seen', memberId: request.memberId });
    const nowMs = this.host.clock.nowMs();
    const changed = request.offsets.filter((one) => this.isWorthARecord(entry, one, nowMs));
    if (changed.length === 0) {
      this.dropIfUnused(entry);
      return CODE.NONE;
    }
    const values = changed.map(({ topic, partition, offset, leaderEpoch, metadata }) => ({
      topic,
      partition,
      value: { offset, leaderEpoch, metadata, committedAtMs: nowMs },
    }));
    for (const { topic, partition } of values) count(entry.committing, placeOf(topic, partition), 1);
    const errorCode = await this.append(
      entry,
      values.map(({ topic, partition, value }) => offsetRecord(request.groupId, topic, partition, value)),
    );
    for (const { topic, partition, value } of values) {
      count(entry.committing, placeOf(topic, partition), -1);
      if (errorCode === CODE.NONE) entry.offsets.set(topic, partition, value);
    }
    return errorCode;
  }

  committed(groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.groups.get(groupId)?.offsets.get(topic, partition);
  }

  /** @returns 0, or why the group cannot be deleted */
  async deleteGroup(groupId: string): Promise<number> {
    const entry = this.groups.get(groupId);
    if (!entry) return CODE.GROUP_ID_NOT_FOUND;
    if (entry.group.phase !== 'Empty' || entry.group.pending.size > 0) return CODE.NON_EMPTY_GROUP;
    return this.forget(entry);
  }

  /** A deleted topic takes its positions along: a new one of that name starts at 0. */
  async onTopicDeleted(topic: string): Promise<void> {
    for (const entry of this.groups.values()) {
      const partitions = entry.offsets.topics.get(topic);
      if (!partitions) continue;
      await this.removeOffsets(
        entry,
        [...partitions.keys()].map((partition) => ({ topic, partition })),
      );
    }
  }

  /** Drops positions past their retention, and groups that have nothing left. */
  async expireOffsets(): Promise<void> {
    const nowMs = this.host.clock.nowMs();
    for (const entry of this.groups.values()) {
      const { phase, protocolType } = entry.group;
      const expired = expiredOffsets(
        entry.offsets,
        { phase, protocolType, stateSinceMs: entry.stateSinceMs, subscribed: subscribedTopics(entry.group) },
        nowMs,
        this.config.offsetsRetentionMs,
      );
      if (expired.length > 0) await this.removeOffsets(entry, expired);
      const unused = entry.group.phase === 'Empty' && entry.group.pending.size === 0;
      if (unused && entry.offsets.size === 0 && entry.recorded && entry.committing.size === 0) {
        await this.forget(entry);
      }
    }
  }

  private async request(groupId: string, event: Extract<GroupEvent, { to: number }>): Promise<Answer> {
    const to = this.nextToken++;
    const entry = this.entry(groupId);
    return new Promise<Answer>((resolve) => {
      this.parked.set(to, resolve);
      this.step(entry, { ...event, to });
      if (this.stopped) this.step(entry, { kind: 'stop' });
    });
  }

  private step(entry: GroupEntry, event: GroupEvent): void {
    const before = entry.group.phase;
    const next = step(entry.group, event, this.host.clock.monotonicMs(), {
      initialRebalanceDelayMs: this.config.groupInitialRebalanceDelayMs,
      groupMaxSize: this.config.groupMaxSize,
    });
    entry.group = next.group;
    if (entry.group.phase !== before) entry.stateSinceMs = this.host.clock.nowMs();
    for (const effect of next.effects) this.apply(entry, effect);
    this.arm(entry);
    this.dropIfUnused(entry);
  }

  private apply(entry: GroupEntry, effect: Effect): void {
    const { groupId } = entry.group;
    switch (effect.kind) {
      case 'answer': {
        const resolve = this.parked.get(effect.to);
        this.parked.delete(effect.to);
        resolve?.(effect.answer);
        break;
      }
      case 'log':
        this.host.log.info({ group: groupId }, `group ${groupId}: ${effect.message}`);
        break;
      case 'store':
        void this.store(entry, effect.ticket, effect.value);
        break;
    }
  }

  private async store(entry: GroupEntry, ticket: number, value: GroupValue): Promise<void> {
    const record = groupRecord(entry.group.groupId, value, entry.stateSinceMs);
    const errorCode = await this.append(entry, [record]);
    this.step(entry, {
      kind: 'stored',
      ticket,
      errorCode: errorCode === CODE.INVALID_COMMIT_OFFSET_SIZE ? CODE.UNKNOWN_SERVER_ERROR : errorCode,
    });
  }

  private async append(entry: GroupEntry, records: readonly StoredRecord[]): Promise<number> {
    entry.recorded = true;
    const errorCode = await this.topic.append(entry.group.groupId, records);
    const partition = this.topic.partitionFor(entry.group.groupId);
    if (partition && errorCode === CODE.NONE) this.keepSmall(partition);
    return errorCode === CODE.MESSAGE_TOO_LARGE ? CODE.INVALID_COMMIT_OFFSET_SIZE : errorCode;
  }

  /** Once the records are a multiple of what they say. */
  private keepSmall(partition: PartitionLog): void {
    const limit = Math.max(this.config.offsetsRewriteBytes, 2 * (this.rewritten.get(partition) ?? 0));
    if (partition.sizeBytes < limit || this.rewriting.has(partition) || this.stopped) return;
    this.rewriting.add(partition);
    const ended = rewritePartition(
      {
        partition,
        entries: () =>
          [...this.groups.values()].filter(
            ({ group }) => this.topic.partitionFor(group.groupId) === partition,
          ),
        append: (entry, records) => this.append(entry, records),
        failures: () => this.topic.failures,
      },
      this.host,
    );
    void ended
      .catch((error: unknown) => {
        this.host.log.warn(
          { err: error, partition: partition.partition },
          'cannot rewrite __consumer_offsets',
        );
      })
      .finally(() => {
        // What is left is what is true, or what could not be cut: the next try comes at twice that.
        this.rewritten.set(partition, partition.sizeBytes);
        this.rewriting.delete(partition);
      });
  }

  private isWorthARecord(entry: GroupEntry, given: CommitRequest['offsets'][number], nowMs: number): boolean {
    if (entry.committing.has(placeOf(given.topic, given.partition))) return true;
    const now = entry.offsets.get(given.topic, given.partition);
    return (
      now === undefined ||
      now.offset !== given.offset ||
      now.metadata !== given.metadata ||
      now.leaderEpoch !== given.leaderEpoch ||
      nowMs - now.committedAtMs > this.config.offsetsRetentionMs / REFRESHES_IN_RETENTION
    );
  }

  private async removeOffsets(
    entry: GroupEntry,
    places: ReadonlyArray<{ topic: string; partition: number }>,
  ): Promise<void> {
    const errorCode = await this.appendAll(entry, this.tombstones(entry, places));
    if (errorCode !== CODE.NONE) return;
    for (const { topic, partition } of places) entry.offsets.delete(topic, partition);
  }

  private async forget(entry: GroupEntry): Promise<number> {
    const { groupId } = entry.group;
    this.groups.delete(groupId);
    entry.timer?.cancel();
    const tombstones = this.tombstones(entry, [...entry.offsets.entries()]);
    const errorCode = await this.appendAll(entry, [...tombstones, groupRecord(groupId, null, 0)]);
    // What the disk did not take is still true.
    if (errorCode !== CODE.NONE && !this.groups.has(groupId)) this.groups.set(groupId, entry);
    return errorCode;
  }

  private tombstones(
    { group: { groupId } }: GroupEntry,
    places: ReadonlyArray<{ topic: string; partition: number }>,
  ): StoredRecord[] {
    return places.map(({ topic, partition }) => offsetRecord(groupId, topic, partition, null));
  }

  /** All in this turn, so that nothing newer comes between; the first failure, if any. */
  private async appendAll(entry: GroupEntry, records: readonly StoredRecord[]): Promise<number> {
    const appends: Array<Promise<number>> = [];
    for (let at = 0; at < records.length; at += RECORDS_PER_BATCH) {
      appends.push(this.append(entry, records.slice(at, at + RECORDS_PER_BATCH)));
    }
    const codes = await Promise.all(appends);
    return codes.find((code) => code !== CODE.NONE) ?? CODE.NONE;
  }

  private entry(groupId: string): GroupEntry {
    let entry = this.groups.get(groupId);
    if (!entry) {
      entry = {
        group: emptyGroup(groupId),
        offsets: new CommittedOffsets(),
        stateSinceMs: this.host.clock.nowMs(),
        committing: new Map(),
        recorded: false,
        timer: undefined,
      };
      this.groups.set(groupId, entry);
    }
    return entry;
  }

  /** A group that never came to anything (a refused join, an id given out and not used) leaves no trace. */
  private dropIfUnused(entry: GroupEntry): void {
    const { group, offsets, recorded, committing } = entry;
    if (recorded || committing.size > 0 || offsets.size > 0) return;
    if (group.phase !== 'Empty' || group.pending.size > 0 || group.storing.size > 0) return;
    entry.timer?.cancel();
    if (this.groups.get(group.groupId) === entry) this.groups.delete(group.groupId);
  }

  /**
   * One timer a group, for its earliest deadline. Deadlines mostly move away (heartbeats), so a timer that
   * is early enough stays: it fires, finds nothing due, and is set anew.
   */
  private arm(entry: GroupEntry): void {
    if (this.stopped) return;
    const atMs = nextDeadlineMs(entry.group);
    if (entry.timer && atMs !== undefined && entry.timer.atMs <= atMs) return;
    entry.timer?.cancel();
    entry.timer = undefined;
    if (atMs === undefined) return;
    // Whole milliseconds, never early: a timer before its deadline would find nothing due and spin.
    const delayMs = Math.max(0, Math.ceil(atMs - this.host.clock.monotonicMs()));
    entry.timer = {
      atMs,
      cancel: this.host.timers.after(Math.min(delayMs, TIMER_MAX_MS), () => {
        entry.timer = undefined;
        this.step(entry, { kind: 'tick' });
      }),
    };
  }
}

/** Why a commit is refused, undefined when it is not. */
export function commitRefusal(
  group: Group | undefined,
  request: Pick<CommitRequest, 'generation' | 'memberId' | 'instanceId'>,
): number | undefined {
  const { generation, memberId, instanceId } = request;
  if (!group) return generation < 0 ? undefined : CODE.ILLEGAL_GENERATION;
  if (generation < 0 && group.phase === 'Empty') return undefined;
  if (generation < 0 && memberId === '' && instanceId === null) return CODE.UNKNOWN_MEMBER_ID;
  const unknown = checkMember(group, memberId, instanceId);
  if (unknown !== undefined) return unknown;
  if (generation !== group.generation) return CODE.ILLEGAL_GENERATION;
  return group.phase === 'CompletingRebalance' ? CODE.REBALANCE_IN_PROGRESS : undefined;
}

/** The topics that members of a consumer group subscribe to; undefined when any of them does not tell. */
export function subscribedTopics(group: Group): Set<string> | undefined {
  if (group.protocolType !== 'consumer' || group.protocol === null) return undefined;
  const topics = new Set<string>();
  for (const member of group.members.values()) {
    const metadata = Buffer.from(metadataFor(member, group.protocol));
    try {
      const reader = new Reader(metadata);
      for (const topic of consumerSubscription.decode(reader, reader.int16()).topics) topics.add(topic);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return undefined;
    }
  }
  return topics;
}

/** What DescribeGroups and the lag gauges see. */
export function describeMembers(entry: GroupEntry): Array<{
  memberId: string;
  groupInstanceId: string | null;
  clientId: string;
  clientHost: string;
  memberMetadata: Uint8Array;
  memberAssignment: Uint8Array;
}> {
  const settled = entry.group.phase === 'Stable';
  return groupValueOf(entry.group).members.map((member) => ({
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    memberMetadata: settled ? member.subscription : Buffer.alloc(0),
    memberAssignment: settled ? member.assignment : Buffer.alloc(0),
  }));
}

function placeOf(topic: string, partition: number): string {
  return `${partition}/${topic}`;
}

function count(counts: Map<string, number>, key: string, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}
