/**
 * ElectLeaders (43), versions 0 to 2: the one replica leads already, so that no election is needed. v1 tells preferred
 * (0) from unclean (1) elections. Asked for all partitions, Kafka answers only those where something was done: none.
 */
import { handler } from '../server/handler.ts';
import type { RequestContext } from '../server/broker.ts';
import { CODE } from '../wire/errors.ts';
import { electLeaders } from '../wire/schemas/index.ts';

const ELECTION_TYPES: readonly number[] = [0, 1];

export default handler({
  api: electLeaders,
  versions: [0, 2],
  handle({ electionType, topicPartitions }, context) {
    const refuse = (errorCode: number) => ({ errorCode, replicaElectionResults: [] });
    if (!context.may('Alter', 'Cluster')) return refuse(CODE.CLUSTER_AUTHORIZATION_FAILED);
    if (!ELECTION_TYPES.includes(electionType)) return refuse(CODE.INVALID_REQUEST);
    return {
      errorCode: CODE.NONE,
      replicaElectionResults: (topicPartitions ?? []).map(({ topic, partitions }) => ({
        topic,
        partitionResult: partitions.map((partitionId) => elect(topic, partitionId, context)),
      })),
    };
  },
});

function elect(topic: string, partitionId: number, { broker }: RequestContext) {
  const partition = broker.topics.partition(broker.log.topic(topic), partitionId, false);
  return typeof partition === 'number'
    ? { partitionId, errorCode: partition, errorMessage: 'cannot elect a leader: there is no such partition' }
    : {
        partitionId,
        errorCode: CODE.ELECTION_NOT_NEEDED,
        errorMessage: 'cannot elect a leader: the preferred one leads',
      };
}
