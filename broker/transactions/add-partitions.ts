/** Partitions join a transaction: AddPartitionsToTxn, AddOffsetsToTxn, and what version 2 implies by writing. */
import { CODE } from '../wire/errors.ts';
import { keyOf, type Place, placesOf } from './place.ts';
import { isOnItsWay, refusal, refuse, store } from './progress.ts';
import type { AddEvent, Step, Transaction } from './transaction.ts';
import { isPreparing, moved } from './transaction-value.ts';

export function onAdd(at: Step, event: AddEvent): void {
  const { transaction } = at;
  const { value } = transaction;
  const done = { to: event.to, answer: refusal(CODE.NONE) };
  const errorCode = addRefusal(at, event);
  if (errorCode !== CODE.NONE) {
    refuse(at, event.to, errorCode);
    return;
  }
  const isNew =
    value.state !== 'Ongoing' || event.places.some((place) => !value.partitions.has(keyOf(place)));
  const newest = transaction.storing.at(-1);
  if (isNew) {
    const partitions = new Map([
      ...(value.state === 'Ongoing' ? value.partitions : []),
      ...placesOf(event.places),
    ]);
    const startMs = value.state === 'Ongoing' ? value.startMs : at.nowMs;
    const { version } = event;
    store(at, moved(value, { state: 'Ongoing', partitions, startMs, updatedMs: at.nowMs, version }), [done]);
  } else if (newest) {
    const together = { ...newest, waiting: [...newest.waiting, done] };
    transaction.storing = [...transaction.storing.slice(0, -1), together];
  } else {
    at.effects.push({ kind: 'answer', ...done });
  }
}

function addRefusal(at: Step, { producerId, producerEpoch }: AddEvent): number {
  const { value, storing } = at.transaction;
  const grows = value.state === 'Ongoing' && storing.every((one) => one.value.state === 'Ongoing');
  if (isOnItsWay(at) && !grows) return CODE.CONCURRENT_TRANSACTIONS;
  if (value.producerId !== producerId) return CODE.INVALID_PRODUCER_ID_MAPPING;
  if (value.producerEpoch !== producerEpoch) return CODE.PRODUCER_FENCED;
  return isPreparing(value) ? CODE.CONCURRENT_TRANSACTIONS : CODE.NONE;
}

/**
 * Whether a producer of before version 2 may write there: only what it has added. A code for PRODUCER_FENCED and
 * others is as the coordinator has it; what the client is told is the handler's business.
 */
export function verify(
  { value }: Transaction,
  producer: { readonly producerId: number; readonly producerEpoch: number },
  place: Place,
): number {
  if (value.producerId !== producer.producerId) return CODE.INVALID_PRODUCER_ID_MAPPING;
  if (value.producerEpoch !== producer.producerEpoch) return CODE.PRODUCER_FENCED;
  if (isPreparing(value)) return CODE.CONCURRENT_TRANSACTIONS;
  const isAdded = value.state === 'Ongoing' && value.partitions.has(keyOf(place));
  return isAdded ? CODE.NONE : CODE.TRANSACTION_ABORTABLE;
}
