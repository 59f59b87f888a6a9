/**
 * ConsumerGroupHeartbeat (68), versions 0 and 1: the whole of KIP-848's membership. v1 takes a pattern of RE2 for the
 * topics, and wants the member's id to be its client's.
 *
 * Patterns are looked up in the heartbeat itself, where Kafka does it in the background: a member that subscribes by
 * pattern has its partitions with the first answer.
 */
import type { ConsumerAnswer } from '../groups/consumer/consumer-events.ts';
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { consumerGroupHeartbeat } from '../wire/schemas/index.ts';

type Answer = AnswerOf<typeof consumerGroupHeartbeat>;

export default handler({
  api: consumerGroupHeartbeat,
  versions: [0, 1],
  async handle(request, context) {
    const { broker, clientId, connection, version, may } = context;
    const { groupId } = request;
    if (groupId.trim() === '') return refused(CODE.INVALID_REQUEST, "GroupId can't be empty.");
    if (!may('Read', 'Group', groupId)) return refused(CODE.GROUP_AUTHORIZATION_FAILED, null);
    if (!maySeeAll(request, context)) return refused(CODE.TOPIC_AUTHORIZATION_FAILED, null);
    const answer = await broker.groups.consumerHeartbeat(
      groupId,
      {
        kind: 'heartbeat',
        memberId: request.memberId,
        freshMemberId: broker.host.random.uuid(),
        memberEpoch: request.memberEpoch,
        instanceId: request.instanceId,
        rackId: request.rackId,
        clientId,
        clientHost: `/${connection.remote.host}`,
        rebalanceTimeoutMs: request.rebalanceTimeoutMs,
        topics: request.subscribedTopicNames,
        regex: request.subscribedTopicRegex,
        assignor: request.serverAssignor,
        owned: ownedBy(request),
        maySee: (topic) => may('Describe', 'Topic', topic),
      },
      version,
    );
    return translate(answer);
  },
});

function maySeeAll(
  { subscribedTopicNames }: RequestOf<typeof consumerGroupHeartbeat>,
  { may }: RequestContext,
) {
  return (subscribedTopicNames ?? []).every((topic) => may('Describe', 'Topic', topic));
}

function ownedBy({ topicPartitions }: RequestOf<typeof consumerGroupHeartbeat>) {
  if (topicPartitions === null) return null;
  const owned = new Map<string, Set<number>>();
  for (const { topicId, partitions } of topicPartitions) {
    owned.set(topicId, new Set([...(owned.get(topicId) ?? []), ...partitions]));
  }
  return owned;
}

function translate(answer: ConsumerAnswer): Answer {
  if (answer.api !== 'consumer-heartbeat') {
    if (answer.api !== 'refused') return refused(CODE.UNKNOWN_SERVER_ERROR, null);
    return refused(answer.errorCode, answer.message === '' ? null : answer.message);
  }
  const { memberId, memberEpoch, heartbeatIntervalMs, assignment } = answer;
  return {
    errorCode: CODE.NONE,
    memberId,
    memberEpoch,
    heartbeatIntervalMs,
    assignment: assignment && {
      topicPartitions: [...assignment].map(([topicId, partitions]) => ({
        topicId,
        partitions: [...partitions.keys()],
      })),
    },
  };
}

function refused(errorCode: number, errorMessage: string | null): Answer {
  return {
    errorCode,
    errorMessage,
    memberId: null,
    memberEpoch: 0,
    heartbeatIntervalMs: 0,
    assignment: null,
  };
}
