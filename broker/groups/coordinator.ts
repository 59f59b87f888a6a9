/**
 * Owns all groups. Requests of members go to the state machine of their group (`classic-requests.ts`), positions to
 * `commits.ts`; deadlines come from `group-table.ts`. Everything is a record in `__consumer_offsets` first and true
 * in memory after.
 */
import type { Cancel, Host } from '../host/host.ts';
import type { BrokerLog } from '../log/log.ts';
import { InternalTopic, OFFSETS_TOPIC } from '../state/internal-topic.ts';
import type { BatchProducer } from '../state/record-batch.ts';
import { CODE } from '../wire/errors.ts';
import { ClassicRequests, type EventWithoutToken } from './classic-requests.ts';
import { type Committer, commitRefusal, fetchRefusal, staleOffsets } from './commit-rules.ts';
import { type CommitOutcome, type CommitRequest, Commits, type Place, tombstones } from './commits.ts';
import type { CommittedOffset } from './committed-offsets.ts';
import type { ConsumerAnswer, ConsumerEvent, ConsumerHeartbeat } from './consumer/consumer-events.ts';
import type { ConsumerGroup, ConsumerSettings } from './consumer/consumer-group.ts';
import { removal } from './consumer/consumer-records.ts';
import { ConsumerRequests } from './consumer/consumer-requests.ts';
import { imageOf } from './consumer/topic-image.ts';
import { groupRecord } from './coordinator-records.ts';
import type { GroupEntry } from './group-entry.ts';
import { GroupLog } from './group-log.ts';
import { GroupTable } from './group-table.ts';
import {
  type ConsumerTimeoutConfig,
  effectiveOverride,
  type GroupOverrides,
  HEARTBEAT_INTERVAL,
  NO_OVERRIDES,
  SESSION_TIMEOUT,
} from './group-overrides.ts';
import { isVacant, phaseOf, protocolTypeOf, topicsReadBy } from './group-view.ts';
import {
  failedJoin,
  failedSync,
  type HeartbeatEvent,
  type JoinAnswer,
  type JoinEvent,
  type LeaveEvent,
  type SyncAnswer,
  type SyncEvent,
} from './group.ts';
import type { RecordKeeper } from './record-keeper.ts';
import { PendingOffsets } from './pending-offsets.ts';
import { replayGroups } from './replay.ts';

export interface CoordinatorConfig extends ConsumerTimeoutConfig {
  readonly groupInitialRebalanceDelayMs: number;
  readonly groupMaxSize: number;
  readonly groupConsumerMaxSize: number;
  /** Which way groups may be converted while they run. */
  readonly groupConsumerMigrationPolicy: 'disabled' | 'upgrade' | 'downgrade' | 'bidirectional';
  readonly offsetsRetentionMs: number;
  readonly offsetsTopicPartitions: number;
}

export type GroupType = 'classic' | 'consumer' | 'share';

export interface ListedGroup {
  readonly groupId: string;
  /** Empty for a group that only ever committed. */
  readonly protocolType: string;
  readonly groupState: string;
  readonly groupType: GroupType;
}

const EXPIRY_CHECK_MS = 10 * 60 * 1000;

export class GroupCoordinator {
  readonly topic: InternalTopic;
  private readonly host: Host;
  private readonly table: GroupTable;
  private readonly log: GroupLog;
  private readonly commits: Commits;
  private readonly pending: PendingOffsets;
  private readonly classic: ClassicRequests;
  private readonly consumer: ConsumerRequests;
  private readonly config: CoordinatorConfig;
  /** Replaced by whoever keeps the settings of single groups. */
  overrides: GroupOverrides = NO_OVERRIDES;
  private stopped = false;
  private cancelExpiry: Cancel = () => {};

