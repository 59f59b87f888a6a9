/** EndTxn, and the abort that fences a producer. */
import assert from 'node:assert/strict';

import { CODE } from '../wire/errors.ts';
import { completed, isOnItsWay, refuse, store } from './progress.ts';
import type { EndEvent, Step, Waiting } from './transaction.ts';
import {
  isExhausted,
  moved,
  nextEpoch,
  NO_EPOCH,
  NO_PRODUCER_ID,
  type TransactionValue,
  type TransactionVersion,
} from './transaction-value.ts';

/** What an EndTxn comes to: the end begins, it was done before, or a code. */
type Verdict = 'begin' | 'done' | number;

export function onEnd(at: Step, event: EndEvent): void {
  const { value } = at.transaction;
  const verdict = isOnItsWay(at) ? CODE.CONCURRENT_TRANSACTIONS : judge(value, event);
  if (verdict === 'begin') {
    const prepared = prepare(at, value, event);
    const { producerId, producerEpoch } = completed(prepared, at.nowMs);
    const answer = { errorCode: CODE.NONE, producerId, producerEpoch };
    store(at, prepared, [{ to: event.to, answer }]);
  } else if (verdict === 'done') {
    const { producerId, producerEpoch } = value;
    const answer = { errorCode: CODE.NONE, producerId, producerEpoch };
    at.effects.push({ kind: 'answer', to: event.to, answer });
  } else refuse(at, event.to, verdict);
}

/** Aborts on behalf of nobody in an epoch that no client has, so that the former producer cannot go on. */
export function fence(at: Step, freshProducerId: number | undefined, ending: readonly Waiting[]): void {
  const { value } = at.transaction;
  const { version } = at.settings;
  const fenced = moved(value, {
    state: 'PrepareEpochFence',
    updatedMs: at.nowMs,
    // The abort of version 2 moves the epoch by itself.
    ...(version === 2 ? {} : { producerEpoch: nextEpoch(value.producerEpoch), lastProducerEpoch: NO_EPOCH }),
  });
  store(at, prepare(at, fenced, { commit: false, version, freshProducerId }), ending);
}

function judge(value: TransactionValue, event: EndEvent): Verdict {
  return event.version === 2 ? judgeMoving(value, event) : judgeClassic(value, event);
}

/** Before version 2 the epoch says nothing: a retry looks like the first call. */
function judgeClassic(value: TransactionValue, { producerId, producerEpoch, commit }: EndEvent): Verdict {
  if (value.producerId !== producerId) return CODE.INVALID_PRODUCER_ID_MAPPING;
  if (value.producerEpoch !== producerEpoch) return CODE.PRODUCER_FENCED;
  switch (value.state) {
    case 'Ongoing':
      return 'begin';
    case 'CompleteCommit':
    case 'CompleteAbort':
      return commit === (value.state === 'CompleteCommit') ? 'done' : CODE.INVALID_TXN_STATE;
    case 'PrepareCommit':
    case 'PrepareAbort':
      return whilePreparing(value, commit);
    case 'Empty':
      return CODE.INVALID_TXN_STATE;
    case 'Dead':
    case 'PrepareEpochFence':
      return assert.fail(`a transaction does not rest in ${value.state}`);
  }
}

/** With version 2 every end moves the epoch, so a retry comes from the epoch before, or from the producer id before. */
function judgeMoving(value: TransactionValue, { producerId, producerEpoch, commit }: EndEvent): Verdict {
  const isCurrent = value.producerEpoch === producerEpoch;
  const isMoved = value.producerEpoch === producerEpoch + 1;
  const isRotated =
    value.previousProducerId === producerId &&
    value.producerEpoch === 0 &&
    isExhausted(producerEpoch) &&
    !isExhausted(producerEpoch - 1);
  if (value.producerId !== producerId && !isRotated) return CODE.INVALID_PRODUCER_ID_MAPPING;
  switch (value.state) {
    case 'Ongoing':
      return isCurrent ? 'begin' : CODE.PRODUCER_FENCED;
    case 'Empty':
      if (!isCurrent) return CODE.PRODUCER_FENCED;
      return commit ? CODE.INVALID_TXN_STATE : 'begin';
    case 'PrepareCommit':
    case 'PrepareAbort':
      return isMoved ? whilePreparing(value, commit) : CODE.PRODUCER_FENCED;
    case 'CompleteCommit':
    case 'CompleteAbort':
      if (isMoved || isRotated) {
        return commit === (value.state === 'CompleteCommit') ? 'done' : CODE.INVALID_TXN_STATE;
      }
      if (!isCurrent) return CODE.PRODUCER_FENCED;
      // A transaction to which nothing was written can be aborted, not committed.
      return commit ? CODE.INVALID_TXN_STATE : 'begin';
    case 'Dead':
    case 'PrepareEpochFence':
      return assert.fail(`a transaction does not rest in ${value.state}`);
  }
}

function whilePreparing({ state }: TransactionValue, commit: boolean): number {
  return commit === (state === 'PrepareCommit') ? CODE.CONCURRENT_TRANSACTIONS : CODE.INVALID_TXN_STATE;
}

function prepare(
  { nowMs }: Step,
  value: TransactionValue,
  {
    commit,
    version,
    freshProducerId,
  }: {
    readonly commit: boolean;
    readonly version: TransactionVersion;
    readonly freshProducerId: number | undefined;
  },
): TransactionValue {
  const state = commit ? 'PrepareCommit' : 'PrepareAbort';
  const startMs = value.startMs === -1 || value.partitions.size === 0 ? nowMs : value.startMs;
  if (version !== 2) return moved(value, { state, startMs, updatedMs: nowMs, version });
  const rotates = isExhausted(value.producerEpoch);
  assert(!rotates || freshProducerId !== undefined);
  return moved(value, {
    state,
    producerEpoch: nextEpoch(value.producerEpoch),
    lastProducerEpoch: value.producerEpoch,
    nextProducerId: rotates ? freshProducerId! : NO_PRODUCER_ID,
    startMs,
    updatedMs: nowMs,
    version,
  });
}
