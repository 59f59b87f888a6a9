/** The transaction that the batches of one Produce request belong to, asked of its coordinator in the turn of the appends. */
import {
  BATCH_HEADER_BYTES,
  isTransactional,
  producerEpochOf,
  producerIdOf,
} from '../log/batch/batch-header.ts';
import type { PartitionLog } from '../log/log.ts';
import type { RequestContext } from '../server/broker.ts';
import type { Place } from '../transactions/place.ts';
import type { RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import type { produce } from '../wire/schemas/index.ts';
import { writeCode } from './transaction-errors.ts';

type Request = RequestOf<typeof produce>;

const NONE = Promise.resolve(CODE.NONE);

export class ProducedTransaction {
  /** Resolves when the partitions that had to join the transaction have: 0, or why they could not. Never rejects. */
  readonly added: Promise<number> = NONE;
  private readonly context: RequestContext;
  private readonly transactionalId: string | null;
  private readonly producer: { readonly producerId: number; readonly producerEpoch: number } | undefined;
  /** What holds for every batch of the transaction. */
  private readonly common: number = CODE.NONE;

  constructor(request: Request, context: RequestContext) {
    this.context = context;
    this.transactionalId = request.transactionalId;
    const batches = request.topicData.flatMap(({ partitionData }) =>
      partitionData.flatMap(({ records }) => (belongsToOne(records) ? [records] : [])),
    );
    const [first] = batches;
    if (!first) return;
    const { transactionalId } = request;
    this.producer = { producerId: producerIdOf(first), producerEpoch: producerEpochOf(first) };
    const { producerId, producerEpoch } = this.producer;
    if (transactionalId === null || !context.may('Write', 'TransactionalId', transactionalId)) {
      this.common = CODE.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    } else if (
      batches.some((one) => producerIdOf(one) !== producerId || producerEpochOf(one) !== producerEpoch)
    ) {
      this.common = CODE.INVALID_PRODUCER_ID_MAPPING;
    } else if (context.version >= 12) {
      const places = this.placesOf(request);
      if (places.length === 0) return;
      const added = context.broker.transactions.addNow(transactionalId, this.producer, places, 2);
      if (typeof added === 'number') this.common = this.told(added);
      else this.added = added.durable.then((errorCode) => this.told(errorCode));
    }
  }

  /** Why the batch is not taken, 0 when it is. */
  refusal(records: Buffer, partition: PartitionLog): number {
    // In a request with a transaction that is not allowed, Kafka takes nothing at all.
    if (this.common === CODE.TRANSACTIONAL_ID_AUTHORIZATION_FAILED) return this.common;
    if (!belongsToOne(records)) return CODE.NONE;
    if (this.common !== CODE.NONE || this.context.version >= 12) return this.common;
    const { transactions } = this.context.broker;
    if (!transactions.verifiesWrites) return CODE.NONE;
    return this.told(transactions.verify(this.transactionalId!, this.producer!, partition));
  }

  versionOf(records: Buffer): 0 | 2 | undefined {
    if (!belongsToOne(records)) return undefined;
    return this.context.version >= 12 ? 2 : 0;
  }

  private told(errorCode: number): number {
    const { version } = this.context;
    return writeCode(errorCode, { abortable: version >= 11, implicitAdd: version >= 12 });
  }

  /** Where the request may write to: what it may not is refused later, and alone. */
  private placesOf({ topicData }: Request): Place[] {
    const { broker, may, version } = this.context;
    return topicData.flatMap(({ name, topicId, partitionData }) => {
      const topic = broker.topics.find(name, topicId, version >= 13);
      if (!topic || topic.internal || !may('Write', 'Topic', topic.name)) return [];
      return partitionData.flatMap(({ index, records }) =>
        topic.partitions[index] && belongsToOne(records) ? [{ topic: topic.name, partition: index }] : [],
      );
    });
  }
}

function belongsToOne(records: Buffer | null): records is Buffer {
  return records !== null && records.length >= BATCH_HEADER_BYTES && isTransactional(records);
}
