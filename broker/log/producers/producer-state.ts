import { maxTimestampOf, producerEpochOf, producerIdOf, type BatchSource } from '../batch/batch-header.ts';
import type { ActiveProducer } from '../log.ts';
import { afterBatch, afterMarker, checkMarker, checkProducer } from './producer-rules.ts';
import { markerOf } from './transaction-marker.ts';

/**
 * What one partition remembers of a producer: epoch, the last five batches, and its open transaction.
 *
 * Entries are immutable: an append makes a new one, and a failed commit puts the old one back, so that a batch
 * that did not become durable leaves no trace.
 */
export interface ProducerEntry {
  readonly epoch: number;
  /** Oldest first, at most five. */
  readonly batches: readonly ProducerBatch[];
  /** When it last appended, by the broker's wall clock, ms. */
  readonly updatedMs: number;
  /** The largest timestamp of its last batch or marker, by whoever made that. */
  readonly lastTimestampMs: number;
  /** Of the last marker; -1 before the first. */
  readonly coordinatorEpoch: number;
  /** First offset of the transaction that is open; -1 when none is. */
  readonly transactionStart: number;
}

export interface ProducerBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** What a repeat is told as its append time; absent in files of before it was kept. */
  readonly maxTimestampMs?: number;
}

export interface ProducerChange {
  readonly producerId: number;
  readonly before: ProducerEntry | undefined;
  readonly after: ProducerEntry;
  /** The batch is the marker of a transaction that was open here. */
  readonly ended: EndedTransaction | undefined;
}

export interface EndedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  /** The marker's own. */
  readonly lastOffset: number;
  readonly commit: boolean;
}

/**
 * Producers that a partition remembers; beyond, the longest idle are forgotten. About 10 MB at 200 B each. Those
 * with an open transaction stay beyond it: the coordinator ends these within `transaction.max.timeout.ms`.
 */
const PRODUCERS_MAX = 50_000;

export class ProducerStates {
  /** As of the newest append, durable or not: what the next one is checked against. */
  readonly entries = new Map<number, ProducerEntry>();
  /** As of the high watermark: what a checkpoint may keep. */
  readonly durable = new Map<number, ProducerEntry>();

  /** The batch's earlier self when it is a repeat, undefined when it is next. Changes nothing. @throws LogError */
  check(batch: Buffer, source: BatchSource): ReturnType<typeof checkProducer> {
    return checkProducer(this.entries.get(producerIdOf(batch)), batch, source);
  }

  /** Changes nothing. @throws LogError */
  checkMarker(marker: Parameters<typeof checkMarker>[1]): void {
    checkMarker(this.entries.get(marker.producerId), marker);
  }

  /**
   * Takes note of an append, data or marker. Exactly one of `committed` and `refused` is called later, in the order
   * of appends.
   */
  record(batch: Buffer, baseOffset: number, nowMs: number): ProducerChange {
    const producerId = producerIdOf(batch);
    const before = this.entries.get(producerId);
    const marker = markerOf(batch);
    const after = marker
      ? afterMarker(
          before,
          { ...marker, producerEpoch: producerEpochOf(batch), timestampMs: maxTimestampOf(batch) },
          nowMs,
        )
      : afterBatch(before, batch, baseOffset, nowMs);
    this.entries.set(producerId, after);
    const ended =
      marker && before && before.transactionStart >= 0
        ? { producerId, firstOffset: before.transactionStart, lastOffset: baseOffset, commit: marker.commit }
        : undefined;
    return { producerId, before, after, ended };
  }

  committed({ producerId, after }: ProducerChange): void {
    this.durable.set(producerId, after);
  }

  /** Newest first. */
  refused({ producerId, before }: ProducerChange): void {
    if (before) this.entries.set(producerId, before);
    else this.entries.delete(producerId);
  }

  restore(entries: Iterable<readonly [number, StoredProducerEntry]>): void {
    for (const [producerId, stored] of entries) {
      const entry = { ...NO_TRANSACTION, lastTimestampMs: stored.updatedMs, ...stored };
      this.entries.set(producerId, entry);
      this.durable.set(producerId, entry);
    }
  }

  /** What is durable, for people who look for transactions that hang. */
  active(): ActiveProducer[] {
    return [...this.durable].map(([producerId, entry]) => ({
      producerId,
      producerEpoch: entry.epoch,
      lastSequence: entry.batches.at(-1)?.lastSequence ?? -1,
      lastTimestampMs: entry.lastTimestampMs,
      coordinatorEpoch: entry.coordinatorEpoch,
      transactionStartOffset: entry.transactionStart,
    }));
  }

  /**
   * Forgets who has been silent since `beforeMs`, and the longest silent where there are too many; never one with
   * an open transaction, whose end would then not be known for one.
   */
  expire(beforeMs: number): void {
    for (const [id, entry] of this.entries) {
      if (entry.updatedMs < beforeMs && this.#mayGo(id)) this.#forget(id);
    }
    if (this.entries.size <= PRODUCERS_MAX) return;
    const oldest = [...this.entries].filter(([id]) => this.#mayGo(id));
    oldest.sort(([, a], [, b]) => a.updatedMs - b.updatedMs);
    for (const [id] of oldest.slice(0, this.entries.size - PRODUCERS_MAX)) this.#forget(id);
  }

  /** Not while the end of its transaction is still on its way to the disk, either. */
  #mayGo(producerId: number): boolean {
    const open = (entry: ProducerEntry | undefined): boolean => (entry?.transactionStart ?? -1) >= 0;
    return !open(this.entries.get(producerId)) && !open(this.durable.get(producerId));
  }

  #forget(producerId: number): void {
    this.entries.delete(producerId);
    this.durable.delete(producerId);
  }
}

/** Checkpoints from before there were transactions lack both of these, and those written next still the timestamp. */
export type StoredProducerEntry = Omit<ProducerEntry, LaterField> & Partial<Pick<ProducerEntry, LaterField>>;
type LaterField = keyof typeof NO_TRANSACTION | 'lastTimestampMs';

const NO_TRANSACTION = { coordinatorEpoch: -1, transactionStart: -1 } as const;
