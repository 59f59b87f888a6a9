/** What members of groups ask for, of the classic protocol and of KIP-848, and who looks after groups. */
import * as api from '../../../broker/wire/schemas/index.ts';
import type { RawClient } from '../raw-client.ts';
import type { Denial, Grant } from './world.ts';

const member = { groupId: 'readers', memberId: 'm', generationId: 1 };
const positions = [{ name: 'logs', partitionIndexes: [0] }];

export const GROUPS: readonly Denial[] = [
  {
    name: 'OffsetCommit of a group',
    grant: ['Group', 'readers', 'Read'],
    denied: 'GROUP_AUTHORIZATION_FAILED',
    ask: (client) => commit(client),
  },
  {
    name: 'OffsetCommit of a topic',
    grant: ['Topic', 'logs', 'Read'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    async ask(client, world) {
      const grant: Grant = ['Group', 'readers', 'Read'];
      await world.allow(grant);
      const code = await commit(client);
      await world.revoke(grant);
      return code;
    },
  },
  ...[1, 7].map((version): Denial => ({
    name: `OffsetFetch ${version} of a group`,
    grant: ['Group', 'readers', 'Describe'],
    denied: 'GROUP_AUTHORIZATION_FAILED',
    async ask(client) {
      const answer = await client.call(api.offsetFetch, version, { groupId: 'readers', topics: positions });
      return version === 1 ? answer.topics[0]!.partitions[0]!.errorCode : answer.errorCode;
    },
  })),
  {
    name: 'OffsetFetch 8 of a group',
    grant: ['Group', 'readers', 'Describe'],
    denied: 'GROUP_AUTHORIZATION_FAILED',
    ask: async (client) => (await fetchPositions(client)).errorCode,
  },
  {
    name: 'OffsetFetch of a topic',
    grant: ['Topic', 'logs', 'Describe'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    async ask(client, world) {
      const grant: Grant = ['Group', 'readers', 'Describe'];
      await world.allow(grant);
      const { topics } = await fetchPositions(client);
      await world.revoke(grant);
      return topics[0]!.partitions[0]!.errorCode;
    },
  },
  {
    name: 'FindCoordinator of a group',
    grant: ['Group', 'readers', 'Describe'],
    denied: 'GROUP_AUTHORIZATION_FAILED',
    ask: async (client) => (await client.call(api.findCoordinator, 3, { key: 'readers' })).errorCode,
  },
  {
    name: 'JoinGroup',
    grant: ['Group', 'readers', 'Read'],
    denied: 'GROUP_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const request = { ...member, sessionTimeoutMs: 1, protocolType: 'consumer', protocols: [] };
      return (await client.call(api.joinGroup, 5, request)).errorCode;
    },
  },
  {
    name: 'SyncGroup',
    grant: ['Group', 'readers', 'Read'],
    denied: 'GROUP_AUTHORIZATION_FAILED',
    ask: async (client) => (await client.call(api.syncGroup, 3, { ...member, assignments: [] })).errorCode,
  },
  {
    name: 'Heartbeat',
    grant: ['Group', 'readers', 'Read'],
    denied: 'GROUP_AUTHORIZATION_FAILED',
    ask: async (client) => (await client.call(api.heartbeat, 3, member)).errorCode,
  },
  {
    name: 'LeaveGroup',
    grant: ['Group', 'readers', 'Read'],
    denied: 'GROUP_AUTHORIZATION_FAILED',
    ask: async (client) => (await client.call(api.leaveGroup, 2, member)).errorCode,
  },
  {
    name: 'DescribeGroups',
    grant: ['Group', 'readers', 'Describe'],
    denied: 'GROUP_AUTHORIZATION_FAILED',
    ask: async (client) =>
      (await client.call(api.describeGroups, 5, { groups: ['readers'] })).groups[0]!.errorCode,
  },
  {
    name: 'DeleteGroups',
    grant: ['Group', 'readers', 'Delete'],
    denied: 'GROUP_AUTHORIZATION_FAILED',
    ask: async (client) =>
      (await client.call(api.deleteGroups, 2, { groupsNames: ['readers'] })).results[0]!.errorCode,
  },
  {
    name: 'OffsetDelete of a group',
    grant: ['Group', 'readers', 'Delete'],
    denied: 'GROUP_AUTHORIZATION_FAILED',
    ask: async (client) =>
      (await client.call(api.offsetDelete, 0, { groupId: 'readers', topics: [] })).errorCode,
  },
  {
    name: 'OffsetDelete of a topic',
    grant: ['Topic', 'logs', 'Read'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    async ask(client, world) {
      await commit(world.admin);
      const topics = [{ name: 'logs', partitions: [{ partitionIndex: 0 }] }];
      const answer = await world.allowing([['Group', 'readers', 'Delete']], () =>
        client.call(api.offsetDelete, 0, { groupId: 'readers', topics }),
      );
      return answer.topics[0]!.partitions[0]!.errorCode;
    },
  },
  {
    name: 'ConsumerGroupHeartbeat of a group',
    grant: ['Group', 'modern', 'Read'],
    denied: 'GROUP_AUTHORIZATION_FAILED',
    ask: async (client) =>
      (await client.call(api.consumerGroupHeartbeat, 1, joining('modern', []))).errorCode,
  },
  {
    name: 'ConsumerGroupHeartbeat that names a topic',
    grant: ['Topic', 'logs', 'Describe'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: (client, world) =>
      world.allowing(
        [['Group', 'modern', 'Read']],
        async () => (await client.call(api.consumerGroupHeartbeat, 1, joining('modern', ['logs']))).errorCode,
      ),
  },
  {
    name: 'ConsumerGroupDescribe of a group',
    grant: ['Group', 'modern', 'Describe'],
    denied: 'GROUP_AUTHORIZATION_FAILED',
    ask: (client) => describeConsumers(client),
  },
  {
    name: 'ConsumerGroupDescribe of a group that reads a topic',
    grant: ['Topic', 'secret', 'Describe'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    async ask(client, world) {
      await world.admin.call(api.consumerGroupHeartbeat, 1, joining('modern', ['secret']));
      return world.allowing([['Group', 'modern', 'Describe']], () => describeConsumers(client));
    },
  },
];

export async function commit(client: RawClient): Promise<number> {
  const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }];
  const { topics } = await client.call(api.offsetCommit, 5, {
    groupId: 'readers',
    memberId: '',
    topics: [{ name: 'logs', partitions }],
  });
  return topics[0]!.partitions[0]!.errorCode;
}

export async function fetchPositions(client: RawClient, topics: typeof positions | null = positions) {
  return (await client.call(api.offsetFetch, 8, { groups: [{ groupId: 'readers', topics }] })).groups[0]!;
}

function joining(groupId: string, subscribedTopicNames: string[]) {
  const rebalanceTimeoutMs = 10_000;
  return {
    groupId,
    memberId: 'm',
    memberEpoch: 0,
    rebalanceTimeoutMs,
    subscribedTopicNames,
    topicPartitions: [],
  };
}

async function describeConsumers(client: RawClient): Promise<number> {
  const request = { groupIds: ['modern'], includeAuthorizedOperations: false };
  return (await client.call(api.consumerGroupDescribe, 1, request)).groups[0]!.errorCode;
}
