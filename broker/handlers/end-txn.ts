/**
 * EndTxn (26), versions 0 to 5. Answered when the markers are written, so that the next transaction can begin at once.
 *
 * v2 knows PRODUCER_FENCED. v5 (KIP-890) moves the producer's epoch and returns it: a retry is known by the old one
 * and gets the same answer. Before, a retry is known by the state that it wants.
 */
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { endTxn } from '../wire/schemas/index.ts';
import { fencedAs } from './transaction-errors.ts';

export default handler({
  api: endTxn,
  versions: [0, 5],
  async handle({ transactionalId, producerId, producerEpoch, committed }, { broker, version, may }) {
    if (!may('Write', 'TransactionalId', transactionalId)) {
      return { errorCode: CODE.TRANSACTIONAL_ID_AUTHORIZATION_FAILED };
    }
    if (transactionalId === '') return { errorCode: CODE.INVALID_REQUEST };
    const answer = await broker.transactions.end(transactionalId, {
      producerId,
      producerEpoch,
      commit: committed,
      version: version >= 5 ? 2 : 0,
    });
    return { ...answer, errorCode: fencedAs(answer.errorCode, version >= 2) };
  },
});
