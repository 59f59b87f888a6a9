/**
 * Owns all share groups: members, sessions, and through `deliveries` what becomes of the records. A group's changes
 * come one after the other; each is a record in `__consumer_offsets` first and true after.
 */
import type { RecordKeeper } from '../groups/record-keeper.ts';
import { Deadline } from '../host/deadline.ts';
import type { Host } from '../host/host.ts';
import type { BrokerLog, Topic } from '../log/log.ts';
import { Turns } from '../log/turns.ts';
import type { InternalTopic } from '../state/internal-topic.ts';
import type { ReadRecord, StoredRecord } from '../state/record-batch.ts';
import { CODE } from '../wire/errors.ts';
import { ShareDeliveries } from './share-deliveries.ts';
import {
  emptyShareGroup,
  type FindTopic,
  heartbeat,
  type HeartbeatAnswer,
  JOIN_EPOCH,
  restoredGroup,
  type Refused,
  type ShareGroup,
  type ShareHeartbeat,
  stateOf,
  subscribedTopics,
  withoutMembers,
} from './share-group.ts';
import {
  changesBetween,
  groupIdOf,
  KEY,
  replay,
  type ReplayedGroup,
  replayedGroup,
  type StateTopics,
  stateTopicsRecord,
  tombstones,
} from './share-group-records.ts';
import {
  type SessionConnection,
  sessionPartitionKey,
  type ShareSession,
  ShareSessions,
} from './share-session.ts';
import type { GroupConfigs, ShareConfig } from './share-settings.ts';

interface Entry {
  readonly groupId: string;
  group: ShareGroup;
  /** Topics of which the group has, or will have, delivery state. */
  topics: StateTopics;
  /** Changes come one after the other. */
  readonly turns: Turns;
  /** Steady time of each member's last heartbeat. */
  readonly seenMs: Map<string, number>;
  /** When the next member has been silent for too long. */
  readonly deadline: Deadline;
  /** Has records: without them a refused join leaves no trace. */
  recorded: boolean;
}

export interface ShareGroupsOptions {
  readonly config: ShareConfig & { readonly virtualNodes: number };
  readonly host: Host;
  readonly log: BrokerLog;
  /** `__consumer_offsets`. */
  readonly offsets: InternalTopic;
  /** Of another kind. */
  readonly isTaken: (groupId: string) => boolean;
  readonly groupConfigs: GroupConfigs;
  readonly createTopic: (name: string, configs: Readonly<Record<string, string>>) => Promise<unknown>;
}

const RETRY_MS = 1_000;

export class ShareGroups implements RecordKeeper {
  readonly deliveries: ShareDeliveries;
  readonly sessions: ShareSessions;
  readonly groups = {
    type: 'share',
    has: (groupId: string) => this.entries.has(groupId),
    list: () => this.list(),
  } as const;
  private readonly entries = new Map<string, Entry>();
  private readonly replayed = new Map<string, ReplayedGroup>();
  private readonly options: ShareGroupsOptions;
  private stopped = false;

  constructor(options: ShareGroupsOptions) {
    this.options = options;
    const { config, host, log, groupConfigs, createTopic } = options;
    this.deliveries = new ShareDeliveries(config, host, log, groupConfigs, createTopic);
    this.sessions = new ShareSessions(config.shareSessionsMax);
  }

  takes(_: ReadRecord, keyVersion: number): boolean {
    return keyVersion >= KEY.member && keyVersion <= KEY.statePartitions;
  }

  replay({ key, value }: ReadRecord): void {
    const groupId = groupIdOf(key!);
    const into = this.replayed.get(groupId) ?? replayedGroup(groupId);
    this.replayed.set(groupId, into);
    replay(into, key!, value);
  }

  /** After `__consumer_offsets` was read. Members get one session to show up. */
  async start(): Promise<void> {
    const nowMs = this.options.host.clock.monotonicMs();
    for (const [groupId, { group, topics, isWhole }] of this.replayed) {
      if (!isWhole) continue;
      const entry = this.newEntry(groupId);
      Object.assign(entry, { group: restoredGroup(group, this.findTopic), topics, recorded: true });
      for (const memberId of group.members.keys()) entry.seenMs.set(memberId, nowMs);
      this.entries.set(groupId, entry);
      this.arm(entry);
    }
    this.replayed.clear();
    await this.deliveries.start((groupId) => this.entries.has(groupId));
  }

  stop(): void {
    this.stopped = true;
    for (const { deadline } of this.entries.values()) deadline.cancel();
    this.deliveries.stop();
  }

  has(groupId: string): boolean {
    return this.entries.has(groupId);
  }

  get(groupId: string): { readonly group: ShareGroup; readonly topics: StateTopics } | undefined {
    return this.entries.get(groupId);
  }

  list(): Array<{ readonly groupId: string; readonly state: 'Empty' | 'Stable' }> {
    return [...this.entries.values()].map(({ groupId, group }) => ({ groupId, state: stateOf(group) }));
  }

