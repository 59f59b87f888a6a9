/**
 * InitProducerId (22), versions 0 to 5: without a transactional id a fresh producer id with epoch 0; with one, the
 * id's producer in its next epoch, which fences all before it.
 *
 * v3 (KIP-360) lets a producer name its id and epoch, to go on after an error. @platformatic/kafka names 0 and 0 at
 * its very first call: an id never seen before is given whatever it names. v4 knows PRODUCER_FENCED, sent as
 * INVALID_PRODUCER_EPOCH below.
 */
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import { codeOf } from '../server/topics.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { initProducerId } from '../wire/schemas/index.ts';
import { fencedAs } from './transaction-errors.ts';

type Answer = AnswerOf<typeof initProducerId>;

export default handler({
  api: initProducerId,
  versions: [0, 5],
  handle(request, context) {
    return request.transactionalId === null
      ? idempotent(context)
      : transactional(request, request.transactionalId, context);
  },
});

async function idempotent({ broker, may, maySome }: RequestContext): Promise<Answer> {
  if (!may('IdempotentWrite', 'Cluster') && !maySome('Write', 'Topic')) {
    return refused(CODE.CLUSTER_AUTHORIZATION_FAILED);
  }
  try {
    const producerId = await broker.producerIds.next();
    return { errorCode: CODE.NONE, producerId, producerEpoch: 0 };
  } catch (error) {
    broker.host.log.error({ err: error }, 'cannot take a block of producer ids');
    return refused(CODE.COORDINATOR_NOT_AVAILABLE);
  }
}

async function transactional(
  request: RequestOf<typeof initProducerId>,
  transactionalId: string,
  { broker, version, may }: RequestContext,
): Promise<Answer> {
  const { producerId, producerEpoch, transactionTimeoutMs: timeoutMs } = request;
  if (!may('Write', 'TransactionalId', transactionalId)) {
    return refused(CODE.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
  }
  if (transactionalId === '' || (producerId === -1) !== (producerEpoch === -1)) {
    return refused(CODE.INVALID_REQUEST);
  }
  const expected = producerId === -1 ? undefined : { producerId, producerEpoch };
  try {
    const answer = await broker.transactions.initProducerId(transactionalId, { timeoutMs, expected });
    return { ...answer, errorCode: fencedAs(answer.errorCode, version >= 4) };
  } catch (error) {
    broker.host.log.error({ err: error, transactionalId }, 'cannot give a producer id');
    codeOf(error);
    return refused(CODE.COORDINATOR_NOT_AVAILABLE);
  }
}

function refused(errorCode: number): Answer {
  return { errorCode, producerId: -1, producerEpoch: -1 };
}
