/**
 * Metadata (3), versions 0 to 13.
 *
 * v1: null asks for all topics, an empty list for none (v0: empty is all). v4: whether a missing topic may be
 * created; before, it always may. v10 answers topic ids, v12 takes them. Auto-creation is finished before the
 * answer, so the first answer already names the leader.
 * v8 (KIP-430) tells on request what the client may do, v11 no longer for the cluster. Topics that it may not describe
 * are left out of the list of all; named, they are answered TOPIC_AUTHORIZATION_FAILED whether they exist or not, by
 * name without the id and by id without the name.
 */
import type { Topic } from '../log/log.ts';
import { authorizedOperations } from '../security/authorized-operations.ts';
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
      ...(request.includeClusterAuthorizedOperations
        ? {
            clusterAuthorizedOperations: context.may('Describe', 'Cluster')
              ? authorizedOperations(context.may, 'Cluster')
              : 0,
          }
        : {}),
      errorCode: CODE.NONE,
    };
  },
});

async function topicsOf(
  request: RequestOf<typeof metadata>,
  { broker, version, may }: RequestContext,
): Promise<TopicAnswer[]> {
  const asked = request.topics;
  const operationsOn = (name: string) =>
    request.includeTopicAuthorizedOperations
      ? { topicAuthorizedOperations: authorizedOperations(may, 'Topic', name) }
      : {};
  const describeTo = (topic: Topic): TopicAnswer => ({
    ...describe(broker, topic),
    ...operationsOn(topic.name),
  });
  if (asked === null || (version === 0 && asked.length === 0)) {
    const visible = broker.log.topics().filter((topic) => may('Describe', 'Topic', topic.name));
    return visible.map((topic) => describeTo(topic));
  }
  const mayCreate = version < 4 || request.allowAutoTopicCreation;
  const isThereOrMayBe = (name: string): boolean =>
    !mayCreate ||
    !broker.config.autoCreateTopics ||
    broker.log.topic(name) !== undefined ||
    may('Create', 'Cluster') ||
    may('Create', 'Topic', name);
  const answers: TopicAnswer[] = [];
  for (const { name, topicId } of asked) {
    if (name === null && version < 12) {
      answers.push({ errorCode: CODE.INVALID_REQUEST, name: '', topicId, partitions: [] });
      continue;
    }
    // The Java client leaves the name empty where it asks by id.
    if (name === null || (topicId !== ZERO_UUID && version >= 12)) {
      const topic = topicId === ZERO_UUID ? undefined : broker.log.topicById(topicId);
      const isHidden = topic && !may('Describe', 'Topic', topic.name);
      const errorCode = isHidden ? CODE.TOPIC_AUTHORIZATION_FAILED : CODE.UNKNOWN_TOPIC_ID;
      answers.push(
        topic && !isHidden ? describeTo(topic) : { errorCode, name: null, topicId, partitions: [] },
      );
      continue;
    }
    if (!may('Describe', 'Topic', name) || !isThereOrMayBe(name)) {
      answers.push({ errorCode: CODE.TOPIC_AUTHORIZATION_FAILED, name, partitions: [] });
      continue;
    }
    const found = await broker.topics.findOrCreate(name, mayCreate);
    answers.push(
      typeof found === 'number'
        ? { errorCode: found, name, partitions: [], ...operationsOn(name) }
        : describeTo(found),
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
