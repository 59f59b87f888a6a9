import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { recordBatch } from '../../test/support/record-batch.ts';
import { fetchFrom, makeTopic, produceTo } from '../../test/support/requests.ts';
import { plain, scram } from '../../test/support/sasl-client.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { CODE } from '../wire/errors.ts';
import * as api from '../wire/schemas/index.ts';
import { PATTERN, PERMISSION } from './acl.ts';
import { CLUSTER_NAME, OPERATION, type Operation, RESOURCE_TYPE, type ResourceType } from './authorizer.ts';
import { saltPassword } from './scram.ts';

let broker: TestBroker;
/** A super user, by the listener that asks nobody. */
let admin: RawClient;
/** Who has no rights but those that a test gives. */
let ann: RawClient;
let topicId: string;
beforeAll(async () => {
  broker = await startTestBroker({
    listeners: [
      {
        name: 'SASL',
        port: 0,
        protocol: 'SASL_PLAINTEXT',
        sasl: { mechanisms: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] },
      },
      { name: 'ADMIN', port: 0 },
    ],
    security: { plainUsers: { ann: 'secret' }, authorizer: true, superUsers: ['User:ANONYMOUS'] },
  });
  admin = await RawClient.connect(broker.portOf('ADMIN'));
  ann = await RawClient.connect(broker.portOf('SASL'));
  await plain(ann, 'ann', 'secret');
  topicId = await makeTopic(admin, 'logs');
  await makeTopic(admin, 'secret');
});
afterAll(async () => {
  admin?.close();
  ann?.close();
  await broker?.stop();
});

interface Case {
  readonly name: string;
  readonly grant: readonly [ResourceType, string, Operation];
  readonly denied: keyof typeof CODE;
  /** The code that answers; without the right it is `denied`, with it another. */
  readonly ask: (client: RawClient) => Promise<number>;
}

const batch = () => recordBatch({ values: ['a'] });
const member = { groupId: 'readers', memberId: 'm', generationId: 1 };
const config = (type: number, name: string) => ({ resourceType: type, resourceName: name });
const positions = [{ name: 'logs', partitionIndexes: [0] }];

