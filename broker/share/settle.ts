/**
 * What becomes of records that were handed out: acknowledged, given up, or free again. Each change asks to be stored,
 * under a ticket, and holds only when it is.
 */
import assert from 'node:assert/strict';

import { CODE } from '../wire/errors.ts';
import {
  append,
  type ArchiveReason,
  changed,
  isFinished,
  partsOf,
  recordsIn,
  type Run,
  run,
  type Settling,
} from './run.ts';
import {
  advanced,
  type ArchivingRange,
  type DeliveryRules,
  type OffsetRange,
  type ShareEffect,
  type SharePartition,
  type ShareStep,
  type StateBatch,
} from './share-partition.ts';

export const ACKNOWLEDGE = { gap: 0, accept: 1, release: 2, reject: 3, renew: 4 } as const;

export interface AcknowledgementBatch extends OffsetRange {
  /** One for all, or one an offset. */
  readonly types: readonly number[];
}

/** @returns what it becomes, or why nothing is done: all of a partition's acknowledgements hold, or none */
export function acknowledge(
  partition: SharePartition,
  memberId: string,
  batches: readonly AcknowledgementBatch[],
  rules: DeliveryRules,
  nowMs: number,
): ShareStep | { readonly errorCode: number } {
  const ranges = batches.flatMap(rangesByType).filter(({ last }) => last >= partition.startOffset);
  for (const { first, last } of ranges) {
    if (last >= partition.endOffset) return { errorCode: CODE.INVALID_REQUEST };
    const isOwned = partsOf(partition.runs, first, last).every(
      (part) => part.state === 'acquired' && part.memberId === memberId && !part.settling,
    );
    if (!isOwned) return { errorCode: CODE.INVALID_RECORD_STATE };
  }
  let { runs } = partition;
  const ticket = partition.nextTicket;
  for (const { first, last, type } of ranges) {
    runs = changed(runs, first, last, (part) =>
      type === ACKNOWLEDGE.renew
        ? { ...part, lockedUntilMs: nowMs + rules.lockDurationMs }
        : { ...part, settling: outcomeOf(part, type, ticket, rules) },
    );
  }
  return storing({ ...partition, runs });
}

/** Locks that have ended let go of their records. */
export function expireLocks(partition: SharePartition, rules: DeliveryRules, nowMs: number): ShareStep {
  const ticket = partition.nextTicket;
  return letGo(
    partition,
    (one) => one.lockedUntilMs <= nowMs,
    (one) => outcomeOf(one, ACKNOWLEDGE.release, ticket, rules),
  );
}

/**
 * A member is gone, or its session: what it holds is free at once. As it may never have seen these records, this
 * delivery does not count.
 */
export function releaseMember(partition: SharePartition, memberId: string): ShareStep {
  const ticket = partition.nextTicket;
  return letGo(
    partition,
    (one) => one.memberId === memberId,
    (one) => ({ ticket, state: 'available', deliveryCount: one.deliveryCount - 1, reason: undefined }),
  );
}

/** These records stand in the dead-letter topic, in front of what this asks to store. */
export function deadLettered(partition: SharePartition, ranges: readonly OffsetRange[]): ShareStep {
  const ticket = partition.nextTicket;
  let { runs } = partition;
  for (const { first, last } of ranges) {
    runs = changed(runs, first, last, (part) =>
      part.state === 'archiving' && !part.settling
        ? {
            ...part,
            settling: {
              ticket,
              state: 'archived',
              deliveryCount: part.deliveryCount,
              reason: part.reason,
            },
          }
        : undefined,
    );
  }
  return storing({ ...partition, runs });
}

/** The write of a ticket has ended. A refused one leaves everything as it was. */
export function stored(partition: SharePartition, ticket: number, isDurable: boolean): ShareStep {
  let available = 0;
  const archiving: ArchivingRange[] = [];
  const runs: Run[] = [];
  for (const one of partition.runs) {
    const { settling } = one;
    if (settling?.ticket !== ticket) {
      append(runs, one);
      continue;
    }
    if (!isDurable) {
      append(runs, { ...one, settling: undefined });
      continue;
    }
    const { first, last } = one;
    const { state, deliveryCount, reason } = settling;
    append(runs, {
      ...run(first, last, state, deliveryCount),
      reason: state === 'archiving' ? reason : undefined,
    });
    if (state === 'available') available += recordsIn(one);
    if (state === 'archiving') archiving.push({ first, last, deliveryCount, reason: reason ?? 'rejected' });
  }
  const effects: ShareEffect[] = [];
  if (available > 0) effects.push({ kind: 'available', records: available });
  if (archiving.length > 0) effects.push({ kind: 'archiving', ranges: archiving });
  return { partition: advanced({ ...partition, runs }), effects };
}

function letGo(
  partition: SharePartition,
  isMeant: (one: Run) => boolean,
  outcome: (one: Run) => Settling,
): ShareStep {
  const runs: Run[] = [];
  for (const one of partition.runs) {
    const goes = one.state === 'acquired' && !one.settling && isMeant(one);
    append(runs, goes ? { ...one, settling: outcome(one) } : one);
  }
  return storing({ ...partition, runs });
}

function outcomeOf(one: Run, type: number, ticket: number, rules: DeliveryRules): Settling {
  const { deliveryCount } = one;
  const archive = (reason: ArchiveReason): Settling => ({
    ticket,
    state: rules.deadLetters && reason !== 'gap' ? 'archiving' : 'archived',
    deliveryCount,
    reason,
  });
  switch (type) {
    case ACKNOWLEDGE.accept:
      return { ticket, state: 'acknowledged', deliveryCount, reason: undefined };
    case ACKNOWLEDGE.release:
      return deliveryCount >= rules.deliveryCountLimit
        ? archive('delivery-count')
        : { ticket, state: 'available', deliveryCount, reason: undefined };
    case ACKNOWLEDGE.reject:
      return archive('rejected');
    default:
      assert(type === ACKNOWLEDGE.gap);
      return archive('gap');
  }
}

/** Asks to store what carries the next ticket, if anything does. */
function storing(partition: SharePartition): ShareStep {
  const ticket = partition.nextTicket;
  const batches: StateBatch[] = [];
  for (const { first, last, settling } of partition.runs) {
    if (settling?.ticket !== ticket) continue;
    const { state, deliveryCount } = settling;
    const before = batches.at(-1);
    const isSame = before?.state === state && before.deliveryCount === deliveryCount;
    if (isSame && before.last + 1 === first) batches[batches.length - 1] = { ...before, last };
    else batches.push({ first, last, state, deliveryCount });
  }
  if (batches.length === 0) return { partition, effects: [] };
  let { startOffset } = partition;
  for (const one of partition.runs) {
    if (!isFinished(one.settling?.ticket === ticket ? one.settling : one)) break;
    startOffset = one.last + 1;
  }
  return {
    partition: { ...partition, nextTicket: ticket + 1 },
    effects: [{ kind: 'store', ticket, startOffset, batches }],
  };
}

function rangesByType({ first, last, types }: AcknowledgementBatch): Array<OffsetRange & { type: number }> {
  if (types.length === 1) return [{ first, last, type: types[0]! }];
  const ranges: Array<OffsetRange & { type: number }> = [];
  for (const [index, type] of types.entries()) {
    const before = ranges.at(-1);
    const offset = first + index;
    if (before?.type === type) ranges[ranges.length - 1] = { ...before, last: offset };
    else ranges.push({ first: offset, last: offset, type });
  }
  return ranges;
}
