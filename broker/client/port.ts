/**
 * The Kafka client as collector and sinks use it. kafkajs (groups, administration) and a wire
 * client of our own (producing, reading without a group) are behind it; a simulator can be another.
 * Every call speaks the wire protocol, also to the bundled broker, so that Apache Kafka can stand in its place.
 *
 * Offsets are JS numbers: exact up to 2^53.
 */
export interface KafkaClient {
  producer(): Promise<Producer>;
  consumer(options: ConsumerOptions): Promise<Consumer>;
  /** Reads partitions without a group: live tail, and state topics at start. */
  reader(options: ReaderOptions): Promise<Reader>;
  admin(): Promise<Admin>;
  /** Closes everything made from this client. */
  close(): Promise<void>;
}

export interface ProduceRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: Readonly<Record<string, string | Uint8Array>>;
  /** Default: by key (murmur2, as Kafka's Java client), else round robin. */
  readonly partition?: number;
  /** ms since 1970; default now. */
  readonly timestampMs?: number;
}

export interface Producer {
  /**
   * Resolves when every record is durable (acks=all), with one entry a touched partition. Rejects with a
   * `KafkaError` (error.ts) in finite time; a rejected send may have stored some of its records. A topic that is
   * missing is an error: create it with `ensureTopics`. All records of a send for one partition become one batch,
   * which the broker refuses above `max.message.bytes` (1 MiB by default).
   */
  send(
    topic: string,
    records: readonly ProduceRecord[],
  ): Promise<Array<{ partition: number; baseOffset: number }>>;
  close(): Promise<void>;
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface PartitionOffset extends TopicPartition {
  readonly offset: number;
}

export interface ConsumedRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
}

export interface ConsumedBatch extends TopicPartition {
  /** Never empty, ascending offsets; control records and aborted data are already left out. */
  readonly records: readonly ConsumedRecord[];
  /** The partition's end when the batch was fetched: highWatermark - last offset - 1 records are still ahead. */
  readonly highWatermark: number;
}

export interface ConsumerOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  /**
   * Called after every assignment, before the first batch of it. Without a committed offset a partition
   * starts at the earliest record, never at the latest.
   */
  readonly onAssigned?: (assigned: readonly TopicPartition[]) => Promise<void>;
  /** Called before the assignment is given up: last chance to finish and commit. */
  readonly onRevoked?: (revoked: readonly TopicPartition[]) => Promise<void>;
  /** Batches of one partition come in order, one at a time; the next follows when the promise resolves. A rejection makes the same batch come again. */
  readonly onBatch: (batch: ConsumedBatch) => Promise<void>;
}

export interface Consumer {
  /** Moves the group's position. Offsets are the next to read. Rejects for partitions that are not assigned. */
  commit(offsets: readonly PartitionOffset[]): Promise<void>;
  /** Stops fetching these; what was fetched already may still arrive. A new assignment starts unpaused. */
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  seek(position: PartitionOffset): void;
  close(): Promise<void>;
}

export interface ReaderOptions {
  readonly topic: string;
  /** Default: all partitions. */
  readonly partitions?: readonly number[];
  /** Where to start: an end of the log, a time in ms since 1970, or offsets by partition. */
  readonly from:
    | 'earliest'
    | 'latest'
    | { readonly timestampMs: number }
    | { readonly offsets: Readonly<Record<number, number>> };
  readonly onBatch: (batch: ConsumedBatch) => Promise<void>;
  /** Called once every partition has been read up to the end that it had at the start. */
  readonly onCaughtUp?: () => void;
}

export interface Reader {
  close(): Promise<void>;
}

export interface Admin {
  /** Creates what is missing; existing topics are left as they are. */
  ensureTopics(
    topics: ReadonlyArray<{ name: string; partitions: number; configs?: Readonly<Record<string, string>> }>,
  ): Promise<void>;
  deleteTopics(names: readonly string[]): Promise<void>;
  topics(): Promise<TopicDescription[]>;
  /** Cluster id, and the id of the topic that tells a recreated one apart; the `_origin` of rows. */
  origin(topic: string): Promise<{ clusterId: string; topicId: string }>;
  /** First and next offset per partition. */
  offsets(topic: string): Promise<Array<{ partition: number; start: number; end: number }>>;
  groups(): Promise<GroupDescription[]>;
  /** Committed offsets of a group, all topics. */
  committed(groupId: string): Promise<PartitionOffset[]>;
  /** Where a share group begins in each partition; `lag` where the broker tells how much it has left. */
  shareOffsets(groupId: string): Promise<Array<PartitionOffset & { readonly lag: number | undefined }>>;
  /** Timestamp of the first record from an offset on, ms; undefined where there is none, or none is found soon. */
  timestampFrom(place: PartitionOffset): Promise<number | undefined>;
  /** Settings of a topic, defaults among them, by Kafka's names. */
  topicConfigs(topic: string): Promise<Readonly<Record<string, string>>>;
}

export interface TopicDescription {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: number;
  readonly internal: boolean;
}

export interface GroupDescription {
  readonly groupId: string;
  readonly type: 'classic' | 'consumer' | 'share';
  readonly state: string;
  readonly protocolType: string;
  readonly members: ReadonlyArray<{
    memberId: string;
    clientId: string;
    host: string;
    assigned: readonly TopicPartition[];
  }>;
}
