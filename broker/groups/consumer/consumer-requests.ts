/**
 * Steps the machines of KIP-848 groups. A step shows in memory at once and its records are appended in the same turn;
 * its answer waits for them. When the disk refuses, the group is again what was last durable, and everybody who
 * waits is told to try again.
 */
import type { Host } from '../../host/host.ts';
import type { StoredRecord } from '../../state/record-batch.ts';
import { CODE } from '../../wire/errors.ts';
import type { ClassicRequests } from '../classic-requests.ts';
import { groupRecord } from '../coordinator-records.ts';
import type { GroupEntry } from '../group-entry.ts';
import type { GroupLog } from '../group-log.ts';
import type { GroupTable } from '../group-table.ts';
import { groupValueOf } from '../group-value.ts';
import { emptyGroup, type Group } from '../group.ts';
import type { ConsumerAnswer, ConsumerEvent, ConsumerHeartbeat, Refused } from './consumer-events.ts';
import {
  type ConsumerGroup,
  type ConsumerSettings,
  emptyConsumerGroup,
  GroupRefusal,
  stepConsumer,
  type World,
} from './consumer-group.ts';
import { changes, removal, snapshot } from './consumer-records.ts';
import { resumed } from './consumer-replay.ts';
import { upgrade } from './conversion.ts';
import { checkHeartbeat } from './heartbeat.ts';
import type { TopicImage } from './topic-image.ts';

type AnyGroup = ConsumerGroup | Group;

/** Appends of one group that are on their way. */
interface Writing {
  durable: AnyGroup;
  readonly states: AnyGroup[];
  last: Promise<number>;
}

export class ConsumerRequests {
  readonly topics: TopicImage;
  private readonly table: GroupTable;
  private readonly log: GroupLog;
  private readonly classic: ClassicRequests;
  private readonly host: Host;
  private readonly settingsOf: (groupId: string) => ConsumerSettings;
  private readonly writing = new Map<GroupEntry, Writing>();
  /** States of which the log may hold parts although they were taken back. */
  private readonly doubtful = new Map<GroupEntry, AnyGroup[]>();
  private stopped = false;

  constructor(given: {
    readonly table: GroupTable;
    readonly log: GroupLog;
    readonly classic: ClassicRequests;
    readonly host: Host;
    readonly topics: TopicImage;
    readonly settingsOf: (groupId: string) => ConsumerSettings;
  }) {
    this.table = given.table;
    this.log = given.log;
    this.classic = given.classic;
    this.host = given.host;
    this.topics = given.topics;
    this.settingsOf = given.settingsOf;
  }

  stop(): void {
    this.stopped = true;
  }

  /** ConsumerGroupHeartbeat: makes the group, or converts a classic one, when a member joins. */
  async heartbeat(groupId: string, event: ConsumerHeartbeat, version: number): Promise<ConsumerAnswer> {
    let base: ConsumerGroup;
    try {
      checkHeartbeat(event, version);
      base = this.baseOf(groupId, event.memberEpoch === 0);
    } catch (error) {
      if (!(error instanceof GroupRefusal)) throw error;
      return { api: 'refused', errorCode: error.code, message: error.message };
    }
    return this.request(groupId, base, event);
  }

  /** JoinGroup, SyncGroup, Heartbeat or LeaveGroup of a group that is one of KIP-848. */
  classicRequest(groupId: string, group: ConsumerGroup, event: ConsumerEvent): Promise<ConsumerAnswer> {
    return this.request(groupId, group, event);
  }

  /** Time passed. */
  tick(entry: GroupEntry, group: ConsumerGroup): void {
    const { group: next, notes } = this.step(entry.groupId, group, { kind: 'tick' });
    this.say(entry.groupId, notes);
    void this.write(entry, next);
  }

  /** An empty group becomes an empty classic one. */
  makeClassic(entry: GroupEntry): void {
    void this.write(entry, emptyGroup(entry.groupId));
  }

  private async request(groupId: string, base: ConsumerGroup, event: ConsumerEvent): Promise<ConsumerAnswer> {
    if (this.stopped) return refusal(CODE.COORDINATOR_NOT_AVAILABLE);
    const { group, answer, notes } = this.step(groupId, base, event);
    if (answer === undefined || answer.api === 'refused') return answer ?? refusal(CODE.UNKNOWN_SERVER_ERROR);
    this.say(groupId, notes);
    const entry = this.table.getOrMake(groupId);
    if (entry.group.type === 'classic' && entry.group.members.size > 0) {
      this.classic.abandon(entry, CODE.REBALANCE_IN_PROGRESS);
    }
    const errorCode = await this.write(entry, group);
    return errorCode === CODE.NONE ? answer : refusal(errorCode);
  }

