import type { Cancel, Host } from '../host/host.ts';
import { AppendGate } from './room/append-gate.ts';
import { Checkpointer } from './durable/checkpointer.ts';
import type { LogConfig } from './config.ts';
import { DamageReport } from './damage-report.ts';
import { DiskRoom } from './room/disk-room.ts';
import { DiskTopics, type TopicPlan } from './topics/disk-topics.ts';
import { FilePool } from './segment/file-pool.ts';
import { GiveWay } from './segment/give-way.ts';
import type { LogError } from './errors.ts';
import { Holding, type ReaderPositions } from './retention/holding.ts';
import { Housekeeper } from './retention/housekeeper.ts';
import type { BrokerLog, Topic } from './log.ts';
import { startLog } from './log-start.ts';
import { type LogMetrics, logMetrics, reportTopics } from './log-metrics.ts';
import { leaveCleanMarker } from './durable/meta-properties.ts';
import type { Partition } from './partition/partition.ts';
import type { PartitionOwner } from './partition/partition-owner.ts';
import { segmentBytesMax } from './retention/retention.ts';
import { resumeWrites } from './room/resumption.ts';
import { SegmentWriter } from './segment/segment-writer.ts';
import { TailMemory } from './partition/tail-memory.ts';
import { Wal } from './wal/wal.ts';
import type { WalItem } from './wal/wal-group.ts';

/** How long durable batches wait in memory, at most, before they are written to their segment. */
const WRITE_INTERVAL_MS = 1_000;

/**
 * The log on files, put together. `openLog` makes it.
 *
 *     append → AppendGate → Wal (durable) → SegmentWriter → Checkpointer (forgets the write-ahead log)
 *     every retentionCheckMs: housekeeping        the disk refuses: AppendGate, until `resumeWrites` can
 */
export class DiskLog implements BrokerLog, PartitionOwner {
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
  readonly holding: Holding;
  readonly #topics: DiskTopics;
  readonly #gate: AppendGate;
  readonly #writer: SegmentWriter;
  readonly #room: DiskRoom;
  readonly #housekeeper: Housekeeper;
  readonly #damage: DamageReport;
  #cancels: Cancel[] = [];

  constructor(config: LogConfig, host: Host, clusterId: string) {
    this.config = config;
    this.host = host;
    this.clusterId = clusterId;
    const giveWay = new GiveWay(host.timers, () => this.wal.syncEnded());
    this.pool = new FilePool(host.files, () => giveWay.given());
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
    this.#room = new DiskRoom(host, config, this.wal, () => this.partitions());
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
    this.#housekeeper = new Housekeeper({
      host,
      config,
      pool: this.pool,
      metrics: this.metrics,
      holding: this.holding,
      gate: this.#gate,
      room: this.#room,
      checkpointer: this.checkpointer,
      partitions: () => this.partitions(),
      checkpoint: () => this.checkpoint(),
    });
    this.#damage = new DamageReport(host.log, this.metrics);
    this.wal.onRotate = () => void this.checkpoint().catch(() => {});
    this.wal.onFailure = (error) => this.#gate.refuse(error);
  }

  /** Reads everything back. Throws when the directory cannot be served at all. */
  async recover(isClean: boolean): Promise<void> {
    await startLog(
      {
        host: this.host,
        dataDir: this.config.dataDir,
        metrics: this.metrics,
        topics: this.#topics,
        wal: this.wal,
        room: this.#room,
        checkpointer: this.checkpointer,
        gate: this.#gate,
      },
      isClean,
    );
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
    await this.#housekeeper.idle();
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

  damaged(partition: Partition, error: LogError): void {
    this.#damage.found(partition, error);
  }

  startMoved(partition: Partition): Promise<void> {
    return this.#housekeeper.startMoved(partition);
  }

  get producerExpiryMs(): number {
    return this.config.producerExpiryMs;
  }

  nowMs(): number {
    return this.host.clock.nowMs();
  }

  // What the timers ask for, and tests.

  async checkpoint(): Promise<void> {
    try {
      await this.checkpointer.run();
    } catch (error) {
      this.metrics.storageError('checkpoint');
      this.wal.fail(error);
      throw error;
    }
  }

  /** Retention, the disk bound and producers' expiry, now. */
  keepHouse(): Promise<void> {
    return this.#housekeeper.keepHouse();
  }

  /** Cleans the compacted topics. */
  compact(): Promise<void> {
    return this.#housekeeper.compact();
  }

  /** Tries to write again after the disk refused. True when it did. */
  resume(): Promise<boolean> {
    return this.#gate.resume();
  }

  /** A topic may not be lax any more: what it owes has no other time to be synced. */
  async #syncOwed(): Promise<void> {
    await this.wal.sync().catch((error: unknown) => {
      this.host.log.warn({ error: String(error) }, 'cannot sync what lax topics owe; it is written again');
    });
  }

  #resume(): Promise<boolean> {
    return resumeWrites({
      wal: this.wal,
      room: this.#room,
      writer: this.#writer,
      checkpointer: this.checkpointer,
      pool: this.pool,
      metrics: this.metrics,
      partitions: () => this.partitions(),
      partitionOf: (topicId, partition) => this.#topics.partition(topicId, partition),
      retain: () => this.#housekeeper.retain(),
    });
  }
}
