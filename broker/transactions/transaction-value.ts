import assert from 'node:assert/strict';

import type { Places } from './place.ts';
import { NO_PLACES } from './place.ts';

/** Kafka's names. `PrepareEpochFence` lasts no longer than a step; `Dead` is a tombstone on its way. */
export const STATES = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
  'Dead',
  'PrepareEpochFence',
] as const;
export type State = (typeof STATES)[number];

/** From where each state may be reached. An abort of nothing (from Empty, Complete*) exists since version 2. */
export const PREDECESSORS: Readonly<Record<State, readonly State[]>> = {
  Empty: ['Empty', 'CompleteCommit', 'CompleteAbort'],
  Ongoing: ['Ongoing', 'Empty', 'CompleteCommit', 'CompleteAbort'],
  PrepareCommit: ['Ongoing'],
  PrepareAbort: ['Ongoing', 'PrepareEpochFence', 'Empty', 'CompleteCommit', 'CompleteAbort'],
  CompleteCommit: ['PrepareCommit'],
  CompleteAbort: ['PrepareAbort'],
  PrepareEpochFence: ['Ongoing'],
  Dead: ['Empty', 'CompleteCommit', 'CompleteAbort'],
};

/** 2 is KIP-890's: partitions are added by writing, and the end of a transaction moves the epoch. */
export type TransactionVersion = 0 | 1 | 2;

/** What is known of a transactional id: the content of its record. */
export interface TransactionValue {
  readonly state: State;
  readonly producerId: number;
  /** -1 before the first InitProducerId has been stored. */
  readonly producerEpoch: number;
  /** The epoch from which its own producer moved on, to know a retry by; -1 after anybody else's move. Not stored. */
  readonly lastProducerEpoch: number;
  /** The producer id before the last record; differs when that one gave a new id. */
  readonly previousProducerId: number;
  /** While a transaction ends whose epoch was the last of its producer id: the id that comes next. Else -1. */
  readonly nextProducerId: number;
  readonly timeoutMs: number;
  readonly partitions: Places;
  /** Wall time, ms; -1 in Empty. */
  readonly startMs: number;
  readonly updatedMs: number;
  readonly version: TransactionVersion;
}

export const NO_PRODUCER_ID = -1;
export const NO_EPOCH = -1;
const EPOCH_MAX = 32_767;

/** No client gets the last epoch, so that there is always one left to fence it with. */
export function isExhausted(epoch: number): boolean {
  return epoch >= EPOCH_MAX - 1;
}

/** An epoch at its end stays there, which only an abort may meet. */
export function nextEpoch(epoch: number): number {
  return Math.min(epoch + 1, EPOCH_MAX);
}

export function newValue(producerId: number, nowMs: number): TransactionValue {
  return {
    state: 'Empty',
    producerId,
    producerEpoch: NO_EPOCH,
    lastProducerEpoch: NO_EPOCH,
    previousProducerId: NO_PRODUCER_ID,
    nextProducerId: NO_PRODUCER_ID,
    timeoutMs: 0,
    partitions: NO_PLACES,
    startMs: -1,
    updatedMs: nowMs,
    version: 0,
  };
}

/** The value after a legal transition. */
export function moved(
  from: TransactionValue,
  to: Partial<TransactionValue> & { readonly state: State; readonly updatedMs: number },
): TransactionValue {
  assert(
    PREDECESSORS[to.state].includes(from.state),
    `a transaction cannot go from ${from.state} to ${to.state}`,
  );
  return { ...from, previousProducerId: from.producerId, ...to };
}

export function isPreparing({ state }: TransactionValue): boolean {
  return state === 'PrepareCommit' || state === 'PrepareAbort';
}

/** Nothing is open: the id waits for its next transaction. */
export function isAtRest({ state }: TransactionValue): boolean {
  return state === 'Empty' || state === 'CompleteCommit' || state === 'CompleteAbort';
}
