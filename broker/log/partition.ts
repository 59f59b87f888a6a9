import { AppendLedger } from './append-ledger.ts';
import {
  baseOffsetOf,
  batchSizeOf,
  checkBatch,
  dataRecordsOf,
  isTransactional,
  lastOffsetOf,
  leaderEpochOf,
  maxTimestampOf,
  producerIdOf,
  recordCountOf,
  stampAppendTime,
  stampBatch,
} from './batch-header.ts';
import type { PartitionCheckpoint } from './checkpoint.ts';
import { placeholder } from './compaction/placeholder.ts';
import { DurableWaiters } from './durable-waiters.ts';
import { Epochs } from './epochs.ts';
import { LogError } from './errors.ts';
import type { FilePool } from './file-pool.ts';
import type {
  AbortedTransaction,
  ActiveProducer,
  Appended,
  AppendOptions,
  PartitionLog,
  TransactionEnd,
} from './log.ts';
import type { LogMetrics } from './log-metrics.ts';
import { PartitionSegments } from './partition-segments.ts';
import { gathered, joinedPieces, NO_PIECES, type Pieces, piecesOf } from './pieces.ts';
import { type ProducerChange, ProducerStates } from './producer-state.ts';
import type { ReadLease } from './read-buffers.ts';
import { checkRecords } from './record-checks.ts';
import type { Segment } from './segment.ts';
import type { Expectation } from './segment-scan.ts';
import { Tail } from './tail.ts';
import type { TailMemory } from './tail-memory.ts';
import { findOffsetForTimestamp, findMaxTimestamp } from './timestamp-search.ts';
import type { TopicSettings } from './topic-settings.ts';
import { TransactionIndex } from './transaction-index.ts';
import { encodeMarker } from './transaction-marker.ts';
import { type Unread, unreadFrom, unreadInMemory } from './unread.ts';
import type { WalItem } from './wal.ts';
import { FRAME_BYTES, uuidBytes } from './wal-entry.ts';

/** What a partition needs of the log around it. */
export interface PartitionOwner {
  readonly pool: FilePool;
  readonly metrics: LogMetrics;
  /** Throws KAFKA_STORAGE_ERROR when appends are refused just now. */
  admit(batchBytes: number): void;
  enqueue(item: WalItem): void;
  /** The partition has more to write to its segments. */
  unwritten(partition: Partition): void;
  /** A read met a batch that is not what was written. */
  damaged(partition: Partition, error: LogError): void;
  /** Makes a new start offset durable and removes what is below. */
  startMoved(partition: Partition): Promise<void>;
  readonly producerExpiryMs: number;
  nowMs(): number;
  /** Of the newest batches of all partitions. */
  readonly tailMemory: TailMemory;
}

/** One write to a segment while many batches wait. */
const WRITE_BYTES_MAX = 4 * 1024 * 1024;

/**
 * One partition: gives batches their offsets, hands them to the write-ahead log, serves them from memory or from
 * segments.
 *
 *     start ... written to segments ... | high watermark: durable | end: appended
 */
export class Partition implements PartitionLog {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly directory: string;
  readonly owner: PartitionOwner;
  readonly epochs: Epochs;
  readonly producers = new ProducerStates();
  readonly transactions: TransactionIndex;
  readonly tail: Tail;
  settings: TopicSettings;
  startOffset: number;
  endOffset: number;
  highWatermark: number;
  /** As the last checkpoint has it. */
  checkpointed: PartitionCheckpoint;
  deleted = false;
  /** Compaction has seen what is below. */
  cleanedTo: number;
  appendedRecords = 0;
  appendedBytes = 0;
  readonly ledger: AppendLedger;
  cleanings = 0;
  expiredTo = 0;
  readonly #topicIdBytes: Buffer;
  readonly #segments: PartitionSegments;
  readonly #waiters = new DurableWaiters();
  readonly #listeners = new Set<() => void>();
  /** Records since the last batch that is synced before it is acknowledged, and the end of that batch. */
  #unsyncedRecords = 0;
  #strictEnd = 0;

