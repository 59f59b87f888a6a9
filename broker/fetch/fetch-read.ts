import { attributesOf, batchSizeOf, lastOffsetOf } from '../log/batch-header.ts';
import type { PartitionLog } from '../log/log.ts';
import type { RequestContext } from '../server/broker.ts';
import { codeOf } from '../server/topics.ts';
import { CODE } from '../wire/errors.ts';
import { isGone } from './fetch-wait.ts';
import { answered, failed, NO_RECORDS, type PartitionAnswer } from './partition-answer.ts';
import type { WantedPartition } from './wanted-partition.ts';

const ZSTD = 4;

export interface ReadPlan {
  readonly maxBytes: number;
  readonly readCommitted: boolean;
  /** Which partition is served first; the others follow in order, around the end. */
  readonly first: number;
}

/**
 * Reads what fits. The answers are in the order of the partitions; `cut` says that something did not fit, so that
 * another partition should be first the next time.
 */
export async function readPartitions(
  all: readonly WantedPartition[],
  plan: ReadPlan,
  { broker, version }: RequestContext,
): Promise<{ answers: PartitionAnswer[]; cut: boolean }> {
  const answers = all.map(({ settled }) => settled);
  const { readCommitted } = plan;
  let left = plan.maxBytes;
  let isFirst = true;
  let cut = false;
  for (let i = 0; i < all.length; i += 1) {
    const at = (i + plan.first) % all.length;
    if (answers[at]) continue;
    const { log, asked } = all[at]!;
    if (!log || isGone(log, broker)) {
      const code = version >= 13 ? CODE.UNKNOWN_TOPIC_ID : CODE.UNKNOWN_TOPIC_OR_PARTITION;
      answers[at] = failed(asked.partition, code);
      continue;
    }
    const end = readCommitted ? log.lastStableOffset : log.highWatermark;
    const maxBytes = Math.min(asked.maxBytes, left);
    const answer = await read(all[at]!, log, { maxBytes, minOneBatch: isFirst, end, readCommitted, version });
    const bytes = answer.records?.length ?? 0;
    if (bytes > 0) {
      isFirst = false;
      left = Math.max(0, left - bytes);
      broker.fetchedBytes.add(bytes, { topic: log.topic });
    } else if (asked.fetchOffset < end) {
      cut = true;
    }
    answers[at] = answer;
  }
  return { answers: answers as PartitionAnswer[], cut };
}

interface PartitionPlan {
  readonly maxBytes: number;
  readonly minOneBatch: boolean;
  /** Nothing from here on. */
  readonly end: number;
  readonly readCommitted: boolean;
  readonly version: number;
}

async function read(
  { asked }: WantedPartition,
  log: PartitionLog,
  { maxBytes, minOneBatch, end, readCommitted, version }: PartitionPlan,
): Promise<PartitionAnswer> {
  const { partition: index, fetchOffset } = asked;
  if (fetchOffset >= end || (maxBytes <= 0 && !minOneBatch)) {
    return answered(index, log, NO_RECORDS, readCommitted ? [] : null);
  }
  try {
    const records = await log.read(fetchOffset, Math.max(0, maxBytes), minOneBatch, end);
    if (version < 10 && hasZstd(records)) return failed(index, CODE.UNSUPPORTED_COMPRESSION_TYPE);
    if (!readCommitted) return answered(index, log, records, null);
    // Everything below the last stable offset is decided, so nothing can be missing here.
    const aborted = await log.abortedTransactions(fetchOffset, endOf(records, fetchOffset));
    return answered(index, log, records, aborted);
  } catch (error) {
    return failed(index, codeOf(error));
  }
}

function endOf(records: Buffer, otherwise: number): number {
  let end = otherwise;
  for (let at = 0; at < records.length; at += batchSizeOf(records, at)) end = lastOffsetOf(records, at) + 1;
  return end;
}

function hasZstd(records: Buffer): boolean {
  for (let at = 0; at + 23 <= records.length; at += batchSizeOf(records, at)) {
    if ((attributesOf(records, at) & 7) === ZSTD) return true;
  }
  return false;
}
