/** What producers and readers ask for. */
import { CLUSTER_NAME } from '../../../broker/security/authorizer.ts';
import * as api from '../../../broker/wire/schemas/index.ts';
import { recordBatch } from '../record-batch.ts';
import { fetchFrom, produceTo } from '../requests.ts';
import type { Denial, Grant } from './world.ts';

const batch = () => recordBatch({ values: ['a'] });

export const DATA: readonly Denial[] = [
  {
    name: 'Produce',
    grant: ['Topic', 'logs', 'Write'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: async (client) => (await produceTo(client, 'logs', batch())).errorCode,
  },
  {
    name: 'Produce by topic id',
    grant: ['Topic', 'logs', 'Write'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: async (client, world) =>
      (await produceTo(client, '', batch(), { version: 13, topicId: world.topicId })).errorCode,
  },
  {
    name: 'Fetch',
    grant: ['Topic', 'logs', 'Read'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: async (client) => (await fetchFrom(client, 'logs', 0)).errorCode,
  },
  {
    name: 'Fetch by topic id',
    grant: ['Topic', 'logs', 'Read'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: async (client, world) =>
      (await fetchFrom(client, '', 0, { version: 13, topicId: world.topicId })).errorCode,
  },
  {
    name: 'ListOffsets',
    grant: ['Topic', 'logs', 'Describe'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const partitions = [{ partitionIndex: 0, timestamp: -1 }];
      const { topics } = await client.call(api.listOffsets, 5, {
        replicaId: -1,
        topics: [{ name: 'logs', partitions }],
      });
      return topics[0]!.partitions[0]!.errorCode;
    },
  },
  {
    name: 'Metadata',
    grant: ['Topic', 'logs', 'Describe'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: async (client) =>
      (await client.call(api.metadata, 9, { topics: [{ name: 'logs' }] })).topics[0]!.errorCode,
  },
  {
    name: 'Metadata by topic id',
    grant: ['Topic', 'logs', 'Describe'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: async (client, world) =>
      (await client.call(api.metadata, 12, { topics: [{ name: null, topicId: world.topicId }] })).topics[0]!
        .errorCode,
  },
  {
    name: 'Metadata that would create a topic',
    grant: ['Topic', 'fresh', 'Create'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    async ask(client, world) {
      const grant: Grant = ['Topic', 'fresh', 'Describe'];
      await world.allow(grant);
      const { topics } = await client.call(api.metadata, 5, { topics: [{ name: 'fresh' }] });
      await world.revoke(grant);
      await world.admin.call(api.deleteTopics, 5, { topicNames: ['fresh'], timeoutMs: 1_000 });
      return topics[0]!.errorCode;
    },
  },
  {
    name: 'OffsetForLeaderEpoch',
    grant: ['Topic', 'logs', 'Describe'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const partitions = [{ partition: 0, leaderEpoch: 0 }];
      const request = { topics: [{ topic: 'logs', partitions }] };
      return (await client.call(api.offsetForLeaderEpoch, 3, request)).topics[0]!.partitions[0]!.errorCode;
    },
  },
  ...(['Topic', 'Cluster'] as const).map((type): Denial => ({
    name: `InitProducerId, allowed by ${type}`,
    grant: type === 'Topic' ? [type, 'logs', 'Write'] : [type, CLUSTER_NAME, 'IdempotentWrite'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) =>
      (await client.call(api.initProducerId, 1, { transactionalId: null, transactionTimeoutMs: 1 }))
        .errorCode,
  })),
];
