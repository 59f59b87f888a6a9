/**
 * Owns what share groups know of their partitions: steps the machines, writes the records that they ask for, keeps
 * one timer a partition for the locks, and hands out records. The record first, true after; only that a record was
 * handed out is written without being waited for, so that its delivery count survives a restart.
 */
import { Deadline } from '../host/deadline.ts';
import type { Host } from '../host/host.ts';
import { LogError } from '../log/errors.ts';
import type { BrokerLog, PartitionLog } from '../log/log.ts';
import { CODE } from '../wire/errors.ts';
import { DeadLetters } from './dead-letters.ts';
import { bytesOf, readableOf } from './deliverable.ts';
import { type Delivery, keyText, newDelivery } from './delivery.ts';
import { recordsIn } from './run.ts';
import { acquire, type AcquiredRange } from './acquire.ts';
import {
  acknowledge,
  ACKNOWLEDGE,
  type AcknowledgementBatch,
  expireLocks,
  releaseMember,
  stored,
} from './settle.ts';
import {
  archivingRanges,
  type DeliveryRules,
  newSharePartition,
  nextFetchOffset,
  nextLockEndMs,
  recordsFinished,
  restoredPartition,
  type ShareEffect,
  type SharePartition,
  type ShareStep,
  trimmed,
} from './share-partition.ts';
import { ShareMetrics } from './share-metrics.ts';
import { type GroupConfigs, type ShareConfig, type ShareSettings, shareSettings } from './share-settings.ts';
import { readStateKey, stateAfter, type StateKey, type StoredState } from './share-state-records.ts';
import { StateLog } from './state-log.ts';

/** One read of the log; more is left to the next fetch, so that no member takes everything. */
const READ_BYTES_MAX = 1024 * 1024;
/** Reads of one fetch that may find nothing to deliver: markers, aborted records. */
const READS_MAX = 64;
/** Between attempts while the disk, or the dead-letter topic, refuses. */
const RETRY_MS = 1_000;
const NOTHING = Buffer.alloc(0);

export interface FetchWish {
  readonly memberId: string;
  readonly recordsMax: number;
  readonly batchSize: number;
  readonly isStrict: boolean;
  readonly bytesMax: number;
  readonly minOneBatch: boolean;
}

export interface Fetched {
  readonly records: Buffer;
  readonly acquired: readonly AcquiredRange[];
}

export class ShareDeliveries {
  readonly stateLog: StateLog;
  readonly metrics: ShareMetrics;
  private readonly byKey = new Map<string, Delivery>();
  /** First uses whose start offset is on its way to the disk. */
  private readonly opening = new Map<string, Promise<Delivery | number>>();
  private readonly host: Host;
  private readonly log: BrokerLog;
  private readonly config: ShareConfig;
  private readonly groupConfigs: GroupConfigs;
  private readonly deadLetters: DeadLetters;
  private stopped = false;

  constructor(
    config: ShareConfig,
    host: Host,
    log: BrokerLog,
    groupConfigs: GroupConfigs,
    createTopic: (name: string, configs: Readonly<Record<string, string>>) => Promise<unknown>,
  ) {
    this.config = config;
    this.host = host;
    this.log = log;
    this.groupConfigs = groupConfigs;
    this.stateLog = new StateLog(log, host, config, () => this.byKey.values());
    this.metrics = new ShareMetrics(host.metrics, () => this.byKey.values());
    this.deadLetters = new DeadLetters(config, host, log, this.metrics, createTopic);
  }

  /** Reads `__share_group_state`; what was acquired is available again. */
  async start(hasGroup: (groupId: string) => boolean): Promise<void> {
    const states = new Map<string, { key: StateKey; state: StoredState | undefined }>();
    await this.stateLog.replay(({ key: bytes, value }) => {
      const key = readStateKey(bytes);
      if (!key) return;
      const text = keyText(key);
      const { groupId, topicId, partition, isSnapshot } = key;
      const state = stateAfter(states.get(text)?.state, isSnapshot, value);
      if (state) states.set(text, { key: { groupId, topicId, partition }, state });
      else states.delete(text);
    });
    for (const [text, { key, state }] of states) {
      const log = this.log.topicById(key.topicId)?.partitions[key.partition];
      if (!log || !state || state.startOffset < 0 || !hasGroup(key.groupId)) continue;
      const partition = restoredPartition(state.startOffset, state.batches);
      const delivery = this.newDelivery(key, log, partition, state);
      this.byKey.set(text, delivery);
      this.writeLetters(delivery);
    }
  }

