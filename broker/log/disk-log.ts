import type { Cancel, Host } from '../host/host.ts';
import { AppendGate } from './append-gate.ts';
import { Checkpointer } from './checkpointer.ts';
import { compactPartitions } from './compaction/compaction.ts';
import type { LogConfig } from './config.ts';
import { DiskReserve } from './disk-reserve.ts';
import { DiskTopics, type TopicPlan } from './disk-topics.ts';
import { FilePool } from './file-pool.ts';
import type { LogError } from './errors.ts';
import { Holding, type ReaderPositions } from './holding.ts';
import { type Condemned, type HousekeepingOwner, keepHouse, removeDead } from './housekeeping.ts';
import type { BrokerLog, Topic } from './log.ts';
import { type LogMetrics, logMetrics, reportTopics } from './log-metrics.ts';
import { leaveCleanMarker } from './meta-properties.ts';
import type { Partition } from './partition.ts';
import type { PartitionOwner } from './partition-owner.ts';
import { recoverySource, replayWal } from './recovery.ts';
import { segmentBytesMax } from './retention.ts';
import type { Segment } from './segment.ts';
import { SegmentWriter } from './segment-writer.ts';
import { TailMemory } from './tail-memory.ts';
import { Wal } from './wal.ts';
import type { WalItem } from './wal-group.ts';
import { rewriteFromWal } from './wal-rewrite.ts';

/** How long durable batches wait in memory, at most, before they are written to their segment. */
const WRITE_INTERVAL_MS = 1_000;
/** Free when appends are taken again: less, and the disk would be full again at once. */
const RESUME_FREE_BYTES = 32 * 1024 * 1024;

/** Damaged places remembered as logged; beyond, they may be logged again. */
const SAID_DAMAGE_MAX = 1_000;

/**
 * The log on files, put together. `openLog` makes it.
 *
 *     append → AppendGate → Wal (durable) → SegmentWriter → Checkpointer (forgets the write-ahead log)
 *     every retentionCheckMs: housekeeping        the disk refuses: AppendGate, until `#resume` succeeds
 */
export class DiskLog implements BrokerLog, PartitionOwner, HousekeepingOwner {
  readonly clusterId: string;
  readonly config: LogConfig;
  readonly host: Host;
  readonly pool: FilePool;
  readonly metrics: LogMetrics;
  readonly wal: Wal;
  readonly checkpointer: Checkpointer;
  readonly tailMemory: TailMemory;
  /** Called at the end of `close`. */
  onClosed: () => Promise<void> = () => Promise.resolve();
  condemned: readonly Condemned[] = [];
  readonly holding: Holding;
  readonly #topics: DiskTopics;
  readonly #gate: AppendGate;
  readonly #writer: SegmentWriter;
  readonly #reserve: DiskReserve;
  #cancels: Cancel[] = [];
  #keeping: Promise<void> | undefined;
  #compacting: Promise<void> | undefined;
  readonly #superseded: Segment[] = [];
  /** Damaged places that were logged. */
  readonly #saidDamage = new Set<string>();