  constructor(config: CoordinatorConfig, host: Host, log: BrokerLog) {
    this.host = host;
    this.config = config;
    const { offsetsTopicPartitions: partitions } = config;
    this.topic = new InternalTopic(log, host, { name: OFFSETS_TOPIC, partitions });
    this.table = new GroupTable(host, (entry) => this.onTime(entry));
    this.log = new GroupLog(this.topic);
    this.pending = new PendingOffsets(({ groupId, topic, partition, value }) => {
      const entry = this.table.getOrMake(groupId);
      entry.recorded = true;
      if (value) entry.offsets.set(topic, partition, value);
    });
    this.log.keepers.push(this.pending);
    this.commits = new Commits(this.log, this.pending, host, config.offsetsRetentionMs);
    this.classic = new ClassicRequests(this.table, this.log, host, {
      initialRebalanceDelayMs: config.groupInitialRebalanceDelayMs,
      groupMaxSize: config.groupMaxSize,
    });
    this.consumer = new ConsumerRequests({
      table: this.table,
      log: this.log,
      classic: this.classic,
      host,
      topics: imageOf(log),
      settingsOf: (groupId) => this.consumerSettings(groupId),
    });
  }

  get groups(): ReadonlyMap<string, GroupEntry> {
    return this.table.entries;
  }

  /** Before `start`. */
  register(keeper: RecordKeeper): void {
    this.log.keepers.push(keeper);
  }

  /** Undefined for an id that no group has. */
  typeOf(groupId: string): GroupType | undefined {
    return this.table.get(groupId)?.group.type ?? this.log.ownerOf(groupId)?.type;
  }

  /** All groups of all types. */
  list(): ListedGroup[] {
    const listed: ListedGroup[] = [];
    for (const { groupId, group } of this.table.entries.values()) {
      listed.push({
        groupId,
        protocolType: protocolTypeOf(group) ?? '',
        groupState: phaseOf(group),
        groupType: group.type,
      });
    }
    for (const { groups } of this.log.keepers) {
      for (const { groupId, state } of groups?.list?.() ?? []) {
        listed.push({ groupId, protocolType: groups!.type, groupState: state, groupType: groups!.type });
      }
    }
    return listed;
  }

  /** Reads `__consumer_offsets`; groups with members get one session to show up. */
  async start(): Promise<void> {
    await replayGroups(
      this.log,
      this.table,
      this.pending,
      this.host,
      (groupId) => this.consumerSettings(groupId).sessionTimeoutMs,
    );
    this.cancelExpiry = this.host.timers.every(EXPIRY_CHECK_MS, () => void this.expireOffsets());
  }

  /** Answers everything parked with a retriable code; later requests are refused the same way. */
  stop(): void {
    this.stopped = true;
    this.cancelExpiry();
    this.classic.stop();
    this.consumer.stop();
    this.table.stop();
  }

  /** ConsumerGroupHeartbeat. */
  consumerHeartbeat(groupId: string, event: ConsumerHeartbeat, version: number): Promise<ConsumerAnswer> {
    return this.consumer.heartbeat(groupId, event, version);
  }

  async join(
    groupId: string,
    event: EventWithoutToken<JoinEvent> & { readonly maySee?: (topic: string) => boolean },
  ): Promise<JoinAnswer> {
    if (this.log.ownerOf(groupId)) return failedJoin(CODE.INCONSISTENT_GROUP_PROTOCOL, '');
    const entry = this.table.getOrMake(groupId);
    if (entry.group.type === 'consumer' && entry.group.members.size > 0) {
      const { maySee = () => true } = event;
      const answer = await this.asClassic(groupId, entry.group, { ...event, kind: 'classic-join', maySee });
      if (answer.api === 'join') return answer;
      return failedJoin(
        answer.api === 'refused' ? answer.errorCode : CODE.UNKNOWN_SERVER_ERROR,
        event.memberId,
      );
    }
    // An empty group of the other protocol gives its id away.
    if (entry.group.type === 'consumer') this.consumer.makeClassic(entry);
    return this.classic.join(entry, event);
  }

  /** Undefined when there is no such group. */
  async sync(groupId: string, event: EventWithoutToken<SyncEvent>): Promise<SyncAnswer | undefined> {
    const entry = this.table.get(groupId);
    if (entry?.group.type !== 'consumer') return entry && this.classic.sync(entry, event);
    const answer = await this.asClassic(groupId, entry.group, { ...event, kind: 'classic-sync' });
    if (answer.api === 'sync') return answer;
    return failedSync(answer.api === 'refused' ? answer.errorCode : CODE.UNKNOWN_SERVER_ERROR);
  }

