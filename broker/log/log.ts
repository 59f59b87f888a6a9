import type { ReaderPositions } from './retention/holding.ts';

import type { Pieces } from './segment/pieces.ts';
import type { ReadLease } from './segment/read-buffers.ts';
import type { Unread } from './partition/unread.ts';

/**
 * The log as the handlers see it: topics of partitions of record batches (format v2), bytes in and bytes out.
 *
 * Payloads are never opened. Offsets and timestamps are JS numbers (exact up to 2^53).
 */
export interface BrokerLog {
  readonly clusterId: string;
  /** Another number once a topic has come, gone or grown. */
  readonly topicsVersion: number;
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
  /** What holds for topics that do not say themselves, over the configured defaults, by Kafka's names. */
  changeDefaults(configs: Readonly<Record<string, string>>): void;
  /** Whom retention asks for the positions of the groups in `retention.hold.groups`; before, nothing is known of them. */
  waitFor(positions: ReaderPositions): void;
  /** Grows the topic to `count` partitions in all. Durable when it resolves. */
  createPartitions(name: string, count: number): Promise<Topic>;
  /** Why appends are refused with KAFKA_STORAGE_ERROR just now; undefined while the disk takes them. */
  readonly storageError: string | undefined;
  /** Undefined while there is room for appends; else resolves when there is again: await it before reading more requests. */
  whenWritable(): Promise<void> | undefined;
  /** What segments of all topics together may take before the oldest go. */
  readonly segmentBytesMax: number;
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
  /** End of what is durable, of a lax topic (`flush.ms`) of what is written: nothing at or above it is ever handed out. */
  readonly highWatermark: number;
  /** First offset of the earliest open transaction, else the high watermark: the end for read_committed. */
  readonly lastStableOffset: number;
  /** Bytes that retention counts. */
  readonly sizeBytes: number;
  /** Largest record timestamp of the oldest segment, ms: what time retention judges next. */
  readonly oldestTimestampMs: number | undefined;

  /**
   * Checks one batch (header, CRC32C, size, producer sequence), gives it its offsets and queues it for the
   * next group commit. Everything up to the returned value happens in this turn; `durable` resolves after
   * fdatasync (of a lax topic after the write), and rejects with a `LogError` when the disk refused.
   * Takes ownership of the bytes: offset and epoch are written into them, or into a copy.
   * A client's transactional batch needs `transactionVersion`, which says that the transaction's coordinator
   * knows that the producer writes here; 2 lets a producer without state begin at sequence 0 only.
   * @throws LogError as the table in `errors.ts` lists
   */
  append(batch: Buffer, options: AppendOptions): Appended;
  /**
   * Ends the producer's transaction here: a control batch with an offset of its own, which takes the transaction
   * out of the way of `lastStableOffset` when it is durable. A marker that is there already is appended again.
   * @throws LogError INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED, and what refuses any append
   */
  appendMarker(marker: TransactionEnd, nowMs: number): Appended;

  /**
   * Whole batches from the one that holds `offset`, at most `maxBytes` unless the first alone is larger and
   * `minOneBatch`, and none that reaches `before` (the high watermark when absent or higher). Empty there.
   * Rejects with OFFSET_OUT_OF_RANGE outside the log.
   */
  read(offset: number, maxBytes: number, minOneBatch: boolean, before?: number): Promise<Buffer>;
  /**
   * As `read`, for who only passes the bytes on: at once where memory has them, else later; throws as that rejects.
   * The pieces may be parts of what others use too, which nobody may change; with a lease, some are borrowed.
   */
  readPieces(
    offset: number,
    maxBytes: number,
    minOneBatch: boolean,
    before?: number,
    lease?: ReadLease,
  ): Pieces | Promise<Pieces>;
  /** Bytes that a read at `offset` could return now, without reading; at most `atMost`. */
  availableBytes(offset: number, atMost: number, before?: number): number;
  /**
   * Aborted transactions with an offset in [from, to), sorted by their first: what its readers leave out. Asked after
   * the records were read; rejects with OFFSET_OUT_OF_RANGE when the start of the log has passed `from` since.
   */
  abortedTransactions(from: number, to: number): Promise<AbortedTransaction[]>;
  /** Every producer that is remembered, as far as it is durable. */
  activeProducers(): ActiveProducer[];

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

  /** What a reader whose next offset is `offset` has before it. */
  unread(offset: number): Promise<Unread>;
  /** The same, at once; undefined where memory does not tell. */
  unreadInMemory(offset: number): Unread | undefined;
  /** What became durable since the log was opened; of the records those that hold data. */
  readonly appended: { readonly records: number; readonly bytes: number };
  /** Grows when compaction took records away: what was counted before no longer holds. */
  readonly cleanings: number;
  /** What retention judges by, oldest first; the last is written to. */
  readonly segments: readonly RetainedSegment[];
  readonly settings: RetentionSettings;
  /** Start offset that retention moved to last, for any reason but a request; 0 when it never did. */
  readonly expiredTo: number;

  /** Calls `fn` after the high watermark moved or the partition was deleted, until cancelled. */
  onAdvance(fn: () => void): () => void;
  /** As the function that `onAdvance` returned. */
  offAdvance(fn: () => void): void;
}

export interface RetainedSegment {
  readonly base: number;
  readonly bytes: number;
  /** -1 when it holds no timestamp. */
  readonly maxTimestamp: number;
  readonly firstTimestamp: number;
}

export interface RetentionSettings {
  /** False: retention deletes nothing by time and size. */
  readonly deletes: boolean;
  /** Infinity: no bound. */
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly segmentBytes: number;
  /** Groups that retention waits for, up to so many bytes of a partition; Infinity: no bound. */
  readonly holdGroups: readonly string[];
  readonly holdBytes: number;
  /** Never cut to make room on the disk. */
  readonly isKept: boolean;
}

export interface AppendOptions {
  readonly nowMs: number;
  readonly origin: 'client' | 'coordinator';
  readonly transactionVersion?: 0 | 1 | 2 | undefined;
}

export interface TransactionEnd {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly commit: boolean;
  /** With 2, the epoch is the one behind the transaction's. */
  readonly transactionVersion: 0 | 1 | 2;
}

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  /** The marker's. */
  readonly lastOffset: number;
}

export interface ActiveProducer {
  readonly producerId: number;
  readonly producerEpoch: number;
  /** -1 when it wrote nothing in this epoch. */
  readonly lastSequence: number;
  /** Of its last batch or marker, not when that came: tools judge by it how long a transaction hangs. */
  readonly lastTimestampMs: number;
  /** -1 before the first marker. */
  readonly coordinatorEpoch: number;
  /** -1 when no transaction is open. */
  readonly transactionStartOffset: number;
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
