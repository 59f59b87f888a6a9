/**
 * Records of KIP-848 groups in `__consumer_offsets`. The int16 version of a key says what it is: 3 the group,
 * 4 its topics (no longer written), 5 a member, 6 and 7 the target assignment, 8 what a member owns, 16 a pattern.
 */
import { message } from '../codec.ts';
import { array, bytes, int32, int64, int8, string, struct, uuid } from '../schema.ts';

const topicPartitions = {
  topicId: uuid(),
  partitions: array(int32()),
  assignmentEpochs: array(int32(), '0+', { nullable: '0+', tag: 0 }),
};

export const consumerGroupMetadataKey = message(
  {
    groupId: string(),
  },
  Infinity,
);

export const consumerGroupMetadataValue = message(
  {
    epoch: int32(),
    metadataHash: int64('0+', { default: 0, tag: 0 }),
  },
  0,
);

export const consumerGroupPartitionMetadataKey = message(
  {
    groupId: string(),
  },
  Infinity,
);

export const consumerGroupPartitionMetadataValue = message(
  {
    topics: array({
      topicId: uuid(),
      topicName: string(),
      numPartitions: int32(),
      partitionMetadata: array({
        partition: int32(),
        racks: array(string()),
      }),
    }),
  },
  0,
);

export const consumerGroupMemberMetadataKey = message(
  {
    groupId: string(),
    memberId: string(),
  },
  Infinity,
);

export const consumerGroupMemberMetadataValue = message(
  {
    instanceId: string('0+', { nullable: '0+' }),
    rackId: string('0+', { nullable: '0+' }),
    clientId: string(),
    clientHost: string(),
    subscribedTopicNames: array(string()),
    subscribedTopicRegex: string('0+', { nullable: '0+' }),
    rebalanceTimeoutMs: int32('0+', { default: -1 }),
    serverAssignor: string('0+', { nullable: '0+' }),
    classicMemberMetadata: struct(
      {
        sessionTimeoutMs: int32(),
        supportedProtocols: array({
          name: string(),
          metadata: bytes(),
        }),
      },
      '0+',
      { nullable: '0+', tag: 0 },
    ),
  },
  0,
);

export const consumerGroupTargetAssignmentMetadataKey = message(
  {
    groupId: string(),
  },
  Infinity,
);

export const consumerGroupTargetAssignmentMetadataValue = message(
  {
    assignmentEpoch: int32(),
    assignmentTimestamp: int64('0+', { default: 0, tag: 0 }),
  },
  0,
);

export const consumerGroupTargetAssignmentMemberKey = message(
  {
    groupId: string(),
    memberId: string(),
  },
  Infinity,
);

export const consumerGroupTargetAssignmentMemberValue = message(
  {
    topicPartitions: array({
      topicId: uuid(),
      partitions: array(int32()),
    }),
  },
  0,
);

export const consumerGroupCurrentMemberAssignmentKey = message(
  {
    groupId: string(),
    memberId: string(),
  },
  Infinity,
);

export const consumerGroupCurrentMemberAssignmentValue = message(
  {
    memberEpoch: int32(),
    previousMemberEpoch: int32(),
    state: int8(),
    assignedPartitions: array(topicPartitions),
    partitionsPendingRevocation: array(topicPartitions),
  },
  0,
);

export const consumerGroupRegularExpressionKey = message(
  {
    groupId: string(),
    regularExpression: string(),
  },
  Infinity,
);

export const consumerGroupRegularExpressionValue = message(
  {
    topics: array(string()),
    version: int64(),
    timestamp: int64(),
  },
  0,
);