  async heartbeat(groupId: string, event: EventWithoutToken<HeartbeatEvent>): Promise<number> {
    const entry = this.table.get(groupId);
    if (!entry) return CODE.UNKNOWN_MEMBER_ID;
    if (entry.group.type === 'classic') return this.classic.heartbeat(entry, event);
    const answer = await this.asClassic(groupId, entry.group, { ...event, kind: 'classic-heartbeat' });
    return 'errorCode' in answer ? answer.errorCode : CODE.UNKNOWN_SERVER_ERROR;
  }

  /** One code a member. */
  async leave(groupId: string, event: EventWithoutToken<LeaveEvent>): Promise<readonly number[]> {
    const entry = this.table.get(groupId);
    if (!entry) return event.members.map(() => CODE.UNKNOWN_MEMBER_ID);
    if (entry.group.type === 'classic') return this.classic.leave(entry, event);
    const answer = await this.asClassic(groupId, entry.group, { ...event, kind: 'classic-leave' });
    if (answer.api === 'leave') return answer.errorCodes;
    const errorCode = answer.api === 'refused' ? answer.errorCode : CODE.UNKNOWN_SERVER_ERROR;
    return event.members.map(() => errorCode);
  }

  /** Why this member may not commit, undefined when it may; for commits that are kept elsewhere first. */
  refusalOf(groupId: string, committer: Committer): number | undefined {
    if (this.stopped) return CODE.COORDINATOR_NOT_AVAILABLE;
    if (this.log.ownerOf(groupId)) return CODE.GROUP_ID_NOT_FOUND;
    return commitRefusal(this.table.get(groupId)?.group, committer);
  }

  /** Resolves when durable. */
  async commit(request: CommitRequest): Promise<CommitOutcome> {
    const { groupId, memberId, offsets } = request;
    const refusal = this.refusalOf(groupId, request);
    if (refusal !== undefined) return { errorCode: refusal, stale: new Set() };
    const entry = this.table.getOrMake(groupId);
    if (memberId !== '') this.classic.tell(entry, { kind: 'seen', memberId });
    const stale = staleOffsets(entry.group, request, this.consumer.topics);
    const ended = this.commits.commit(
      entry,
      offsets.filter((one) => !stale.has(one)),
    );
    this.table.dropIfUnused(entry);
    return { errorCode: await ended, stale };
  }

  /** Why positions are not told to this member, undefined when they are. */
  fetchRefusalOf(groupId: string, memberId: string | null, memberEpoch: number): number | undefined {
    return fetchRefusal(this.table.get(groupId)?.group, memberId, memberEpoch);
  }

  /**
   * Within a transaction, to which the caller has added `topic.partitionFor(groupId)` in this turn or before.
   * @returns 0 when durable, else the code for every partition of the request
   */
  async commitInTransaction(request: CommitRequest, producer: BatchProducer): Promise<number> {
    const refusal = this.refusalOf(request.groupId, { ...request, isTransactional: true });
    if (refusal !== undefined) return refusal;
    const entry = this.table.getOrMake(request.groupId);
    if (request.memberId !== '') this.classic.tell(entry, { kind: 'seen', memberId: request.memberId });
    const ended = this.commits.commitPending(entry, request.offsets, producer);
    this.table.dropIfUnused(entry);
    return ended;
  }

  /** The marker of a transaction's end is durable in this partition of `__consumer_offsets`. */
  completeTransaction(partition: number, producerId: number, commit: boolean): void {
    this.pending.complete(partition, producerId, commit);
  }

  /** Whether an open transaction may yet change this position. */
  isPending(groupId: string, topic: string, partition: number): boolean {
    return this.pending.isPending(groupId, topic, partition);
  }

  committed(groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.table.get(groupId)?.offsets.get(topic, partition);
  }

  /** @returns 0, or why the group cannot be deleted */
  async deleteGroup(groupId: string): Promise<number> {
    const entry = this.table.get(groupId);
    if (!entry) return CODE.GROUP_ID_NOT_FOUND;
    return isVacant(entry.group) ? this.forget(entry) : CODE.NON_EMPTY_GROUP;
  }

