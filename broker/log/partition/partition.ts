import { AppendLedger } from './append-ledger.ts';
import {
  baseOffsetOf,
  lastOffsetOf,
  leaderEpochOf,
  maxTimestampOf,
  producerIdOf,
} from '../batch/batch-header.ts';
import type { PartitionCheckpoint } from '../durable/checkpoint.ts';
import { DurableWaiters } from './durable-waiters.ts';
import { Epochs } from './epochs.ts';
import { LogError, outOfRange } from '../errors.ts';
import { FlushRule } from './flush-rule.ts';
import type {
  AbortedTransaction,
  ActiveProducer,
  Appended,
  AppendOptions,
  PartitionLog,
  TransactionEnd,
} from '../log.ts';
import { appendBatch, appendMarker } from './partition-append.ts';
import { flushPartition } from './partition-flush.ts';
import type { PartitionOwner } from './partition-owner.ts';
import { availableBytes, readPieces } from './partition-read.ts';
import { PartitionSegments } from '../segment/partition-segments.ts';
import { joinedPieces, type Pieces } from '../segment/pieces.ts';
import { type ProducerChange, ProducerStates } from '../producers/producer-state.ts';
import type { ReadLease } from '../segment/read-buffers.ts';
import type { Segment } from '../segment/segment.ts';
import type { Expectation } from '../segment/segment-scan.ts';
import { Tail } from './tail.ts';
import { findOffsetForTimestamp, findMaxTimestamp } from './timestamp-search.ts';
import type { TopicSettings } from '../topics/topic-settings.ts';
import { TransactionIndex } from '../producers/transaction-index.ts';
import { type Unread, unreadFrom, unreadInMemory } from './unread.ts';
import { uuidBytes } from '../wal/wal-entry.ts';

/**
 * One partition: its offsets and what is kept between them. How batches come in stands in `partition-append`, how they
 * get into segments in `partition-flush`, how they are read in `partition-read`.
 *
 *     start ... written to segments ... | high watermark: durable | end: appended
 */
export class Partition implements PartitionLog {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly directory: string;
  readonly topicIdBytes: Buffer;
  readonly owner: PartitionOwner;
  readonly epochs: Epochs;
  readonly producers = new ProducerStates();
  readonly transactions: TransactionIndex;
  readonly tail: Tail;
  readonly stored: PartitionSegments;
  /** Of appends that are not durable yet. */
  readonly waiters = new DurableWaiters();
  readonly flushRule = new FlushRule();
  settings: TopicSettings;
  startOffset: number;
  endOffset: number;
  highWatermark: number;
  /** As the last checkpoint has it. */
  checkpointed: PartitionCheckpoint;
  deleted = false;
  /** Compaction has seen what is below. */
  cleanedTo: number;
  readonly ledger: AppendLedger;
  /** Since the metrics were read last. */
  appendedRecords = 0;
  appendedBytes = 0;
  cleanings = 0;
  expiredTo = 0;
  readonly #listeners = new Set<() => void>();

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
    this.topicIdBytes = uuidBytes(place.topicId);
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
    this.stored = new PartitionSegments(owner.pool, place.directory, checkpoint);
    this.ledger = new AppendLedger(this.highWatermark, owner.nowMs());
  }

  get leaderEpoch(): number {
    return this.epochs.current;
  }

  /** Oldest first; the last is the active one. */
  get segments(): readonly Segment[] {
    return this.stored.list;
  }

  get active(): Segment {
    return this.stored.active;
  }

  /** End of what the segments hold. */
  get writtenOffset(): number {
    return this.stored.writtenOffset;
  }

  get segmentBytes(): number {
    return this.stored.bytes;
  }

  get sizeBytes(): number {
    return this.segmentBytes + this.tail.unwrittenBytes;
  }

  /** Data records, as far as they are known without a look at the disk. */
  get recordsKept(): number {
    const unwritten = this.highWatermark - this.writtenOffset;
    return Math.max(0, unwritten + this.stored.recordsFrom(this.startOffset));
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
    return appendBatch(this, given, options);
  }

  appendMarker(marker: TransactionEnd, nowMs: number): Appended {
    return appendMarker(this, marker, nowMs);
  }

  /** Takes a copy of a batch from the write-ahead log in recovery; false when the segments have it. */
  replay(batch: Buffer, nowMs: number): boolean {
    const baseOffset = baseOffsetOf(batch);
    if (baseOffset < this.endOffset) return false;
    if (baseOffset > this.endOffset) this.stored.gaps.push([this.endOffset, baseOffset]);
    this.epochs.begin(leaderEpochOf(batch), baseOffset);
    if (producerIdOf(batch) >= 0) this.producerCommitted(this.producers.record(batch, baseOffset, nowMs));
    this.tail.store(batch);
    this.endOffset = lastOffsetOf(batch) + 1;
    this.highWatermark = this.endOffset;
    this.ledger.begin(this.highWatermark, nowMs);
    return true;
  }

  /** A power cut may have taken records of a lax topic of which it was durable that they are deleted. */
  skipToStart(): void {
    if (this.endOffset >= this.startOffset) return;
    this.stored.gaps.push([this.endOffset, this.startOffset]);
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
    return readPieces(this, offset, maxBytes, minOneBatch, before, lease);
  }

  availableBytes(offset: number, atMost: number, before = Infinity): number {
    return availableBytes(this, offset, atMost, before);
  }

  async abortedTransactions(from: number, to: number): Promise<AbortedTransaction[]> {
    // The start moved while the records were read: what was aborted there may be forgotten.
    if (from < this.startOffset) throw outOfRange(this, from);
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
    this.advanced();
  }

  /** Starts a new epoch: offsets from here on may have been given out before. */
  bumpEpoch(): void {
    this.epochs.begin(this.leaderEpoch + 1, this.endOffset);
  }

  /**
   * Writes what is durable now to the segments, one flush of a partition at a time; resolves to what a checkpoint
   * may say once the segments are synced.
   */
  flush(): Promise<PartitionCheckpoint> {
    return this.stored.turns.inTurn(() => flushPartition(this));
  }

  /** Seals the active segment when it holds anything, in turn with flushes. */
  roll(): Promise<void> {
    return this.stored.turns.inTurn(async () => {
      if (this.active.bytes > 0 && !this.deleted) await this.stored.roll(this.writtenOffset);
    });
  }

  /** What is known of the batches on the disk, to check them against. */
  expectation(): Expectation {
    return this.stored.expectation(this.epochs);
  }

  /** Takes what compaction made in place of its sources. False when some of these are gone. */
  replaceSegments(sources: readonly Segment[], made: readonly Segment[]): boolean {
    const next = this.segments[this.segments.indexOf(sources.at(-1)!) + 1];
    if (this.deleted || !next || !this.stored.replace(sources, made)) return false;
    this.cleanedTo = next.base;
    this.cleanings += 1;
    this.tail.dropBefore(next.base);
    return true;
  }

  /** Drops segments wholly below the start offset from the list; the caller removes their files. */
  takeDeadSegments(): Segment[] {
    const dead = this.stored.takeDead(this.startOffset);
    this.epochs.dropBefore(this.segments[0]!.base);
    this.transactions.dropBefore(this.startOffset);
    return dead;
  }

  /** The high watermark is behind a batch or marker of a producer. */
  producerCommitted(change: ProducerChange): void {
    this.producers.committed(change);
    this.transactions.committed(change);
  }

  /** The high watermark rose, or the topic is gone: who waits for that is told. */
  advanced(): void {
    this.waiters.advance(this.highWatermark);
    for (const fn of this.#listeners) fn();
  }
}
