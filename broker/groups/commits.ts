/** Committing positions and letting go of them: every change is a record first. */
import assert from 'node:assert/strict';

import type { Host } from '../host/host.ts';
import type { BatchProducer, StoredRecord } from '../state/record-batch.ts';
import { CODE } from '../wire/errors.ts';
import { type CommittedOffset, expiredOffsets } from './committed-offsets.ts';
import { offsetRecord } from './coordinator-records.ts';
import { type GroupEntry, placeOf } from './group-entry.ts';
import type { GroupLog } from './group-log.ts';
import { isVacant, phaseOf, protocolTypeOf, topicsReadBy } from './group-view.ts';
import type { PendingOffset, PendingOffsets } from './pending-offsets.ts';

export interface CommitRequest {
  readonly groupId: string;
  /** The generation, or the member epoch of KIP-848. */
  readonly generation: number;
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly offsets: readonly CommitOffset[];
  /** Of the request. */
  readonly version?: number;
  readonly isTransactional?: boolean;
}

export interface CommitOutcome {
  /** For all but the stale ones. */
  readonly errorCode: number;
  /** STALE_MEMBER_EPOCH: came to the member in a later epoch than it commits in. */
  readonly stale: ReadonlySet<CommitOffset>;
}

export interface CommitOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** An unchanged position is written again this often within the retention time, so that it counts as used. */
const REFRESHES_IN_RETENTION = 10;

export class Commits {
  private readonly log: GroupLog;
  private readonly pending: PendingOffsets;
  private readonly clock: Host['clock'];
  private readonly retentionMs: number;

  constructor(log: GroupLog, pending: PendingOffsets, { clock }: Pick<Host, 'clock'>, retentionMs: number) {
    this.log = log;
    this.pending = pending;
    this.clock = clock;
    this.retentionMs = retentionMs;
  }

  /**
   * Appended in this turn, so that a rebalance that follows cannot be crossed.
   * @returns 0 when durable, else the code for every partition of the request
   */
  async commit(entry: GroupEntry, offsets: readonly CommitOffset[]): Promise<number> {
    const nowMs = this.clock.nowMs();
    const changed = offsets.filter((one) => this.isWorthARecord(entry, one, nowMs));
    if (changed.length === 0) return CODE.NONE;
    const values = changed.map(({ topic, partition, offset, leaderEpoch, metadata }) => ({
      topic,
      partition,
      value: { offset, leaderEpoch, metadata, committedAtMs: nowMs } satisfies CommittedOffset,
    }));
    for (const { topic, partition } of values) count(entry.committing, placeOf(topic, partition), 1);
    const overtaken = this.overtake(entry, values);
    const errorCode = await this.log.append(
      entry,
      values.map(({ topic, partition, value }) => offsetRecord(entry.groupId, topic, partition, value)),
    );
    for (const { topic, partition, value } of values) {
      count(entry.committing, placeOf(topic, partition), -1);
      if (errorCode === CODE.NONE) entry.offsets.set(topic, partition, value);
    }
    if (errorCode !== CODE.NONE) for (const one of overtaken) one.overtaken = false;
    return errorCode;
  }

  /**
   * Within a transaction: the positions count when it is committed. Appended in this turn.
   * @returns 0 when durable, else the code for every partition of the request
   */
  async commitPending(
    entry: GroupEntry,
    offsets: readonly CommitOffset[],
    producer: BatchProducer,
  ): Promise<number> {
    if (offsets.length === 0) return CODE.NONE;
    if (this.pending.isFull) return CODE.COORDINATOR_NOT_AVAILABLE;
    const { groupId } = entry;
    const nowMs = this.clock.nowMs();
    const home = this.log.topic.partitionFor(groupId)?.partition;
    if (home === undefined) return CODE.COORDINATOR_NOT_AVAILABLE;
    const values = offsets.map(({ topic, partition, offset, leaderEpoch, metadata }) => ({
      groupId,
      topic,
      partition,
      value: { offset, leaderEpoch, metadata, committedAtMs: nowMs } satisfies CommittedOffset,
    }));
    const added = values.map((one) => this.pending.add(home, producer.producerId, one));
    const errorCode = await this.log.append(
      entry,
      values.map(({ topic, partition, value }) => offsetRecord(groupId, topic, partition, value)),
      producer,
    );
    if (errorCode !== CODE.NONE) {
      for (const one of added) this.pending.remove(home, producer.producerId, one);
    }
    return errorCode;
  }

  /** @returns 0 when they are gone for good */
  async remove(entry: GroupEntry, places: readonly Place[]): Promise<number> {
    const overtaken = this.overtake(entry, places);
    const errorCode = await this.log.appendAll(entry, tombstones(entry, places));
    if (errorCode !== CODE.NONE) {
      for (const one of overtaken) one.overtaken = false;
      return errorCode;
    }
    for (const { topic, partition } of places) entry.offsets.delete(topic, partition);
    return CODE.NONE;
  }

  /** Drops positions past their retention. */
  async expire(entry: GroupEntry): Promise<void> {
    const { group } = entry;
    const isConsumer = group.type === 'consumer';
    const expired = expiredOffsets(
      entry.offsets,
      {
        // A member of KIP-848 reads on while the group reconciles.
        phase: isConsumer && !isVacant(group) ? 'Stable' : phaseOf(group),
        // The time at which such a group became empty is not recorded: the commit's counts.
        protocolType: isConsumer && isVacant(group) ? null : protocolTypeOf(group),
        stateSinceMs: entry.stateSinceMs,
        subscribed: topicsReadBy(group),
      },
      this.clock.nowMs(),
      this.retentionMs,
    ).filter(({ topic, partition }) => !this.pending.isPending(entry.groupId, topic, partition));
    if (expired.length > 0) await this.remove(entry, expired);
  }

  /** What is appended now is newer than what waits for its transaction there. */
  overtake({ groupId }: GroupEntry, places: readonly Place[]): PendingOffset[] {
    return places.flatMap(({ topic, partition }) => this.pending.overtake(groupId, topic, partition));
  }

  private isWorthARecord(entry: GroupEntry, given: CommitOffset, nowMs: number): boolean {
    if (entry.committing.has(placeOf(given.topic, given.partition))) return true;
    if (this.pending.isPending(entry.groupId, given.topic, given.partition)) return true;
    const now = entry.offsets.get(given.topic, given.partition);
    return (
      now === undefined ||
      now.offset !== given.offset ||
      now.metadata !== given.metadata ||
      now.leaderEpoch !== given.leaderEpoch ||
      nowMs - now.committedAtMs > this.retentionMs / REFRESHES_IN_RETENTION
    );
  }
}

/** What takes the positions at these places away. */
export function tombstones({ groupId }: GroupEntry, places: readonly Place[]): StoredRecord[] {
  return places.map(({ topic, partition }) => offsetRecord(groupId, topic, partition, null));
}

function count(counts: Map<string, number>, key: string, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  assert(next >= 0);
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}
