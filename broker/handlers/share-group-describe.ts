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

type Answer = AnswerOf<typeof shareGroupDescribe>['groups'][number];

/** Bits by operation code: what share groups know is read, delete, describe and the two for their settings. */
const GROUP_OPERATIONS = { Read: 3, Delete: 6, Describe: 8, DescribeConfigs: 10, AlterConfigs: 11 } as const;
const NOT_ASKED = -2_147_483_648;

export default handler({
  api: shareGroupDescribe,
  versions: [1, 1],
  handle({ groupIds, includeAuthorizedOperations }, context) {
    return {
      groups: groupIds.map((groupId) => describe(groupId, includeAuthorizedOperations, context)),
    };
  },
});

function describe(groupId: string, includeOperations: boolean, context: RequestContext): Answer {
  if (!context.may('Describe', 'Group', groupId))
    return failed(groupId, CODE.GROUP_AUTHORIZATION_FAILED, null);
  if (groupId === '') return failed(groupId, CODE.INVALID_GROUP_ID, null);
  const found = context.broker.shares.get(groupId);
  if (!found) return failed(groupId, CODE.GROUP_ID_NOT_FOUND, `there is no share group of this id`);
  const { group } = found;
  const topics = [...group.members.values()].flatMap(({ subscribed }) => [...subscribed]);
  if (!topics.every((topic) => context.may('Describe', 'Topic', topic))) {
    const why = 'the group reads topics that the client is not allowed to describe';
    return failed(groupId, CODE.TOPIC_AUTHORIZATION_FAILED, why);
  }
  return {
    errorCode: CODE.NONE,
    groupId,
    groupState: stateOf(group),
    groupEpoch: group.epoch,
    assignmentEpoch: group.epoch,
    assignorName: 'simple',
    members: [...group.members.values()].map((member) => memberAnswer(member, context)),
    authorizedOperations: includeOperations ? operations(groupId, context) : NOT_ASKED,
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

function operations(groupId: string, context: RequestContext): number {
  let bits = 0;
  for (const [operation, code] of Object.entries(GROUP_OPERATIONS)) {
    if (context.may(operation as keyof typeof GROUP_OPERATIONS, 'Group', groupId)) bits |= 1 << code;
  }
  return bits;
}

function failed(groupId: string, errorCode: number, errorMessage: string | null): Answer {
  return {
    errorCode,
    errorMessage,
    groupId,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: '',
    members: [],
  };
}