  constructor(
    owner: PartitionOwner,
    place: { topic: string; topicId: string; partition: number; directory: string },
    settings: TopicSettings,
    checkpoint: PartitionCheckpoint,
  ) {
    this.owner = owner;
    this.tail = new Tail(owner.tailMemory);
    this.topic = place.topic;
    this.topicId = place.topicId;
    this.#topicIdBytes = uuidBytes(place.topicId);
    this.partition = place.partition;
    this.directory = place.directory;
    this.settings = settings;
    this.checkpointed = checkpoint;
    this.startOffset = checkpoint.startOffset;
    this.endOffset = checkpoint.endOffset;
    this.highWatermark = checkpoint.endOffset;
    this.epochs = new Epochs(checkpoint.epochs);
    this.producers.restore(checkpoint.producers);
    this.cleanedTo = checkpoint.cleanedTo ?? 0;
    const { producers, aborted = [] } = checkpoint;
    this.transactions = new TransactionIndex({ producers, aborted });
    this.#segments = new PartitionSegments(owner.pool, place.directory, checkpoint);
    this.ledger = new AppendLedger(this.highWatermark, owner.nowMs());
  }

  get leaderEpoch(): number {
    return this.epochs.current;
  }

  /** Oldest first; the last is the active one. */
  get segments(): readonly Segment[] {
    return this.#segments.list;
  }

  get active(): Segment {
    return this.#segments.active;
  }

  /** End of what the segments hold. */
  get writtenOffset(): number {
    return this.#segments.writtenOffset;
  }

  get segmentBytes(): number {
    return this.#segments.bytes;
  }

  get sizeBytes(): number {
    return this.segmentBytes + this.tail.unwrittenBytes;
  }

  /** Data records, but for those in front of a start within a segment, which are taken for as many as offsets. */
  get recordsKept(): number {
    let records = this.highWatermark - this.writtenOffset;
    let end = this.writtenOffset;
    for (let i = this.segments.length - 1; i >= 0; i--) {
      const { base, records: counted } = this.segments[i]!;
      records += counted ?? end - base;
      end = base;
    }
    return Math.max(0, records - Math.max(0, this.startOffset - end));
  }

  get oldestTimestampMs(): number | undefined {
    const { maxTimestamp } = this.segments[0]!;
    if (maxTimestamp >= 0) return maxTimestamp;
    const [first] = this.tail.unwritten(this.highWatermark, 0);
    return first && maxTimestampOf(first);
  }

  get lastStableOffset(): number {
    const { firstOpen } = this.transactions;
    return firstOpen === undefined ? this.highWatermark : Math.max(firstOpen, this.startOffset);
  }

