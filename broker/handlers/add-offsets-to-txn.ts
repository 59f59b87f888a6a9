/**
 * AddOffsetsToTxn (25), versions 0 to 4: the partition of `__consumer_offsets` that holds the group's positions joins
 * the transaction. v2 knows PRODUCER_FENCED.
 */
import { handler } from '../server/handler.ts';
import { codeOf } from '../server/topics.ts';
import { offsetsPlace } from '../transactions/coordinator.ts';
import { CODE } from '../wire/errors.ts';
import { addOffsetsToTxn } from '../wire/schemas/index.ts';
import { fencedAs } from './transaction-errors.ts';

export default handler({
  api: addOffsetsToTxn,
  versions: [0, 4],
  async handle(request, { broker, version, may }) {
    const { transactionalId, groupId } = request;
    if (!may('Write', 'TransactionalId', transactionalId)) {
      return { errorCode: CODE.TRANSACTIONAL_ID_AUTHORIZATION_FAILED };
    }
    if (!may('Read', 'Group', groupId)) return { errorCode: CODE.GROUP_AUTHORIZATION_FAILED };
    if (transactionalId === '') return { errorCode: CODE.INVALID_REQUEST };
    const { topic } = broker.groups;
    try {
      await topic.ensure();
    } catch (error) {
      codeOf(error);
      return { errorCode: CODE.COORDINATOR_NOT_AVAILABLE };
    }
    const place = offsetsPlace(topic.partitionFor(groupId)!);
    const added = await broker.transactions.addPartitions(transactionalId, request, [place]);
    return { errorCode: fencedAs(added, version >= 2) };
  },
});