const cases: Case[] = [
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
    ask: async (client) => (await produceTo(client, '', batch(), { version: 13, topicId })).errorCode,
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
    ask: async (client) => (await fetchFrom(client, '', 0, { version: 13, topicId })).errorCode,
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
    ask: async (client) =>
      (await client.call(api.metadata, 12, { topics: [{ name: null, topicId }] })).topics[0]!.errorCode,
  },
  {
    name: 'Metadata that would create a topic',
    grant: ['Topic', 'fresh', 'Create'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    async ask(client) {
      const grants = grantOf(['Topic', 'fresh', 'Describe']);
      await allow(grants);
      const { topics } = await client.call(api.metadata, 5, { topics: [{ name: 'fresh' }] });
      await revoke(grants);
      await admin.call(api.deleteTopics, 5, { topicNames: ['fresh'], timeoutMs: 1_000 });
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
    async ask(client) {
      const grants = grantOf(['Group', 'readers', 'Read']);
      await allow(grants);
      const code = await commit(client);
      await revoke(grants);
      return code;
    },
  },
  ...[1, 7].map((version): Case => ({
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
    async ask(client) {
      const grants = grantOf(['Group', 'readers', 'Describe']);
      await allow(grants);
      const { topics } = await fetchPositions(client);
      await revoke(grants);
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
  ...(['Topic', 'Cluster'] as const).map((type): Case => ({
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
    async ask(client) {
      await makeTopic(admin, 'doomed').catch(() => undefined);
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
  ...(['Topic', 'Cluster'] as const).map((type): Case => ({
    name: `InitProducerId, allowed by ${type}`,
    grant: type === 'Topic' ? [type, 'logs', 'Write'] : [type, CLUSTER_NAME, 'IdempotentWrite'],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) =>
      (await client.call(api.initProducerId, 1, { transactionalId: null, transactionTimeoutMs: 1 }))
        .errorCode,
  })),
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
      const creations = [{ ...grantOf(['Topic', 'x', 'Read']), resourceName: '' }];
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
];

const EVERYTHING = {
  resourceTypeFilter: 1,
  resourceNameFilter: null,
  patternTypeFilter: 1,
  principalFilter: null,
  hostFilter: null,
  operation: 1,
  permissionType: 1,
};

describe('without the right an error code, never a dropped connection; with it an answer', () => {
  for (const { name, grant, denied, ask } of cases) {
    test(`${name}: ${denied} without ${grant[2]} on ${grant[0]} ${grant[1]}`, async () => {
      expect(await ask(ann)).toBe(CODE[denied]);
      await allow(grantOf(grant));
      expect(await ask(ann)).not.toBe(CODE[denied]);
      await revoke(grantOf(grant));
      expect(await ask(ann)).toBe(CODE[denied]);
    });
  }
});

describe('what may not be described is not to be seen', () => {
  test('Metadata of all topics leaves it out', async () => {
    await allow(grantOf(['Topic', 'logs', 'Read']));
    const { topics } = await ann.call(api.metadata, 9, { topics: null });
    await revoke(grantOf(['Topic', 'logs', 'Read']));
    expect(topics.map(({ name }) => name)).toEqual(['logs']);
  });

  test('Metadata answers the same for a topic that there is and one that there is not, without an id', async () => {
    const { topics } = await ann.call(api.metadata, 12, {
      topics: [{ name: 'secret' }, { name: 'nowhere' }],
    });
    const [known, unknown] = topics.map(({ name: _name, ...rest }) => rest);
    expect(known).toEqual(unknown);
    expect(known!.topicId).toMatch(/^0/);
  });

  test('ListGroups leaves out groups, unless the cluster may be described', async () => {
    expect(await commit(admin)).toBe(0);
    const seen = async () => (await ann.call(api.listGroups, 4, {})).groups.map(({ groupId }) => groupId);
    expect(await seen()).toEqual([]);
    for (const grant of [
      grantOf(['Group', 'readers', 'Describe']),
      grantOf(['Cluster', CLUSTER_NAME, 'Describe']),
    ]) {
      await allow(grant);
      expect(await seen()).toEqual(['readers']);
      await revoke(grant);
    }
  });

  test('OffsetFetch of all positions leaves out topics', async () => {
    const grants = [grantOf(['Group', 'readers', 'Describe']), grantOf(['Topic', 'logs', 'Describe'])];
    await allow(grants[0]!);
    expect((await fetchPositions(ann, null)).topics).toEqual([]);
    await allow(grants[1]!);
    expect((await fetchPositions(ann, null)).topics.map(({ name }) => name)).toEqual(['logs']);
    for (const grant of grants) await revoke(grant);
  });
});

describe('authorized operations (KIP-430)', () => {
  const bits = (...operations: Operation[]): number =>
    operations.reduce((sum, operation) => sum | (1 << OPERATION[operation]), 0);

  test('of a topic in Metadata', async () => {
    await allow(grantOf(['Topic', 'logs', 'Write']));
    const request = { topics: [{ name: 'logs' }], includeTopicAuthorizedOperations: true };
    const { topics } = await ann.call(api.metadata, 9, request);
    await revoke(grantOf(['Topic', 'logs', 'Write']));
    expect(topics[0]!.topicAuthorizedOperations).toBe(bits('Write', 'Describe'));
  });

  test('of a group in DescribeGroups', async () => {
    await commit(admin);
    await allow(grantOf(['Group', 'readers', 'Read']));
    const request = { groups: ['readers'], includeAuthorizedOperations: true };
    const { groups } = await ann.call(api.describeGroups, 5, request);
    await revoke(grantOf(['Group', 'readers', 'Read']));
    expect(groups[0]!.authorizedOperations).toBe(bits('Read', 'Describe'));
  });

  test('of the cluster in DescribeCluster and Metadata: none without Describe', async () => {
    const ask = async (client: RawClient) => {
      const request = { includeClusterAuthorizedOperations: true };
      const { clusterAuthorizedOperations: one } = await client.call(api.describeCluster, 0, request);
      const answer = await client.call(api.metadata, 9, { topics: [], ...request });
      expect(answer.clusterAuthorizedOperations).toBe(one);
      return one;
    };
    expect(await ask(ann)).toBe(0);
    expect(await ask(admin)).toBe(
      bits(
        'Create',
        'ClusterAction',
        'DescribeConfigs',
        'AlterConfigs',
        'IdempotentWrite',
        'Alter',
        'Describe',
      ),
    );
  });

  test('not asked for: the smallest number', async () => {
    expect(
      (await ann.call(api.describeCluster, 0, { includeClusterAuthorizedOperations: false }))
        .clusterAuthorizedOperations,
    ).toBe(-(2 ** 31));
  });
});

test('a topic that may be created but not read back: made, its settings are not told', async () => {
  await allow(grantOf(['Topic', 'blind', 'Create']));
  const topic = { name: 'blind', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
  const { topics } = await ann.call(api.createTopics, 7, { topics: [topic] });
  await revoke(grantOf(['Topic', 'blind', 'Create']));
  expect(topics[0]).toMatchObject({
    errorCode: 0,
    topicConfigErrorCode: CODE.TOPIC_AUTHORIZATION_FAILED,
    numPartitions: -1,
    configs: null,
  });
});

test('one denied partition does not fail its neighbours in the same Produce', async () => {
  await allow(grantOf(['Topic', 'logs', 'Write']));
  const { responses } = await ann.call(api.produce, 7, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 5_000,
    topicData: ['secret', 'logs'].map((name) => ({
      name,
      partitionData: [{ index: 0, records: batch() }],
    })),
  });
  await revoke(grantOf(['Topic', 'logs', 'Write']));
  expect(responses.map(({ partitionResponses }) => partitionResponses[0]!.errorCode)).toEqual([
    CODE.TOPIC_AUTHORIZATION_FAILED,
    CODE.NONE,
  ]);
});

describe('access rules over the wire', () => {
  const rule = () => ({ ...grantOf(['Topic', 'ruled', 'Read']), patternType: undefined });

  test('are there after a restart of the broker, once each, and found by filters', async () => {
    for (let i = 0; i < 2; i += 1) await allow(grantOf(['Topic', 'ruled', 'Read']));
    await broker.restart();
    admin = await RawClient.connect(broker.portOf('ADMIN'));
    ann = await RawClient.connect(broker.portOf('SASL'));
    await plain(ann, 'ann', 'secret');
    const found = await admin.call(api.describeAcls, 1, { ...EVERYTHING, resourceNameFilter: 'ruled' });
    expect(found.resources).toMatchObject([
      {
        resourceType: RESOURCE_TYPE.Topic,
        resourceName: 'ruled',
        patternType: PATTERN.literal,
        acls: [
          { principal: 'User:ann', host: '*', operation: OPERATION.Read, permissionType: PERMISSION.allow },
        ],
      },
    ]);
    const { filterResults } = await admin.call(api.deleteAcls, 2, {
      filters: [{ ...EVERYTHING, resourceNameFilter: 'ruled' }],
    });
    expect(filterResults[0]!.matchingAcls).toHaveLength(1);
    expect((await admin.call(api.describeAcls, 3, EVERYTHING)).resources).toEqual([]);
  });

  const bad: Array<[name: string, change: object]> = [
    ['an empty name', { resourceName: '' }],
    ['a cluster of another name', { resourceType: RESOURCE_TYPE.Cluster }],
    ['the pattern type match', { resourcePatternType: PATTERN.match }],
    ['any operation', { operation: OPERATION.Any }],
    ['an unknown operation', { operation: 99 }],
    ['any resource type', { resourceType: 1 }],
    ['any permission', { permissionType: PERMISSION.any }],
    ['a principal without a type', { principal: 'ann' }],
  ];
  for (const [name, change] of bad) {
    test(`${name} is INVALID_REQUEST, and its neighbour is made`, async () => {
      const { results } = await admin.call(api.createAcls, 2, {
        creations: [{ ...rule(), ...change }, rule()],
      });
      expect(results.map(({ errorCode }) => errorCode)).toEqual([CODE.INVALID_REQUEST, CODE.NONE]);
      await revoke(grantOf(['Topic', 'ruled', 'Read']));
    });
  }

  test('an unknown filter is INVALID_REQUEST', async () => {
    const { errorCode } = await admin.call(api.describeAcls, 2, { ...EVERYTHING, operation: 99 });
    expect(errorCode).toBe(CODE.INVALID_REQUEST);
  });

  test('without an authorizer all three answer SECURITY_DISABLED', async () => {
    const open = await startTestBroker();
    const client = await RawClient.connect(open.port);
    const { errorCode } = await client.call(api.describeAcls, 1, EVERYTHING);
    const created = await client.call(api.createAcls, 1, { creations: [rule()] });
    const deleted = await client.call(api.deleteAcls, 1, { filters: [EVERYTHING] });
    expect([errorCode, created.results[0]!.errorCode, deleted.filterResults[0]!.errorCode]).toEqual(
      Array.from({ length: 3 }, () => CODE.SECURITY_DISABLED),
    );
    client.close();
    await open.stop();
  });
});

describe('SCRAM credentials over the wire', () => {
  const salt = Buffer.from('0123456789abcdef');
  const upsertion = (name: string, more: object = {}) => ({
    name,
    mechanism: 1,
    iterations: 4096,
    salt,
    saltedPassword: saltPassword('SCRAM-SHA-256', 'pencil', salt, 4096),
    ...more,
  });
  const alter = async (
    upsertions: Array<ReturnType<typeof upsertion>>,
    deletions: Array<{ name: string; mechanism: number }> = [],
  ) => (await admin.call(api.alterUserScramCredentials, 0, { upsertions, deletions })).results;
  const login = async (password: string): Promise<number> => {
    const client = await RawClient.connect(broker.portOf('SASL'));
    const { errorCode } = await scram(client, 'SCRAM-SHA-256', 'sue', password);
    client.close();
    return errorCode;
  };

  test('made, used, described without keys, kept over a restart, replaced and deleted', async () => {
    expect(await alter([upsertion('sue')])).toMatchObject([{ user: 'sue', errorCode: 0 }]);
    expect(await login('pencil')).toBe(0);
    await broker.restart();
    admin = await RawClient.connect(broker.portOf('ADMIN'));
    expect(await login('pencil')).toBe(0);
    const { results } = await admin.call(api.describeUserScramCredentials, 0, { users: null });
    expect(results).toMatchObject([
      { user: 'sue', errorCode: 0, credentialInfos: [{ mechanism: 1, iterations: 4096 }] },
    ]);
    const saltedPassword = saltPassword('SCRAM-SHA-256', 'pen', salt, 8192);
    await alter([upsertion('sue', { iterations: 8192, saltedPassword })]);
    expect([await login('pencil'), await login('pen')]).toEqual([CODE.SASL_AUTHENTICATION_FAILED, 0]);
    await alter([], [{ name: 'sue', mechanism: 1 }]);
    expect(await login('pen')).toBe(CODE.SASL_AUTHENTICATION_FAILED);
  });

  const refused: Array<[name: string, run: () => ReturnType<typeof alter>, want: keyof typeof CODE]> = [
    ['too few iterations', () => alter([upsertion('x', { iterations: 4095 })]), 'UNACCEPTABLE_CREDENTIAL'],
    ['too many iterations', () => alter([upsertion('x', { iterations: 16_385 })]), 'UNACCEPTABLE_CREDENTIAL'],
    ['an empty name', () => alter([upsertion('')]), 'UNACCEPTABLE_CREDENTIAL'],
    ['an unknown mechanism', () => alter([upsertion('x', { mechanism: 3 })]), 'UNSUPPORTED_SASL_MECHANISM'],
    ['one credential twice', () => alter([upsertion('x'), upsertion('x')]), 'DUPLICATE_RESOURCE'],
    ['deleting what there is not', () => alter([], [{ name: 'x', mechanism: 2 }]), 'RESOURCE_NOT_FOUND'],
  ];
  for (const [name, run, want] of refused) {
    test(`${name}: ${want}`, async () => {
      expect((await run()).map(({ errorCode }) => errorCode)).toEqual([CODE[want]]);
    });
  }

  test('describing who is not there, and somebody twice', async () => {
    const users = ['x', 'y', 'y'].map((name) => ({ name }));
    const { results } = await admin.call(api.describeUserScramCredentials, 0, { users });
    expect(results.map(({ user, errorCode }) => [user, errorCode])).toEqual([
      ['x', CODE.RESOURCE_NOT_FOUND],
      ['y', CODE.DUPLICATE_RESOURCE],
    ]);
  });
});

function grantOf([resourceType, resourceName, operation]: Case['grant']) {
  return {
    resourceType: RESOURCE_TYPE[resourceType],
    resourceName,
    resourcePatternType: PATTERN.literal,
    principal: 'User:ann',
    host: '*',
    operation: OPERATION[operation],
    permissionType: PERMISSION.allow,
  };
}

async function allow(creation: ReturnType<typeof grantOf>): Promise<void> {
  const { results } = await admin.call(api.createAcls, 3, { creations: [creation] });
  expect(results).toMatchObject([{ errorCode: 0 }]);
}

async function revoke(rule: ReturnType<typeof grantOf>): Promise<void> {
  const filter = {
    resourceTypeFilter: rule.resourceType,
    resourceNameFilter: rule.resourceName,
    patternTypeFilter: rule.resourcePatternType,
    principalFilter: rule.principal,
    hostFilter: rule.host,
    operation: rule.operation,
    permissionType: rule.permissionType,
  };
  const { filterResults } = await admin.call(api.deleteAcls, 3, { filters: [filter] });
  expect(filterResults[0]!.matchingAcls).toHaveLength(1);
}

async function commit(client: RawClient): Promise<number> {
  const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }];
  const { topics } = await client.call(api.offsetCommit, 5, {
    groupId: 'readers',
    memberId: '',
    topics: [{ name: 'logs', partitions }],
  });
  return topics[0]!.partitions[0]!.errorCode;
}

async function fetchPositions(client: RawClient, topics: typeof positions | null = positions) {
  return (await client.call(api.offsetFetch, 8, { groups: [{ groupId: 'readers', topics }] })).groups[0]!;
}

async function describeConfigs(client: RawClient, type: number, name: string): Promise<number> {
  const resources = [{ ...config(type, name), configurationKeys: null }];
  return (await client.call(api.describeConfigs, 1, { resources })).results[0]!.errorCode;
}
