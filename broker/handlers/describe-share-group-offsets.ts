/**
 * DescribeShareGroupOffsets (90), versions 0 and 1 (KIP-932): where share groups begin in their partitions; null
 * topics are all that a group has. -1 for a partition that it has not begun. v1 (KIP-1226): the lag, in records that
 * the group is not done with.
 */
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { ZERO_UUID } from '../wire/schema.ts';
import { describeShareGroupOffsets } from '../wire/schemas/index.ts';

type Asked = RequestOf<typeof describeShareGroupOffsets>['groups'][number];
type Answer = AnswerOf<typeof describeShareGroupOffsets>['groups'][number];
type TopicAnswer = Answer['topics'][number];

export default handler({
  api: describeShareGroupOffsets,
  versions: [0, 1],
  handle({ groups }, context) {
    return { groups: groups.map((asked) => describe(asked, context)) };
  },
});

function describe({ groupId, topics }: Asked, context: RequestContext): Answer {
  if (!context.may('Describe', 'Group', groupId))
    return failed(groupId, CODE.GROUP_AUTHORIZATION_FAILED, null);
  // A group that is not there, or of another kind, has begun nowhere: no error in Kafka either.
  const group = context.broker.shares.get(groupId);
  // Of all topics those that may not be seen are left out; where they are named, that is an answer.
  const all = [...(group?.topics.values() ?? [])]
    .filter(({ name }) => context.may('Describe', 'Topic', name))
    .map(({ name, partitions }) => ({ topicName: name, partitions: [...partitions] }));
  return {
    groupId,
    topics: (topics ?? all).map((topic) => topicAnswer(groupId, topic, context)),
    errorCode: CODE.NONE,
  };
}

function topicAnswer(
  groupId: string,
  { topicName, partitions }: { topicName: string; partitions: readonly number[] },
  context: RequestContext,
): TopicAnswer {
  const { broker } = context;
  const topic = broker.log.topic(topicName);
  const refusal = !context.may('Describe', 'Topic', topicName)
    ? CODE.TOPIC_AUTHORIZATION_FAILED
    : topic
      ? undefined
      : CODE.UNKNOWN_TOPIC_OR_PARTITION;
  return {
    topicName,
    topicId: refusal === undefined ? topic!.id : ZERO_UUID,
    partitions: partitions.map((partitionIndex) => {
      const errorCode =
        refusal ?? (topic!.partitions[partitionIndex] ? CODE.NONE : CODE.UNKNOWN_TOPIC_OR_PARTITION);
      const { deliveries } = broker.shares;
      const delivery =
        errorCode === CODE.NONE
          ? deliveries.get({ groupId, topicId: topic!.id, partition: partitionIndex })
          : undefined;
      return {
        partitionIndex,
        startOffset: delivery ? Math.max(delivery.partition.startOffset, delivery.log.startOffset) : -1,
        leaderEpoch: delivery?.log.leaderEpoch ?? 0,
        lag: delivery ? deliveries.lag(delivery) : -1,
        errorCode,
      };
    }),
  };
}

function failed(groupId: string, errorCode: number, errorMessage: string | null): Answer {
  return { groupId, topics: [], errorCode, errorMessage };
}
