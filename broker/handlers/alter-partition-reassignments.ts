/**
 * AlterPartitionReassignments (45), versions 0 to 1. A partition stays where it is: asked for this node it is there
 * already, any other node is not there, and nothing is under way that null could cancel.
 */
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { CODE, type ErrorName } from '../wire/errors.ts';
import { alterPartitionReassignments } from '../wire/schemas/index.ts';

type Answer = AnswerOf<typeof alterPartitionReassignments>['responses'][number]['partitions'][number];

export default handler({
  api: alterPartitionReassignments,
  versions: [0, 1],
  handle({ topics, allowReplicationFactorChange }, context) {
    if (!context.may('Alter', 'Cluster')) {
      const errorMessage = 'cannot reassign partitions: want Alter on the cluster';
      return { errorCode: CODE.CLUSTER_AUTHORIZATION_FAILED, errorMessage, responses: [] };
    }
    return {
      allowReplicationFactorChange,
      errorCode: CODE.NONE,
      errorMessage: null,
      responses: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, replicas }) =>
          reassign(name, partitionIndex, replicas, context),
        ),
      })),
    };
  },
});

function reassign(
  name: string,
  partitionIndex: number,
  replicas: readonly number[] | null,
  { broker }: RequestContext,
): Answer {
  const { nodeId } = broker.config;
  const refuse = (error: ErrorName, why: string) => ({
    partitionIndex,
    errorCode: CODE[error],
    errorMessage: `cannot reassign a partition: ${why}`,
  });
  const partition = broker.topics.partition(broker.log.topic(name), partitionIndex, false);
  if (typeof partition === 'number') return refuse('UNKNOWN_TOPIC_OR_PARTITION', 'there is none');
  if (replicas === null) return refuse('NO_REASSIGNMENT_IN_PROGRESS', 'none is under way');
  if (replicas.length !== 1 || replicas[0] !== nodeId) {
    const got = replicas.slice(0, 10).join(',');
    return refuse('INVALID_REPLICA_ASSIGNMENT', `got nodes ${got}, want ${nodeId}`);
  }
  return { partitionIndex, errorCode: CODE.NONE, errorMessage: null };
}
