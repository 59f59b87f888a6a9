import { epochRefusal } from '../handlers/leader-epoch.ts';
import type { PartitionLog, Topic } from '../log/log.ts';
import type { RequestContext } from '../server/broker.ts';
import { CODE } from '../wire/errors.ts';
import type { AskedPartition } from './asked-partition.ts';
import { answered, failed, NO_RECORDS, type PartitionAnswer } from './partition-answer.ts';

/** One partition of a fetch, looked up. */
export interface WantedPartition {
  readonly asked: AskedPartition;
  readonly log: PartitionLog | undefined;
  /** An error, or an answer that needs no data. */
  readonly settled: PartitionAnswer | undefined;
}

/** Looks the partitions up and checks what can be checked without data. */
export function wantedPartitions(
  all: readonly AskedPartition[],
  context: RequestContext,
  readCommitted: boolean,
): WantedPartition[] {
  const { broker, version } = context;
  const byId = version >= 13;
  let last: AskedPartition | undefined;
  let topic: Topic | undefined;
  let mayRead = true;
  return all.map((asked) => {
    // Neighbours are mostly of one topic.
    if (last?.topic !== asked.topic || last.topicId !== asked.topicId) {
      topic = broker.topics.find(asked.topic, asked.topicId, byId);
      // An id that names nothing has no name to judge.
      mayRead = (byId && !topic) || context.may('Read', 'Topic', topic?.name ?? asked.topic);
      last = asked;
    }
    if (!mayRead) {
      const settled = failed(asked.partition, CODE.TOPIC_AUTHORIZATION_FAILED);
      return { asked, log: undefined, settled };
    }
    return wanted(asked, broker.topics.partition(topic, asked.partition, byId), readCommitted);
  });
}

function wanted(
  asked: AskedPartition,
  found: PartitionLog | number,
  readCommitted: boolean,
): WantedPartition {
  if (typeof found === 'number') {
    return { asked, log: undefined, settled: failed(asked.partition, found) };
  }
  const refusal = epochRefusal(found, asked.currentLeaderEpoch);
  if (refusal !== undefined) return { asked, log: found, settled: failed(asked.partition, refusal) };
  const diverged = divergence(asked, found, readCommitted);
  if (diverged) return { asked, log: found, settled: diverged };
  if (asked.fetchOffset < found.startOffset || asked.fetchOffset > found.endOffset) {
    return { asked, log: found, settled: failed(asked.partition, CODE.OFFSET_OUT_OF_RANGE) };
  }
  return { asked, log: found, settled: undefined };
}

/**
 * KIP-320: the client's last epoch ended elsewhere in this log; it must truncate to where that was. Judged before the
 * offset, which may lie beyond a log that was cut.
 */
function divergence(
  asked: AskedPartition,
  log: PartitionLog,
  readCommitted: boolean,
): PartitionAnswer | undefined {
  if (asked.lastFetchedEpoch < 0) return undefined;
  // Fast path: nothing has ended where nobody else has led since.
  if (asked.lastFetchedEpoch === log.leaderEpoch && asked.fetchOffset <= log.endOffset) return undefined;
  const { epoch, endOffset } = log.endOffsetForEpoch(asked.lastFetchedEpoch);
  if (endOffset === -1) return failed(asked.partition, CODE.OFFSET_OUT_OF_RANGE);
  if (epoch >= asked.lastFetchedEpoch && endOffset >= asked.fetchOffset) return undefined;
  const answer = answered(asked.partition, log, NO_RECORDS, readCommitted ? [] : null);
  return { ...answer, divergingEpoch: { epoch, endOffset } };
}
