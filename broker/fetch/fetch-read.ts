import type { PartitionLog } from '../log/log.ts';
import type { ReadLease } from '../log/segment/read-buffers.ts';
import type { RequestContext } from '../server/broker.ts';
import { CODE } from '../wire/errors.ts';
import { isGone } from './fetch-wait.ts';
import { Filling } from './filling.ts';
import { failed, nothing, type PartitionAnswer } from './partition-answer.ts';
import type { NextRead, ReadAhead } from './read-ahead.ts';
import type { WantedPartition } from './wanted-partition.ts';

/** So much of an answer may come from memory in one turn of the event loop: a millisecond or two of small batches. */
const TURN_BYTES = 1024 * 1024;

export interface ReadPlan {
  readonly maxBytes: number;
  readonly readCommitted: boolean;
  /** Which partition is served first; the others follow in order, around the end. */
  readonly first: number;
  /** For what is read. */
  readonly lease: ReadLease;
  readonly readAhead: ReadAhead;
  /** The log's, when the partitions were looked up. */
  readonly topicsVersion: number;
  /** Whether the client knows already what an answer without records would tell of the partition at that place. */
  readonly isKnown: (place: number, log: PartitionLog) => boolean;
}

export interface Read {
  /** In the order of the partitions, undefined for those that have nothing and are known. */
  readonly answers: Array<PartitionAnswer | undefined>;
  /** Something did not fit, so that another partition should be first the next time. */
  readonly cut: boolean;
  readonly next: readonly NextRead[];
}

/** Reads what fits. */
export async function readPartitions(
  all: readonly WantedPartition[],
  plan: ReadPlan,
  { broker, version }: RequestContext,
): Promise<Read> {
  const filling = new Filling(all, plan, version, broker.fetchedBytes);
  for (let i = 0; i < all.length; i += 1) {
    const at = (i + plan.first) % all.length;
    if (filling.answers[at]) continue;
    const { log, asked } = all[at]!;
    if (!log || (broker.log.topicsVersion !== plan.topicsVersion && isGone(log, broker))) {
      const code = version >= 13 ? CODE.UNKNOWN_TOPIC_ID : CODE.UNKNOWN_TOPIC_OR_PARTITION;
      filling.answers[at] = failed(asked.partition, code);
      continue;
    }
    const end = filling.endOf(log);
    if (asked.fetchOffset >= end || !(await filling.hasRoom(asked))) {
      filling.cut ||= asked.fetchOffset < end;
      // Fast path: of a thousand partitions most have nothing, and shall cost nothing.
      if (!plan.isKnown(at, log)) filling.answers[at] = nothing(asked.partition, log, plan.readCommitted);
      continue;
    }
    await filling.read(at, log, end);
    if (filling.turnBytes < TURN_BYTES) continue;
    filling.turnBytes = 0;
    await new Promise<void>((resolve) => broker.host.timers.soon(resolve));
  }
  await filling.done();
  return filling;
}
