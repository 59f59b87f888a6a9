/** What OffsetCommit and TxnOffsetCommit ask of every position before a group hears of it. */
import type { CommitOffset } from '../groups/commits.ts';
import type { RequestContext } from '../server/broker.ts';
import { OFFSET_METADATA_BYTES_MAX } from '../configs/broker-configs.ts';
import { CODE } from '../wire/errors.ts';

interface AskedTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: ReadonlyArray<{
    readonly partitionIndex: number;
    readonly committedOffset: number;
    readonly committedLeaderEpoch: number;
    readonly committedMetadata: string | null;
  }>;
}

export interface Judged {
  readonly index: number;
  readonly refusal: number | undefined;
  readonly offset: CommitOffset | undefined;
}

/** Partitions that cannot be committed to are refused alone. */
export function judgeOffsets(
  topics: readonly AskedTopic[],
  { broker, may }: RequestContext,
  byId: boolean,
): Array<{ name: string; topicId: string; partitions: Judged[] }> {
  return topics.map(({ name, topicId, partitions }) => {
    const topic = broker.topics.find(name, topicId, byId);
    const isDenied = (topic || !byId) && !may('Read', 'Topic', topic?.name ?? name);
    return {
      name,
      topicId,
      partitions: partitions.map((asked): Judged => {
        const index = asked.partitionIndex;
        if (isDenied) return { index, refusal: CODE.TOPIC_AUTHORIZATION_FAILED, offset: undefined };
        const found = broker.topics.partition(topic, index, byId);
        if (typeof found === 'number') return { index, refusal: found, offset: undefined };
        const metadata = asked.committedMetadata ?? '';
        if (Buffer.byteLength(metadata) > OFFSET_METADATA_BYTES_MAX) {
          return { index, refusal: CODE.OFFSET_METADATA_TOO_LARGE, offset: undefined };
        }
        const { committedOffset, committedLeaderEpoch } = asked;
        const offset = {
          topic: found.topic,
          partition: index,
          offset: committedOffset,
          leaderEpoch: committedLeaderEpoch,
          metadata,
        };
        return { index, refusal: undefined, offset };
      }),
    };
  });
}
