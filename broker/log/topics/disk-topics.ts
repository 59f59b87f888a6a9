import type { Host } from '../../host/host.ts';
import type { LogConfig } from '../config.ts';
import { LogError } from '../errors.ts';
import type { Topic } from '../log.ts';
import type { LogMetrics } from '../log-metrics.ts';
import { Partition } from '../partition/partition.ts';
import type { PartitionOwner } from '../partition/partition-owner.ts';
import { emptyCheckpoint, type RecoverySource, restorePartition } from '../durable/recovery.ts';
import { TopicCatalog, type TopicEntry } from './topic-catalog.ts';
import { topicSettings, type TopicSettings } from './topic-settings.ts';
import { Turns } from '../turns.ts';

export interface TopicPlan {
  readonly name: string;
  readonly partitions: number;
  readonly configs: Readonly<Record<string, string>>;
  readonly internal?: boolean;
}

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

/** Topics and their life. They change one at a time; a change is in the catalog, durable, before it shows. */
export class DiskTopics {
  readonly host: Host;
  readonly config: LogConfig;
  readonly metrics: LogMetrics;
  readonly owner: PartitionOwner;
  readonly catalog: TopicCatalog;
  /** Another number once a topic has come, gone or grown. */
  version = 0;
  readonly #byName = new Map<string, DiskTopic>();
  readonly #byId = new Map<string, DiskTopic>();
  readonly #turns = new Turns();
  #closed = false;
  #defaults: Readonly<Record<string, string>> = {};

  constructor(host: Host, config: LogConfig, metrics: LogMetrics, owner: PartitionOwner) {
    this.host = host;
    this.config = config;
    this.metrics = metrics;
    this.owner = owner;
    this.catalog = new TopicCatalog(host.files, config.dataDir);
  }

  /** Reads the catalog. Throws when no copy of it can be read. */
  async load(): Promise<void> {
    await this.catalog.load();
    for (const path of this.catalog.damaged) {
      this.host.log.error({ path }, 'a copy of the list of topics is damaged: the other one is used');
    }
  }

  /** Brings back what the catalog lists, as the checkpoint has it. True when something was lost to damage. */
  async restore(source: RecoverySource): Promise<boolean> {
    let cut = false;
    for (const entry of this.catalog.topics) {
      const topic = new DiskTopic(entry);
      const settings = this.#settingsOf(entry.configs, entry.internal);
      for (let partition = 0; partition < entry.partitions; partition++) {
        const place = { topicId: entry.id, partition, directory: this.#directory(entry.id, partition) };
        const restored = await restorePartition(this.host, this.metrics, source, {
          ...place,
          topic: entry.name,
        });
        cut ||= restored.cut;
        topic.partitions.push(
          new Partition(this.owner, { ...place, topic: entry.name }, settings, restored.checkpoint),
        );
      }
      this.#add(topic);
    }
    return cut;
  }

  /** Removes directories of topics whose creation or deletion a crash interrupted. */
  async removeOrphans(): Promise<void> {
    if (this.catalog.damaged.length > 0) return;
    const { files } = this.host;
    for (const id of await files.list(`${this.config.dataDir}/topics`)) {
      if (!this.#byId.has(id)) await files.removeTree(`${this.config.dataDir}/topics/${id}`);
    }
  }

  /** Begins new epochs where offsets may be given out for the second time. */
  bumpEpochs(of: 'all' | 'lax' | 'none'): void {
    if (of === 'none') return;
    for (const { internal, partitions } of this.#byId.values()) {
      // Any but an internal one: it may have been lax by the broker's default, or until it was altered.
      if (of === 'all' || !internal) for (const partition of partitions) partition.bumpEpoch();
    }
  }

  /** Sorted by name. */
  list(): Topic[] {
    return this.#list();
  }

  byName(name: string): Topic | undefined {
    return this.#byName.get(name);
  }

  byId(id: string): Topic | undefined {
    return this.#byId.get(id);
  }

  partitions(): Partition[] {
    const all: Partition[] = [];
    for (const { partitions } of this.#byId.values()) all.push(...partitions);
    return all;
  }

  partition(topicId: string, partition: number): Partition | undefined {
    return this.#byId.get(topicId)?.partitions[partition];
  }

  count(): number {
    let count = 0;
    for (const { partitions } of this.#byId.values()) count += partitions.length;
    return count;
  }

  /** For the metrics, with the log's own partitions. */
  withPartitions(): ReadonlyArray<{ readonly name: string; readonly partitions: readonly Partition[] }> {
    return this.#list();
  }

  create({ name, partitions, configs, internal = false }: TopicPlan): Promise<Topic> {
    return this.#change(async () => {
      if (this.#byName.has(name)) {
        throw new LogError('TOPIC_ALREADY_EXISTS', `cannot create topic ${name}: it exists`);
      }
      const id = this.host.random.uuid();
      const topic = new DiskTopic({ name, id, internal, configs, partitions: 0 });
      topic.partitions = await this.#makePartitions(topic, 0, partitions);
      await this.catalog.store([...this.catalog.topics, topic.entry()]);
      this.#add(topic);
      return topic;
    });
  }

  grow(name: string, count: number): Promise<Topic> {
    return this.#change(async () => {
      const topic = this.#existing(name);
      if (count <= topic.partitions.length) {
        const message = `cannot grow topic ${name}: got ${count} partitions, want more than ${topic.partitions.length}`;
        throw new LogError('INVALID_PARTITIONS', message);
      }
      const added = await this.#makePartitions(topic, topic.partitions.length, count);
      await this.#store({ ...topic.entry(), partitions: count });
      topic.partitions = [...topic.partitions, ...added];
      this.version += 1;
      return topic;
    });
  }

