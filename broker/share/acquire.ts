/** Handing records out: what is available in what was read gets a lock. */
import { append, changed, partsOf, recordsIn, run } from './run.ts';
import {
  advanced,
  type DeliveryRules,
  isFree,
  type OffsetRange,
  recordsInFlight,
  type SharePartition,
} from './share-partition.ts';

export interface AcquiredRange extends OffsetRange {
  readonly deliveryCount: number;
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
