/** What administrators ask for. */
import { CLUSTER_NAME } from '../../../broker/security/authorizer.ts';
import * as api from '../../../broker/wire/schemas/index.ts';
import type { RawClient } from '../raw-client.ts';
import { makeTopic } from '../requests.ts';
import { type Denial, EVERYTHING, ruleOf } from './world.ts';

const BROKER = 4;
const CLIENT_METRICS = 16;
const GROUP = 32;
const config = (type: number, name: string) => ({ resourceType: type, resourceName: name });
const topicAndPartition = { topic: 'logs', partitions: [0] };

export const ADMINISTRATION: readonly Denial[] = [
  ...(['Topic', 'Cluster'] as const).map((type): Denial => ({
    name: `CreateTopics, allowed by ${type}`,
    grant: [type, type === 'Topic' ? 'made' : CLUSTER_NAME, 'Create'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const topic = { name: 'made', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
      const { topics } = await client.call(api.createTopics, 7, { topics: [topic], validateOnly: true });
      return topics[0]!.errorCode;
    },
  })),
  {
    name: 'DeleteTopics of a topic that there is',
    grant: ['Topic', 'doomed', 'Delete'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    async ask(client, world) {
      await makeTopic(world.admin, 'doomed').catch(() => undefined);
      return (await client.call(api.deleteTopics, 5, { topicNames: ['doomed'], timeoutMs: 1_000 }))
        .responses[0]!.errorCode;
    },
  },
  {
    name: 'DeleteTopics of a topic that there is not',
    grant: ['Topic', 'nowhere', 'Describe'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: async (client) =>
      (await client.call(api.deleteTopics, 5, { topicNames: ['nowhere'], timeoutMs: 1_000 })).responses[0]!
        .errorCode,
  },
  {
    name: 'DescribeConfigs of a topic',
    grant: ['Topic', 'logs', 'DescribeConfigs'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: (client) => describeConfigs(client, 2, 'logs'),
  },
  {
    name: 'DescribeConfigs of a broker',
    grant: ['Cluster', CLUSTER_NAME, 'DescribeConfigs'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: (client) => describeConfigs(client, 4, '1'),
  },
  {
    name: 'AlterConfigs of a topic',
    grant: ['Topic', 'logs', 'AlterConfigs'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const resources = [{ ...config(2, 'logs'), configs: [] }];
      return (await client.call(api.alterConfigs, 1, { resources, validateOnly: true })).responses[0]!
        .errorCode;
    },
  },
  {
    name: 'IncrementalAlterConfigs of a topic',
    grant: ['Topic', 'logs', 'AlterConfigs'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const request = { resources: [{ ...config(2, 'logs'), configs: [] }], validateOnly: true };
      return (await client.call(api.incrementalAlterConfigs, 1, request)).responses[0]!.errorCode;
    },
  },
  {
    name: 'DescribeAcls',
    grant: ['Cluster', CLUSTER_NAME, 'Describe'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) => (await client.call(api.describeAcls, 3, EVERYTHING)).errorCode,
  },
  {
    name: 'CreateAcls',
    grant: ['Cluster', CLUSTER_NAME, 'Alter'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const creations = [{ ...ruleOf(['Topic', 'x', 'Read']), resourceName: '' }];
      return (await client.call(api.createAcls, 3, { creations })).results[0]!.errorCode;
    },
  },
  {
    name: 'DeleteAcls',
    grant: ['Cluster', CLUSTER_NAME, 'Alter'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const filters = [{ ...EVERYTHING, resourceNameFilter: 'none' }];
      return (await client.call(api.deleteAcls, 3, { filters })).filterResults[0]!.errorCode;
    },
  },
  {
    name: 'DescribeUserScramCredentials',
    grant: ['Cluster', CLUSTER_NAME, 'Describe'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) =>
      (await client.call(api.describeUserScramCredentials, 0, { users: null })).errorCode,
  },
  {
    name: 'AlterUserScramCredentials',
    grant: ['Cluster', CLUSTER_NAME, 'Alter'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const request = { deletions: [{ name: 'nobody', mechanism: 1 }], upsertions: [] };
      return (await client.call(api.alterUserScramCredentials, 0, request)).results[0]!.errorCode;
    },
  },
  ...(
    [
      [BROKER, '1', 'Cluster', CLUSTER_NAME, 'CLUSTER_AUTHORIZATION_FAILED'],
      [CLIENT_METRICS, 'm', 'Cluster', CLUSTER_NAME, 'CLUSTER_AUTHORIZATION_FAILED'],
      [GROUP, 'readers', 'Group', 'readers', 'GROUP_AUTHORIZATION_FAILED'],
    ] as const
  ).flatMap(([type, name, resourceType, resource, denied]): Denial[] => [
    {
      name: `IncrementalAlterConfigs of resource type ${type}`,
      grant: [resourceType, resource, 'AlterConfigs'],
      denied,
      ask: async (client) => {
        const request = { resources: [{ ...config(type, name), configs: [] }], validateOnly: true };
        return (await client.call(api.incrementalAlterConfigs, 1, request)).responses[0]!.errorCode;
      },
    },
    {
      name: `DescribeConfigs of resource type ${type}`,
      grant: [resourceType, resource, 'DescribeConfigs'],
      denied,
      ask: (client) => describeConfigs(client, type, name),
    },
  ]),
  {
    name: 'AlterConfigs of a broker',
    grant: ['Cluster', CLUSTER_NAME, 'AlterConfigs'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const resources = [{ ...config(BROKER, '1'), configs: [] }];
      return (await client.call(api.alterConfigs, 1, { resources, validateOnly: true })).responses[0]!
        .errorCode;
    },
  },
  {
    name: 'ListConfigResources',
    grant: ['Cluster', CLUSTER_NAME, 'DescribeConfigs'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) => (await client.call(api.listConfigResources, 1, { resourceTypes: [] })).errorCode,
  },
  {
    name: 'DescribeClientQuotas',
    grant: ['Cluster', CLUSTER_NAME, 'DescribeConfigs'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) =>
      (await client.call(api.describeClientQuotas, 1, { components: [], strict: false })).errorCode,
  },
  {
    name: 'AlterClientQuotas',
    grant: ['Cluster', CLUSTER_NAME, 'AlterConfigs'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const entity = [{ entityType: 'user', entityName: 'ann' }];
      const ops = [{ key: 'producer_byte_rate', value: 1e9, remove: false }];
      const request = { entries: [{ entity, ops }], validateOnly: true };
      return (await client.call(api.alterClientQuotas, 1, request)).entries[0]!.errorCode;
    },
  },
  {
    name: 'DescribeTopicPartitions',
    grant: ['Topic', 'logs', 'Describe'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: async (client) =>
      (await client.call(api.describeTopicPartitions, 0, { topics: [{ name: 'logs' }] })).topics[0]!
        .errorCode,
  },
  {
    name: 'CreatePartitions',
    grant: ['Topic', 'logs', 'Alter'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const topics = [{ name: 'logs', count: 2, assignments: null }];
      const request = { topics, timeoutMs: 1_000, validateOnly: true };
      return (await client.call(api.createPartitions, 3, request)).results[0]!.errorCode;
    },
  },
  {
    name: 'DeleteRecords',
    grant: ['Topic', 'logs', 'Delete'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const topics = [{ name: 'logs', partitions: [{ partitionIndex: 0, offset: 0 }] }];
      const answer = await client.call(api.deleteRecords, 2, { topics, timeoutMs: 1_000 });
      return answer.topics[0]!.partitions[0]!.errorCode;
    },
  },
  {
    name: 'ElectLeaders',
    grant: ['Cluster', CLUSTER_NAME, 'Alter'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const request = { electionType: 0, topicPartitions: [topicAndPartition], timeoutMs: 1_000 };
      return (await client.call(api.electLeaders, 2, request)).errorCode;
    },
  },
  {
    name: 'DescribeLogDirs',
    grant: ['Cluster', CLUSTER_NAME, 'Describe'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) => (await client.call(api.describeLogDirs, 4, { topics: null })).errorCode,
  },
  {
    name: 'AlterReplicaLogDirs',
    grant: ['Cluster', CLUSTER_NAME, 'Alter'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const dirs = [{ path: '/nowhere', topics: [{ name: 'logs', partitions: [0] }] }];
      return (await client.call(api.alterReplicaLogDirs, 2, { dirs })).results[0]!.partitions[0]!.errorCode;
    },
  },
  {
    name: 'AlterPartitionReassignments',
    grant: ['Cluster', CLUSTER_NAME, 'Alter'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) =>
      (await client.call(api.alterPartitionReassignments, 0, { timeoutMs: 1_000, topics: [] })).errorCode,
  },
  {
    name: 'ListPartitionReassignments',
    grant: ['Cluster', CLUSTER_NAME, 'Describe'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) =>
      (await client.call(api.listPartitionReassignments, 0, { timeoutMs: 1_000, topics: null })).errorCode,
  },
  {
    name: 'DescribeQuorum',
    grant: ['Cluster', CLUSTER_NAME, 'Describe'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }];
      return (await client.call(api.describeQuorum, 2, { topics })).errorCode;
    },
  },
  {
    name: 'UpdateFeatures',
    grant: ['Cluster', CLUSTER_NAME, 'Alter'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) =>
      (await client.call(api.updateFeatures, 1, { timeoutMs: 1_000, featureUpdates: [], validateOnly: true }))
        .errorCode,
  },
];

async function describeConfigs(client: RawClient, type: number, name: string): Promise<number> {
  const resources = [{ ...config(type, name), configurationKeys: null }];
  return (await client.call(api.describeConfigs, 1, { resources })).results[0]!.errorCode;
}
