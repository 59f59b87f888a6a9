import type { Host } from '../host/host.ts';
import { Checkpointer } from './checkpointer.ts';
import type { LogConfig } from './config.ts';
import { LogError } from './errors.ts';
import { FilePool } from './file-pool.ts';
import { type HousekeepingOwner, keepHouse, removeDead } from './housekeeping.ts';
import type { BrokerLog, Topic } from './log.ts';
import { type LogMetrics, logMetrics, reportTopics } from './log-metrics.ts';
import { leaveCleanMarker } from './meta-properties.ts';
import { Partition, type PartitionOwner } from './partition.ts';
import { emptyCheckpoint, recoverySource, replayWal, restorePartition } from './recovery.ts';
import type { Segment } from './segment.ts';
import { TopicCatalog, type TopicEntry } from './topic-catalog.ts';
import { topicSettings } from './topic-settings.ts';
import { Wal, type WalItem } from './wal.ts';
import { rewriteFromWal } from './wal-rewrite.ts';

/** A partition's batches are written to its segment in pieces of at least this, or after the interval. */
const WRITE_BYTES_MIN = 1024 * 1024;
const WRITE_INTERVAL_MS = 1_000;
/** Kept free by a resume: a first write-ahead log group and a checkpoint must fit. */
const RESUME_FREE_BYTES = 32 * 1024 * 1024;

class DiskTopic implements Topic {
  readonly name: string;
  readonly id: string;
  readonly internal: boolean;
  configs: Readonly<Record<string, string>>;
  partitions: Partition[] = [];

  constructor(entry: TopicEntry) {
    this.name = entry.name;
    this.id = entry.id;
    this.internal = entry.internal;
    this.configs = entry.configs;
  }

  entry(): TopicEntry {
    const { name, id, internal, configs, partitions } = this;
    return { name, id, partitions: partitions.length, internal, configs };
  }
}

