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
import { append, type ArchiveReason, isFinished, recordsIn, type Run, run, type Settling } from './run.ts';

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

/** Nobody has it, and nothing of it is on its way to the disk. */
export function isFree({ state, settling }: Run): boolean {
  return state === 'available' && !settling;
}

/** Moves the start behind what is done with. */
export function advanced(partition: SharePartition): SharePartition {
  let count = 0;
  while (count < partition.runs.length && isFinished(partition.runs[count]!)) count += 1;
  if (count === 0) return partition;
  return {
    ...partition,
    startOffset: partition.runs[count - 1]!.last + 1,
    runs: partition.runs.slice(count),
  };
}
