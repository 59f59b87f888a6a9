import { baseSequenceOf, producerEpochOf, producerIdOf, recordCountOf } from './batch-header.ts';
import { LogError } from './errors.ts';

/**
 * What one partition remembers of idempotent producers: epoch and the last five batches of each.
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
}

export interface ProducerBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
}

export interface ProducerChange {
  readonly producerId: number;
  readonly before: ProducerEntry | undefined;
  readonly after: ProducerEntry;
}

/** As many as a client may have in flight, by Kafka's protocol. */
const BATCHES_KEPT = 5;
/** Sequences wrap after Int.MAX. */
const SEQUENCES = 2 ** 31;
/** Producers that a partition remembers; beyond, the longest idle are forgotten. About 10 MB at 200 B each. */
const PRODUCERS_MAX = 50_000;

export class ProducerStates {
  /** As of the newest append, durable or not: what the next one is checked against. */
  readonly entries = new Map<number, ProducerEntry>();
  /** As of the high watermark: what a checkpoint may keep. */
  readonly durable = new Map<number, ProducerEntry>();

  /** The batch's earlier self when it is a repeat, undefined when it is next. Changes nothing. @throws LogError */
  check(batch: Buffer): ProducerBatch | undefined {
    return checkSequence(this.entries.get(producerIdOf(batch)), batch);
  }

  /** Takes note of an append. Exactly one of `committed` and `refused` is called later, in the order of appends. */
  record(batch: Buffer, baseOffset: number, nowMs: number): ProducerChange {
    const producerId = producerIdOf(batch);
    const before = this.entries.get(producerId);
    const after = nextEntry(before, batch, baseOffset, nowMs);
    this.entries.set(producerId, after);
    return { producerId, before, after };
  }

  committed({ producerId, after }: ProducerChange): void {
    this.durable.set(producerId, after);
  }

  /** Newest first. */
  refused({ producerId, before }: ProducerChange): void {
    if (before) this.entries.set(producerId, before);
    else this.entries.delete(producerId);
  }

  restore(entries: ReadonlyArray<readonly [number, ProducerEntry]>): void {
    for (const [producerId, entry] of entries) {
      this.entries.set(producerId, entry);
      this.durable.set(producerId, entry);
    }
  }

  /** Forgets who has been silent since `beforeMs`, and the longest silent where there are too many. */
  expire(beforeMs: number): void {
    for (const [id, entry] of this.entries) if (entry.updatedMs < beforeMs) this.#forget(id);
    if (this.entries.size <= PRODUCERS_MAX) return;
    const oldest = [...this.entries].sort(([, a], [, b]) => a.updatedMs - b.updatedMs);
    for (const [id] of oldest.slice(0, this.entries.size - PRODUCERS_MAX)) this.#forget(id);
  }

  #forget(producerId: number): void {
    this.entries.delete(producerId);
    this.durable.delete(producerId);
  }
}

export function checkSequence(entry: ProducerEntry | undefined, batch: Buffer): ProducerBatch | undefined {
  // No state (expired, deleted by retention): the producer may go on with any sequence.
  if (!entry) return undefined;
  const epoch = producerEpochOf(batch);
  const first = baseSequenceOf(batch);
  const producer = `producer ${producerIdOf(batch)}`;
  if (epoch < entry.epoch) {
    throw new LogError(
      'INVALID_PRODUCER_EPOCH',
      `cannot append for ${producer}: got epoch ${epoch}, want ${entry.epoch}`,
    );
  }
  if (epoch > entry.epoch) {
    if (first === 0 || entry.epoch === -1) return undefined;
    const message = `cannot append for ${producer}: got sequence ${first} in the new epoch ${epoch}, want 0`;
    throw new LogError('OUT_OF_ORDER_SEQUENCE_NUMBER', message);
  }
  const last = lastSequence(first, recordCountOf(batch));
  const repeat = entry.batches.find((one) => one.firstSequence === first && one.lastSequence === last);
  if (repeat) return repeat;
  const newest = entry.batches.at(-1);
  const want = newest ? (newest.lastSequence + 1) % SEQUENCES : first;
  if (first === want) return undefined;
  const message = `cannot append for ${producer}: got sequence ${first}, want ${want}`;
  throw new LogError('OUT_OF_ORDER_SEQUENCE_NUMBER', message);
}

function nextEntry(
  before: ProducerEntry | undefined,
  batch: Buffer,
  baseOffset: number,
  nowMs: number,
): ProducerEntry {
  const epoch = producerEpochOf(batch);
  const count = recordCountOf(batch);
  const firstSequence = baseSequenceOf(batch);
  const made: ProducerBatch = {
    firstSequence,
    lastSequence: lastSequence(firstSequence, count),
    baseOffset,
    lastOffset: baseOffset + count - 1,
  };
  const kept = before?.epoch === epoch ? before.batches.slice(1 - BATCHES_KEPT) : [];
  return { epoch, batches: [...kept, made], updatedMs: nowMs };
}

function lastSequence(first: number, count: number): number {
  return (first + count - 1) % SEQUENCES;
}
