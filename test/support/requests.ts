import type { RawClient } from './raw-client.ts';
import { createTopics, fetch, metadata, produce } from '../../broker/wire/schemas/index.ts';

/** A partition's part of a Fetch answer. */
export type FetchedPartition = Awaited<ReturnType<typeof fetchFrom>>;

export async function makeTopic(
  client: RawClient,
  name: string,
  given: { partitions?: number; configs?: Record<string, string> } = {},
): Promise<string> {
  const { topics } = await client.call(createTopics, 7, {
    topics: [
      {
        name,
        numPartitions: given.partitions ?? 1,
        replicationFactor: -1,
        assignments: [],
        configs: Object.entries(given.configs ?? {}).map(([key, value]) => ({ name: key, value })),
      },
    ],
  });
  const made = topics[0]!;
  if (made.errorCode !== 0)
    throw new Error(`cannot create ${name}: got ${made.errorCode} ${made.errorMessage}`);
  return made.topicId;
}

/** Produces one batch; the answer for its partition. */
export async function produceTo(
  client: RawClient,
  name: string,
  records: Buffer | null,
  given: { version?: number; partition?: number; acks?: number; topicId?: string } = {},
) {
  const { responses } = await client.call(produce, given.version ?? 7, {
    transactionalId: null,
    acks: given.acks ?? -1,
    timeoutMs: 5_000,
    topicData: [
      {
        name,
        ...(given.topicId === undefined ? {} : { topicId: given.topicId }),
        partitionData: [{ index: given.partition ?? 0, records }],
      },
    ],
  });
  return responses[0]!.partitionResponses[0]!;
}

/** Fetches one partition; its answer. */
export async function fetchFrom(
  client: RawClient,
  topic: string,
  offset: number,
  given: {
    version?: number;
    partition?: number;
    maxWaitMs?: number;
    minBytes?: number;
    maxBytes?: number;
    partitionMaxBytes?: number;
    topicId?: string;
    currentLeaderEpoch?: number;
    lastFetchedEpoch?: number;
  } = {},
) {
  const { responses } = await client.call(fetch, given.version ?? 11, {
    maxWaitMs: given.maxWaitMs ?? 0,
    minBytes: given.minBytes ?? 1,
    maxBytes: given.maxBytes ?? 10_000_000,
    topics: [
      {
        topic,
        ...(given.topicId === undefined ? {} : { topicId: given.topicId }),
        partitions: [
          {
            partition: given.partition ?? 0,
            fetchOffset: offset,
            partitionMaxBytes: given.partitionMaxBytes ?? 10_000_000,
            currentLeaderEpoch: given.currentLeaderEpoch,
            lastFetchedEpoch: given.lastFetchedEpoch,
          },
        ],
      },
    ],
  });
  return responses[0]!.partitions[0]!;
}

export async function topicId(client: RawClient, name: string): Promise<string> {
  const { topics } = await client.call(metadata, 10, {
    topics: [{ name }],
    allowAutoTopicCreation: false,
  });
  return topics[0]!.topicId;
}
