/**
 * ShareGroupHeartbeat (76), version 1 (KIP-932): joins (epoch 0), stays, leaves (-1). The member chooses its id. The
 * assignment is in the answer when the member joins, tells its subscription, or has a new epoch.
 */
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import { topicPartitionsOf } from '../share/share-group-records.ts';
import { JOIN_EPOCH, LEAVE_EPOCH } from '../share/share-group.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { shareGroupHeartbeat } from '../wire/schemas/index.ts';

type Answer = AnswerOf<typeof shareGroupHeartbeat>;

export default handler({
  api: shareGroupHeartbeat,
  versions: [1, 1],
  async handle(request, context) {
    const { groupId, memberId, memberEpoch, rackId, subscribedTopicNames } = request;
    const { shares } = context.broker;
    if (!context.may('Read', 'Group', groupId)) {
      return refused(
        CODE.GROUP_AUTHORIZATION_FAILED,
        'cannot take a heartbeat: not allowed to read the group',
      );
    }
    const refusal = topicsRefusal(subscribedTopicNames ?? [], context);
    if (refusal) return refusal;
    const problem = problemOf(request);
    if (problem !== undefined) return refused(CODE.INVALID_REQUEST, `cannot take a heartbeat: ${problem}`);
    const answer = await shares.heartbeat(groupId, {
      memberId,
      memberEpoch,
      rackId,
      subscribed: subscribedTopicNames,
      clientId: context.clientId,
      clientHost: `/${context.connection.remote.host}`,
    });
    if ('errorCode' in answer) return refused(answer.errorCode, answer.errorMessage);
    return {
      errorCode: CODE.NONE,
      memberId,
      memberEpoch: answer.memberEpoch,
      heartbeatIntervalMs:
        memberEpoch === LEAVE_EPOCH ? 0 : shares.deliveries.settings(groupId).heartbeatIntervalMs,
      assignment: answer.assignment && { topicPartitions: topicPartitionsOf(answer.assignment) },
    };
  },
});

function problemOf(request: RequestOf<typeof shareGroupHeartbeat>): string | undefined {
  const { groupId, memberId, memberEpoch, rackId, subscribedTopicNames } = request;
  if (groupId === '') return 'got no group id';
  if (memberId === '') return 'got no member id';
  if (memberEpoch < LEAVE_EPOCH) return `got member epoch ${memberEpoch}, want -1 or more`;
  if (rackId === '') return 'got an empty rack id';
  if (memberEpoch === JOIN_EPOCH && !subscribedTopicNames?.length) return 'got no topics to join with';
  return undefined;
}

function topicsRefusal(topics: readonly string[], context: RequestContext): Answer | undefined {
  const denied = topics.find((topic) => !context.may('Describe', 'Topic', topic));
  if (denied === undefined) return undefined;
  return refused(
    CODE.TOPIC_AUTHORIZATION_FAILED,
    'cannot take a heartbeat: not allowed to see all of the topics',
  );
}

function refused(errorCode: number, errorMessage: string): Answer {
  return {
    errorCode,
    errorMessage,
    memberId: null,
    memberEpoch: 0,
    heartbeatIntervalMs: 0,
    assignment: null,
  };
}
