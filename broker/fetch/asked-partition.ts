import type { RequestOf } from '../wire/codec.ts';
import type { fetch } from '../wire/schemas/index.ts';

export type FetchRequest = RequestOf<typeof fetch>;

/** What a client asks of one partition, with the topic that it stands under. */
export interface AskedPartition {
  /** Empty from version 13 on, which names topics by id. */
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly fetchOffset: number;
  readonly maxBytes: number;
  readonly currentLeaderEpoch: number;
  readonly lastFetchedEpoch: number;
}

/** The request's partitions, in its order, which is the order of the answer and of who is served first. */
export function askedPartitions({ topics }: FetchRequest): AskedPartition[] {
  const asked: AskedPartition[] = [];
  for (const { topic, topicId, partitions } of topics) {
    for (const one of partitions) {
      asked.push({
        topic,
        topicId,
        partition: one.partition,
        fetchOffset: one.fetchOffset,
        maxBytes: one.partitionMaxBytes,
        currentLeaderEpoch: one.currentLeaderEpoch,
        lastFetchedEpoch: one.lastFetchedEpoch,
      });
    }
  }
  return asked;
}
