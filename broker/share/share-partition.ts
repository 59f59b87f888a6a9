/**
 * What one share group knows about one partition: which records are available, acquired, or done with. Pure: it is
 * told what happens, and says what to write. The record first: a run keeps its old state, and nobody else gets it,
 * until what it becomes is durable.
 *
 *     start                                                            end
 *       │ acquired ×1 │ available ×2 │ acknowledged │ acquired ×1 │      │ not yet handed out …
 *
 *     available ──acquire──▶ acquired ──accept──▶ acknowledged
 *         ▲                     │  ├──reject, or too many deliveries──▶ archiving ──dead-lettered──▶ archived
 *         └──release, timeout───┘  └──the same, without a dead-letter topic──────────────────────────▶ archived
 *
 * Acquiring is not a decision that must survive: after a restart those records are available again.
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

export const ACKNOWLEDGE = { gap: 0, accept: 1, release: 2, reject: 3, renew: 4 } as const;

export interface SharePartition {
  /** Everything below is done with. */
  readonly startOffset: number;
  /** Next offset that was never handed out. */
  readonly endOffset: number;
  /** From start to end without a hole. */
  readonly runs: readonly Run[];
  readonly nextTicket: number;
}

export interface OffsetRange {
  readonly first: number;
  readonly last: number;
}

export interface AcquiredRange extends OffsetRange {
  readonly deliveryCount: number;
}

/** What becomes durable about a run, in the words of the state topic. */
export interface StateBatch extends OffsetRange {
  readonly state: Settling['state'];
  readonly deliveryCount: number;
}

export interface ArchivingRange extends OffsetRange {
  readonly deliveryCount: number;
  readonly reason: ArchiveReason;
}

export type ShareEffect =
  | {
      readonly kind: 'store';
      readonly ticket: number;
      readonly startOffset: number;
      readonly batches: readonly StateBatch[];
    }
  /** Records came free: waiting fetches look again. */
  | { readonly kind: 'available'; readonly records: number }
  /** To be written to the dead-letter topic. */
  | { readonly kind: 'archiving'; readonly ranges: readonly ArchivingRange[] };

export interface ShareStep {
  readonly partition: SharePartition;
  readonly effects: readonly ShareEffect[];
}

export interface AcknowledgementBatch extends OffsetRange {
  /** One for all, or one an offset. */
  readonly types: readonly number[];
}

/** The settings of the group that decide about deliveries. */
export interface DeliveryRules {
  readonly deliveryCountLimit: number;
  readonly lockDurationMs: number;
  readonly recordLocksMax: number;
  /** Given-up records go to a dead-letter topic. */
  readonly deadLetters: boolean;
}

export function newSharePartition(startOffset: number): SharePartition {
  return { startOffset, endOffset: startOffset, runs: [], nextTicket: 1 };
}

/** As the state topic has it: what it does not mention has never been handed out. */
export function restoredPartition(startOffset: number, batches: readonly StateBatch[]): SharePartition {
  const runs: Run[] = [];
  let at = startOffset;
  for (const batch of batches) {
    if (batch.last < at) continue;
    const first = Math.max(batch.first, at);
    if (first > at) append(runs, run(at, first - 1, 'available'));
    // The reason is not on the disk; it follows from the count, which the caller knows the limit of.
    append(runs, run(first, batch.last, batch.state, batch.deliveryCount));
    at = batch.last + 1;
  }
  return advanced({ startOffset, endOffset: at, runs, nextTicket: 1 });
}

/** What a snapshot says: in-flight writes count as done, since they stand before it in the log. */
export function snapshotOf(partition: SharePartition): { startOffset: number; batches: StateBatch[] } {
  const batches: StateBatch[] = [];
  for (const one of partition.runs) {
    const { state, deliveryCount } = one.settling ?? one;
    const stored = state === 'acquired' ? 'available' : state;
    const before = batches.at(-1);
    if (before?.state === stored && before.deliveryCount === deliveryCount) {
      batches[batches.length - 1] = { ...before, last: one.last };
    } else {
      batches.push({ first: one.first, last: one.last, state: stored, deliveryCount });
    }
  }
  let { startOffset } = partition;
  while (batches[0] && isFinished(batches[0])) startOffset = batches.shift()!.last + 1;
  return { startOffset, batches };
}

/** Where to read next; undefined when nothing may be handed out until something ends. */
export function nextFetchOffset(partition: SharePartition, recordLocksMax: number): number | undefined {
  const available = partition.runs.find(isFree);
  if (available) return available.first;
  return recordsInFlight(partition) < recordLocksMax ? partition.endOffset : undefined;
}

/** Records between start and end that are not done with. */
export function recordsInFlight({ runs }: SharePartition): number {
  return runs.reduce((sum, one) => sum + (isFinished(one) ? 0 : recordsIn(one)), 0);
}

export function recordsFinished({ runs }: SharePartition): number {
  return runs.reduce((sum, one) => sum + (isFinished(one) ? recordsIn(one) : 0), 0);
}

/** Steady time of the first lock that ends. */
export function nextLockEndMs({ runs }: SharePartition): number | undefined {
  let first: number | undefined;
  for (const { state, settling, lockedUntilMs } of runs) {
    if (state !== 'acquired' || settling) continue;
    if (first === undefined || lockedUntilMs < first) first = lockedUntilMs;
  }
  return first;
}

