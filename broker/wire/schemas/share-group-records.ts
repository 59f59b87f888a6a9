/**
 * Records of share groups in `__consumer_offsets`. The int16 version of a key says what it is: 10 a member, 11 the
 * group, 12 and 13 the target assignment, 14 what a member owns, 15 which partitions have state.
 */
import { message } from '../codec.ts';
import { array, int32, int64, int8, string, uuid } from '../schema.ts';

const topicPartitions = {
  topicId: uuid(),
  partitions: array(int32()),
};

const topicPartitionsInfo = {
  topicId: uuid(),
  topicName: string(),
  partitions: array(int32()),
};

const topicInfo = {
  topicId: uuid(),
  topicName: string(),
};

export const shareGroupMemberMetadataKey = message(
  {
    groupId: string(),
    memberId: string(),
  },
  Infinity,
);

export const shareGroupMemberMetadataValue = message(
  {
    rackId: string('0+', { nullable: '0+' }),
    clientId: string(),
    clientHost: string(),
    subscribedTopicNames: array(string()),
  },
  0,
);

export const shareGroupMetadataKey = message(
  {
    groupId: string(),
  },
  Infinity,
);

export const shareGroupMetadataValue = message(
  {
    epoch: int32(),
    metadataHash: int64(),
  },
  0,
);

export const shareGroupTargetAssignmentMetadataKey = message(
  {
    groupId: string(),
  },
  Infinity,
);

export const shareGroupTargetAssignmentMetadataValue = message(
  {
    assignmentEpoch: int32(),
    assignmentTimestamp: int64('0+', { default: 0, tag: 0 }),
  },
  0,
);

export const shareGroupTargetAssignmentMemberKey = message(
  {
    groupId: string(),
    memberId: string(),
  },
  Infinity,
);

export const shareGroupTargetAssignmentMemberValue = message(
  {
    topicPartitions: array({
      topicId: uuid(),
      partitions: array(int32()),
    }),
  },
  0,
);

export const shareGroupCurrentMemberAssignmentKey = message(
  {
    groupId: string(),
    memberId: string(),
  },
  Infinity,
);

export const shareGroupCurrentMemberAssignmentValue = message(
  {
    memberEpoch: int32(),
    previousMemberEpoch: int32(),
    state: int8(),
    assignedPartitions: array(topicPartitions),
  },
  0,
);

export const shareGroupStatePartitionMetadataKey = message(
  {
    groupId: string(),
  },
  Infinity,
);

export const shareGroupStatePartitionMetadataValue = message(
  {
    initializingTopics: array(topicPartitionsInfo),
    initializedTopics: array(topicPartitionsInfo),
    deletingTopics: array(topicInfo),
  },
  0,
);
