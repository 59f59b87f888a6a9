/**
 * Keys and values of the coordinator's records in `__consumer_offsets`, as Kafka writes them: an int16 schema
 * version, then the fields. The version of a key says what it is: 0 and 1 an offset, 2 a group.
 */
import { message } from '../codec.ts';
import { array, bytes, int32, int64, string, uuid } from '../schema.ts';

export const offsetCommitKey = message({ group: string(), topic: string(), partition: int32() }, Infinity);

export const offsetCommitValue = message(
  {
    offset: int64(),
    leaderEpoch: int32('3+', { default: -1 }),
    metadata: string(),
    commitTimestamp: int64(),
    expireTimestamp: int64('1', { default: -1 }),
    topicId: uuid('4+', { tag: 0 }),
  },
  4,
);

export const groupMetadataKey = message({ group: string() }, Infinity);

export const groupMetadataValue = message(
  {
    protocolType: string(),
    generation: int32(),
    protocol: string('0+', { nullable: '0+' }),
    leader: string('0+', { nullable: '0+' }),
    currentStateTimestamp: int64('2+', { default: -1 }),
    members: array({
      memberId: string(),
      groupInstanceId: string('3+', { nullable: '3+', default: null }),
      clientId: string(),
      clientHost: string(),
      rebalanceTimeout: int32('1+', { default: -1 }),
      sessionTimeout: int32(),
      subscription: bytes(),
      assignment: bytes(),
    }),
  },
  4,
);

const consumerPartitions = array({ topic: string(), partitions: array(int32()) }, '0+');

/** Versions of the two messages below that are known; later ones only add to their end. */
export const CONSUMER_PROTOCOL_MAX = 3;

/** What consumers put into JoinGroup; opaque to the coordinator but for topics, and what is owned. */
export const consumerSubscription = message(
  {
    topics: array(string()),
    userData: bytes('0+', { nullable: '0+', default: null }),
    ownedPartitions: array({ topic: string(), partitions: array(int32()) }, '1+'),
    generationId: int32('2+', { default: -1 }),
    rackId: string('3+', { nullable: '3+', default: null }),
  },
  Infinity,
);

/** What the leader puts into SyncGroup for each member. */
export const consumerAssignment = message(
  {
    assignedPartitions: consumerPartitions,
    userData: bytes('0+', { nullable: '0+', default: null }),
  },
  Infinity,
);
