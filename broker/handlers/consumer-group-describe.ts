/**
 * ConsumerGroupDescribe (69), versions 0 and 1. Classic groups are GROUP_ID_NOT_FOUND here: tools fall back to
 * DescribeGroups. v1 tells which protocol a member speaks.
 */
import type { ConsumerMember } from '../groups/consumer/consumer-member.ts';
import { consumerPhase, type ConsumerGroup } from '../groups/consumer/consumer-group.ts';
import { preferredAssignor } from '../groups/consumer/target.ts';
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { consumerGroupDescribe } from '../wire/schemas/index.ts';
import { notDescribed, withOperations } from './described-group.ts';

type Described = AnswerOf<typeof consumerGroupDescribe>['groups'][number];
type DescribedMember = Described['members'][number];

const MEMBER_TYPE = { classic: 0, consumer: 1 } as const;

export default handler({
  api: consumerGroupDescribe,
  versions: [0, 1],
  handle({ groupIds, includeAuthorizedOperations }, context) {
    return {
      groups: groupIds.map((groupId) =>
        withOperations(describe(groupId, context), includeAuthorizedOperations, context),
      ),
    };
  },
});

function describe(groupId: string, context: RequestContext): Described {
  const { broker, may } = context;
  if (!may('Describe', 'Group', groupId)) return notDescribed(groupId, CODE.GROUP_AUTHORIZATION_FAILED, null);
  if (groupId === '') return notDescribed(groupId, CODE.INVALID_GROUP_ID, null);
  const group = broker.groups.groups.get(groupId)?.group;
  if (group?.type !== 'consumer') {
    const why = broker.groups.typeOf(groupId) ? 'is not a consumer group' : 'not found';
    return notDescribed(groupId, CODE.GROUP_ID_NOT_FOUND, `Group ${groupId} ${why}.`);
  }
  const names = [...group.members.values()].flatMap(({ about }) => about.topics);
  if (!names.every((topic) => may('Describe', 'Topic', topic))) {
    const why = 'The group has described topic(s) that the client is not authorized to describe.';
    return notDescribed(groupId, CODE.TOPIC_AUTHORIZATION_FAILED, why);
  }
  return {
    errorCode: CODE.NONE,
    groupId,
    groupState: consumerPhase(group),
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: preferredAssignor(group),
    members: [...group.members.values()].map((member) => describeMember(member, group, context)),
  };
}

function describeMember(
  { memberId, about, current }: ConsumerMember,
  group: ConsumerGroup,
  { broker }: RequestContext,
): DescribedMember {
  const named = (partitions: ReadonlyMap<string, Iterable<number>>) => ({
    topicPartitions: [...partitions].flatMap(([topicId, some]) => {
      const topic = broker.log.topicById(topicId);
      return topic ? [{ topicId, topicName: topic.name, partitions: [...some] }] : [];
    }),
  });
  return {
    memberId,
    instanceId: about.instanceId,
    rackId: about.rackId,
    memberEpoch: current.epoch,
    clientId: about.clientId,
    clientHost: about.clientHost,
    subscribedTopicNames: [...about.topics],
    subscribedTopicRegex: about.regex,
    assignment: named(new Map([...current.assigned].map(([id, some]) => [id, some.keys()]))),
    targetAssignment: named(group.target.get(memberId) ?? new Map()),
    memberType: about.classic ? MEMBER_TYPE.classic : MEMBER_TYPE.consumer,
  };
}