export interface AcquireRequest {
  readonly memberId: string;
  /** What was read: from here … */
  readonly from: number;
  /** … to before here. */
  readonly to: number;
  /** The batches in it that can be delivered; between them lies nothing that ever will be. */
  readonly batches: readonly OffsetRange[];
  readonly recordsMax: number;
  /** Where larger, an answer's ranges end at the end of a batch of the log. */
  readonly batchSize: number;
  /** Never more than `recordsMax`, also in the middle of a batch. */
  readonly isStrict: boolean;
}

/** Locks what is available in what was read, in order, until it is enough. */
export function acquire(
  given: SharePartition,
  request: AcquireRequest,
  rules: DeliveryRules,
  nowMs: number,
): { readonly partition: SharePartition; readonly acquired: readonly AcquiredRange[] } {
  let partition = given;
  const lockedUntilMs = nowMs + rules.lockDurationMs;
  const acquired: AcquiredRange[] = [];
  let left = request.recordsMax;
  let at = Math.max(request.from, given.startOffset);
  const skip = (to: number): void => {
    if (to > at) partition = withoutRecords(partition, at, to - 1);
  };
  for (const batch of request.batches) {
    if (left <= 0) return { partition: advanced(partition), acquired };
    if (batch.last < at) continue;
    skip(batch.first);
    const first = Math.max(at, batch.first);
    let last = batch.last;
    const room = rules.recordLocksMax - recordsInFlight(partition);
    if (last >= partition.endOffset && room <= 0) last = partition.endOffset - 1;
    else if (request.isStrict) last = Math.min(last, partition.endOffset + room - 1);
    if (last < first) break;
    partition = extended(partition, last);
    const taken: AcquiredRange[] = [];
    for (const part of partsOf(partition.runs, first, last)) {
      if (!isFree(part) || (request.isStrict && left <= 0)) continue;
      const end = request.isStrict ? Math.min(part.last, part.first + left - 1) : part.last;
      taken.push({ first: part.first, last: end, deliveryCount: part.deliveryCount + 1 });
      left -= end - part.first + 1;
    }
    partition = locked(partition, taken, request.memberId, lockedUntilMs);
    for (const range of taken) addRange(acquired, range, request);
    at = last + 1;
    if (last < batch.last) break;
  }
  if (left > 0 && at > (request.batches.at(-1)?.last ?? -1)) skip(request.to);
  return { partition: advanced(partition), acquired };
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

/** The log begins later now: what is below cannot be delivered any more. */
export function trimmed(partition: SharePartition, logStartOffset: number): SharePartition {
  if (logStartOffset <= partition.startOffset) return partition;
  const runs = partition.runs.flatMap((one) => {
    if (one.last < logStartOffset) return [];
    return [one.first < logStartOffset ? { ...one, first: logStartOffset } : one];
  });
  const endOffset = Math.max(partition.endOffset, logStartOffset);
  return advanced({ ...partition, startOffset: logStartOffset, endOffset, runs });
}

/** Runs whose records wait to be written to the dead-letter topic, after a restart or a failed attempt. */
export function archivingRanges(partition: SharePartition, deliveryCountLimit: number): ArchivingRange[] {
  return partition.runs
    .filter(({ state, settling }) => state === 'archiving' && !settling)
    .map(({ first, last, deliveryCount, reason }) => ({
      first,
      last,
      deliveryCount,
      reason: reason ?? (deliveryCount >= deliveryCountLimit ? 'delivery-count' : 'rejected'),
    }));
}

function isFree({ state, settling }: Run): boolean {
  return state === 'available' && !settling;
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

/** Moves the start behind what is done with. */
function advanced(partition: SharePartition): SharePartition {
  let count = 0;
  while (count < partition.runs.length && isFinished(partition.runs[count]!)) count += 1;
  if (count === 0) return partition;
  return {
    ...partition,
    startOffset: partition.runs[count - 1]!.last + 1,
    runs: partition.runs.slice(count),
  };
}

/** Takes in offsets up to `last` that were never handed out. */
function extended(partition: SharePartition, last: number): SharePartition {
  if (last < partition.endOffset) return partition;
  const runs = [...partition.runs];
  append(runs, run(partition.endOffset, last, 'available'));
  return { ...partition, runs, endOffset: last + 1 };
}

/** Markers, aborted and compacted records: there is nothing to deliver, now or later. */
function withoutRecords(given: SharePartition, first: number, last: number): SharePartition {
  const partition = extended(given, last);
  const runs = changed(partition.runs, first, last, (part) =>
    isFree(part) ? run(part.first, part.last, 'archived', part.deliveryCount) : undefined,
  );
  return { ...partition, runs };
}

function locked(
  partition: SharePartition,
  ranges: readonly AcquiredRange[],
  memberId: string,
  lockedUntilMs: number,
): SharePartition {
  let { runs } = partition;
  for (const { first, last, deliveryCount } of ranges) {
    runs = changed(runs, first, last, (part) => ({
      ...part,
      state: 'acquired',
      deliveryCount,
      memberId,
      lockedUntilMs,
    }));
  }
  return { ...partition, runs };
}

/** Joins a range to the answer's last where the batch size allows: clients acknowledge such a range as one. */
function addRange(ranges: AcquiredRange[], range: AcquiredRange, request: AcquireRequest): void {
  const before = ranges.at(-1);
  const joins =
    before !== undefined &&
    before.last + 1 === range.first &&
    before.deliveryCount === range.deliveryCount &&
    (request.isStrict || recordsIn(before) + recordsIn(range) <= request.batchSize);
  if (joins) ranges[ranges.length - 1] = { ...before, last: range.last };
  else ranges.push(range);
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
