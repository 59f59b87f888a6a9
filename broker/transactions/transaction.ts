/**
 * One transactional id as a pure state machine: `step(transaction, event, now)` gives the next state and what is to
 * be done. It owns no clock, no timer and no disk; the coordinator applies the effects and feeds back what became of
 * them.
 *
 *              add                    end                    markers appended
 *     Empty ─────────▶ Ongoing ─────────────▶ PrepareCommit ─────────────────▶ CompleteCommit ─┐
 *       ▲               ▲  │ timeout, init                                                     │ add: Ongoing
 *       │ init          │  └─▶ PrepareEpochFence ─▶ PrepareAbort ─────────────▶ CompleteAbort ─┤ init: Empty
 *       └───────────────┴──────────────────────────────────────────────────────────────────────┘
 *
 * Prepare is the commit point. All partitions share one write-ahead log, so a whole end is appended in one turn
 * (Prepare, then the markers, then Complete) and one sync makes it durable; a crash keeps a prefix of it, from which
 * `resume` goes on. Nothing is answered before it is durable, and while anything is on its way other requests are
 * answered CONCURRENT_TRANSACTIONS, but for more partitions of the same transaction.
 */
import type { Token } from '../state/parked-requests.ts';
import { onAdd } from './add-partitions.ts';
import { onEnd } from './end.ts';
import { onExpire, onResume, onTick } from './deadlines.ts';
import { onInit } from './init.ts';
import type { Place, Places } from './place.ts';
import { onAppended, onStored } from './progress.ts';
import {
  isExhausted,
  newValue,
  type TransactionValue,
  type TransactionVersion,
} from './transaction-value.ts';

export interface Answer {
  readonly errorCode: number;
  /** -1 unless the request is told of them. */
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** A request and what it is answered once its record is durable. */
export interface Waiting {
  readonly to: Token;
  readonly answer: Answer;
}

/** A record on its way to the disk. */
export interface Storing {
  readonly ticket: number;
  readonly value: TransactionValue;
  readonly waiting: readonly Waiting[];
}

export interface Transaction {
  readonly transactionalId: string;
  /** As of the newest record, durable or not: what the next event is judged by. */
  readonly value: TransactionValue;
  /** As of the newest durable record; undefined before the first. */
  readonly durable: TransactionValue | undefined;
  /** Oldest first. */
  readonly storing: readonly Storing[];
  /** The ticket of markers that are just being appended. */
  readonly marking: number | undefined;
  /** Who asked for an end that is decided: answered when it is over, or when only late markers are left of it. */
  readonly ending: readonly Waiting[];
  readonly nextTicket: number;
}

export interface InitEvent {
  readonly kind: 'init';
  readonly to: Token;
  readonly timeoutMs: number;
  /** What the client says it has; undefined when it says nothing. */
  readonly expected: { readonly producerId: number; readonly producerEpoch: number } | undefined;
  /** Needed where `needsProducerId` says so. */
  readonly freshProducerId: number | undefined;
}

export interface AddEvent {
  readonly kind: 'add';
  readonly to: Token;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly places: readonly Place[];
  readonly version: TransactionVersion;
}

export interface EndEvent {
  readonly kind: 'end';
  readonly to: Token;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly commit: boolean;
  readonly version: TransactionVersion;
  readonly freshProducerId: number | undefined;
}

export type TransactionEvent =
  | InitEvent
  | AddEvent
  | EndEvent
  /** A `store` or `markers` effect was taken by the log: in its order, not yet durable. */
  | { readonly kind: 'appended'; readonly ticket: number }
  /** A `store` effect ended, or a `markers` effect failed; code 0 when durable. */
  | { readonly kind: 'stored'; readonly ticket: number; readonly errorCode: number }
  /** The broker has started: what was being ended is ended. */
  | { readonly kind: 'resume' }
  /** Time passed: too old a transaction is aborted, markers are tried again. */
  | { readonly kind: 'tick'; readonly freshProducerId: number | undefined }
  /** Forget the id if nobody has used it for this long. */
  | { readonly kind: 'expire'; readonly afterMs: number };

/** What the partitions of a transaction are told at its end. */
export interface Markers {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly commit: boolean;
  readonly version: TransactionVersion;
  readonly places: Places;
}

export type Effect =
  | { readonly kind: 'answer'; readonly to: Token; readonly answer: Answer }
  /** Append this record (null: a tombstone); then step with `appended` in this turn, and later with `stored`. */
  | { readonly kind: 'store'; readonly ticket: number; readonly value: TransactionValue | null }
  /** Append these; then step with `appended`, or with `stored` and an error, in this turn. */
  | { readonly kind: 'markers'; readonly ticket: number; readonly markers: Markers }
  /** Step with `tick` after a while. */
  | { readonly kind: 'retry' }
  | { readonly kind: 'log'; readonly message: string };

export interface Settings {
  /** The level of `transaction.version` that holds. */
  readonly version: TransactionVersion;
}

/** A step in progress: `transaction` is a copy that the transitions may change. */
export interface Step {
  readonly transaction: { -readonly [K in keyof Transaction]: Transaction[K] };
  readonly effects: Effect[];
  readonly nowMs: number;
  readonly settings: Settings;
}

export function newTransaction(transactionalId: string, producerId: number, nowMs: number): Transaction {
  return {
    transactionalId,
    value: newValue(producerId, nowMs),
    durable: undefined,
    storing: [],
    marking: undefined,
    ending: [],
    nextTicket: 1,
  };
}

/** After a restart. */
export function storedTransaction(transactionalId: string, value: TransactionValue): Transaction {
  return { ...newTransaction(transactionalId, value.producerId, 0), value, durable: value };
}

/** Whether `init`, `end` and `tick` may want a new producer id now. */
export function needsProducerId({ value }: Transaction): boolean {
  return isExhausted(value.producerEpoch);
}

/** Leaves `transaction` as it is. `nowMs` is wall time, since what is stored must mean something after a restart. */
export function step(
  transaction: Transaction,
  event: TransactionEvent,
  nowMs: number,
  settings: Settings,
): { transaction: Transaction; effects: Effect[] } {
  const at: Step = { transaction: { ...transaction }, effects: [], nowMs, settings };
  switch (event.kind) {
    case 'init':
      onInit(at, event);
      break;
    case 'add':
      onAdd(at, event);
      break;
    case 'end':
      onEnd(at, event);
      break;
    case 'appended':
      onAppended(at, event.ticket);
      break;
    case 'stored':
      onStored(at, event.ticket, event.errorCode);
      break;
    case 'resume':
      onResume(at);
      break;
    case 'tick':
      onTick(at, event.freshProducerId);
      break;
    case 'expire':
      onExpire(at, event.afterMs);
      break;
  }
  return { transaction: at.transaction, effects: at.effects };
}
