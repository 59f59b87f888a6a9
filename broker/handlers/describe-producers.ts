/**
 * DescribeProducers (61), version 0: what a partition remembers of its producers, as far as it is durable. Tools find
 * transactions that hang by it: open here for long, and unknown to the coordinator.
 */
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { describeProducers } from '../wire/schemas/index.ts';

type PartitionAnswer = AnswerOf<typeof describeProducers>['topics'][number]['partitions'][number];

export default handler({
  api: describeProducers,
  versions: [0, 0],
  handle(request, context) {
    return {
      topics: request.topics.map(({ name, partitionIndexes }) => {
        const mayRead = context.may('Read', 'Topic', name);
        return {
          name,
          partitions: partitionIndexes.map((index) =>
            mayRead ? describe(name, index, context) : failed(index, 'TOPIC_AUTHORIZATION_FAILED'),
          ),
        };
      }),
    };
  },
});

function describe(name: string, partitionIndex: number, { broker }: RequestContext): PartitionAnswer {
  const log = broker.log.topic(name)?.partitions[partitionIndex];
  if (!log) return failed(partitionIndex, 'UNKNOWN_TOPIC_OR_PARTITION');
  return {
    partitionIndex,
    errorCode: CODE.NONE,
    activeProducers: log.activeProducers().map((one) => ({
      producerId: one.producerId,
      producerEpoch: one.producerEpoch,
      lastSequence: one.lastSequence,
      lastTimestamp: one.lastTimestampMs,
      coordinatorEpoch: one.coordinatorEpoch,
      currentTxnStartOffset: one.transactionStartOffset,
    })),
  };
}

function failed(
  partitionIndex: number,
  name: 'TOPIC_AUTHORIZATION_FAILED' | 'UNKNOWN_TOPIC_OR_PARTITION',
): PartitionAnswer {
  return { partitionIndex, errorCode: CODE[name], activeProducers: [] };
}
