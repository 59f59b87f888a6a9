import { attributesOf } from '../../broker/log/batch/batch-header.ts';
import { batchesOf } from '../../broker/state/record-batch.ts';
import { fetch, metadata } from '../../broker/wire/schemas/index.ts';
import { RawClient } from './raw-client.ts';
import type { TestBroker } from './test-broker.ts';

/** The distinct codecs of a partition's batches, as they are stored: what the broker hands out is what it keeps. */
export async function codecsOnDisk(broker: TestBroker, topic: string, partition: number): Promise<number[]> {
  const client = await RawClient.connect(broker.port);
  const { topics } = await client.call(metadata, 12, {
    topics: [{ name: topic, topicId: '00000000-0000-0000-0000-000000000000' }],
    allowAutoTopicCreation: false,
  });
  const { responses } = await client.call(fetch, 13, {
    maxWaitMs: 0,
    minBytes: 0,
    topics: [
      {
        topicId: topics[0]!.topicId,
        partitions: [{ partition, fetchOffset: 0, partitionMaxBytes: 10_000_000 }],
      },
    ],
    forgottenTopicsData: [],
  });
  client.close();
  const records = responses[0]!.partitions[0]!.records ?? Buffer.alloc(0);
  return [...new Set([...batchesOf(records)].map((batch) => attributesOf(batch) & 7))];
}
