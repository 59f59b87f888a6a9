/**
 * WriteTxnMarkers (27), versions 1 and 2: ends transactions in single partitions, whatever their coordinator knows.
 * Brokers of a cluster send it to each other; here it is what `kafka-transactions abort` does to a transaction that
 * hangs. v2 says by which transaction version the epoch is to be judged.
 */
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { writeTxnMarkers } from '../wire/schemas/index.ts';

type Marker = RequestOf<typeof writeTxnMarkers>['markers'][number];

export default handler({
  api: writeTxnMarkers,
  versions: [1, 2],
  async handle({ markers }, context) {
    const mayDo = context.may('ClusterAction', 'Cluster') || context.may('Alter', 'Cluster');
    return {
      markers: await Promise.all(
        markers.map(async (marker) => ({
          producerId: marker.producerId,
          topics: await Promise.all(
            marker.topics.map(async ({ name, partitionIndexes }) => ({
              name,
              partitions: await Promise.all(
                partitionIndexes.map(async (partitionIndex) => ({
                  partitionIndex,
                  errorCode: mayDo
                    ? await write(marker, name, partitionIndex, context)
                    : CODE.CLUSTER_AUTHORIZATION_FAILED,
                })),
              ),
            })),
          ),
        })),
      ),
    };
  },
});

async function write(
  { producerId, producerEpoch, coordinatorEpoch, transactionResult, transactionVersion }: Marker,
  topic: string,
  partition: number,
  { broker }: RequestContext,
): Promise<number> {
  if (producerId < 0 || producerEpoch < 0) return CODE.INVALID_REQUEST;
  return broker.transactions.writeMarker(
    { topic, partition },
    {
      producerId,
      producerEpoch,
      coordinatorEpoch,
      commit: transactionResult,
      transactionVersion: transactionVersion >= 2 ? 2 : 0,
    },
  );
}