/** The log on files: topics, their partitions, and what keeps them durable. `openLog` makes it. */
export class DiskLog implements BrokerLog, PartitionOwner, HousekeepingOwner {
  readonly clusterId: string;
  readonly config: LogConfig;
  readonly host: Host;
  readonly pool: FilePool;
  readonly metrics: LogMetrics;
  readonly wal: Wal;
  readonly checkpointer: Checkpointer;
  readonly catalog: TopicCatalog;
  /** Called at the end of `close`. */
  onClosed: () => Promise<void> = () => Promise.resolve();
  readonly #byName = new Map<string, DiskTopic>();
  readonly #byId = new Map<string, DiskTopic>();
  /** Topics change one at a time. */
  #changing: Promise<unknown> = Promise.resolve();
  #state: 'opening' | 'writing' | 'refusing' | 'closed' = 'opening';
  /** Why the disk refuses, while it does. */
  #refusal: string | undefined;
  #cancels: Array<() => void> = [];
  #resuming: Promise<boolean> | undefined;
  #keeping: Promise<void> | undefined;
  readonly #dirty = new Set<Partition>();
  #writing: Promise<void> | undefined;
  #room: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(config: LogConfig, host: Host, clusterId: string) {
    this.config = config;
    this.host = host;
    this.clusterId = clusterId;
    this.pool = new FilePool(host.files);
    this.metrics = logMetrics(host.metrics);
    this.catalog = new TopicCatalog(host.files, config.dataDir);
    this.wal = new Wal(host, `${config.dataDir}/wal`, config.walFileBytes, this.metrics);
    this.checkpointer = new Checkpointer({
      host,
      dataDir: config.dataDir,
      pool: this.pool,
      wal: this.wal,
      metrics: this.metrics,
      partitions: () => this.partitions(),
    });
    this.wal.onRotate = () => void this.checkpoint().catch(() => {});
    this.wal.onFailure = (error) => this.#refuse(error);
  }

  /** Reads everything back. Throws when the directory cannot be served at all. */
  async recover(): Promise<void> {
    const { host, config } = this;
    await host.files.makeDirectory(`${config.dataDir}/wal`);
    await host.files.makeDirectory(`${config.dataDir}/topics`);
    await this.catalog.load();
    const source = await recoverySource(host, config.dataDir);
    let cut = false;
    for (const entry of this.catalog.topics) {
      const topic = new DiskTopic(entry);
      for (let partition = 0; partition < entry.partitions; partition++) {
        const place = { topicId: entry.id, partition, directory: this.#directory(entry.id, partition) };
        const restored = await restorePartition(host, this.metrics, source, place);
        cut ||= restored.cut;
        const settings = topicSettings(entry.configs, config);
        topic.partitions.push(
          new Partition(this, { ...place, topic: entry.name }, settings, restored.checkpoint),
        );
      }
      this.#add(topic);
    }
    const replayed = await replayWal(
      host,
      this.metrics,
      this.wal.directory,
      source.checkpoint?.walFile ?? 0,
      (topicId, partition) => this.#byId.get(topicId)?.partitions[partition],
    );
    // Somebody may have been told of offsets that are given out again: consumers see it by the epoch.
    if (cut || replayed.cut) for (const partition of this.partitions()) partition.bumpEpoch();
    this.wal.kept = replayed.kept;
    if (!this.catalog.degraded) await this.#removeOrphans();
    this.wal.nextFile = Math.max(source.checkpoint?.walFile ?? 0, replayed.kept.at(-1)?.file ?? 0) + 1;
    try {
      await this.wal.open();
      await this.checkpointer.run();
      this.#state = 'writing';
    } catch (error) {
      this.metrics.storageError('open');
      this.wal.fail(error);
      this.#refuse(new LogError('KAFKA_STORAGE_ERROR', `cannot append: ${String(error)}`, error));
    }
    for (const partition of this.partitions()) partition.tail.evict(0);
    if (replayed.batches > 0) host.log.info({ batches: replayed.batches }, 'replayed the write-ahead log');
  }

  /** Starts the timers and the computed metrics. */
  start(): void {
    const { timers } = this.host;
    this.#cancels.push(
      timers.every(WRITE_INTERVAL_MS, () => this.#writeAll()),
      timers.every(this.config.retentionCheckMs, () => void this.keepHouse()),
    );
    reportTopics(this.host.metrics, this.metrics, this.host.clock, () => this.#topicList());
  }

  topics(): Topic[] {
    return this.#topicList();
  }

  topic(name: string): Topic | undefined {
    return this.#byName.get(name);
  }

  topicById(id: string): Topic | undefined {
    return this.#byId.get(id);
  }

  partitions(): Partition[] {
    const all: Partition[] = [];
    for (const { partitions } of this.#byId.values()) all.push(...partitions);
    return all;
  }

  createTopic(plan: {
    name: string;
    partitions: number;
    configs: Readonly<Record<string, string>>;
    internal?: boolean;
  }): Promise<Topic> {
    return this.#change(async () => {
      if (this.#byName.has(plan.name)) {
        throw new LogError('TOPIC_ALREADY_EXISTS', `cannot create topic ${plan.name}: it exists`);
      }
      const id = this.host.random.uuid();
      const { name, configs, internal = false } = plan;
      const topic = new DiskTopic({ name, id, internal, configs, partitions: 0 });
      topic.partitions = await this.#makePartitions(topic, 0, plan.partitions);
      await this.catalog.store([...this.catalog.topics, topic.entry()]);
      this.#add(topic);
      return topic;
    });
  }

  createPartitions(name: string, count: number): Promise<Topic> {
    return this.#change(async () => {
      const topic = this.#existing(name);
      if (count <= topic.partitions.length) {
        const message = `cannot grow topic ${name}: got ${count} partitions, want more than ${topic.partitions.length}`;
        throw new LogError('INVALID_PARTITIONS', message);
      }
      const added = await this.#makePartitions(topic, topic.partitions.length, count);
      await this.#store({ ...topic.entry(), partitions: count });
      topic.partitions = [...topic.partitions, ...added];
      return topic;
    });
  }

  alterConfigs(name: string, configs: Readonly<Record<string, string>>): Promise<Topic> {
    return this.#change(async () => {
      const topic = this.#existing(name);
      await this.#store({ ...topic.entry(), configs });
      topic.configs = configs;
      for (const partition of topic.partitions) partition.settings = topicSettings(configs, this.config);
      return topic;
    });
  }

  deleteTopic(name: string): Promise<void> {
    return this.#change(async () => {
      const topic = this.#existing(name);
      await this.catalog.store(this.catalog.topics.filter((one) => one.id !== topic.id));
      this.#byName.delete(name);
      this.#byId.delete(topic.id);
      for (const partition of topic.partitions) partition.markDeleted();
      await this.checkpointer.idle();
      await this.host.files
        .removeTree(`${this.config.dataDir}/topics/${topic.id}`)
        .catch((error: unknown) => {
          this.host.log.warn(
            { topic: name, error: String(error) },
            'files of a deleted topic stay until the next start',
          );
        });
    });
  }

  get storageError(): string | undefined {
    return this.#state === 'writing' ? undefined : (this.#refusal ?? 'cannot append: the log is not open');
  }

  whenWritable(): Promise<void> | undefined {
    if (this.wal.queuedBytes < this.config.unsyncedBytesMax / 2) return undefined;
    if (!this.#room) {
      let resolve = (): void => {};
      const promise = new Promise<void>((done) => {
        resolve = done;
      });
      this.#room = { promise, resolve };
    }
    return this.#room.promise;
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    const before = this.#state;
    this.#state = 'closed';
    for (const cancel of this.#cancels) cancel();
    await this.#changing;
    await this.#resuming;
    await this.#keeping;
    await this.wal.drain();
    if (before === 'writing') {
      try {
        await this.#writing;
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
    if (this.#state !== 'writing') {
      throw new LogError('KAFKA_STORAGE_ERROR', this.storageError ?? 'cannot append: the log is closed');
    }
    if (this.wal.queuedBytes + batchBytes > this.config.unsyncedBytesMax) {
      const message = `cannot append: got ${this.wal.queuedBytes} bytes waiting for the disk, want at most ${this.config.unsyncedBytesMax}`;
      throw new LogError('KAFKA_STORAGE_ERROR', message);
    }
  }

  enqueue(item: WalItem): void {
    this.wal.append(item);
  }

  unwritten(partition: Partition): void {
    this.#dirty.add(partition);
    if (partition.tail.unwrittenBytes >= WRITE_BYTES_MIN) this.#writeAll();
    if (this.#room && this.wal.queuedBytes < this.config.unsyncedBytesMax / 4) this.#makeRoom();
  }

  async startMoved(partition: Partition): Promise<void> {
    await this.#house(() => removeDead(this, new Map([[partition, 'request']])));
  }

  get producerExpiryMs(): number {
    return this.config.producerExpiryMs;
  }

  tailBytesMax(): number {
    let count = 0;
    for (const { partitions } of this.#byId.values()) count += partitions.length;
    // A floor, so that with thousands of partitions each still keeps a few batches.
    return Math.max(64 * 1024, this.config.tailBytesMax / Math.max(1, count));
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

  async removeSegment(segment: Segment): Promise<void> {
    await segment.remove(this.pool);
  }

  /** Retention, the disk bound and producers' expiry, now. */
  async keepHouse(): Promise<void> {
    if (this.#state !== 'writing') return;
    await this.#house(() => keepHouse(this, this.host.clock.nowMs())).catch((error: unknown) => {
      this.metrics.storageError('retention');
      this.host.log.error({ error: String(error) }, 'retention failed; it is tried again');
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
    this.#resuming ??= this.#resume().finally(() => {
      this.#resuming = undefined;
    });
    return this.#resuming;
  }

  async #resume(): Promise<boolean> {
    if (this.#state !== 'refusing') return false;
    const { files } = this.host;
    try {
      const { freeBytes } = await files.space(this.config.dataDir);
      if (freeBytes < Math.min(RESUME_FREE_BYTES, this.config.walFileBytes)) return false;
      await this.wal.drain();
      await this.#writing;
      await this.checkpointer.idle();
      await this.pool.forgetAll();
      const replayable = [...this.wal.kept];
      await this.wal.open();
      await this.checkpointer.repair(() => this.#rewrite(replayable));
    } catch (error) {
      this.metrics.storageError('resume');
      this.wal.fail(error);
      await this.wal.discardUnused();
      return false;
    }
    if (this.#state !== 'refusing') return false;
    this.#state = 'writing';
    this.#refusal = undefined;
    this.metrics.readOnly(false);
    this.host.log.info({}, 'the disk takes writes again: the log accepts appends');
    return true;
  }

  /** Nothing else writes to segments meanwhile. */
  async #rewrite(kept: ReadonlyArray<{ file: number; end: number }>): Promise<void> {
    const releases: Array<() => void> = [];
    try {
      for (const partition of this.partitions()) releases.push(await partition.hold());
      await rewriteFromWal(
        this.host.files,
        this.wal.directory,
        kept,
        (topicId, partition) => this.#byId.get(topicId)?.partitions[partition],
      );
    } finally {
      for (const release of releases) release();
    }
  }

  #refuse(error: LogError): void {
    this.#makeRoom();
    if (this.#state !== 'writing' && this.#state !== 'opening') return;
    this.#state = 'refusing';
    this.#refusal = error.message;
    this.metrics.storageError('write');
    this.metrics.readOnly(true);
    this.host.log.error(
      { error: error.message },
      'the disk refuses writes: the log is read-only until it recovers',
    );
    this.#probe();
  }

  #probe(): void {
    const cancel = this.host.timers.after(this.config.probeMs, () => {
      void this.resume().then((done) => {
        if (!done && this.#state === 'refusing') this.#probe();
      });
    });
    this.#cancels.push(cancel);
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  /** Writes partitions with durable batches to their segments, one round at a time. */
  #writeAll(): void {
    if (this.#writing || this.#dirty.size === 0 || this.#state !== 'writing') return;
    this.#writing = (async () => {
      const partitions = [...this.#dirty];
      this.#dirty.clear();
      try {
        for (const partition of partitions) await partition.flush();
      } catch (error) {
        for (const partition of partitions) this.#dirty.add(partition);
        this.wal.fail(error);
      } finally {
        this.#writing = undefined;
      }
    })();
  }

  async #change<T>(fn: () => Promise<T>): Promise<T> {
    const changed = this.#changing.then(async () => {
      if (this.#state === 'closed')
        throw new LogError('KAFKA_STORAGE_ERROR', 'cannot change topics: the log is closed');
      try {
        return await fn();
      } catch (error) {
        if (error instanceof LogError) throw error;
        this.metrics.storageError('topics');
        throw new LogError('KAFKA_STORAGE_ERROR', `cannot change topics: ${String(error)}`, error);
      }
    });
    this.#changing = changed.catch(() => {});
    return await changed;
  }

  async #makePartitions(topic: DiskTopic, from: number, to: number): Promise<Partition[]> {
    const { files } = this.host;
    const settings = topicSettings(topic.configs, this.config);
    const made: Partition[] = [];
    for (let partition = from; partition < to; partition++) {
      const place = {
        topic: topic.name,
        topicId: topic.id,
        partition,
        directory: this.#directory(topic.id, partition),
      };
      await files.makeDirectory(place.directory);
      made.push(new Partition(this, place, settings, emptyCheckpoint(topic.id, partition)));
    }
    await files.makeDirectory(`${this.config.dataDir}/topics/${topic.id}`);
    await files.syncDirectory(`${this.config.dataDir}/topics/${topic.id}`);
    await files.syncDirectory(`${this.config.dataDir}/topics`);
    return made;
  }

  #existing(name: string): DiskTopic {
    const topic = this.#byName.get(name);
    if (!topic) throw new LogError('UNKNOWN_TOPIC_OR_PARTITION', `cannot find topic ${name}`);
    return topic;
  }

  async #store(entry: TopicEntry): Promise<void> {
    await this.catalog.store(this.catalog.topics.map((one) => (one.id === entry.id ? entry : one)));
  }

  #add(topic: DiskTopic): void {
    this.#byName.set(topic.name, topic);
    this.#byId.set(topic.id, topic);
  }

  #topicList(): DiskTopic[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #directory(topicId: string, partition: number): string {
    return `${this.config.dataDir}/topics/${topicId}/${partition}`;
  }

  /** Directories of topics whose creation or deletion a crash interrupted. */
  async #removeOrphans(): Promise<void> {
    const { files } = this.host;
    for (const id of await files.list(`${this.config.dataDir}/topics`)) {
      if (!this.#byId.has(id)) await files.removeTree(`${this.config.dataDir}/topics/${id}`);
    }
  }
}
