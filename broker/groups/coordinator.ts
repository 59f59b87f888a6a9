/**
 * Owns all groups. Requests of members go to the state machine of their group (`classic-requests.ts`), positions to
 * `commits.ts`; deadlines come from `group-table.ts`. Everything is a record in `__consumer_offsets` first and true
 * in memory after.
 */
import type { Cancel, Host } from '../host/host.ts';
import type { BrokerLog } from '../log/log.ts';
import { InternalTopic, OFFSETS_TOPIC } from '../state/internal-topic.ts';
import { CODE } from '../wire/errors.ts';
import { ClassicRequests, type EventWithoutToken } from './classic-requests.ts';
import { Commits, commitRefusal, type CommitRequest, tombstones } from './commits.ts';
import type { CommittedOffset } from './committed-offsets.ts';
import { groupRecord } from './coordinator-records.ts';
import type { GroupEntry } from './group-entry.ts';
import { GroupLog } from './group-log.ts';
import { GroupTable } from './group-table.ts';
import { groupValueOf } from './group-value.ts';
import type { HeartbeatEvent, JoinAnswer, JoinEvent, LeaveEvent, SyncAnswer, SyncEvent } from './group.ts';
import type { RecordKeeper } from './record-keeper.ts';
import { replayGroups } from './replay.ts';

export interface CoordinatorConfig {
  readonly groupInitialRebalanceDelayMs: number;
  readonly groupMaxSize: number;
  readonly offsetsRetentionMs: number;
  readonly offsetsTopicPartitions: number;
  /** Size of a partition of `__consumer_offsets` above which it is rewritten. */
  readonly offsetsRewriteBytes: number;
}

export type GroupType = 'classic' | 'consumer' | 'share';

const EXPIRY_CHECK_MS = 10 * 60 * 1000;

export class GroupCoordinator {
  readonly topic: InternalTopic;
  private readonly host: Host;
  private readonly table: GroupTable;
  private readonly log: GroupLog;
  private readonly commits: Commits;
  private readonly classic: ClassicRequests;
  private stopped = false;
  private cancelExpiry: Cancel = () => {};

  constructor(config: CoordinatorConfig, host: Host, log: BrokerLog) {
    this.host = host;
    const { offsetsTopicPartitions: partitions } = config;
    this.topic = new InternalTopic(log, host, { name: OFFSETS_TOPIC, partitions });
    this.table = new GroupTable(host, (entry) => this.classic.tell(entry, { kind: 'tick' }));
    this.log = new GroupLog(this.topic, host, this.table, config.offsetsRewriteBytes);
    this.commits = new Commits(this.log, host, config.offsetsRetentionMs);
    this.classic = new ClassicRequests(this.table, this.log, host, {
      initialRebalanceDelayMs: config.groupInitialRebalanceDelayMs,
      groupMaxSize: config.groupMaxSize,
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
    if (this.table.get(groupId)) return 'classic';
    return this.log.keepers.find(({ groups }) => groups?.has(groupId))?.groups?.type;
  }

  /** Reads `__consumer_offsets`; groups with members get one session to show up. */
  async start(): Promise<void> {
    await replayGroups(this.log, this.table, this.host);
    this.cancelExpiry = this.host.timers.every(EXPIRY_CHECK_MS, () => void this.expireOffsets());
  }

  /** Answers everything parked with a retriable code; later requests are refused the same way. */
  stop(): void {
    this.stopped = true;
    this.cancelExpiry();
    this.log.stop();
    this.classic.stop();
    this.table.stop();
  }

  join(groupId: string, event: EventWithoutToken<JoinEvent>): Promise<JoinAnswer> {
    return this.classic.join(this.table.getOrMake(groupId), event);
  }

  /** Undefined when there is no such group. */
  async sync(groupId: string, event: EventWithoutToken<SyncEvent>): Promise<SyncAnswer | undefined> {
    const entry = this.table.get(groupId);
    return entry && this.classic.sync(entry, event);
  }

  async heartbeat(groupId: string, event: EventWithoutToken<HeartbeatEvent>): Promise<number> {
    const entry = this.table.get(groupId);
    return entry ? this.classic.heartbeat(entry, event) : CODE.UNKNOWN_MEMBER_ID;
  }

  /** One code a member. */
  async leave(groupId: string, event: EventWithoutToken<LeaveEvent>): Promise<readonly number[]> {
    const entry = this.table.get(groupId);
    return entry ? this.classic.leave(entry, event) : event.members.map(() => CODE.UNKNOWN_MEMBER_ID);
  }

  /** @returns 0 when durable, else the code for every partition of the request */
  async commit(request: CommitRequest): Promise<number> {
    if (this.stopped) return CODE.COORDINATOR_NOT_AVAILABLE;
    const known = this.table.get(request.groupId);
    const refusal = commitRefusal(known?.group, request);
    if (refusal !== undefined) return refusal;
    const entry = known ?? this.table.getOrMake(request.groupId);
    if (request.memberId !== '') this.classic.tell(entry, { kind: 'seen', memberId: request.memberId });
    const ended = this.commits.commit(entry, request.offsets);
    this.table.dropIfUnused(entry);
    return ended;
  }

  committed(groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.table.get(groupId)?.offsets.get(topic, partition);
  }

  /** @returns 0, or why the group cannot be deleted */
  async deleteGroup(groupId: string): Promise<number> {
    const entry = this.table.get(groupId);
    if (!entry) return CODE.GROUP_ID_NOT_FOUND;
    if (entry.group.phase !== 'Empty' || entry.group.pending.size > 0) return CODE.NON_EMPTY_GROUP;
    return this.forget(entry);
  }

  /** A deleted topic takes its positions along: a new one of that name starts at 0. */
  async onTopicDeleted(topic: string): Promise<void> {
    for (const entry of this.table.entries.values()) {
      const partitions = entry.offsets.topics.get(topic);
      if (!partitions) continue;
      await this.commits.remove(
        entry,
        [...partitions.keys()].map((partition) => ({ topic, partition })),
      );
    }
  }

  /** Drops positions past their retention, and groups that have nothing left. */
  async expireOffsets(): Promise<void> {
    for (const entry of this.table.entries.values()) {
      await this.commits.expire(entry);
      const unused = entry.group.phase === 'Empty' && entry.group.pending.size === 0;
      if (unused && entry.offsets.size === 0 && entry.recorded && entry.committing.size === 0) {
        await this.forget(entry);
      }
    }
  }

  private async forget(entry: GroupEntry): Promise<number> {
    const { groupId, offsets } = entry;
    this.table.entries.delete(groupId);
    entry.timer?.cancel();
    const records = [...tombstones(entry, [...offsets.entries()]), groupRecord(groupId, null, 0)];
    const errorCode = await this.log.appendAll(entry, records);
    // What the disk did not take is still true.
    if (errorCode !== CODE.NONE && !this.table.get(groupId)) this.table.entries.set(groupId, entry);
    return errorCode;
  }
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
