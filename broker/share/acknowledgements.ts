/** The acknowledgements of a request, as ShareFetch and ShareAcknowledge carry them: checked, then done. */
import type { RequestContext } from '../server/broker.ts';
import { CODE } from '../wire/errors.ts';
import type { Delivery } from './delivery.ts';
import type { SessionPartition } from './share-session.ts';
import { ACKNOWLEDGE, type AcknowledgementBatch } from './settle.ts';

/** As the wire has them. */
export interface AcknowledgedTopic {
  readonly topicId: string;
  readonly partitions: ReadonlyArray<{
    readonly partitionIndex: number;
    readonly acknowledgementBatches: ReadonlyArray<{
      readonly firstOffset: number;
      readonly lastOffset: number;
      readonly acknowledgeTypes: readonly number[];
    }>;
  }>;
}

export interface Acknowledged extends SessionPartition {
  readonly errorCode: number;
}

interface Allowed {
  readonly groupId: string;
  readonly memberId: string;
  readonly isRenewAck: boolean;
}

/** One answer a partition that has acknowledgements; resolves when all of them are durable. */
export function acknowledgeAll(
  topics: readonly AcknowledgedTopic[],
  allowed: Allowed,
  context: RequestContext,
): Promise<Acknowledged[]> {
  return Promise.all(
    topics.flatMap(({ topicId, partitions }) =>
      partitions
        .filter(({ acknowledgementBatches }) => acknowledgementBatches.length > 0)
        .map(async ({ partitionIndex: partition, acknowledgementBatches }) => {
          const batches = acknowledgementBatches.map(({ firstOffset, lastOffset, acknowledgeTypes }) => ({
            first: firstOffset,
            last: lastOffset,
            types: acknowledgeTypes,
          }));
          const errorCode = await acknowledgeOne({ topicId, partition }, batches, allowed, context);
          return { topicId, partition, errorCode };
        }),
    ),
  );
}

export function hasAcknowledgements(topics: readonly AcknowledgedTopic[]): boolean {
  return topics.some(({ partitions }) =>
    partitions.some(({ acknowledgementBatches }) => acknowledgementBatches.length > 0),
  );
}

/** The partitions that a request names. */
export function partitionsOf(topics: readonly AcknowledgedTopic[]): SessionPartition[] {
  return topics.flatMap(({ topicId, partitions }) =>
    partitions.map(({ partitionIndex }) => ({ topicId, partition: partitionIndex })),
  );
}

/** Answers by topic, in the order of their first partition. */
export function byTopic<T>(
  items: readonly T[],
  placeOf: (item: T) => string,
): Array<{ topicId: string; items: T[] }> {
  const topics = new Map<string, T[]>();
  for (const item of items) {
    const topicId = placeOf(item);
    const list = topics.get(topicId);
    if (list) list.push(item);
    else topics.set(topicId, [item]);
  }
  return [...topics].map(([topicId, list]) => ({ topicId, items: list }));
}

async function acknowledgeOne(
  place: SessionPartition,
  batches: readonly AcknowledgementBatch[],
  { groupId, memberId, isRenewAck }: Allowed,
  context: RequestContext,
): Promise<number> {
  const { broker } = context;
  const topic = broker.log.topicById(place.topicId);
  if (!topic) return CODE.UNKNOWN_TOPIC_ID;
  const mayRenew = isRenewAck && broker.shares.deliveries.settings(groupId).isRenewEnabled;
  if (!areValid(batches, mayRenew)) return CODE.INVALID_REQUEST;
  if (!context.may('Read', 'Topic', topic.name)) return CODE.TOPIC_AUTHORIZATION_FAILED;
  const delivery: Delivery | undefined = broker.shares.deliveries.get({ groupId, ...place });
  if (!delivery || !topic.partitions[place.partition]) return CODE.UNKNOWN_TOPIC_OR_PARTITION;
  return broker.shares.deliveries.acknowledge(delivery, memberId, batches);
}

/** Ascending without overlap, one type for all or one an offset, and only types that there are. */
export function areValid(batches: readonly AcknowledgementBatch[], mayRenew: boolean): boolean {
  let before = -1;
  return batches.every(({ first, last, types }) => {
    const isOrdered = first > before && last >= first;
    before = last;
    const isCounted = types.length === 1 || types.length === last - first + 1;
    return (
      isOrdered &&
      isCounted &&
      types.every(
        (type) => type >= ACKNOWLEDGE.gap && type <= (mayRenew ? ACKNOWLEDGE.renew : ACKNOWLEDGE.reject),
      )
    );
  });
}