  async heartbeat(groupId: string, request: ShareHeartbeat): Promise<HeartbeatAnswer | Refused> {
    if (this.stopped) return refusal(CODE.COORDINATOR_NOT_AVAILABLE, 'the broker is stopping');
    const known = this.entries.get(groupId);
    if (!known && (this.options.isTaken(groupId) || request.memberEpoch !== JOIN_EPOCH)) {
      return refusal(CODE.GROUP_ID_NOT_FOUND, 'there is no share group of this id');
    }
    const entry = known ?? this.newEntry(groupId);
    this.entries.set(groupId, entry);
    return entry.turns.inTurn(() => this.heartbeatInTurn(entry, request));
  }

  /** @returns 0, or why the group cannot be deleted */
  async deleteGroup(groupId: string): Promise<number> {
    const entry = this.entries.get(groupId);
    if (!entry) return CODE.GROUP_ID_NOT_FOUND;
    return entry.turns.inTurn(async () => {
      if (this.entries.get(groupId) !== entry) return CODE.GROUP_ID_NOT_FOUND;
      if (entry.group.members.size > 0) return CODE.NON_EMPTY_GROUP;
      // The group's own records last: what is left of its deliveries without them is nobody's.
      for (const delivery of this.deliveries.of(groupId)) {
        const errorCode = await this.deliveries.forget(delivery);
        if (errorCode !== CODE.NONE) return errorCode;
      }
      const errorCode = await this.append(groupId, tombstones(entry.group));
      if (errorCode === CODE.NONE) this.drop(entry);
      return errorCode;
    });
  }

  /** Makes a group without members, so that where it begins can be said before anybody joins. @returns 0, or why not */
  async ensure(groupId: string): Promise<number> {
    if (this.entries.has(groupId)) return CODE.NONE;
    if (this.stopped) return CODE.COORDINATOR_NOT_AVAILABLE;
    if (groupId === '' || this.options.isTaken(groupId)) return CODE.GROUP_ID_NOT_FOUND;
    const entry = this.newEntry(groupId);
    this.entries.set(groupId, entry);
    return entry.turns.inTurn(async () => {
      const errorCode = await this.become(entry, { ...entry.group, epoch: entry.group.epoch + 1 });
      if (errorCode !== CODE.NONE) this.dropIfUnused(entry);
      return errorCode;
    });
  }

  /** Runs a change of an empty group's offsets in the group's turn. */
  async changeOffsets(
    groupId: string,
    change: (topics: StateTopics) => Promise<{ readonly topics: StateTopics; readonly errorCode: number }>,
  ): Promise<number> {
    const entry = this.entries.get(groupId);
    if (!entry) return CODE.GROUP_ID_NOT_FOUND;
    return entry.turns.inTurn(async () => {
      if (this.entries.get(groupId) !== entry) return CODE.GROUP_ID_NOT_FOUND;
      if (entry.group.members.size > 0) return CODE.NON_EMPTY_GROUP;
      const { topics, errorCode } = await change(entry.topics);
      if (topics === entry.topics) return errorCode;
      const appended = await this.append(groupId, [stateTopicsRecord(groupId, topics)]);
      if (appended === CODE.NONE) entry.topics = topics;
      return errorCode === CODE.NONE ? appended : errorCode;
    });
  }

  /** A topic is gone: a new one of its name is another. */
  async onTopicDeleted({ id }: Pick<Topic, 'id'>): Promise<void> {
    for (const entry of this.entries.values()) {
      await entry.turns.inTurn(async () => {
        for (const delivery of this.deliveries.of(entry.groupId)) {
          if (delivery.key.topicId !== id) continue;
          await this.deliveries.forget(delivery);
          this.deliveries.drop(delivery);
        }
        if (!entry.topics.has(id)) return;
        const topics = new Map(entry.topics);
        topics.delete(id);
        const errorCode = await this.append(entry.groupId, [stateTopicsRecord(entry.groupId, topics)]);
        if (errorCode === CODE.NONE) entry.topics = topics;
      });
    }
  }

  /** Closes the member's session at this node, if any, and gives back what it holds through it. */
  async closeSession(groupId: string, memberId: string, nodeId: number): Promise<void> {
    const session = this.sessions.close(groupId, memberId, nodeId);
    await this.release(groupId, memberId, session);
  }

  /** The connection is gone. */
  onConnectionClosed(connection: SessionConnection): void {
    for (const session of this.sessions.closeConnection(connection)) {
      void this.release(session.groupId, session.memberId, session);
    }
  }

  /** Where several nodes are played, a session is about the partitions of its node alone. */
  private release(groupId: string, memberId: string, session: ShareSession | undefined): Promise<void> {
    const all = this.deliveries.of(groupId);
    const isOnlyNode = this.options.config.virtualNodes === 1;
    return this.deliveries.release(
      isOnlyNode ? all : all.filter(({ key }) => session?.partitions.has(sessionPartitionKey(key))),
      memberId,
    );
  }