  /** OffsetDelete: one code for all, or for each place. */
  async deleteOffsets(groupId: string, places: readonly Place[]): Promise<number | readonly number[]> {
    const entry = this.table.get(groupId);
    if (!entry) return CODE.GROUP_ID_NOT_FOUND;
    const { group } = entry;
    const isRead = group.members.size > 0 ? topicsReadBy(group) : new Set<string>();
    // Members that do not say what they read may read anything.
    if (group.type === 'classic' && group.members.size > 0 && group.protocolType !== 'consumer') {
      return CODE.NON_EMPTY_GROUP;
    }
    const free = places.filter(({ topic }) => isRead && !isRead.has(topic));
    const errorCode = free.length > 0 ? await this.commits.remove(entry, free) : CODE.NONE;
    return places.map((place) => (free.includes(place) ? errorCode : CODE.GROUP_SUBSCRIBED_TO_TOPIC));
  }

  /** A deleted topic takes its positions along: a new one of that name starts at 0. */
  async onTopicDeleted(topic: string): Promise<void> {
    for (const groupId of new Set([...this.table.entries.keys(), ...this.pending.groupIds()])) {
      const committed = this.table.get(groupId)?.offsets.topics.get(topic)?.keys() ?? [];
      const waiting = this.pending.placesOf(groupId).filter((place) => place.topic === topic);
      const partitions = new Set([...committed, ...waiting.map(({ partition }) => partition)]);
      if (partitions.size === 0) continue;
      await this.commits.remove(
        this.table.getOrMake(groupId),
        [...partitions].map((partition) => ({ topic, partition })),
      );
    }
  }

  /** Drops positions past their retention, and groups that have nothing left. */
  async expireOffsets(): Promise<void> {
    for (const entry of this.table.entries.values()) {
      await this.commits.expire(entry);
      const holds = entry.offsets.size + entry.committing.size + this.pending.placesOf(entry.groupId).length;
      if (isVacant(entry.group) && holds === 0 && entry.recorded) {
        await this.forget(entry);
      }
    }
  }

  private onTime(entry: GroupEntry): void {
    if (entry.group.type === 'consumer') this.consumer.tick(entry, entry.group);
    else this.classic.tell(entry, { kind: 'tick' });
  }

  private asClassic(groupId: string, group: ConsumerGroup, event: ConsumerEvent): Promise<ConsumerAnswer> {
    return this.consumer.classicRequest(groupId, group, event);
  }

  private consumerSettings(groupId: string): ConsumerSettings {
    const { config } = this;
    const overrides = this.overrides(groupId);
    const policy = config.groupConsumerMigrationPolicy;
    return {
      sessionTimeoutMs: effectiveOverride(config, overrides, SESSION_TIMEOUT),
      heartbeatIntervalMs: effectiveOverride(config, overrides, HEARTBEAT_INTERVAL),
      groupMaxSize: config.groupConsumerMaxSize,
      classicMaxSize: config.groupMaxSize,
      mayUpgrade: policy === 'upgrade' || policy === 'bidirectional',
      mayDowngrade: policy === 'downgrade' || policy === 'bidirectional',
    };
  }

  private async forget(entry: GroupEntry): Promise<number> {
    const { groupId, group, offsets } = entry;
    this.table.entries.delete(groupId);
    entry.deadline.cancel();
    const waiting = this.pending.placesOf(groupId);
    const overtaken = this.commits.overtake(entry, waiting);
    const end = group.type === 'consumer' ? removal(group) : [groupRecord(groupId, null, 0)];
    const records = [...tombstones(entry, [...offsets.entries(), ...waiting]), ...end];
    const errorCode = await this.log.appendAll(entry, records);
    // What the disk did not take is still true.
    if (errorCode !== CODE.NONE) for (const one of overtaken) one.overtaken = false;
    if (errorCode !== CODE.NONE && !this.table.get(groupId)) this.table.entries.set(groupId, entry);
    return errorCode;
  }
}
