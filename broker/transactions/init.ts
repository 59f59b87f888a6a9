/** InitProducerId with a transactional id: whoever asks last is the producer, all before it are fenced. */
import assert from 'node:assert/strict';

import { CODE } from '../wire/errors.ts';
import { fence } from './end.ts';
import { NO_PLACES } from './place.ts';
import { isOnItsWay, refusal, refuse, store } from './progress.ts';
import type { InitEvent, Step } from './transaction.ts';
import { isExhausted, isPreparing, moved, NO_EPOCH, type TransactionValue } from './transaction-value.ts';

export function onInit(at: Step, event: InitEvent): void {
  const { value } = at.transaction;
  if (isOnItsWay(at) || isPreparing(value)) refuse(at, event.to, CODE.CONCURRENT_TRANSACTIONS);
  else if (!mayContinue(value, event.expected)) refuse(at, event.to, CODE.PRODUCER_FENCED);
  else if (value.state === 'Ongoing') {
    at.effects.push({ kind: 'log', message: 'aborted, since its producer begins anew' });
    // The client asks again, and gets an epoch behind the one that ended the transaction.
    fence(at, event.freshProducerId, [{ to: event.to, answer: refusal(CODE.CONCURRENT_TRANSACTIONS) }]);
  } else begin(at, event);
}

/** A client that names a producer goes on as that one: it must still be the producer, or have been. */
function mayContinue(value: TransactionValue, expected: InitEvent['expected']): boolean {
  if (!expected || value.producerEpoch === NO_EPOCH) return true;
  if (expected.producerId === value.producerId) return true;
  // Its answer, with a new producer id, may have been lost.
  return expected.producerId === value.previousProducerId && isExhausted(expected.producerEpoch);
}

function begin(at: Step, { to, timeoutMs, expected, freshProducerId }: InitEvent): void {
  const { value } = at.transaction;
  const next = nextProducer(value, expected, freshProducerId);
  if (!next) {
    refuse(at, to, CODE.PRODUCER_FENCED);
    return;
  }
  const { producerId, producerEpoch } = next;
  const answer = { errorCode: CODE.NONE, producerId, producerEpoch };
  const empty = { state: 'Empty', partitions: NO_PLACES, startMs: -1, updatedMs: at.nowMs } as const;
  store(at, moved(value, { ...next, ...empty, timeoutMs }), [{ to, answer }]);
}

/** Undefined for a producer that was replaced. */
function nextProducer(
  value: TransactionValue,
  expected: InitEvent['expected'],
  freshProducerId: number | undefined,
): Pick<TransactionValue, 'producerId' | 'producerEpoch' | 'lastProducerEpoch'> | undefined {
  const { producerId, producerEpoch, lastProducerEpoch } = value;
  const isCurrent = !expected || producerEpoch === NO_EPOCH || expected.producerEpoch === producerEpoch;
  if (!isCurrent) {
    // The retry of a call that succeeded: the same answer. Another producer's call would have set this to -1.
    const isRetry = expected.producerEpoch === lastProducerEpoch;
    return isRetry ? { producerId, producerEpoch, lastProducerEpoch } : undefined;
  }
  const last = expected ? producerEpoch : NO_EPOCH;
  if (!isExhausted(producerEpoch)) {
    return { producerId, producerEpoch: producerEpoch + 1, lastProducerEpoch: last };
  }
  assert(freshProducerId !== undefined);
  return { producerId: freshProducerId, producerEpoch: 0, lastProducerEpoch: last };
}
