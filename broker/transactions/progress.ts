/** What becomes of records and markers on their way to the disk. */
import assert from 'node:assert/strict';

import type { Token } from '../state/parked-requests.ts';
import { CODE } from '../wire/errors.ts';
import type { Answer, Step, Waiting } from './transaction.ts';
import { isPreparing, moved, NO_PRODUCER_ID, type TransactionValue } from './transaction-value.ts';
import { NO_PLACES } from './place.ts';

export function refusal(errorCode: number): Answer {
  return { errorCode, producerId: -1, producerEpoch: -1 };
}

export function refuse(at: Step, to: Token, errorCode: number): void {
  at.effects.push({ kind: 'answer', to, answer: refusal(errorCode) });
}

/** True while the outcome of an earlier step is open: others have to come again. */
export function isOnItsWay({ transaction }: Step): boolean {
  return transaction.storing.length > 0 || transaction.marking !== undefined;
}

/** The new value counts from here on; `waiting` is answered when its record is durable. */
export function store(at: Step, value: TransactionValue, waiting: readonly Waiting[] = []): void {
  const { transaction } = at;
  const ticket = transaction.nextTicket++;
  transaction.value = value;
  transaction.storing = [...transaction.storing, { ticket, value, waiting }];
  at.effects.push({ kind: 'store', ticket, value: value.state === 'Dead' ? null : value });
}

/** Tells the partitions of a transaction that is prepared. */
export function mark(at: Step): void {
  const { transaction } = at;
  const { producerId, producerEpoch, state, version, partitions } = transaction.value;
  assert(isPreparing(transaction.value) && transaction.marking === undefined);
  transaction.marking = transaction.nextTicket++;
  at.effects.push({
    kind: 'markers',
    ticket: transaction.marking,
    markers: { producerId, producerEpoch, commit: state === 'PrepareCommit', version, places: partitions },
  });
}

export function onAppended(at: Step, ticket: number): void {
  const { transaction } = at;
  if (ticket === transaction.marking) {
    transaction.marking = undefined;
    store(at, completed(transaction.value, at.nowMs));
  } else if (transaction.storing.at(-1)?.ticket === ticket && isPreparing(transaction.value)) {
    mark(at);
  }
}

export function onStored(at: Step, ticket: number, errorCode: number): void {
  const { transaction } = at;
  if (ticket === transaction.marking) {
    assert(errorCode !== CODE.NONE);
    transaction.marking = undefined;
    at.effects.push({ kind: 'log', message: 'cannot write all markers, trying again' }, { kind: 'retry' });
    answerEnding(at);
    return;
  }
  const index = transaction.storing.findIndex((one) => one.ticket === ticket);
  // Given up together with an older one that the disk refused.
  if (index === -1) return;
  if (errorCode === CODE.NONE) stored(at, index);
  else undo(at, index);
}

/** Records become durable in their order. */
function stored(at: Step, index: number): void {
  const { transaction } = at;
  const durable = transaction.storing.slice(0, index + 1);
  transaction.storing = transaction.storing.slice(index + 1);
  transaction.durable = durable.at(-1)!.value;
  for (const { value, waiting } of durable) {
    if (isPreparing(value)) transaction.ending = waiting;
    else for (const one of waiting) at.effects.push({ kind: 'answer', ...one });
  }
  answerEnding(at);
}

/** The disk refused: what was built on the record falls with it. */
function undo(at: Step, index: number): void {
  const { transaction } = at;
  const lost = transaction.storing.slice(index);
  transaction.storing = transaction.storing.slice(0, index);
  const value = transaction.storing.at(-1)?.value ?? transaction.durable;
  // The owner drops an id that never was stored.
  if (value) transaction.value = value;
  for (const { waiting } of lost) {
    for (const { to } of waiting) refuse(at, to, CODE.COORDINATOR_NOT_AVAILABLE);
  }
  if (value && isPreparing(value)) at.effects.push({ kind: 'retry' });
  answerEnding(at);
}

/** Whose end is decided hears of it when it is over, so that the next transaction can begin, or late markers can wait. */
function answerEnding(at: Step): void {
  const { transaction } = at;
  if (isOnItsWay(at)) return;
  for (const one of transaction.ending) at.effects.push({ kind: 'answer', ...one });
  transaction.ending = [];
}

/** A producer id that has no epoch left gives way to the next one. */
export function completed(value: TransactionValue, nowMs: number): TransactionValue {
  const rotates = value.nextProducerId !== NO_PRODUCER_ID;
  return moved(value, {
    state: value.state === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort',
    producerId: rotates ? value.nextProducerId : value.producerId,
    producerEpoch: rotates ? 0 : value.producerEpoch,
    nextProducerId: NO_PRODUCER_ID,
    partitions: NO_PLACES,
    updatedMs: nowMs,
  });
}
