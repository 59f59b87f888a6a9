/**
 * Puts quotas around a handler: charges what a request used, tells the client how long to be silent, and has its
 * connection muted for as long (KIP-219: the answer leaves at once). Changes over `controller_mutation_rate` are
 * refused one by one where the version knows THROTTLING_QUOTA_EXCEEDED (KIP-599), else made and paid for after.
 *
 * Deviations: bytes are those of record batches, without the frame around them; the answer to a fetch over its quota
 * carries the data and the silence follows it, where Kafka answers empty first; work is measured up to the first wait.
 */
import { listOf, splitEntries, type Body, type EntryPlaces } from '../nodes/split.ts';
import type { RequestContext } from '../server/broker.ts';
import { type Handler, NO_ANSWER } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { createPartitions, createTopics, deleteTopics, fetch, produce } from '../wire/schemas/index.ts';
import type { Client, QuotaCharges } from './quota-charges.ts';

const PRINCIPAL_PREFIX = 'User:';

/** An API that changes what the controller keeps. */
interface Mutation {
  readonly places: (version: number) => EntryPlaces;
  /** First version whose clients know THROTTLING_QUOTA_EXCEEDED. */
  readonly strictFrom: number;
  /** Partitions that an entry makes or deletes. */
  readonly partitions: (entry: unknown, context: RequestContext) => number;
}

const MUTATIONS: ReadonlyMap<number, Mutation> = new Map<number, Mutation>([
  [
    createTopics.key,
    {
      places: () => ({ asked: ['topics', 'name'], answered: ['topics', 'name'] }),
      strictFrom: 6,
      partitions: (entry, { broker }) => {
        const { numPartitions, assignments } = entry as { numPartitions: number; assignments: unknown[] };
        if (assignments.length > 0) return assignments.length;
        return numPartitions > 0 ? numPartitions : broker.config.numPartitions;
      },
    },
  ],
  [
    createPartitions.key,
    {
      places: () => ({ asked: ['topics', 'name'], answered: ['results', 'name'] }),
      strictFrom: 3,
      partitions: (entry, { broker }) => {
        const { name, count } = entry as { name: string; count: number };
        return Math.max(0, count - (broker.log.topic(name)?.partitions.length ?? count));
      },
    },
  ],
  [
    deleteTopics.key,
    {
      places: (version) =>
        version >= 6
          ? { asked: ['topics', 'name'], answered: ['responses', 'name'] }
          : { asked: ['topicNames', undefined], answered: ['responses', 'name'] },
      strictFrom: 5,
      partitions: (entry, { broker: { log } }) => {
        const { name, topicId } = (typeof entry === 'string' ? { name: entry } : entry) as Body;
        const topic = name
          ? log.topic(name as string)
          : topicId
            ? log.topicById(topicId as string)
            : undefined;
        return topic?.partitions.length ?? 0;
      },
    },
  ],
]);

export function metered(handler: Handler, charges: QuotaCharges): Handler {
  const { key } = handler.api;
  const mutation = MUTATIONS.get(key);
  return {
    ...handler,
    async handle(request, context) {
      if (!charges.isActive) return handler.handle(request, context);
      const { clock } = context.broker.host;
      const client = { user: userOf(context.connection.principal), clientId: context.clientId };
      const startMs = clock.monotonicMs();
      const running = mutation
        ? mutated(handler, mutation, { request: request as Body, context, client, charges })
        : handler.handle(request, context);
      const workMs = clock.monotonicMs() - startMs;
      const answer = await running;
      const throttleMs = Math.max(
        key === produce.key
          ? charges.charge('producer_byte_rate', client, producedBytes(request as Body))
          : 0,
        key === fetch.key ? charges.charge('consumer_byte_rate', client, fetchedBytes(answer as Body)) : 0,
        mutation ? charges.mutationThrottleMs(client) : 0,
        charges.charge('request_percentage', client, workMs),
      );
      if (throttleMs === 0) return answer;
      context.throttle(throttleMs);
      return answer === NO_ANSWER ? answer : { ...(answer as Body), throttleTimeMs: throttleMs };
    },
  };
}

async function mutated(
  handler: Handler,
  { places, strictFrom, partitions }: Mutation,
  given: { request: Body; context: RequestContext; client: Client; charges: QuotaCharges },
): Promise<unknown> {
  const { request, context, client, charges } = given;
  const isStrict = context.version >= strictFrom;
  const split = splitEntries(request, places(context.version), (_name, entry) => {
    const count = partitions(entry, context);
    if (!isStrict) charges.mutate(client, count);
    if (!isStrict || charges.mayMutate(client, count)) return undefined;
    const topicId = typeof entry === 'string' ? undefined : (entry as Body)['topicId'];
    return {
      topicId,
      errorCode: CODE.THROTTLING_QUOTA_EXCEEDED,
      errorMessage: 'The throttling quota has been exceeded.',
    };
  });
  if (split.isWhole) return handler.handle(request, context);
  return split.merge((await handler.handle(split.rest, context)) as Body);
}

function producedBytes(request: Body): number {
  let bytes = 0;
  for (const topic of listOf(request, 'topicData')) {
    for (const { records } of listOf(topic, 'partitionData')) bytes += lengthOf(records);
  }
  return bytes;
}

function fetchedBytes(answer: Body): number {
  let bytes = 0;
  for (const topic of listOf(answer, 'responses')) {
    for (const { records } of listOf(topic, 'partitions')) bytes += lengthOf(records);
  }
  return bytes;
}

function lengthOf(records: unknown): number {
  return (records as Uint8Array | null | undefined)?.length ?? 0;
}

function userOf(principal: string): string {
  return principal.startsWith(PRINCIPAL_PREFIX) ? principal.slice(PRINCIPAL_PREFIX.length) : principal;
}
