/**
 * InitProducerId (22), versions 0 to 5: a fresh producer id with epoch 0 for idempotent producers.
 *
 * Absent: transactions. A transactional id is answered TRANSACTIONAL_ID_AUTHORIZATION_FAILED, which clients take
 * for final, where COORDINATOR_* would make them ask for ever.
 */
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { initProducerId } from '../wire/schemas/index.ts';

export default handler({
  api: initProducerId,
  versions: [0, 5],
  async handle({ transactionalId }, { broker, may, maySome }) {
    const refuse = (errorCode: number) => ({ errorCode, producerId: -1, producerEpoch: -1 });
    if (transactionalId === '') return refuse(CODE.INVALID_REQUEST);
    if (transactionalId !== null) return refuse(CODE.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    if (!may('IdempotentWrite', 'Cluster') && !maySome('Write', 'Topic')) {
      return refuse(CODE.CLUSTER_AUTHORIZATION_FAILED);
    }
    try {
      const producerId = await broker.producerIds.next();
      return { errorCode: CODE.NONE, producerId, producerEpoch: 0 };
    } catch (error) {
      broker.host.log.error({ err: error }, 'cannot take a block of producer ids');
      return refuse(CODE.COORDINATOR_NOT_AVAILABLE);
    }
  },
});