  constructor(config: LogConfig, host: Host, clusterId: string) {
    this.config = config;
    this.host = host;
    this.clusterId = clusterId;
    this.pool = new FilePool(host.files);
    this.metrics = logMetrics(host.metrics);
    this.holding = new Holding(host.log, this.metrics);
    this.tailMemory = new TailMemory(config.tailBytesMax);
    this.#topics = new DiskTopics(host, config, this.metrics, this);
    this.wal = new Wal(host, `${config.dataDir}/wal`, config.walFileBytes, this.metrics);
    this.checkpointer = new Checkpointer({
      host,
      dataDir: config.dataDir,
      clusterId,
      pool: this.pool,
      wal: this.wal,
      metrics: this.metrics,
      partitions: () => this.partitions(),
    });
    this.#reserve = new DiskReserve(host, config.dataDir, config.reserveBytes);
    this.#gate = new AppendGate(
      host,
      this.metrics,
      config,
      () => this.wal.queuedBytes,
      () => this.#resume(),
    );
    this.#writer = new SegmentWriter(
      this.tailMemory,
      () => this.#gate.state === 'writing',
      (error) => this.wal.fail(error),
    );
    this.wal.onRotate = () => void this.checkpoint().catch(() => {});
    this.wal.onFailure = (error) => this.#gate.refuse(error);
  }

  /** Reads everything back. Throws when the directory cannot be served at all. */
  async recover(isClean: boolean): Promise<void> {
    const { host, config } = this;
    await host.files.makeDirectory(`${config.dataDir}/wal`);
    await host.files.makeDirectory(`${config.dataDir}/topics`);
    await this.#topics.load();
    await this.#reserve.find();
    const source = await recoverySource(host, config.dataDir);
    if (source.checkpoint) this.checkpointer.found(source.checkpoint.walFile);
    const cut = await this.#topics.restore(source);
    // What was found without a checkpoint may be in the page cache only.
    if (source.rebuild) {
      for (const { segments } of this.partitions()) for (const segment of segments) segment.distrust();
    }
    const replayed = await replayWal(
      host,
      this.metrics,
      this.wal.files.directory,
      source.checkpoint?.walFile ?? 0,
      (topicId, partition) => this.#topics.partition(topicId, partition),
    );
    for (const partition of this.partitions()) partition.skipToStart();
    // Somebody may have been told of offsets that are given out again: consumers see it by the epoch. What was lost
    // of lax topics leaves no trace.
    this.#topics.bumpEpochs(cut || replayed.cut ? 'all' : isClean ? 'none' : 'lax');
    await this.#topics.removeOrphans();
    this.wal.files.nextFile = Math.max(source.checkpoint?.walFile ?? 0, replayed.kept.at(-1)?.file ?? 0) + 1;
    try {
      await this.wal.files.adopt(replayed.kept);
      await this.#wantRoom();
      // First: then it does not matter what the disk has of what was never synced.
      await this.checkpointer.run();
      await this.wal.open();
      this.#gate.open();
    } catch (error) {
      this.metrics.storageError('open');
      this.wal.fail(error);
    }
    for (const partition of this.partitions()) partition.tail.evict();
    if (replayed.batches > 0) host.log.info({ batches: replayed.batches }, 'replayed the write-ahead log');
  }

  /** Starts the timers and the computed metrics. */
  start(): void {
    const { timers } = this.host;
    this.#cancels.push(
      timers.every(WRITE_INTERVAL_MS, () => this.#writer.write()),
      timers.every(this.config.retentionCheckMs, () => void this.keepHouse()),
      timers.every(this.config.cleanerCheckMs, () => void this.compact()),
    );
    const { clock, metrics } = this.host;
    this.holding.report(
      metrics,
      () => this.partitions(),
      () => clock.nowMs(),
    );
    reportTopics(this.host.metrics, this.metrics, this.host.clock, () => this.#topics.withPartitions());
  }

  waitFor(positions: ReaderPositions): void {
    this.holding.positions = positions;
  }

  get topicsVersion(): number {
    return this.#topics.version;
  }

  topics(): Topic[] {
    return this.#topics.list();
  }

  topic(name: string): Topic | undefined {
    return this.#topics.byName(name);
  }

  topicById(id: string): Topic | undefined {
    return this.#topics.byId(id);
  }

  partitions(): Partition[] {
    return this.#topics.partitions();
  }

  createTopic(plan: TopicPlan): Promise<Topic> {
    return this.#topics.create(plan);
  }

  createPartitions(name: string, count: number): Promise<Topic> {
    return this.#topics.grow(name, count);
  }

  async alterConfigs(name: string, configs: Readonly<Record<string, string>>): Promise<Topic> {
    const topic = await this.#topics.alter(name, configs);
    await this.#syncOwed();
    return topic;
  }

  changeDefaults(configs: Readonly<Record<string, string>>): void {
    this.#topics.changeDefaults(configs);
    void this.#syncOwed();
  }

  deleteTopic(name: string): Promise<void> {
    return this.#topics.delete(name, () => this.checkpointer.idle());
  }

  get storageError(): string | undefined {
    return this.#gate.storageError;
  }

  whenWritable(): Promise<void> | undefined {
    return this.#gate.whenWritable();
  }

  get segmentBytesMax(): number {
    return segmentBytesMax(this.config);
  }

  async close(): Promise<void> {
    if (this.#gate.state === 'closed') return;
    const { before, resumed } = this.#gate.close();
    for (const cancel of this.#cancels) cancel();
    await this.#topics.close();
    await resumed;
    await this.#keeping;
    await this.#compacting;
    await this.wal.drain();
    if (before === 'writing') {
      try {
        await this.#writer.idle();
        await this.checkpointer.run();
        for (const partition of this.partitions()) await partition.active.writeIndex(this.pool);
        await leaveCleanMarker(this.host, this.config.dataDir);
      } catch (error) {
        this.metrics.storageError('close');
        this.host.log.error(
          { error: String(error) },
          'the disk refused at close: the next start replays the log',
        );
      }
    }
    await this.wal.close();
    await this.pool.forgetAll();
    await this.onClosed();
  }

  // What partitions ask for.

  admit(batchBytes: number): void {
    this.#gate.admit(batchBytes);
  }

  enqueue(item: WalItem): void {
    this.wal.append(item);
  }

  unwritten(partition: Partition): void {
    this.#writer.add(partition);
    this.#gate.committed();
  }

  damaged({ topic, partition }: Partition, error: LogError): void {
    this.metrics.corruptBatch(topic);
    // Readers ask again and again: it is said once.
    if (this.#saidDamage.has(error.message)) return;
    if (this.#saidDamage.size >= SAID_DAMAGE_MAX) this.#saidDamage.clear();
    this.#saidDamage.add(error.message);
    this.host.log.error(
      { topic, partition, error: error.message },
      'a stored batch is damaged: it is not served; what is in front of it and behind it is',
    );
  }

  async startMoved(partition: Partition): Promise<void> {
    await this.#house(() => removeDead(this, new Map([[partition, 'request']])));
  }

  get producerExpiryMs(): number {
    return this.config.producerExpiryMs;
  }

  nowMs(): number {
    return this.host.clock.nowMs();
  }

  // What housekeeping asks for.

  get log(): Host['log'] {
    return this.host.log;
  }

  async checkpoint(): Promise<void> {
    try {
      await this.checkpointer.run();
    } catch (error) {
      this.metrics.storageError('checkpoint');
      this.wal.fail(error);
      throw error;
    }
  }

  get takesWrites(): boolean {
    return this.#gate.state === 'writing';
  }

  async saveStarts(): Promise<void> {
    if (this.#gate.state === 'refusing') await this.checkpointer.trim();
    else await this.checkpoint();
  }

  async removeSegment(segment: Segment): Promise<void> {
    await segment.remove(this.pool);
  }

  /** Retention, the disk bound and producers' expiry, now. */
  async keepHouse(): Promise<void> {
    if (!this.takesWrites) return;
    await this.#house(async () => {
      await keepHouse(this, this.host.clock.nowMs());
      await this.#reserve.make(this.#resumeFreeBytes);
    }).catch((error: unknown) => {
      this.metrics.storageError('retention');
      this.host.log.error({ error: String(error) }, 'retention failed; it is tried again');
    });
  }

  /** Cleans the compacted topics, one partition after the other; calls while it runs share it. */
  compact(): Promise<void> {
    this.#compacting ??= compactPartitions({
      host: this.host,
      pool: this.pool,
      metrics: this.metrics,
      superseded: this.#superseded,
      partitions: () => this.partitions(),
      mayClean: () => this.takesWrites,
      checkpoint: () => this.#house(() => this.checkpoint()),
    }).finally(() => {
      this.#compacting = undefined;
    });
    return this.#compacting;
  }

  /** A topic may not be lax any more: what it owes has no other time to be synced. */
  async #syncOwed(): Promise<void> {
    await this.wal.sync().catch((error: unknown) => {
      this.host.log.warn({ error: String(error) }, 'cannot sync what lax topics owe; it is written again');
    });
  }

  async #house(fn: () => Promise<void>): Promise<void> {
    const before = this.#keeping;
    const running = (async () => {
      await before;
      await fn();
    })();
    const settled = running.catch(() => {});
    this.#keeping = settled;
    await running;
  }

  /** Tries to write again after the disk refused. True when it did. */
  resume(): Promise<boolean> {
    return this.#gate.resume();
  }

  async #resume(): Promise<boolean> {
    try {
      if (!(await this.#findRoom())) return false;
      await this.wal.drain();
      await this.#writer.idle();
      await this.checkpointer.idle();
      await this.pool.forgetAll();
      await this.wal.open();
      await this.checkpointer.repair(() => this.#rewrite(this.wal.files.kept));
      return true;
    } catch (error) {
      this.metrics.storageError('resume');
      this.wal.fail(error);
      await this.wal.discardUnused();
      return false;
    }
  }

  /** On a full disk: gives up the reserve and lets retention remove what it may. True when there is room. */
  async #findRoom(): Promise<boolean> {
    const { code } = (this.wal.failure?.cause ?? {}) as { code?: string };
    // A quota may be used up on a disk with room.
    const full = code === 'ENOSPC' || code === 'EDQUOT';
    if (!full && (await this.#hasRoom())) return true;
    await this.#reserve.release();
    await this.#house(() => keepHouse(this, this.host.clock.nowMs()));
    return await this.#hasRoom();
  }

  /**
   * What was replayed is not written where a checkpoint would not fit behind it: the little that is free is what
   * retention needs, to say what may go.
   */
  async #wantRoom(): Promise<void> {
    const leftBytes = await this.#roomLeft();
    if (leftBytes >= this.#resumeFreeBytes / 32) return;
    const error = new Error(`ENOSPC: got ${leftBytes} bytes left behind what was replayed`);
    throw Object.assign(error, { code: 'ENOSPC' });
  }

  /** For what waits in memory and a checkpoint now, and behind the checkpoint, which frees the write-ahead log. */
  async #hasRoom(): Promise<boolean> {
    const left = await this.#roomLeft();
    return left >= this.#resumeFreeBytes / 32 && left + this.wal.files.bytes >= this.#resumeFreeBytes;
  }

  /** Free behind what waits in memory. */
  async #roomLeft(): Promise<number> {
    const { freeBytes } = await this.host.files.space(this.config.dataDir);
    let unwrittenBytes = this.wal.owedBytes;
    for (const { tail } of this.partitions()) unwrittenBytes += tail.unwrittenBytes;
    return freeBytes - unwrittenBytes;
  }

  get #resumeFreeBytes(): number {
    return Math.min(RESUME_FREE_BYTES, this.config.walFileBytes);
  }

  /** Nothing else writes to segments meanwhile. */
  async #rewrite(kept: ReadonlyArray<{ file: number; end: number }>): Promise<void> {
    const releases: Array<() => void> = [];
    try {
      for (const partition of this.partitions()) releases.push(await partition.stored.hold());
      await rewriteFromWal(this.host.files, this.wal.files.directory, kept, (topicId, partition) =>
        this.#topics.partition(topicId, partition),
      );
    } finally {
      for (const release of releases) release();
    }
  }
}
