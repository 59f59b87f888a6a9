/**
 * ShareGroupDescribe (77), version 1 (KIP-932): state, epochs and members of share groups. A group of another kind,
 * or none, is GROUP_ID_NOT_FOUND; one that reads topics which may not be described is TOPIC_AUTHORIZATION_FAILED.
 */
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { Assignment } from '../share/share-assignor.ts';
import { type ShareMember, stateOf } from '../share/share-group.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { shareGroupDescribe } from '../wire/schemas/index.ts';
import { notDescribed, withOperations } from './described-group.ts';

type Answer = AnswerOf<typeof shareGroupDescribe>['groups'][number];

export default handler({
  api: shareGroupDescribe,
  versions: [1, 1],
  handle({ groupIds, includeAuthorizedOperations }, context) {
    return {
      groups: groupIds.map((groupId) =>
        withOperations(describe(groupId, context), includeAuthorizedOperations, context),
      ),
    };
  },
});

function describe(groupId: string, context: RequestContext): Answer {
  if (!context.may('Describe', 'Group', groupId))
    return notDescribed(groupId, CODE.GROUP_AUTHORIZATION_FAILED, null);
  if (groupId === '') return notDescribed(groupId, CODE.INVALID_GROUP_ID, null);
  const found = context.broker.shares.get(groupId);
  if (!found) return notDescribed(groupId, CODE.GROUP_ID_NOT_FOUND, `there is no share group of this id`);
  const { group } = found;
  const topics = [...group.members.values()].flatMap(({ subscribed }) => [...subscribed]);
  if (!topics.every((topic) => context.may('Describe', 'Topic', topic))) {
    const why = 'the group reads topics that the client is not allowed to describe';
    return notDescribed(groupId, CODE.TOPIC_AUTHORIZATION_FAILED, why);
  }
  return {
    errorCode: CODE.NONE,
    groupId,
    groupState: stateOf(group),
    groupEpoch: group.epoch,
    assignmentEpoch: group.epoch,
    assignorName: 'simple',
    members: [...group.members.values()].map((member) => memberAnswer(member, context)),
  };
}

function memberAnswer(member: ShareMember, context: RequestContext): Answer['members'][number] {
  const { memberId, rackId, epoch, clientId, clientHost, subscribed, assigned } = member;
  return {
    memberId,
    rackId,
    memberEpoch: epoch,
    clientId,
    clientHost,
    subscribedTopicNames: subscribed,
    assignment: { topicPartitions: assignmentAnswer(assigned, context) },
  };
}

function assignmentAnswer(assigned: Assignment, { broker }: RequestContext) {
  return [...assigned].flatMap(([topicId, partitions]) => {
    const topicName = broker.log.topicById(topicId)?.name;
    return topicName === undefined ? [] : [{ topicId, topicName, partitions }];
  });
}