  stop(): void {
    this.stopped = true;
    for (const delivery of this.byKey.values()) this.silence(delivery);
  }

  settings(groupId: string): ShareSettings {
    return shareSettings(this.config, this.groupConfigs(groupId));
  }

  get(key: StateKey): Delivery | undefined {
    return this.byKey.get(keyText(key));
  }

  of(groupId: string): Delivery[] {
    return [...this.byKey.values()].filter(({ key }) => key.groupId === groupId);
  }

  /** The partition as the group knows it; its start offset is durable before anything is handed out. */
  open(key: StateKey, log: PartitionLog): Promise<Delivery | number> {
    const text = keyText(key);
    const known = this.byKey.get(text);
    if (known) return Promise.resolve(known);
    let opening = this.opening.get(text);
    if (!opening) {
      opening = this.firstUse(key, log).finally(() => this.opening.delete(text));
      this.opening.set(text, opening);
    }
    return opening;
  }

  /** Sets where the group goes on, and forgets what was handed out. */
  async reset(key: StateKey, log: PartitionLog, startOffset: number): Promise<number> {
    const before = this.get(key);
    const made = await this.create(key, log, startOffset, before);
    return typeof made === 'number' ? made : CODE.NONE;
  }

  /** The group is gone, or its offsets in the topic. */
  async forget(delivery: Delivery): Promise<number> {
    const errorCode = await this.stateLog.forget(delivery.key);
    if (errorCode === CODE.NONE) this.drop(delivery);
    return errorCode;
  }

  /** Locks records for the member, and reads them. */
  fetch(delivery: Delivery, wish: FetchWish): Promise<Fetched> {
    return delivery.turns.inTurn(() => this.fetchInTurn(delivery, wish));
  }

  /** @returns 0 when durable, else why nothing was done */
  async acknowledge(
    delivery: Delivery,
    memberId: string,
    batches: readonly AcknowledgementBatch[],
  ): Promise<number> {
    const nowMs = this.host.clock.monotonicMs();
    this.trim(delivery);
    const outcome = acknowledge(delivery.partition, memberId, batches, this.rules(delivery), nowMs);
    if ('errorCode' in outcome) return outcome.errorCode;
    const renewed = batches.flatMap(({ first, last, types }) =>
      types.map((type) => (type === ACKNOWLEDGE.renew ? (types.length === 1 ? last - first + 1 : 1) : 0)),
    );
    this.metrics.count(
      delivery,
      'renewed',
      renewed.reduce((sum, one) => sum + one, 0),
    );
    return this.apply(delivery, outcome);
  }

  /** Gives back what the member holds. */
  async release(deliveries: readonly Delivery[], memberId: string): Promise<void> {
    await Promise.all(
      deliveries.map((delivery) => this.apply(delivery, releaseMember(delivery.partition, memberId))),
    );
  }

  /** Bytes that a fetch could find now; 0 when nothing may be handed out. */
  availableBytes(delivery: Delivery, atMost: number): number {
    const { recordLocksMax, isReadCommitted } = this.settings(delivery.key.groupId);
    this.trim(delivery);
    const from = nextFetchOffset(delivery.partition, recordLocksMax);
    if (from === undefined) return 0;
    const { log } = delivery;
    return log.availableBytes(from, atMost, isReadCommitted ? log.lastStableOffset : log.highWatermark);
  }

  /** Records behind the end of the log that the group is not done with; -1 when it has not begun. */
  lag(delivery: Delivery): number {
    const { partition, log } = delivery;
    return Math.max(0, log.highWatermark - partition.startOffset - recordsFinished(partition));
  }