  append(given: Buffer, options: AppendOptions): Appended {
    if (this.deleted) throw gone(this);
    this.owner.admit(given.length);
    checkBatch(given, this.settings, options);
    const { nowMs } = options;
    const repeat = producerIdOf(given) >= 0 ? this.producers.check(given, options) : undefined;
    if (repeat) {
      this.owner.metrics.duplicate(this.topic);
      const durable = this.#durable(repeat.lastOffset + 1);
      // Kafka tells the time that the batch was stored with, whoever set it.
      const logAppendTimeMs = repeat.maxTimestampMs ?? -1;
      return { ...this.#appended(repeat.baseOffset, nowMs, true, durable), logAppendTimeMs };
    }
    if (isTransactional(given)) this.#checkRoom(given);
    const checked = options.origin === 'client' ? checkRecords(given, this.settings, nowMs) : given;
    return this.#take(checked, nowMs);
  }

  appendMarker(marker: TransactionEnd, nowMs: number): Appended {
    if (this.deleted) throw gone(this);
    const batch = encodeMarker(marker, nowMs);
    this.owner.admit(batch.length);
    this.producers.checkMarker(marker);
    return this.#take(batch, nowMs);
  }

  /** What was checked gets its place. */
  #take(batch: Buffer, nowMs: number): Appended {
    const baseOffset = this.endOffset;
    const lastOffset = baseOffset + recordCountOf(batch) - 1;
    stampBatch(batch, baseOffset, this.leaderEpoch);
    if (this.settings.logAppendTime) stampAppendTime(batch, nowMs);
    const change = producerIdOf(batch) >= 0 ? this.producers.record(batch, baseOffset, nowMs) : undefined;
    // From here on the copy counts: the batch given is a part of a request.
    const entry = this.tail.store(batch);
    this.endOffset = lastOffset + 1;
    const syncWithinMs = this.#syncWithinMs(this.endOffset - baseOffset);
    this.owner.enqueue(this.#walItem(entry, baseOffset, { syncWithinMs, change, nowMs }));
    return this.#appended(baseOffset, nowMs, false, this.#durable(this.endOffset));
  }

  /** Takes a batch from the write-ahead log in recovery; false when the segments have it. */
  replay(batch: Buffer, nowMs: number): boolean {
    const baseOffset = baseOffsetOf(batch);
    if (baseOffset < this.endOffset) return false;
    if (baseOffset > this.endOffset) this.#segments.gaps.push([this.endOffset, baseOffset]);
    this.epochs.begin(leaderEpochOf(batch), baseOffset);
    if (producerIdOf(batch) >= 0) this.#committed(this.producers.record(batch, baseOffset, nowMs));
    this.tail.push(batch);
    this.endOffset = lastOffsetOf(batch) + 1;
    this.highWatermark = this.endOffset;
    this.ledger.begin(this.highWatermark, nowMs);
    return true;
  }

  /** A power cut may have taken records of a lax topic of which it was durable that they are deleted. */
  skipToStart(): void {
    if (this.endOffset >= this.startOffset) return;
    this.#segments.gaps.push([this.endOffset, this.startOffset]);
    this.endOffset = this.startOffset;
    this.highWatermark = this.startOffset;
  }

  async read(offset: number, maxBytes: number, minOneBatch: boolean, before = Infinity): Promise<Buffer> {
    return joinedPieces(await this.readPieces(offset, maxBytes, minOneBatch, before));
  }

  readPieces(
    offset: number,
    maxBytes: number,
    minOneBatch: boolean,
    before = Infinity,
    lease?: ReadLease,
  ): Pieces | Promise<Pieces> {
    if (this.deleted) throw gone(this);
    if (offset < this.startOffset || offset > this.endOffset) throw this.#outOfRange(offset);
    if (offset >= Math.min(this.highWatermark, before)) return NO_PIECES;
    const first = this.tail.firstOffset;
    // Fast path: consumers that keep up never touch the disk.
    if (first !== undefined && offset >= first) {
      return this.#readTail(offset, maxBytes, minOneBatch, before, lease);
    }
    return this.#readStored(offset, maxBytes, minOneBatch, before, lease);
  }

  async #readStored(
    offset: number,
    maxBytes: number,
    minOneBatch: boolean,
    before: number,
    lease: ReadLease | undefined,
  ): Promise<Pieces> {
    const written = this.writtenOffset;
    const listed = this.#segments.list;
    const found = await this.#readSegments(offset, maxBytes, minOneBatch, lease);
    if (found) return piecesOf([before < written ? batchesBefore(found, before) : found]);
    // Nothing stored from here on (a gap up to the tail), unless the tail moved meanwhile: then look again.
    if (written !== this.writtenOffset || listed !== this.#segments.list) {
      return this.readPieces(offset, maxBytes, minOneBatch, before, lease);
    }
    if (offset < this.startOffset) return NO_PIECES;
    const behind = this.#readTail(offset, maxBytes, minOneBatch, before, lease);
    // Everything up to the end was compacted away or lost: an empty batch tells the reader how far.
    const isGone = this.cleanedTo > 0 || this.#segments.isLost(offset, this.highWatermark);
    const isOver = behind.length === 0 && isGone && this.tail.firstOffset === undefined;
    return isOver ? piecesOf([placeholder(offset, this.highWatermark - 1, this.leaderEpoch)]) : behind;
  }

