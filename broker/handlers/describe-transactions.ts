/** DescribeTransactions (65), version 0: what the coordinator knows of transactional ids, each answered alone. */
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import { byTopic } from '../transactions/place.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { describeTransactions } from '../wire/schemas/index.ts';

type Described = AnswerOf<typeof describeTransactions>['transactionStates'][number];

export default handler({
  api: describeTransactions,
  versions: [0, 0],
  handle({ transactionalIds }, context) {
    return { transactionStates: transactionalIds.map((id) => describe(id, context)) };
  },
});

function describe(transactionalId: string, { broker, may }: RequestContext): Described {
  if (!may('Describe', 'TransactionalId', transactionalId)) {
    return failed(transactionalId, CODE.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
  }
  if (transactionalId === '') return failed(transactionalId, CODE.INVALID_REQUEST);
  const value = broker.transactions.get(transactionalId);
  if (!value || value.state === 'Dead') return failed(transactionalId, CODE.TRANSACTIONAL_ID_NOT_FOUND);
  return {
    errorCode: CODE.NONE,
    transactionalId,
    transactionState: value.state,
    transactionTimeoutMs: value.timeoutMs,
    transactionStartTimeMs: value.startMs,
    producerId: value.producerId,
    producerEpoch: value.producerEpoch,
    topics: [...byTopic(value.partitions)]
      .filter(([topic]) => may('Describe', 'Topic', topic))
      .map(([topic, partitions]) => ({ topic, partitions })),
  };
}

function failed(transactionalId: string, errorCode: number): Described {
  return {
    errorCode,
    transactionalId,
    transactionState: '',
    transactionTimeoutMs: 0,
    transactionStartTimeMs: 0,
    producerId: 0,
    producerEpoch: 0,
    topics: [],
  };
}