  drop(delivery: Delivery): void {
    this.silence(delivery);
    const text = keyText(delivery.key);
    if (this.byKey.get(text) === delivery) this.byKey.delete(text);
    for (const wake of delivery.waiting) wake();
  }

  private silence(delivery: Delivery): void {
    delivery.isGone = true;
    delivery.deadline.cancel();
    delivery.cancelLetters();
  }

  private async firstUse(key: StateKey, log: PartitionLog): Promise<Delivery | number> {
    const { autoOffsetReset } = this.settings(key.groupId);
    let startOffset = log.highWatermark;
    if (autoOffsetReset.kind === 'earliest') startOffset = log.startOffset;
    if (autoOffsetReset.kind === 'by_duration') {
      const sinceMs = this.host.clock.nowMs() - autoOffsetReset.durationMs;
      startOffset = (await log.offsetForTimestamp(sinceMs))?.offset ?? log.highWatermark;
    }
    return this.create(key, log, startOffset, undefined);
  }

  private async create(
    key: StateKey,
    log: PartitionLog,
    startOffset: number,
    before: Delivery | undefined,
  ): Promise<Delivery | number> {
    const ready = await this.stateLog.ensure();
    if (ready !== CODE.NONE) return ready;
    const epochs = {
      snapshotEpoch: before?.snapshotEpoch ?? 0,
      stateEpoch: before ? before.stateEpoch + 1 : 0,
    };
    const delivery = this.newDelivery(key, log, newSharePartition(startOffset), epochs);
    // In the list before it is durable: a rewrite of the topic must not cut its record off.
    const text = keyText(key);
    this.byKey.set(text, delivery);
    if (before) this.silence(before);
    const errorCode = await this.stateLog.snapshot(delivery);
    if (errorCode === CODE.NONE) {
      if (before) this.drop(before);
      return delivery;
    }
    this.drop(delivery);
    if (before) {
      before.isGone = false;
      this.byKey.set(text, before);
      this.arm(before);
    }
    return errorCode;
  }

  private async fetchInTurn(delivery: Delivery, wish: FetchWish): Promise<Fetched> {
    const { log } = delivery;
    const settings = this.settings(delivery.key.groupId);
    for (let reads = 0; reads < READS_MAX && !delivery.isGone; reads += 1) {
      this.trim(delivery);
      const before = delivery.partition;
      const from = nextFetchOffset(before, settings.recordLocksMax);
      const end = settings.isReadCommitted ? log.lastStableOffset : log.highWatermark;
      if (from === undefined || from >= end) break;
      const bytes = await log.read(from, Math.min(wish.bytesMax, READ_BYTES_MAX), wish.minOneBatch, end);
      if (bytes.length === 0 || delivery.isGone) break;
      const aborted = settings.isReadCommitted ? await log.abortedTransactions(from, end) : [];
      const readable = readableOf(bytes, from, aborted);
      const { partition, acquired } = acquire(
        delivery.partition,
        { ...wish, from, to: readable.to, batches: readable.batches },
        this.rules(delivery),
        this.host.clock.monotonicMs(),
      );
      delivery.partition = partition;
      if (acquired.length > 0) {
        this.handedOut(delivery, acquired);
        return { records: bytesOf(bytes, readable, acquired), acquired };
      }
      if (partition === before) break;
    }
    return { records: NOTHING, acquired: [] };
  }

  private handedOut(delivery: Delivery, acquired: readonly AcquiredRange[]): void {
    const sum = (ranges: readonly AcquiredRange[]): number =>
      ranges.reduce((records, range) => records + recordsIn(range), 0);
    this.metrics.count(delivery, 'acquired', sum(acquired));
    this.metrics.count(delivery, 'redelivered', sum(acquired.filter((range) => range.deliveryCount > 1)));
    const batches = acquired.map((range) => ({ ...range, state: 'available' as const }));
    // Not waited for: the worst that its loss can do is one delivery more.
    void this.stateLog.change(delivery, delivery.partition.startOffset, batches);
    this.arm(delivery);
  }