  private step(groupId: string, group: ConsumerGroup, event: ConsumerEvent) {
    return stepConsumer(group, event, this.host.clock.monotonicMs(), this.world(groupId));
  }

  private world(groupId: string): World {
    return {
      topics: this.topics,
      nowMs: this.host.clock.nowMs(),
      settings: this.settingsOf(groupId),
    };
  }

  /** @throws GroupRefusal */
  private baseOf(groupId: string, isJoining: boolean): ConsumerGroup {
    const group = this.table.get(groupId)?.group;
    if (group?.type === 'consumer') return group;
    if (!isJoining) {
      throw new GroupRefusal(CODE.GROUP_ID_NOT_FOUND, `Consumer group ${groupId} not found.`);
    }
    if (this.log.ownerOf(groupId)) {
      throw new GroupRefusal(CODE.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a consumer group.`);
    }
    if (!group || group.phase === 'Empty') return emptyConsumerGroup(groupId);
    const { topics, settings } = this.world(groupId);
    return upgrade(group, this.host.clock.monotonicMs(), topics, settings);
  }

  private say(groupId: string, notes: readonly string[]): void {
    for (const note of notes) this.host.log.info({ group: groupId }, `group ${groupId}: ${note}`);
  }

  /** The group is `after` from now on. @returns 0 when that is durable */
  private async write(entry: GroupEntry, after: AnyGroup): Promise<number> {
    const before = entry.group;
    entry.group = after;
    if (before.type !== after.type) entry.stateSinceMs = this.host.clock.nowMs();
    this.table.arm(entry);
    const records = this.recordsOf(entry, before, after);
    const running = this.writing.get(entry);
    if (records.length === 0) {
      // What is answered may rest on something that is still on its way.
      return running ? running.last : CODE.NONE;
    }
    const writing: Writing = running ?? { durable: before, states: [], last: Promise.resolve(CODE.NONE) };
    writing.states.push(after);
    this.writing.set(entry, writing);
    this.doubtful.delete(entry);
    writing.last = this.settle(entry, writing, after, this.log.append(entry, records));
    return writing.last;
  }

  private async settle(
    entry: GroupEntry,
    writing: Writing,
    state: AnyGroup,
    appended: Promise<number>,
  ): Promise<number> {
    const errorCode = await appended;
    if (this.writing.get(entry) !== writing) return CODE.COORDINATOR_NOT_AVAILABLE;
    if (errorCode !== CODE.NONE) {
      this.takeBack(entry, writing);
      return CODE.COORDINATOR_NOT_AVAILABLE;
    }
    writing.durable = state;
    writing.states.shift();
    if (writing.states.length === 0) this.writing.delete(entry);
    return CODE.NONE;
  }

  private takeBack(entry: GroupEntry, { durable, states }: Writing): void {
    this.writing.delete(entry);
    if (entry.group.type === 'classic') this.classic.abandon(entry, CODE.COORDINATOR_NOT_AVAILABLE);
    this.doubtful.set(entry, [...states]);
    const { sessionTimeoutMs } = this.settingsOf(entry.groupId);
    entry.group =
      durable.type === 'consumer'
        ? resumed(durable, this.host.clock.monotonicMs(), sessionTimeoutMs)
        : durable;
    this.table.arm(entry);
    this.table.dropIfUnused(entry);
  }

  private recordsOf(entry: GroupEntry, before: AnyGroup, after: AnyGroup): StoredRecord[] {
    const doubtful = this.doubtful.get(entry) ?? [];
    // Parts of what was taken back may be in the log: they go first, and all that is true is written again.
    const undone = doubtful.flatMap((state) => endOf(state, entry));
    if (after.type === 'consumer') {
      if (undone.length > 0) return [...undone, ...snapshot(after)];
      return before.type === 'consumer'
        ? changes(before, after)
        : [...endOf(before, entry), ...snapshot(after)];
    }
    const ended = [...undone, ...endOf(before, entry)];
    // A group that is nothing yet has no record.
    if (after.members.size === 0) return ended;
    return [...ended, groupRecord(entry.groupId, groupValueOf(after), entry.stateSinceMs)];
  }
}

/** Takes away what the log may hold of a group of this type. */
function endOf(group: AnyGroup, { groupId, recorded }: GroupEntry): StoredRecord[] {
  if (group.type === 'consumer') return removal(group);
  return recorded ? [groupRecord(groupId, null, 0)] : [];
}

function refusal(errorCode: number): Refused {
  return { api: 'refused', errorCode, message: '' };
}
