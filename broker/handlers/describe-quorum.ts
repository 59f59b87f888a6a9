/**
 * DescribeQuorum (55), versions 0 to 2: the one voter, which leads and is never behind. v1 says when it was caught up,
 * v2 its directory and where it listens. Offsets are the epoch of the features: there is no metadata log.
 */
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { ZERO_UUID } from '../wire/schema.ts';
import { describeQuorum } from '../wire/schemas/index.ts';

type Answer = AnswerOf<typeof describeQuorum>['topics'][number]['partitions'][number];

const METADATA_TOPIC = '__cluster_metadata';

export default handler({
  api: describeQuorum,
  versions: [0, 2],
  handle({ topics }, context) {
    const { broker, connection, may } = context;
    if (!may('Describe', 'Cluster')) {
      const errorMessage = 'cannot describe the quorum: want Describe on the cluster';
      return { errorCode: CODE.CLUSTER_AUTHORIZATION_FAILED, errorMessage, topics: [], nodes: [] };
    }
    const { nodeId } = broker.config;
    return {
      errorCode: CODE.NONE,
      errorMessage: null,
      topics: topics.map(({ topicName, partitions }) => ({
        topicName,
        partitions: partitions.map(({ partitionIndex }) => describe(topicName, partitionIndex, context)),
      })),
      nodes: [{ nodeId, listeners: [{ name: 'CONTROLLER', ...connection.advertised }] }],
    };
  },
});

function describe(topicName: string, partitionIndex: number, { broker }: RequestContext): Answer {
  const common = { partitionIndex, observers: [] };
  if (topicName !== METADATA_TOPIC || partitionIndex !== 0) {
    return {
      ...common,
      errorCode: CODE.UNKNOWN_TOPIC_OR_PARTITION,
      errorMessage: `cannot describe a quorum: want ${METADATA_TOPIC} 0`,
      leaderId: 0,
      leaderEpoch: 0,
      highWatermark: 0,
      currentVoters: [],
    };
  }
  const { nodeId } = broker.config;
  const nowMs = broker.host.clock.nowMs();
  const voter = {
    replicaId: nodeId,
    replicaDirectoryId: ZERO_UUID,
    logEndOffset: broker.features.epoch,
    lastFetchTimestamp: nowMs,
    lastCaughtUpTimestamp: nowMs,
  };
  return {
    ...common,
    errorCode: CODE.NONE,
    errorMessage: null,
    leaderId: nodeId,
    leaderEpoch: 1,
    highWatermark: broker.features.epoch,
    currentVoters: [voter],
  };
}
