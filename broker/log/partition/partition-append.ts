import {
  checkBatch,
  dataRecordsOf,
  isTransactional,
  producerIdOf,
  recordCountOf,
  stampAppendTime,
  stampBatch,
} from '../batch/batch-header.ts';
import { LogError, topicGone } from '../errors.ts';
import type { Appended, AppendOptions, TransactionEnd } from '../log.ts';
import type { Partition } from './partition.ts';
import type { ProducerChange } from '../producers/producer-state.ts';
import { checkRecords } from '../batch/record-checks.ts';
import { encodeMarker } from '../producers/transaction-marker.ts';
import type { WalItem } from '../wal/wal-group.ts';
import { FRAME_BYTES } from '../wal/wal-entry.ts';

/**
 * How a batch comes into a partition:
 *
 *     checked → has its offsets → in memory → waits in the write-ahead log ──> committed: readers see it
 *                                                       └────────────────────> refused: as if it had never come
 */
export function appendBatch(partition: Partition, given: Buffer, options: AppendOptions): Appended {
  const { owner, producers, settings } = partition;
  if (partition.deleted) throw topicGone(partition);
  owner.admit(given.length);
  checkBatch(given, settings, options);
  const { nowMs } = options;
  const repeat = producerIdOf(given) >= 0 ? producers.check(given, options) : undefined;
  if (repeat) {
    owner.metrics.duplicate(partition.topic);
    const durable = durableAt(partition, repeat.lastOffset + 1);
    // Kafka tells the time that the batch was stored with, whoever set it.
    const logAppendTimeMs = repeat.maxTimestampMs ?? -1;
    return { ...appended(partition, repeat.baseOffset, nowMs, true, durable), logAppendTimeMs };
  }
  if (isTransactional(given)) checkTransactionRoom(partition, given);
  const checked = options.origin === 'client' ? checkRecords(given, settings, nowMs) : given;
  return take(partition, checked, nowMs);
}

export function appendMarker(partition: Partition, marker: TransactionEnd, nowMs: number): Appended {
  if (partition.deleted) throw topicGone(partition);
  const batch = encodeMarker(marker, nowMs);
  partition.owner.admit(batch.length);
  partition.producers.checkMarker(marker);
  return take(partition, batch, nowMs);
}

/** What was checked gets its place. */
function take(partition: Partition, batch: Buffer, nowMs: number): Appended {
  const { settings } = partition;
  const baseOffset = partition.endOffset;
  const records = recordCountOf(batch);
  stampBatch(batch, baseOffset, partition.leaderEpoch);
  if (settings.logAppendTime) stampAppendTime(batch, nowMs);
  const change = producerIdOf(batch) >= 0 ? partition.producers.record(batch, baseOffset, nowMs) : undefined;
  // From here on the copy counts: the batch given is a part of a request.
  const entry = partition.tail.store(batch);
  partition.endOffset = baseOffset + records;
  const syncWithinMs = partition.flushRule.syncWithinMs(records, partition, settings);
  const pending = new PendingAppend(partition, entry, baseOffset, syncWithinMs, change, nowMs);
  partition.owner.enqueue(pending);
  const durable = durableAt(partition, partition.endOffset);
  return appended(partition, baseOffset, nowMs, false, durable);
}

/** A batch that has its offsets and waits for the write-ahead log to say what becomes of it. */
class PendingAppend implements WalItem {
  readonly topicId: Buffer;
  readonly partition: number;
  readonly entry: Buffer;
  readonly syncWithinMs: number;
  readonly #log: Partition;
  readonly #baseOffset: number;
  /** What it does to its producer, when it has one. */
  readonly #change: ProducerChange | undefined;
  readonly #nowMs: number;

  constructor(
    log: Partition,
    entry: Buffer,
    baseOffset: number,
    syncWithinMs: number,
    change: ProducerChange | undefined,
    nowMs: number,
  ) {
    this.topicId = log.topicIdBytes;
    this.partition = log.partition;
    this.entry = entry;
    this.syncWithinMs = syncWithinMs;
    this.#log = log;
    this.#baseOffset = baseOffset;
    this.#change = change;
    this.#nowMs = nowMs;
  }

  committed(): void {
    const log = this.#log;
    const records = recordCountOf(this.entry, FRAME_BYTES);
    const bytes = this.entry.length - FRAME_BYTES;
    log.highWatermark = this.#baseOffset + records;
    log.ledger.append(this.#baseOffset, dataRecordsOf(this.entry, FRAME_BYTES), bytes, this.#nowMs);
    if (this.#change) log.producerCommitted(this.#change);
    log.appendedRecords += records;
    log.appendedBytes += bytes;
    log.owner.unwritten(log);
    log.advanced();
  }

  owe(yes: boolean): void {
    this.#log.owner.tailMemory.lend(this.entry, yes ? 1 : -1);
  }

  refused(error: LogError): void {
    const log = this.#log;
    log.tail.pop();
    log.endOffset = this.#baseOffset;
    if (this.#change) log.producers.refused(this.#change);
    log.waiters.refuseAbove(log.endOffset, error);
  }
}

function checkTransactionRoom({ producers, transactions, topic, partition }: Partition, batch: Buffer): void {
  const entry = producers.entries.get(producerIdOf(batch));
  if (!transactions.isFull || (entry && entry.transactionStart >= 0)) return;
  const message = `cannot begin a transaction in ${topic}-${partition}: it remembers ${transactions.aborted.length} aborted ones until retention takes them`;
  throw new LogError('KAFKA_STORAGE_ERROR', message);
}

function appended(
  { settings, startOffset }: Partition,
  baseOffset: number,
  nowMs: number,
  duplicate: boolean,
  durable: Promise<void>,
): Appended {
  const logAppendTimeMs = settings.logAppendTime ? nowMs : -1;
  return { baseOffset, logAppendTimeMs, startOffset, duplicate, durable };
}

function durableAt({ highWatermark, waiters }: Partition, offset: number): Promise<void> {
  return offset <= highWatermark ? Promise.resolve() : waiters.wait(offset);
}
