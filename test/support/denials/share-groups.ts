/** What members of share groups ask for, and who looks after them. */
import { CLUSTER_NAME } from '../../../broker/security/authorizer.ts';
import * as api from '../../../broker/wire/schemas/index.ts';
import type { RawClient } from '../raw-client.ts';
import type { Denial, DenialWorld, Grant } from './world.ts';

const groupId = 'sharers';
const READ: Grant = ['Group', groupId, 'Read'];
const GROUP_DENIED = 'GROUP_AUTHORIZATION_FAILED';
const TOPIC_DENIED = 'TOPIC_AUTHORIZATION_FAILED';
const ANN_MEMBER = 'AAAAAAAAAAAAAAAAAAAAAA';
const ADMIN_MEMBER = 'AAAAAAAAAAAAAAAAAAAAAQ';
const openSession = {
  shareSessionEpoch: 0,
  maxWaitMs: 0,
  minBytes: 0,
  maxRecords: 1,
  batchSize: 1,
  topics: [],
  forgottenTopicsData: [],
};

export const SHARE_GROUPS: readonly Denial[] = [
  {
    name: 'ShareGroupHeartbeat of a group',
    grant: READ,
    denied: GROUP_DENIED,
    ask: (client) => join(client, ANN_MEMBER, []),
  },
  {
    name: 'ShareGroupHeartbeat that names a topic',
    grant: ['Topic', 'logs', 'Describe'],
    denied: TOPIC_DENIED,
    ask: (client, world) => world.allowing([READ], () => join(client, ANN_MEMBER, ['logs'])),
  },
  {
    name: 'ShareGroupDescribe of a group',
    grant: ['Group', groupId, 'Describe'],
    denied: GROUP_DENIED,
    ask: (client) => describe(client),
  },
  {
    name: 'ShareGroupDescribe of a group that reads a topic',
    grant: ['Topic', 'secret', 'Describe'],
    denied: TOPIC_DENIED,
    async ask(client, world) {
      const one = 'secretive';
      await join(world.admin, ADMIN_MEMBER, ['secret'], one);
      return world.allowing([['Group', one, 'Describe']], () => describe(client, one));
    },
  },
  {
    name: 'ShareFetch of a group',
    grant: READ,
    denied: GROUP_DENIED,
    ask: async (client) =>
      (await client.call(api.shareFetch, 1, { groupId, memberId: ANN_MEMBER, ...openSession })).errorCode,
  },
  { name: 'ShareFetch of a topic', grant: ['Topic', 'logs', 'Read'], denied: TOPIC_DENIED, ask: fetchTopic },
  {
    name: 'ShareAcknowledge of a group',
    grant: READ,
    denied: GROUP_DENIED,
    ask: async (client) =>
      (
        await client.call(api.shareAcknowledge, 1, {
          groupId,
          memberId: ANN_MEMBER,
          shareSessionEpoch: 1,
          topics: [],
        })
      ).errorCode,
  },
  {
    name: 'DescribeShareGroupOffsets of a group',
    grant: ['Group', groupId, 'Describe'],
    denied: GROUP_DENIED,
    ask: async (client) =>
      (await client.call(api.describeShareGroupOffsets, 0, { groups: [{ groupId, topics: null }] }))
        .groups[0]!.errorCode,
  },
  {
    name: 'DescribeShareGroupOffsets of a topic',
    grant: ['Topic', 'logs', 'Describe'],
    denied: TOPIC_DENIED,
    async ask(client, world) {
      await join(world.admin, ADMIN_MEMBER, ['logs']);
      const groups = [{ groupId, topics: [{ topicName: 'logs', partitions: [0] }] }];
      const answer = await world.allowing([['Group', groupId, 'Describe']], () =>
        client.call(api.describeShareGroupOffsets, 0, { groups }),
      );
      return answer.groups[0]!.topics[0]!.partitions[0]!.errorCode;
    },
  },
  {
    name: 'AlterShareGroupOffsets of a group',
    grant: READ,
    denied: GROUP_DENIED,
    ask: async (client) =>
      (await client.call(api.alterShareGroupOffsets, 0, { groupId, topics: [] })).errorCode,
  },
  {
    name: 'DeleteShareGroupOffsets of a group',
    grant: ['Group', groupId, 'Delete'],
    denied: GROUP_DENIED,
    ask: async (client) =>
      (await client.call(api.deleteShareGroupOffsets, 0, { groupId, topics: [] })).errorCode,
  },
  {
    name: 'FindCoordinator of a share, which only brokers look for,',
    grant: ['Cluster', CLUSTER_NAME, 'ClusterAction'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const coordinatorKeys = [`${groupId}:AAAAAAAAAAAAAAAAAAAAAA:0`];
      return (await client.call(api.findCoordinator, 6, { keyType: 2, coordinatorKeys })).coordinators[0]!
        .errorCode;
    },
  },
];

async function join(
  client: RawClient,
  memberId: string,
  subscribedTopicNames: string[],
  group = groupId,
): Promise<number> {
  const request = { groupId: group, memberId, memberEpoch: 0, subscribedTopicNames };
  return (await client.call(api.shareGroupHeartbeat, 1, request)).errorCode;
}

async function describe(client: RawClient, group = groupId): Promise<number> {
  const request = { groupIds: [group], includeAuthorizedOperations: false };
  return (await client.call(api.shareGroupDescribe, 1, request)).groups[0]!.errorCode;
}

async function fetchTopic(client: RawClient, world: DenialWorld): Promise<number> {
  await join(world.admin, ADMIN_MEMBER, ['logs']);
  const topics = [
    { topicId: world.topicId, partitions: [{ partitionIndex: 0, acknowledgementBatches: [] }] },
  ];
  const answer = await world.allowing([READ], async () => {
    await join(client, ANN_MEMBER, []);
    return client.call(api.shareFetch, 1, { groupId, memberId: ANN_MEMBER, ...openSession, topics });
  });
  return answer.responses[0]?.partitions[0]?.errorCode ?? answer.errorCode;
}
