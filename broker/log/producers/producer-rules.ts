import {
  baseSequenceOf,
  isTransactional,
  maxTimestampOf,
  producerEpochOf,
  producerIdOf,
  recordCountOf,
  type BatchSource,
} from '../batch/batch-header.ts';
import { LogError } from '../errors.ts';
import type { ProducerBatch, ProducerEntry } from './producer-state.ts';
import type { TransactionMarker } from './transaction-marker.ts';

/**
 * What a partition takes from a producer, judged by what it remembers of it. Pure: nothing is changed here.
 * Transaction version 2 (KIP-890) is stricter: each transaction has an epoch of its own.
 */

/** As many as a client may have in flight, by Kafka's protocol. */
const BATCHES_KEPT = 5;
/** Sequences wrap after Int.MAX. */
const SEQUENCES = 2 ** 31;
/** Of what was never in a transaction. */
const NO_COORDINATOR = -1;

/** The batch's earlier self when it is a repeat, undefined when it is next. @throws LogError */
export function checkProducer(
  entry: ProducerEntry | undefined,
  batch: Buffer,
  source: BatchSource,
): ProducerBatch | undefined {
  const producer = `producer ${producerIdOf(batch)}`;
  const epoch = producerEpochOf(batch);
  if (entry && epoch < entry.epoch) {
    throw new LogError(
      'INVALID_PRODUCER_EPOCH',
      `cannot append for ${producer}: got epoch ${epoch}, want ${entry.epoch}`,
    );
  }
  // A coordinator's own batches carry no sequence.
  const repeat =
    source.origin === 'client' ? checkSequence(entry, batch, source.transactionVersion === 2) : undefined;
  if (!repeat && entry && entry.transactionStart >= 0 && !isTransactional(batch)) {
    const message = `cannot append for ${producer}: got a batch without a transaction while one is open`;
    throw new LogError('INVALID_TXN_STATE', message);
  }
  return repeat;
}

function checkSequence(
  entry: ProducerEntry | undefined,
  batch: Buffer,
  strict: boolean,
): ProducerBatch | undefined {
  const first = baseSequenceOf(batch);
  const epoch = producerEpochOf(batch);
  if (!entry) {
    // No state (expired, or this is another partition's log): the producer may go on with any sequence.
    if (!strict || first === 0) return undefined;
    throw outOfOrder(batch, `got sequence ${first} of a producer without state, want 0`);
  }
  if (epoch > entry.epoch) {
    if (first === 0 || entry.epoch === -1) return undefined;
    throw outOfOrder(batch, `got sequence ${first} in the new epoch ${epoch}, want 0`);
  }
  const last = lastSequence(first, recordCountOf(batch));
  const repeat = entry.batches.find((one) => one.firstSequence === first && one.lastSequence === last);
  if (repeat) return repeat;
  const newest = entry.batches.at(-1);
  // Without a batch in this epoch, a marker brought it: the producer begins in it.
  const want = newest ? (newest.lastSequence + 1) % SEQUENCES : 0;
  if (first === want) return undefined;
  throw outOfOrder(batch, `got sequence ${first}, want ${want}`);
}

/**
 * Whether the end of a transaction may be written. One that is there already is taken again: the coordinator
 * repeats markers whose answer it did not see. @throws LogError
 */
export function checkMarker(
  entry: ProducerEntry | undefined,
  marker: TransactionMarker & { readonly transactionVersion: 0 | 1 | 2 },
): void {
  if (!entry) return;
  const { producerId, producerEpoch, coordinatorEpoch, transactionVersion } = marker;
  const isRepeat = producerEpoch === entry.epoch && entry.transactionStart < 0;
  // Version 2 ends a transaction in the epoch behind it, so the same one comes late from an earlier transaction.
  const isOld =
    producerEpoch < entry.epoch || (transactionVersion === 2 && producerEpoch === entry.epoch && !isRepeat);
  if (isOld) {
    const want = transactionVersion === 2 ? `above ${entry.epoch}` : `at least ${entry.epoch}`;
    const message = `cannot end the transaction of producer ${producerId}: got epoch ${producerEpoch}, want ${want}`;
    throw new LogError('INVALID_PRODUCER_EPOCH', message);
  }
  if (coordinatorEpoch < entry.coordinatorEpoch) {
    const message = `cannot end the transaction of producer ${producerId}: got coordinator epoch ${coordinatorEpoch}, want ${entry.coordinatorEpoch}`;
    throw new LogError('TRANSACTION_COORDINATOR_FENCED', message);
  }
}

/** What is remembered after a batch of data. */
export function afterBatch(
  before: ProducerEntry | undefined,
  batch: Buffer,
  baseOffset: number,
  nowMs: number,
): ProducerEntry {
  const epoch = producerEpochOf(batch);
  const isSame = before?.epoch === epoch;
  let batches = isSame ? before.batches : [];
  const firstSequence = baseSequenceOf(batch);
  if (firstSequence >= 0) {
    const count = recordCountOf(batch);
    const made: ProducerBatch = {
      firstSequence,
      lastSequence: lastSequence(firstSequence, count),
      baseOffset,
      lastOffset: baseOffset + count - 1,
      maxTimestampMs: maxTimestampOf(batch),
    };
    batches = [...batches.slice(1 - BATCHES_KEPT), made];
  }
  const open = before?.transactionStart ?? -1;
  return {
    epoch,
    batches,
    updatedMs: nowMs,
    lastTimestampMs: maxTimestampOf(batch),
    coordinatorEpoch: before?.coordinatorEpoch ?? NO_COORDINATOR,
    transactionStart: open < 0 && isTransactional(batch) ? baseOffset : open,
  };
}

/** What is remembered after a marker. */
export function afterMarker(
  before: ProducerEntry | undefined,
  {
    producerEpoch,
    coordinatorEpoch,
    timestampMs,
  }: Pick<TransactionMarker, 'producerEpoch' | 'coordinatorEpoch'> & { readonly timestampMs: number },
  nowMs: number,
): ProducerEntry {
  return {
    epoch: producerEpoch,
    batches: before?.epoch === producerEpoch ? before.batches : [],
    updatedMs: nowMs,
    lastTimestampMs: timestampMs,
    coordinatorEpoch,
    transactionStart: -1,
  };
}

function outOfOrder(batch: Buffer, problem: string): LogError {
  const message = `cannot append for producer ${producerIdOf(batch)}: ${problem}`;
  return new LogError('OUT_OF_ORDER_SEQUENCE_NUMBER', message);
}

function lastSequence(first: number, count: number): number {
  return (first + count - 1) % SEQUENCES;
}