  availableBytes(offset: number, atMost: number, before = Infinity): number {
    const end = Math.min(this.highWatermark, before);
    if (offset >= end || offset < this.startOffset) return 0;
    const first = this.tail.firstOffset;
    if (first !== undefined && offset >= first) return this.tail.bytesFrom(offset, end, atMost);
    // On disk: an estimate, which is exact enough to decide whether to wait.
    const bytes = first === undefined ? 0 : this.tail.bytesFrom(first, end, atMost);
    return Math.min(bytes + this.#segments.bytesFrom(offset, atMost - bytes, end), atMost);
  }

  async abortedTransactions(from: number, to: number): Promise<AbortedTransaction[]> {
    // The start moved while the records were read: what was aborted there may be forgotten.
    if (from < this.startOffset) throw this.#outOfRange(from);
    return this.transactions.abortedWithin(from, to);
  }

  activeProducers(): ActiveProducer[] {
    return this.producers.active();
  }

  async offsetForTimestamp(
    timestampMs: number,
  ): Promise<{ offset: number; timestampMs: number } | undefined> {
    return await findOffsetForTimestamp(this, timestampMs);
  }

  async maxTimestamp(): Promise<{ offset: number; timestampMs: number } | undefined> {
    return await findMaxTimestamp(this);
  }

  async timestampAt(offset: number): Promise<number | undefined> {
    if (offset < this.startOffset || offset >= this.highWatermark) return undefined;
    const bytes = await this.read(offset, 0, true);
    return bytes.length === 0 ? undefined : maxTimestampOf(bytes);
  }

  async deleteBefore(offset: number): Promise<void> {
    if (offset > this.highWatermark) {
      const message = `cannot delete before ${offset} of ${this.topic}-${this.partition}: want at most ${this.highWatermark}`;
      throw new LogError('OFFSET_OUT_OF_RANGE', message);
    }
    // The start may have moved in memory only: then it is not durable yet, or the disk refused.
    if (offset <= this.checkpointed.startOffset) return;
    this.startOffset = Math.max(this.startOffset, offset);
    await this.owner.startMoved(this);
  }

  endOffsetForEpoch(epoch: number): { epoch: number; endOffset: number } {
    return this.epochs.endOffset(epoch, this.endOffset);
  }

  unread(offset: number): Promise<Unread> {
    return unreadFrom(this, offset);
  }

  unreadInMemory(offset: number): Unread | undefined {
    return unreadInMemory(this, offset);
  }

  get appended(): { readonly records: number; readonly bytes: number } {
    return this.ledger;
  }

  onAdvance(fn: () => void): () => void {
    this.#listeners.add(fn);
    return () => this.offAdvance(fn);
  }

  offAdvance(fn: () => void): void {
    this.#listeners.delete(fn);
  }

  /** The topic is gone: waiting readers learn it at once. */
  markDeleted(): void {
    this.deleted = true;
    this.#advanced();
  }

  /** Starts a new epoch: offsets from here on may have been given out before. */
  bumpEpoch(): void {
    this.epochs.begin(this.leaderEpoch + 1, this.endOffset);
  }

  /**
   * Writes what is durable now to the segments, one flush of a partition at a time; resolves to what a checkpoint
   * may say once the segments are synced. What becomes durable meanwhile is left to the next flush.
   */
  flush(): Promise<PartitionCheckpoint> {
    return this.#segments.inTurn(() => this.#flush());
  }

  /** Keeps flushes and rolls out until the returned function is called; resolves when those before have ended. */
  hold(): Promise<() => void> {
    return this.#segments.hold();
  }

  /** Seals the active segment when it holds anything, in turn with flushes. */
  roll(): Promise<void> {
    return this.#segments.inTurn(async () => {
      if (this.active.bytes > 0 && !this.deleted) await this.#segments.roll(this.writtenOffset);
    });
  }

  /** What is known of the batches on the disk, to check them against. */
  expectation(): Expectation {
    return this.#segments.expectation(this.epochs);
  }

  /** A number for the name of a segment file that the partition does not have. */
  nextGeneration(): number {
    return this.#segments.nextGeneration();
  }

  /** Takes what compaction made in place of its sources. False when some of these are gone. */
  replaceSegments(sources: readonly Segment[], made: readonly Segment[]): boolean {
    const next = this.segments[this.segments.indexOf(sources.at(-1)!) + 1];
    if (this.deleted || !next || !this.#segments.replace(sources, made)) return false;
    this.cleanedTo = next.base;
    this.cleanings += 1;
    this.tail.dropBefore(next.base);
    return true;
  }

  /** Drops segments wholly below the start offset from the list; the caller removes their files. */
  takeDeadSegments(): Segment[] {
    const dead = this.#segments.takeDead(this.startOffset);
    this.epochs.dropBefore(this.segments[0]!.base);
    this.transactions.dropBefore(this.startOffset);
    return dead;
  }

  async #flush(): Promise<PartitionCheckpoint> {
    const upTo = this.highWatermark;
    const producers = [...this.producers.durable];
    const aborted = this.transactions.aborted.toArray();
    const epochs = [...this.epochs.starts];
    for (;;) {
      const batches = this.tail.unwritten(upTo, WRITE_BYTES_MAX);
      if (batches.length === 0) break;
      // Of a deleted topic nothing is written, but its memory is given back.
      const written = this.deleted ? batches : await this.#segments.write(batches, this.settings);
      this.tail.written(written);
      this.owner.tailMemory.trim();
    }
    const segments = this.segments.map((segment) => segment.facts());
    const { topicId, partition, startOffset } = this;
    const gaps = [...this.#segments.gaps];
    const made = {
      topicId,
      partition,
      startOffset,
      endOffset: upTo,
      epochs,
      gaps,
      segments,
      producers,
      aborted,
    };
    return this.cleanedTo === 0 ? made : { ...made, cleanedTo: this.cleanedTo };
  }

  #readTail(
    offset: number,
    maxBytes: number,
    minOneBatch: boolean,
    before: number,
    lease: ReadLease | undefined,
  ): Pieces {
    const end = Math.min(this.highWatermark, before);
    const batches = this.tail.read(offset, end, maxBytes, minOneBatch);
    // Without a lease nobody says when they are done with it, and memory is used again.
    if (!lease) return batches.length === 0 ? NO_PIECES : piecesOf([Buffer.concat(batches)]);
    const pieces = gathered(batches, lease);
    this.owner.tailMemory.lendAll(pieces.chunks, lease);
    return pieces;
  }

  async #readSegments(
    offset: number,
    maxBytes: number,
    minOneBatch: boolean,
    lease: ReadLease | undefined,
  ): Promise<Buffer | undefined> {
    try {
      return await this.#segments.read(offset, maxBytes, minOneBatch, this.epochs, lease);
    } catch (error) {
      if (error instanceof LogError && error.code === 'CORRUPT_MESSAGE') this.owner.damaged(this, error);
      else this.owner.metrics.storageError('read');
      throw error;
    }
  }

  /** Of the newest batch, 0 when it is acknowledged behind its sync. */
  #syncWithinMs(records: number): number {
    const { flushMessages, flushMs } = this.settings;
    this.#unsyncedRecords += records;
    // Behind one that waits for its sync all wait: offsets become readable in their order.
    if (this.#unsyncedRecords < flushMessages && this.#strictEnd <= this.highWatermark) return flushMs;
    this.#unsyncedRecords = 0;
    this.#strictEnd = this.endOffset;
    return 0;
  }

  #walItem(
    entry: Buffer,
    baseOffset: number,
    {
      syncWithinMs,
      change,
      nowMs,
    }: { syncWithinMs: number; change: ProducerChange | undefined; nowMs: number },
  ): WalItem {
    const batch = entry.subarray(FRAME_BYTES);
    return {
      topicId: this.#topicIdBytes,
      partition: this.partition,
      entry,
      syncWithinMs,
      committed: () => {
        const records = recordCountOf(batch);
        this.highWatermark = baseOffset + records;
        this.ledger.append(baseOffset, dataRecordsOf(batch), batch.length, nowMs);
        if (change) this.#committed(change);
        this.appendedRecords += records;
        this.appendedBytes += batch.length;
        this.owner.unwritten(this);
        this.#advanced();
      },
      owe: (yes) => this.owner.tailMemory.lend(batch, yes ? 1 : -1),
      refused: (error) => {
        this.tail.pop();
        this.endOffset = baseOffset;
        if (change) this.producers.refused(change);
        this.#waiters.refuseAbove(this.endOffset, error);
      },
    };
  }

  #checkRoom(batch: Buffer): void {
    const entry = this.producers.entries.get(producerIdOf(batch));
    if (!this.transactions.isFull || (entry && entry.transactionStart >= 0)) return;
    const message = `cannot begin a transaction in ${this.topic}-${this.partition}: it remembers ${this.transactions.aborted.length} aborted ones until retention takes them`;
    throw new LogError('KAFKA_STORAGE_ERROR', message);
  }

  #outOfRange(offset: number): LogError {
    const { topic, partition, startOffset, endOffset } = this;
    const message = `cannot read offset ${offset} of ${topic}-${partition}: want ${startOffset} to ${endOffset}`;
    return new LogError('OFFSET_OUT_OF_RANGE', message);
  }

  #committed(change: ProducerChange): void {
    this.producers.committed(change);
    this.transactions.committed(change);
  }

  #appended(baseOffset: number, nowMs: number, duplicate: boolean, durable: Promise<void>): Appended {
    const logAppendTimeMs = this.settings.logAppendTime ? nowMs : -1;
    return { baseOffset, logAppendTimeMs, startOffset: this.startOffset, duplicate, durable };
  }

  #durable(offset: number): Promise<void> {
    return offset <= this.highWatermark ? Promise.resolve() : this.#waiters.wait(offset);
  }

  #advanced(): void {
    this.#waiters.advance(this.highWatermark);
    for (const fn of this.#listeners) fn();
  }
}

/** The leading batches that end below `before`. */
function batchesBefore(bytes: Buffer, before: number): Buffer {
  let at = 0;
  while (at < bytes.length && lastOffsetOf(bytes, at) < before) at += batchSizeOf(bytes, at);
  return at === bytes.length ? bytes : bytes.subarray(0, at);
}

function gone({ topic, partition }: Partition): LogError {
  return new LogError(
    'UNKNOWN_TOPIC_OR_PARTITION',
    `cannot use ${topic}-${partition}: the topic was deleted`,
  );
}
