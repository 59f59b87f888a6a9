/**
 * Records of `__transaction_state`, the index entry of an aborted transaction, and the value of a marker.
 */
import { message } from '../codec.ts';
import { array, int16, int32, int64, int8, string } from '../schema.ts';

export const transactionLogKey = message(
  {
    transactionalId: string(),
  },
  Infinity,
);

export const transactionLogValue = message(
  {
    producerId: int64(),
    previousProducerId: int64('1+', { default: -1, tag: 0 }),
    nextProducerId: int64('1+', { default: -1, tag: 1 }),
    producerEpoch: int16(),
    nextProducerEpoch: int16('1+', { default: -1, tag: 3 }),
    transactionTimeoutMs: int32(),
    transactionStatus: int8(),
    transactionPartitions: array(
      {
        topic: string(),
        partitionIds: array(int32()),
      },
      '0+',
      { nullable: '0+' },
    ),
    transactionLastUpdateTimestampMs: int64(),
    transactionStartTimestampMs: int64(),
    clientTransactionVersion: int16('1+', { default: 0, tag: 2 }),
  },
  1,
);

export const endTxnMarker = message(
  {
    coordinatorEpoch: int32(),
  },
  Infinity,
);