  private async heartbeatInTurn(entry: Entry, request: ShareHeartbeat): Promise<HeartbeatAnswer | Refused> {
    const { groupId } = entry;
    if (this.entries.get(groupId) !== entry) {
      return refusal(CODE.COORDINATOR_NOT_AVAILABLE, 'the group is being deleted');
    }
    const before = entry.group;
    const next = heartbeat(before, request, this.findTopic, this.options.config.shareGroupMaxSize);
    if ('errorCode' in next) {
      this.dropIfUnused(entry);
      return next;
    }
    const errorCode = await this.become(entry, next.group);
    if (errorCode !== CODE.NONE) {
      this.dropIfUnused(entry);
      return refusal(errorCode, 'the record could not be written');
    }
    const { memberId } = request;
    if (next.group.members.has(memberId)) {
      entry.seenMs.set(memberId, this.options.host.clock.monotonicMs());
      this.arm(entry);
    }
    if (before.epoch !== next.group.epoch) {
      const what =
        before.members.size === next.group.members.size ? 'changes' : `${next.group.members.size} members`;
      this.options.host.log.info(
        { group: groupId },
        `share group ${groupId}: ${what}, epoch ${next.group.epoch}`,
      );
    }
    return next.answer;
  }

  /** Writes what changes; true after. */
  private async become(entry: Entry, next: ShareGroup): Promise<number> {
    const records = changesBetween(entry.group, next, this.options.host.clock.nowMs());
    const topics = this.withSubscribed(entry, next);
    if (topics !== entry.topics) records.push(stateTopicsRecord(entry.groupId, topics));
    const errorCode = records.length === 0 ? CODE.NONE : await this.append(entry.groupId, records);
    if (errorCode !== CODE.NONE) return errorCode;
    const gone = [...entry.group.members.keys()].filter((memberId) => !next.members.has(memberId));
    entry.group = next;
    entry.topics = topics;
    entry.recorded ||= records.length > 0;
    for (const memberId of gone) {
      entry.seenMs.delete(memberId);
      this.sessions.closeMember(entry.groupId, memberId);
      await this.deliveries.release(this.deliveries.of(entry.groupId), memberId);
    }
    return CODE.NONE;
  }

  private withSubscribed(entry: Entry, next: ShareGroup): StateTopics {
    const missing = subscribedTopics(next, this.findTopic).filter(
      ({ id, partitions }) => (entry.topics.get(id)?.partitions.length ?? 0) < partitions,
    );
    if (missing.length === 0) return entry.topics;
    const topics = new Map(entry.topics);
    for (const { id, name, partitions } of missing) {
      topics.set(id, { name, partitions: Array.from({ length: partitions }, (_, index) => index) });
    }
    return topics;
  }

  private expire(entry: Entry): Promise<void> {
    return entry.turns.inTurn(async () => {
      if (this.entries.get(entry.groupId) !== entry || this.stopped) return;
      const { sessionTimeoutMs } = this.deliveries.settings(entry.groupId);
      const nowMs = this.options.host.clock.monotonicMs();
      const silent = [...entry.seenMs].filter(([, seenMs]) => seenMs + sessionTimeoutMs <= nowMs);
      if (silent.length > 0) {
        const memberIds = silent.map(([memberId]) => memberId);
        const errorCode = await this.become(entry, withoutMembers(entry.group, memberIds, this.findTopic));
        if (errorCode !== CODE.NONE) {
          if (!this.stopped) entry.deadline.set(nowMs + RETRY_MS);
          return;
        }
        const what = `${memberIds.length} members gone after ${sessionTimeoutMs} ms of silence`;
        this.options.host.log.info({ group: entry.groupId }, `share group ${entry.groupId}: ${what}`);
      }
      this.arm(entry);
    });
  }

  private arm(entry: Entry): void {
    if (this.stopped) return;
    const { sessionTimeoutMs } = this.deliveries.settings(entry.groupId);
    let atMs: number | undefined;
    for (const seenMs of entry.seenMs.values()) {
      if (atMs === undefined || seenMs + sessionTimeoutMs < atMs) atMs = seenMs + sessionTimeoutMs;
    }
    entry.deadline.set(atMs);
  }

  private append(groupId: string, records: readonly StoredRecord[]): Promise<number> {
    return this.options.offsets.append(groupId, records);
  }

  private readonly findTopic: FindTopic = (name) => {
    const topic = this.options.log.topic(name);
    return topic && { id: topic.id, name, partitions: topic.partitions.length };
  };

  private newEntry(groupId: string): Entry {
    const entry: Entry = {
      groupId,
      group: emptyShareGroup(groupId),
      topics: new Map(),
      turns: new Turns(),
      seenMs: new Map(),
      deadline: new Deadline(this.options.host, () => void this.expire(entry)),
      recorded: false,
    };
    return entry;
  }

  private dropIfUnused(entry: Entry): void {
    if (!entry.recorded) this.drop(entry);
  }

  private drop(entry: Entry): void {
    entry.deadline.cancel();
    if (this.entries.get(entry.groupId) === entry) this.entries.delete(entry.groupId);
  }
}

function refusal(errorCode: number, why: string): Refused {
  return { errorCode, errorMessage: `cannot take a heartbeat: ${why}` };
}
