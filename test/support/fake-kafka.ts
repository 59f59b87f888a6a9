/**
 * A Kafka in memory behind the client's port: topics, a group's committed offsets, one consumer at a time. Tests
 * append records, take partitions away, and make commits fail; `crash` drops a consumer without a word, as kill -9.
 */
import type {
  Admin,
  ConsumedRecord,
  Consumer,
  ConsumerOptions,
  KafkaClient,
  PartitionOffset,
  Producer,
  ProduceRecord,
  TopicPartition,
} from '../../broker/client/port.ts';

export interface FakeTopic {
  id: string;
  readonly partitions: ConsumedRecord[][];
}

export class FakeKafka {
  readonly topics = new Map<string, FakeTopic>();
  readonly committed = new Map<string, number>();
  /** Commits that will be refused; each refusal takes one. */
  refusedCommits = 0;
  /** Called before a commit counts; a throw refuses it. */
  beforeCommit: (offsets: readonly PartitionOffset[]) => void = () => undefined;
  private current: FakeConsumer | undefined;

  createTopic(name: string, partitions: number, id = `${name}-id`): void {
    this.topics.set(name, { id, partitions: Array.from({ length: partitions }, () => []) });
  }

  append(topic: string, partition: number, value: Buffer | null, timestampMs = Date.now()): number {
    const log = this.topics.get(topic)!.partitions[partition]!;
    const offset = log.length;
    log.push({ offset, timestampMs, key: null, value, headers: {} });
    this.current?.wake();
    return offset;
  }

  records(topic: string): ConsumedRecord[] {
    return this.topics.get(topic)?.partitions.flat() ?? [];
  }

  /** Drops the consumer: no revocation, no commit, nothing that it still sends counts. */
  crash(): void {
    this.current?.drop();
    this.current = undefined;
  }

  /** Takes every partition away and gives them back, as a rebalance does. */
  async rebalance(): Promise<void> {
    await this.current?.rebalance();
  }

  client(): KafkaClient {
    return {
      producer: () => Promise.resolve(this.producer()),
      consumer: (options) => {
        const made = new FakeConsumer(this, options);
        this.current = made;
        made.run();
        return Promise.resolve(made);
      },
      reader: () => Promise.reject(new Error('cannot read: the fake has no reader')),
      admin: () => Promise.resolve(this.admin()),
      close: () => Promise.resolve(),
    };
  }

  private producer(): Producer {
    return {
      send: (topic, records: readonly ProduceRecord[]) => {
        if (!this.topics.has(topic)) this.createTopic(topic, 1);
        const log = this.topics.get(topic)!.partitions[0]!;
        const baseOffset = log.length;
        for (const { key, value, headers } of records) {
          const texts = Object.entries(headers ?? {}).map(([name, text]) => [
            name,
            Buffer.from(text as string),
          ]);
          log.push({
            offset: log.length,
            timestampMs: 0,
            key: key && Buffer.from(key),
            value: value && Buffer.from(value),
            headers: Object.fromEntries(texts) as Record<string, Buffer>,
          });
        }
        return Promise.resolve([{ partition: 0, baseOffset }]);
      },
      close: () => Promise.resolve(),
    };
  }

  private admin(): Admin {
    const absent = (): Promise<never> => Promise.reject(new Error('cannot: the fake does not do this'));
    return {
      ensureTopics: (plans) => {
        for (const { name, partitions } of plans)
          if (!this.topics.has(name)) this.createTopic(name, partitions);
        return Promise.resolve();
      },
      origin: (topic) => Promise.resolve({ clusterId: 'cluster', topicId: this.topics.get(topic)!.id }),
      committed: () => {
        const offsets = [...this.committed].map(([key, offset]) => {
          const [topic, partition] = key.split('/');
          return { topic: topic!, partition: Number(partition), offset };
        });
        return Promise.resolve(offsets);
      },
      deleteTopics: absent,
      topics: absent,
      offsets: absent,
      groups: absent,
      shareOffsets: absent,
      timestampFrom: absent,
      topicConfigs: absent,
    };
  }
}

/** Records of a fetch: few, so that tests see many. */
const FETCH_MAX = 10;

class FakeConsumer implements Consumer {
  private readonly kafka: FakeKafka;
  private readonly options: ConsumerOptions;
  private readonly positions = new Map<string, number>();
  private dropped = false;
  private revoked = true;
  private wakeUp: () => void = () => undefined;
  /** Something may have changed since the last round began. */
  private woken = false;
  private delivering: Promise<void> = Promise.resolve();

  constructor(kafka: FakeKafka, options: ConsumerOptions) {
    this.kafka = kafka;
    this.options = options;
  }

  run(): void {
    void this.assign().then(() => this.loop());
  }

  wake(): void {
    this.woken = true;
    this.wakeUp();
  }

  drop(): void {
    this.dropped = true;
    this.wake();
  }

  async rebalance(): Promise<void> {
    await this.revoke();
    await this.assign();
    this.wake();
  }

  commit(offsets: readonly PartitionOffset[]): Promise<void> {
    if (this.dropped || this.revoked) return Promise.reject(new Error('cannot commit: not assigned'));
    if (this.kafka.refusedCommits > 0) {
      this.kafka.refusedCommits -= 1;
      return Promise.reject(new Error('cannot commit: refused by the test'));
    }
    try {
      this.kafka.beforeCommit(offsets);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    for (const { topic, partition, offset } of offsets)
      this.kafka.committed.set(`${topic}/${partition}`, offset);
    return Promise.resolve();
  }

  pause(): void {
    // Nothing in this repository's sinks pauses: a batch that is not done holds the next one back.
  }

  resume(): void {
    this.wake();
  }

  seek({ topic, partition, offset }: TopicPartition & { offset: number }): void {
    this.positions.set(`${topic}/${partition}`, offset);
    this.wake();
  }

  async close(): Promise<void> {
    if (!this.dropped) await this.revoke();
    this.drop();
  }

  private partitions(): TopicPartition[] {
    return this.options.topics.flatMap((topic) =>
      (this.kafka.topics.get(topic)?.partitions ?? []).map((_, partition) => ({ topic, partition })),
    );
  }

  private async assign(): Promise<void> {
    for (const { topic, partition } of this.partitions()) {
      const key = `${topic}/${partition}`;
      this.positions.set(key, this.kafka.committed.get(key) ?? 0);
    }
    await this.options.onAssigned?.(this.partitions());
    this.revoked = false;
  }

  private async revoke(): Promise<void> {
    if (this.revoked) return;
    await this.options.onRevoked?.(this.partitions());
    this.revoked = true;
    await this.delivering;
  }

  private async loop(): Promise<void> {
    while (!this.dropped) {
      let delivered = false;
      this.woken = false;
      for (const at of this.partitions()) {
        if (this.dropped || this.revoked) break;
        this.delivering = this.deliver(at).then((some) => void (delivered ||= some));
        await this.delivering;
      }
      if (delivered || this.woken) continue;
      await new Promise<void>((wake) => {
        this.wakeUp = wake;
      });
    }
  }

  private async deliver({ topic, partition }: TopicPartition): Promise<boolean> {
    const key = `${topic}/${partition}`;
    const log = this.kafka.topics.get(topic)!.partitions[partition]!;
    const from = this.positions.get(key) ?? 0;
    const records = log.slice(from, from + FETCH_MAX);
    if (records.length === 0) return false;
    await this.options.onBatch({ topic, partition, records, highWatermark: log.length });
    if (!this.revoked && this.positions.get(key) === from) this.positions.set(key, from + records.length);
    return true;
  }
}