  alter(name: string, configs: Readonly<Record<string, string>>): Promise<Topic> {
    return this.#change(async () => {
      const topic = this.#existing(name);
      await this.#store({ ...topic.entry(), configs });
      topic.configs = configs;
      for (const partition of topic.partitions)
        partition.settings = this.#settingsOf(configs, topic.internal);
      return topic;
    });
  }

  changeDefaults(configs: Readonly<Record<string, string>>): void {
    this.#defaults = configs;
    for (const topic of this.#byId.values()) {
      const settings = this.#settingsOf(topic.configs, topic.internal);
      for (const partition of topic.partitions) partition.settings = settings;
    }
  }

  /** `quiet` resolves when nobody writes to files any more that were open before. */
  delete(name: string, quiet: () => Promise<void>): Promise<void> {
    return this.#change(async () => {
      const topic = this.#existing(name);
      await this.catalog.store(this.catalog.topics.filter((one) => one.id !== topic.id));
      this.#byName.delete(name);
      this.#byId.delete(topic.id);
      this.version += 1;
      for (const partition of topic.partitions) partition.markDeleted();
      await quiet();
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

  /** No further changes; resolves when those before have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#turns.settled();
  }

  #change<T>(fn: () => Promise<T>): Promise<T> {
    return this.#turns.inTurn(async () => {
      if (this.#closed) throw new LogError('KAFKA_STORAGE_ERROR', 'cannot change topics: the log is closed');
      try {
        return await fn();
      } catch (error) {
        if (error instanceof LogError) throw error;
        this.metrics.storageError('topics');
        throw new LogError('KAFKA_STORAGE_ERROR', `cannot change topics: ${String(error)}`, error);
      }
    });
  }

  async #makePartitions(topic: DiskTopic, from: number, to: number): Promise<Partition[]> {
    const { files } = this.host;
    const settings = this.#settingsOf(topic.configs, topic.internal);
    const made: Partition[] = [];
    for (let partition = from; partition < to; partition++) {
      const directory = this.#directory(topic.id, partition);
      const place = { topic: topic.name, topicId: topic.id, partition, directory };
      await files.makeDirectory(directory);
      made.push(new Partition(this.owner, place, settings, emptyCheckpoint(topic.id, partition)));
    }
    await files.makeDirectory(`${this.config.dataDir}/topics/${topic.id}`);
    await files.syncDirectory(`${this.config.dataDir}/topics/${topic.id}`);
    await files.syncDirectory(`${this.config.dataDir}/topics`);
    return made;
  }

  #settingsOf(configs: Readonly<Record<string, string>>, internal: boolean): TopicSettings {
    return topicSettings({ ...this.#defaults, ...configs }, this.config, internal);
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
    this.version += 1;
  }

  #list(): DiskTopic[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #directory(topicId: string, partition: number): string {
    return `${this.config.dataDir}/topics/${topicId}/${partition}`;
  }
}
