/**
 * AddPartitionsToTxn (24), versions 0 to 5: the first begins a transaction. All partitions of a request are added or
 * none: where one is unknown or not allowed, the others are OPERATION_NOT_ATTEMPTED.
 *
 * v2 knows PRODUCER_FENCED. v4 takes several transactions at once, and can ask whether partitions were added
 * (`verifyOnly`); in Kafka brokers talk to each other in it, but @platformatic/kafka negotiates v5, so clients get
 * it too. v5 knows TRANSACTION_ABORTABLE.
 */
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { Place } from '../transactions/place.ts';
import { CODE } from '../wire/errors.ts';
import { addPartitionsToTxn } from '../wire/schemas/index.ts';
import { fencedAs } from './transaction-errors.ts';

interface Asked {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly verifyOnly: boolean;
  readonly topics: ReadonlyArray<{ readonly name: string; readonly partitions: readonly number[] }>;
}

interface TopicResult {
  readonly name: string;
  readonly resultsByPartition: ReadonlyArray<{ partitionIndex: number; partitionErrorCode: number }>;
}

export default handler({
  api: addPartitionsToTxn,
  versions: [0, 5],
  async handle(request, context) {
    if (context.version >= 4) {
      const resultsByTransaction = await Promise.all(
        request.transactions.map(async (one) => ({
          transactionalId: one.transactionalId,
          topicResults: await add(one, context),
        })),
      );
      return { errorCode: CODE.NONE, resultsByTransaction, resultsByTopicV3AndBelow: [] };
    }
    const resultsByTopicV3AndBelow = await add(
      {
        transactionalId: request.v3AndBelowTransactionalId,
        producerId: request.v3AndBelowProducerId,
        producerEpoch: request.v3AndBelowProducerEpoch,
        verifyOnly: false,
        topics: request.v3AndBelowTopics,
      },
      context,
    );
    return { resultsByTransaction: [], resultsByTopicV3AndBelow };
  },
});

async function add(asked: Asked, context: RequestContext): Promise<TopicResult[]> {
  const { broker, version, may } = context;
  const { transactionalId, topics } = asked;
  const isBroker = version >= 4 && may('ClusterAction', 'Cluster');
  if (!isBroker && !may('Write', 'TransactionalId', transactionalId)) {
    return results(topics, () => CODE.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
  }
  if (transactionalId === '') return results(topics, () => CODE.INVALID_REQUEST);
  if (asked.verifyOnly) {
    return results(topics, (place) => {
      const errorCode = broker.transactions.verify(transactionalId, asked, place);
      const isNew = errorCode === CODE.TRANSACTION_ABORTABLE && version < 5;
      return isNew ? CODE.INVALID_TXN_STATE : errorCode;
    });
  }
  const problems = problemsOf(topics, context);
  if (problems.some((code) => code !== CODE.NONE)) {
    let at = 0;
    return results(topics, () => problems[at++] || CODE.OPERATION_NOT_ATTEMPTED);
  }
  const places = topics.flatMap(({ name, partitions }) =>
    partitions.map((partition) => ({ topic: name, partition })),
  );
  const added = await broker.transactions.addPartitions(transactionalId, asked, places);
  return results(topics, () => fencedAs(added, version >= 2));
}

/** One code a partition, in the order of the request. */
function problemsOf(topics: Asked['topics'], { broker, may }: RequestContext): number[] {
  return topics.flatMap(({ name, partitions }) => {
    if (!may('Write', 'Topic', name)) return partitions.map(() => CODE.TOPIC_AUTHORIZATION_FAILED);
    const topic = broker.log.topic(name);
    // What only coordinators write to.
    if (topic?.internal) return partitions.map(() => CODE.TOPIC_AUTHORIZATION_FAILED);
    return partitions.map((index) =>
      topic?.partitions[index] ? CODE.NONE : CODE.UNKNOWN_TOPIC_OR_PARTITION,
    );
  });
}

function results(topics: Asked['topics'], codeOf: (place: Place) => number): TopicResult[] {
  return topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionErrorCode: codeOf({ topic: name, partition: partitionIndex }),
    })),
  }));
}
