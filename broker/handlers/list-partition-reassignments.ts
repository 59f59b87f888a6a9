/** ListPartitionReassignments (46), version 0: partitions stay where they are, so there is never one. */
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { listPartitionReassignments } from '../wire/schemas/index.ts';

export default handler({
  api: listPartitionReassignments,
  versions: [0, 0],
  handle(_, { may }) {
    if (may('Describe', 'Cluster')) return { errorCode: CODE.NONE, errorMessage: null, topics: [] };
    const errorMessage = 'cannot list reassignments: want Describe on the cluster';
    return { errorCode: CODE.CLUSTER_AUTHORIZATION_FAILED, errorMessage, topics: [] };
  },
});