  /** Applies a step; resolves when what it asks for is durable, or refused. */
  private apply(delivery: Delivery, { partition, effects }: ShareStep): Promise<number> {
    delivery.partition = partition;
    let ended: Promise<number> = Promise.resolve(CODE.NONE);
    for (const effect of effects) {
      if (effect.kind === 'store') ended = this.store(delivery, effect);
      else if (effect.kind === 'archiving') this.writeLetters(delivery);
    }
    this.arm(delivery);
    return ended;
  }

  private async store(
    delivery: Delivery,
    { ticket, startOffset, batches }: Extract<ShareEffect, { kind: 'store' }>,
  ): Promise<number> {
    const errorCode = await this.stateLog.change(delivery, startOffset, batches);
    if (delivery.isGone) return errorCode;
    const isDurable = errorCode === CODE.NONE;
    if (isDurable) {
      for (const batch of batches) this.countOutcome(delivery, batch);
    } else {
      delivery.notBeforeMs = this.host.clock.monotonicMs() + RETRY_MS;
    }
    void this.apply(delivery, stored(delivery.partition, ticket, isDurable));
    if (isDurable) for (const wake of delivery.waiting) wake();
    return errorCode;
  }

  private countOutcome(delivery: Delivery, batch: { state: string; first: number; last: number }): void {
    const records = batch.last - batch.first + 1;
    if (batch.state === 'acknowledged') this.metrics.count(delivery, 'accepted', records);
    if (batch.state === 'available') this.metrics.count(delivery, 'released', records);
    if (batch.state === 'archived') this.metrics.count(delivery, 'archived', records);
  }

  /** Writes what waits for it to the dead-letter topic, and tries again for as long as that fails. */
  private writeLetters(delivery: Delivery): void {
    if (delivery.isWritingLetters || delivery.isGone || this.stopped) return;
    const settings = this.settings(delivery.key.groupId);
    const ranges = archivingRanges(delivery.partition, settings.deliveryCountLimit);
    if (ranges.length === 0) return;
    delivery.isWritingLetters = true;
    const written = this.deadLetters.write(delivery, settings, ranges, (step) => this.apply(delivery, step));
    void written
      .catch((error: unknown) => {
        if (!(error instanceof LogError)) throw error;
        return false;
      })
      .then((isDone) => {
        delivery.isWritingLetters = false;
        if (isDone) this.writeLetters(delivery);
        else if (!delivery.isGone) {
          delivery.cancelLetters = this.host.timers.after(RETRY_MS, () => this.writeLetters(delivery));
        }
      });
  }

  private rules({ key }: Delivery): DeliveryRules {
    const { lockDurationMs, deliveryCountLimit, recordLocksMax, deadLetterTopic } = this.settings(
      key.groupId,
    );
    return { lockDurationMs, deliveryCountLimit, recordLocksMax, deadLetters: deadLetterTopic !== '' };
  }

  private trim(delivery: Delivery): void {
    delivery.partition = trimmed(delivery.partition, delivery.log.startOffset);
  }

  private newDelivery(
    key: StateKey,
    log: PartitionLog,
    partition: SharePartition,
    epochs: Pick<StoredState, 'snapshotEpoch' | 'stateEpoch'>,
  ): Delivery {
    const deadline = new Deadline(this.host, () => this.onLockEnd(delivery));
    const delivery = newDelivery(key, log, partition, epochs, deadline);
    return delivery;
  }

  private arm(delivery: Delivery): void {
    if (this.stopped || delivery.isGone) return;
    const endMs = nextLockEndMs(delivery.partition);
    delivery.deadline.set(endMs === undefined ? undefined : Math.max(endMs, delivery.notBeforeMs));
  }

  private onLockEnd(delivery: Delivery): void {
    const nowMs = this.host.clock.monotonicMs();
    const step = expireLocks(delivery.partition, this.rules(delivery), nowMs);
    for (const effect of step.effects) {
      if (effect.kind !== 'store') continue;
      const records = effect.batches.reduce((sum, batch) => sum + recordsIn(batch), 0);
      this.metrics.count(delivery, 'timed_out', records);
    }
    void this.apply(delivery, step);
  }
}
