/**
 * The log as the handlers see it: topics of partitions of record batches (format v2), bytes in and bytes out.
 *
 * Payloads are never opened. Offsets and timestamps are JS numbers (exact up to 2^53).
 */
export interface BrokerLog {
  readonly clusterId: string;
  /** Sorted by name. */
  topics(): Topic[];
  topic(name: string): Topic | undefined;
  topicById(id: string): Topic | undefined;
  /** Durable when it resolves. The name and the settings are checked by the caller. */
  createTopic(plan: {
    name: string;
    partitions: number;
    configs: Readonly<Record<string, string>>;
    internal?: boolean;
  }): Promise<Topic>;
  /** Gone from the listing at once and for good; files follow. */
  deleteTopic(name: string): Promise<void>;
  /** Replaces the whole set of settings, which the caller has checked. Durable when it resolves. */
  alterConfigs(name: string, configs: Readonly<Record<string, string>>): Promise<Topic>;
  /** Grows the topic to `count` partitions in all. Durable when it resolves. */
  createPartitions(name: string, count: number): Promise<Topic>;
  /** Why appends are refused with KAFKA_STORAGE_ERROR just now; undefined while the disk takes them. */
  readonly storageError: string | undefined;
  /** Undefined while there is room for appends; else resolves when there is again: await it before reading more requests. */
  whenWritable(): Promise<void> | undefined;
  /** Stops appends, makes everything durable, marks the shutdown as clean. */
  close(): Promise<void>;
}

export interface Topic {
  readonly name: string;
  /** A random UUID, new for every creation. */
  readonly id: string;
  readonly internal: boolean;
  /** Settings that differ from the broker's defaults, by Kafka's names. */
  readonly configs: Readonly<Record<string, string>>;
  readonly partitions: readonly PartitionLog[];
}

export interface PartitionLog {
  readonly topic: string;
  readonly partition: number;
  readonly leaderEpoch: number;
  /** First offset that can be read. */
  readonly startOffset: number;
  /** Next offset to be assigned. */
  readonly endOffset: number;
  /** End of what is durable: nothing at or above it is ever handed out. */
  readonly highWatermark: number;
  /** Bytes that retention counts. */
  readonly sizeBytes: number;
  /** Largest record timestamp of the oldest segment, ms: what time retention judges next. */
  readonly oldestTimestampMs: number | undefined;

  /**
   * Checks one batch (header, CRC32C, size, producer sequence), gives it its offsets and queues it for the
   * next group commit. Everything up to the returned value happens in this turn; `durable` resolves after
   * fdatasync, and rejects with a `LogError` when the disk refused.
   * Takes ownership of the bytes: offset and epoch are written into them, or into a copy.
   * @throws LogError as the table in `errors.ts` lists
   */
  append(batch: Buffer, options: { nowMs: number; origin: 'client' | 'coordinator' }): Appended;

  /**
   * Whole batches from the one that holds `offset`, at most `maxBytes` unless the first alone is larger and
   * `minOneBatch`. Empty at the high watermark. Rejects with OFFSET_OUT_OF_RANGE outside the log.
   */
  read(offset: number, maxBytes: number, minOneBatch: boolean): Promise<Buffer>;
  /** Bytes a read at `offset` could return now, without reading; at most `atMost`. */
  availableBytes(offset: number, atMost: number): number;

  /** First record with this timestamp or later; undefined when there is none. */
  offsetForTimestamp(timestampMs: number): Promise<{ offset: number; timestampMs: number } | undefined>;
  /** The record with the largest timestamp. */
  maxTimestamp(): Promise<{ offset: number; timestampMs: number } | undefined>;
  /** Timestamp (the largest) of the batch that holds `offset`, ms; undefined outside of what is readable. */
  timestampAt(offset: number): Promise<number | undefined>;
  /**
   * Moves the start of the log (DeleteRecords): what is below is unreadable at once and for good. Does nothing
   * below the current start. Rejects with OFFSET_OUT_OF_RANGE above the high watermark.
   */
  deleteBefore(offset: number): Promise<void>;
  /** End offset of the largest epoch that is not above `epoch` (KIP-320); -1 and -1 when unknown. */
  endOffsetForEpoch(epoch: number): { epoch: number; endOffset: number };

  /** Calls `fn` after the high watermark moved or the partition was deleted, until cancelled. */
  onAdvance(fn: () => void): () => void;
}

export interface Appended {
  readonly baseOffset: number;
  /** -1 unless the topic stamps records at append. */
  readonly logAppendTimeMs: number;
  readonly startOffset: number;
  /** The batch was there already (idempotent producer's repeat); offsets are those of the first time. */
  readonly duplicate: boolean;
  readonly durable: Promise<void>;
}
