/**
 * Metadata (3), versions 0 to 13.
 *
 * v1: null asks for all topics, an empty list for none (v0: empty is all). v4: whether a missing topic may be
 * created; before, it always may. v10 answers topic ids, v12 takes them. Auto-creation is finished before the
 * answer, so the first answer already names the leader.
 * Absent: authorized operations (there is no authorizer: "not asked" is answered).
 */
import type { Topic } from '../log/log.ts';
import type { Broker, RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { ZERO_UUID } from '../wire/schema.ts';
import { metadata } from '../wire/schemas/index.ts';

type TopicAnswer = AnswerOf<typeof metadata>['topics'][number];

export default handler({
  api: metadata,
  versions: [0, 13],
  async handle(request, context) {
    const { broker, connection } = context;
    return {
      brokers: [{ nodeId: broker.config.nodeId, ...connection.advertised, rack: null }],
      clusterId: broker.log.clusterId,
      controllerId: broker.config.nodeId,
      topics: await topicsOf(request, context),
      errorCode: CODE.NONE,
    };
  },
});

async function topicsOf(
  request: RequestOf<typeof metadata>,
  { broker, version }: RequestContext,
): Promise<TopicAnswer[]> {
  const asked = request.topics;
  if (asked === null || (version === 0 && asked.length === 0)) {
    return broker.log.topics().map((topic) => describe(broker, topic));
  }
  const mayCreate = version < 4 || request.allowAutoTopicCreation;
  const answers: TopicAnswer[] = [];
  for (const { name, topicId } of asked) {
    if (name === null && version < 12) {
      answers.push({ errorCode: CODE.INVALID_REQUEST, name: '', topicId, partitions: [] });
      continue;
    }
    if (name === null) {
      const topic = topicId === ZERO_UUID ? undefined : broker.log.topicById(topicId);
      answers.push(
        topic
          ? describe(broker, topic)
          : { errorCode: CODE.UNKNOWN_TOPIC_ID, name: null, topicId, partitions: [] },
      );
      continue;
    }
    const found = await broker.topics.findOrCreate(name, mayCreate);
    answers.push(
      typeof found === 'number' ? { errorCode: found, name, partitions: [] } : describe(broker, found),
    );
  }
  return answers;
}

function describe({ config: { nodeId } }: Broker, topic: Topic): TopicAnswer {
  return {
    errorCode: CODE.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.internal,
    partitions: topic.partitions.map(({ partition, leaderEpoch }) => ({
      errorCode: CODE.NONE,
      partitionIndex: partition,
      leaderId: nodeId,
      leaderEpoch,
      replicaNodes: [nodeId],
      isrNodes: [nodeId],
      offlineReplicas: [],
    })),
  };
}
