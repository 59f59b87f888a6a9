import { attributesOf, batchSizeOf, lastOffsetOf } from '../log/batch-header.ts';
import type { PartitionLog } from '../log/log.ts';
import type { Pieces } from '../log/pieces.ts';
import type { ReadLease } from '../log/read-buffers.ts';
import type { RequestContext } from '../server/broker.ts';
import { codeOf } from '../server/topics.ts';
import { CODE } from '../wire/errors.ts';
import type { AskedPartition } from './asked-partition.ts';
import { isGone } from './fetch-wait.ts';
import { answered, failed, nothing, type PartitionAnswer } from './partition-answer.ts';
import type { WantedPartition } from './wanted-partition.ts';

const ZSTD = 4;
/** So much of an answer may come from memory in one turn of the event loop: a millisecond or two of small batches. */
const TURN_BYTES = 1024 * 1024;

export interface ReadPlan {
  readonly maxBytes: number;
  readonly readCommitted: boolean;
  /** Which partition is served first; the others follow in order, around the end. */
  readonly first: number;
  /** For what is read. */
  readonly lease: ReadLease;
  /** The log's, when the partitions were looked up. */
  readonly topicsVersion: number;
  /** Whether the client knows already what an answer without records would tell of the partition at that place. */
  readonly isKnown: (place: number, log: PartitionLog) => boolean;
}

/**
 * Reads what fits. The answers are in the order of the partitions, undefined for those that have nothing and are known;
 * `cut` says that something did not fit, so that another partition should be first the next time.
 */
export async function readPartitions(
  all: readonly WantedPartition[],
  { maxBytes, readCommitted, first, lease, topicsVersion, isKnown }: ReadPlan,
  { broker, version }: RequestContext,
): Promise<{ answers: Array<PartitionAnswer | undefined>; cut: boolean }> {
  const answers = all.map(({ settled }) => settled);
  const plan = { maxBytes, minOneBatch: true, end: 0, readCommitted, version, lease };
  let left = maxBytes;
  let cut = false;
  let topic = '';
  let topicBytes = 0;
  let turnBytes = 0;
  for (let i = 0; i < all.length; i += 1) {
    const at = (i + first) % all.length;
    if (answers[at]) continue;
    const { log, asked } = all[at]!;
    if (!log || (broker.log.topicsVersion !== topicsVersion && isGone(log, broker))) {
      const code = version >= 13 ? CODE.UNKNOWN_TOPIC_ID : CODE.UNKNOWN_TOPIC_OR_PARTITION;
      answers[at] = failed(asked.partition, code);
      continue;
    }
    plan.end = readCommitted ? log.lastStableOffset : log.highWatermark;
    plan.maxBytes = Math.min(asked.maxBytes, left);
    if (isEmpty(asked, plan)) {
      cut ||= asked.fetchOffset < plan.end;
      // Fast path: of a thousand partitions most have nothing, and shall cost nothing.
      if (!isKnown(at, log)) answers[at] = nothing(asked.partition, log, readCommitted);
      continue;
    }
    const answer = await read(asked, log, plan);
    answers[at] = answer;
    const bytes = answer.records?.length ?? 0;
    if (bytes === 0) {
      cut ||= asked.fetchOffset < plan.end;
      continue;
    }
    plan.minOneBatch = false;
    left = Math.max(0, left - bytes);
    if (log.topic !== topic && topicBytes > 0) {
      broker.fetchedBytes.add(topicBytes, { topic });
      topicBytes = 0;
    }
    topic = log.topic;
    topicBytes += bytes;
    turnBytes += bytes;
    if (turnBytes < TURN_BYTES) continue;
    turnBytes = 0;
    await new Promise<void>((resolve) => broker.host.timers.soon(resolve));
  }
  if (topicBytes > 0) broker.fetchedBytes.add(topicBytes, { topic });
  return { answers, cut };
}

interface PartitionPlan {
  maxBytes: number;
  /** Nobody has got anything yet. */
  minOneBatch: boolean;
  /** Nothing from here on. */
  end: number;
  readonly readCommitted: boolean;
  readonly version: number;
  readonly lease: ReadLease;
}

function isEmpty({ fetchOffset }: AskedPartition, { end, maxBytes, minOneBatch }: PartitionPlan): boolean {
  return fetchOffset >= end || (maxBytes <= 0 && !minOneBatch);
}

async function read(
  { partition: index, fetchOffset }: AskedPartition,
  log: PartitionLog,
  { maxBytes, minOneBatch, end, readCommitted, version, lease }: PartitionPlan,
): Promise<PartitionAnswer> {
  try {
    const read = log.readPieces(fetchOffset, Math.max(0, maxBytes), minOneBatch, end, lease);
    const records = read instanceof Promise ? await read : read;
    if (version < 10 && hasZstd(records)) return failed(index, CODE.UNSUPPORTED_COMPRESSION_TYPE);
    if (!readCommitted) return answered(index, log, records, null);
    // Everything below the last stable offset is decided, so nothing can be missing here.
    const aborted = await log.abortedTransactions(fetchOffset, endOf(records, fetchOffset));
    return answered(index, log, records, aborted);
  } catch (error) {
    return failed(index, codeOf(error));
  }
}

function endOf({ chunks }: Pieces, otherwise: number): number {
  const last = chunks.at(-1);
  let end = otherwise;
  if (last) for (let at = 0; at < last.length; at += batchSizeOf(last, at)) end = lastOffsetOf(last, at) + 1;
  return end;
}

function hasZstd({ chunks }: Pieces): boolean {
  for (const chunk of chunks) {
    for (let at = 0; at + 23 <= chunk.length; at += batchSizeOf(chunk, at)) {
      if ((attributesOf(chunk, at) & 7) === ZSTD) return true;
    }
  }
  return false;
}
