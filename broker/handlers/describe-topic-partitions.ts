/**
 * DescribeTopicPartitions (75), version 0: topics by name, all when none is named, in parts of a bounded number of
 * partitions; the cursor says where the next part begins.
 */
import type { PartitionLog } from '../log/log.ts';
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import { topicNameProblem } from '../server/topics.ts';
import { authorizedOperations } from '../security/authorized-operations.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { ZERO_UUID } from '../wire/schema.ts';
import { describeTopicPartitions } from '../wire/schemas/index.ts';

type Answer = AnswerOf<typeof describeTopicPartitions>['topics'][number];

/** Kafka's `max.request.partition.size.limit`. */
const PARTITIONS_MAX = 2_000;

export default handler({
  api: describeTopicPartitions,
  versions: [0, 0],
  handle({ topics, responsePartitionLimit, cursor }, context) {
    const { broker, may } = context;
    const from = cursor?.topicName ?? '';
    const isAll = topics.length === 0;
    const names = (isAll ? broker.log.topics() : topics)
      .map(({ name }) => name)
      .filter((name) => name >= from && (!isAll || may('Describe', 'Topic', name)));
    let left = Math.max(1, Math.min(responsePartitionLimit, PARTITIONS_MAX));
    const answers: Answer[] = [];
    for (const name of [...new Set(names)].sort()) {
      const topic = broker.log.topic(name);
      if (!topic || !may('Describe', 'Topic', name)) {
        answers.push(refused(name, context));
        continue;
      }
      const first = name === cursor?.topicName ? Math.max(0, cursor.partitionIndex) : 0;
      if (left === 0) return { topics: answers, nextCursor: { topicName: name, partitionIndex: first } };
      const shown = topic.partitions.slice(first, first + left);
      left -= shown.length;
      answers.push({
        errorCode: CODE.NONE,
        name,
        topicId: topic.id,
        isInternal: topic.internal,
        partitions: shown.map((partition) => describe(partition, broker.config.nodeId)),
        topicAuthorizedOperations: authorizedOperations(may, 'Topic', name),
      });
      const next = first + shown.length;
      if (next < topic.partitions.length) {
        return { topics: answers, nextCursor: { topicName: name, partitionIndex: next } };
      }
    }
    return { topics: answers, nextCursor: null };
  },
});

function describe({ partition, leaderEpoch }: PartitionLog, nodeId: number): Answer['partitions'][number] {
  return {
    errorCode: CODE.NONE,
    partitionIndex: partition,
    leaderId: nodeId,
    leaderEpoch,
    replicaNodes: [nodeId],
    isrNodes: [nodeId],
    eligibleLeaderReplicas: [],
    lastKnownElr: [],
    offlineReplicas: [],
  };
}

/** Who may not describe it is not told whether it is there. */
function refused(name: string, { may }: RequestContext): Answer {
  const none = { name, topicId: ZERO_UUID, partitions: [] };
  if (!may('Describe', 'Topic', name)) return { ...none, errorCode: CODE.TOPIC_AUTHORIZATION_FAILED };
  const isName = topicNameProblem(name) === undefined;
  return {
    ...none,
    errorCode: isName ? CODE.UNKNOWN_TOPIC_OR_PARTITION : CODE.INVALID_TOPIC_EXCEPTION,
    topicAuthorizedOperations: authorizedOperations(may, 'Topic', name),
  };
}
