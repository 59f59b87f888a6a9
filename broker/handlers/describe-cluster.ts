/** DescribeCluster (60), versions 0 to 2. v1 (KIP-919): endpoint type 2 asks for controllers, of which clients see none. */
import { authorizedOperations } from '../security/authorized-operations.ts';
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { describeCluster } from '../wire/schemas/index.ts';

const BROKERS = 1;

export default handler({
  api: describeCluster,
  versions: [0, 2],
  handle({ endpointType, includeClusterAuthorizedOperations }, { broker, connection, may }) {
    const { nodeId } = broker.config;
    const clusterId = broker.log.clusterId;
    if (endpointType !== BROKERS) {
      const errorCode = endpointType === 2 ? CODE.MISMATCHED_ENDPOINT_TYPE : CODE.UNSUPPORTED_ENDPOINT_TYPE;
      return { errorCode, endpointType, clusterId, brokers: [] };
    }
    return {
      errorCode: CODE.NONE,
      endpointType,
      clusterId,
      controllerId: nodeId,
      ...(includeClusterAuthorizedOperations
        ? {
            clusterAuthorizedOperations: may('Describe', 'Cluster')
              ? authorizedOperations(may, 'Cluster')
              : 0,
          }
        : {}),
      brokers: [{ brokerId: nodeId, ...connection.advertised, rack: null, isFenced: false }],
    };
  },
});
