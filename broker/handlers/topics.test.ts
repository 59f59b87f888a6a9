import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { recordBatch } from '../../test/support/record-batch.ts';
import { makeTopic, produceTo, topicId } from '../../test/support/requests.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { CODE, errorName } from '../wire/errors.ts';
import { ZERO_UUID } from '../wire/schema.ts';
import {
  alterConfigs,
  apiVersions,
  createTopics,
  deleteTopics,
  describeCluster,
  describeConfigs,
  incrementalAlterConfigs,
  listOffsets,
  metadata,
  offsetForLeaderEpoch,
} from '../wire/schemas/index.ts';

let broker: TestBroker;
let client: RawClient;
beforeAll(async () => {
  broker = await startTestBroker({ numPartitions: 3 });
  client = await RawClient.connect(broker.port);
  await makeTopic(client, 't');
});
afterAll(async () => {
  client?.close();
  await broker?.stop();
});

describe('ApiVersions', () => {
  test('advertises Produce from 0, by which librdkafka decides whether it may compress', async () => {
    for (let version = 0; version <= 5; version += 1) {
      const software = { clientSoftwareName: 'test', clientSoftwareVersion: '1.0' };
      const { errorCode, apiKeys } = await client.call(apiVersions, version, software);
      expect(errorCode).toBe(0);
      expect(apiKeys.find(({ apiKey }) => apiKey === 0)).toMatchObject({ minVersion: 0, maxVersion: 13 });
      expect(apiKeys.find(({ apiKey }) => apiKey === 1)).toMatchObject({ minVersion: 4, maxVersion: 18 });
    }
  });

  // What librdkafka 2.0.2 looks for before it uses a feature.
  const features = [
    { what: 'consumer groups', key: 8, version: 2 },
    { what: 'consumer groups', key: 9, version: 1 },
    ...[11, 14, 12, 13, 10].map((key) => ({ what: 'consumer groups', key, version: 0 })),
    { what: 'zstd', key: 0, version: 7 },
    { what: 'zstd', key: 1, version: 10 },
    { what: 'truncation detection', key: 23, version: 2 },
  ];
  for (const { what, key, version } of features) {
    test(`${what}: key ${key} has version ${version}`, async () => {
      const { apiKeys } = await client.call(apiVersions, 0, {});
      const row = apiKeys.find(({ apiKey }) => apiKey === key);
      expect(row?.minVersion).toBeLessThanOrEqual(version);
      expect(row?.maxVersion).toBeGreaterThanOrEqual(version);
    });
  }

  test('a software name that is no name is refused', async () => {
    const odd = { clientSoftwareName: '-x-', clientSoftwareVersion: '1' };
    expect((await client.call(apiVersions, 3, odd)).errorCode).toBe(CODE.INVALID_REQUEST);
  });
});

describe('Metadata', () => {
  const names = (topics: ReadonlyArray<{ name: string | null }>) => topics.map(({ name }) => name);

  test('v0: an empty list is all topics; later it is none, and null is all', async () => {
    expect(names((await client.call(metadata, 0, { topics: [] })).topics)).toContain('t');
    expect((await client.call(metadata, 1, { topics: [] })).topics).toEqual([]);
    expect(names((await client.call(metadata, 1, { topics: null })).topics)).toContain('t');
  });

  test('every version names the node, the cluster from v2 and topic ids from v10', async () => {
    for (let version = 0; version <= 13; version += 1) {
      const answer = await client.call(metadata, version, { topics: [{ name: 't' }] });
      expect(answer.brokers).toMatchObject([{ nodeId: 1, host: 'localhost', port: broker.port }]);
      expect(answer.clusterId === null).toBe(version < 2);
      expect(answer.controllerId).toBe(version >= 1 ? 1 : -1);
      expect(answer.topics[0]!.partitions[0]).toMatchObject({
        leaderId: 1,
        replicaNodes: [1],
        isrNodes: [1],
      });
      expect(answer.topics[0]!.topicId === ZERO_UUID).toBe(version < 10);
    }
  });

  test('a missing topic is made with num.partitions, unless the client says no', async () => {
    const no = { topics: [{ name: 'auto' }], allowAutoTopicCreation: false };
    expect((await client.call(metadata, 4, no)).topics[0]!.errorCode).toBe(CODE.UNKNOWN_TOPIC_OR_PARTITION);
    const yes = await client.call(metadata, 4, { topics: [{ name: 'auto' }] });
    expect(yes.topics[0]).toMatchObject({ errorCode: 0, partitions: [{}, {}, {}] });
  });

  test('two clients that ask for the same missing topic at once both get it', async () => {
    const other = await RawClient.connect(broker.port);
    const answers = await Promise.all(
      [client, other].map((one) => one.call(metadata, 4, { topics: [{ name: 'at-once' }] })),
    );
    expect(answers.map(({ topics }) => topics[0]!.errorCode)).toEqual([0, 0]);
    other.close();
  });

  for (const name of ['../etc', '..', '.', '', 'a/b', 'x'.repeat(250), 'ü']) {
    test(`auto-creation refuses ${JSON.stringify(name.slice(0, 20))}`, async () => {
      const answer = await client.call(metadata, 4, { topics: [{ name }] });
      expect(answer.topics[0]!.errorCode).toBe(CODE.INVALID_TOPIC_EXCEPTION);
    });
  }

  test('by id from v12; an unknown id is UNKNOWN_TOPIC_ID', async () => {
    const id = await topicId(client, 't');
    const known = await client.call(metadata, 12, { topics: [{ name: null, topicId: id }] });
    expect(known.topics[0]).toMatchObject({ errorCode: 0, name: 't' });
    const gone = { name: null, topicId: '00112233-4455-4677-8899-aabbccddeeff' };
    const unknown = await client.call(metadata, 12, { topics: [gone] });
    expect(unknown.topics[0]!.errorCode).toBe(CODE.UNKNOWN_TOPIC_ID);
  });

  test('by id with an empty name, as the Java client asks', async () => {
    const id = await topicId(client, 't');
    const { topics } = await client.call(metadata, 12, {
      topics: [
        { name: '', topicId: id },
        { name: '', topicId: '00112233-4455-4677-8899-aabbccddeeff' },
      ],
      allowAutoTopicCreation: true,
    });
    expect(topics).toMatchObject([
      { errorCode: 0, name: 't', topicId: id },
      { errorCode: CODE.UNKNOWN_TOPIC_ID, name: null },
    ]);
  });

  test('what may be done to a topic is told also where it is not there', async () => {
    const { topics } = await client.call(metadata, 12, {
      topics: [{ name: 'not-there', topicId: ZERO_UUID }],
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: true,
    });
    expect(topics[0]).toMatchObject({
      errorCode: CODE.UNKNOWN_TOPIC_OR_PARTITION,
      topicAuthorizedOperations: 0b1101_1111_1000,
    });
  });

  test('__consumer_offsets comes with its own settings and is internal', async () => {
    const answer = await client.call(metadata, 4, { topics: [{ name: '__consumer_offsets' }] });
    expect(answer.topics[0]).toMatchObject({ errorCode: 0, isInternal: true });
    expect(answer.topics[0]!.partitions).toHaveLength(50);
  });
});

describe('CreateTopics', () => {
  const topic = (name: string, given: object = {}) => ({
    name,
    numPartitions: 1,
    replicationFactor: 1,
    assignments: [],
    configs: [],
    ...given,
  });

  test('every version; from v5 with what was made, from v7 with its id', async () => {
    for (let version = 0; version <= 7; version += 1) {
      const { topics } = await client.call(createTopics, version, { topics: [topic(`v${version}`)] });
      expect(topics[0]!.errorCode).toBe(0);
      expect(topics[0]!.numPartitions).toBe(version >= 5 ? 1 : -1);
      expect(topics[0]!.topicId === ZERO_UUID).toBe(version < 7);
    }
  });

  const refusals: Array<{ what: string; asked: ReturnType<typeof topic>; want: string }> = [
    { what: 'a name with ../', asked: topic('../x'), want: 'INVALID_TOPIC_EXCEPTION' },
    { what: 'an existing name', asked: topic('t'), want: 'TOPIC_ALREADY_EXISTS' },
    {
      what: 'three replicas on one node',
      asked: topic('a', { replicationFactor: 3 }),
      want: 'INVALID_REPLICATION_FACTOR',
    },
    { what: 'no replicas', asked: topic('a', { replicationFactor: 0 }), want: 'INVALID_REPLICATION_FACTOR' },
    { what: 'no partitions', asked: topic('a', { numPartitions: 0 }), want: 'INVALID_PARTITIONS' },
    {
      what: 'both counts and an assignment',
      asked: topic('a', { assignments: [{ partitionIndex: 0, brokerIds: [1] }] }),
      want: 'INVALID_REQUEST',
    },
    {
      what: 'an assignment to an unknown node',
      asked: topic('a', {
        numPartitions: -1,
        replicationFactor: -1,
        assignments: [{ partitionIndex: 0, brokerIds: [9] }],
      }),
      want: 'INVALID_REPLICA_ASSIGNMENT',
    },
    {
      what: 'an unknown setting',
      asked: topic('a', { configs: [{ name: 'x', value: '1' }] }),
      want: 'INVALID_CONFIG',
    },
    {
      what: 'a setting out of its range',
      asked: topic('a', { configs: [{ name: 'retention.ms', value: '-2' }] }),
      want: 'INVALID_CONFIG',
    },
    {
      what: 'a codec that there is not',
      asked: topic('a', { configs: [{ name: 'compression.type', value: 'brotli' }] }),
      want: 'INVALID_CONFIG',
    },
  ];
  for (const { what, asked, want } of refusals) {
    test(`${what}: ${want}, and the neighbour is created`, async () => {
      const neighbour = topic(`beside-${want}-${what.length}`);
      const { topics } = await client.call(createTopics, 4, { topics: [asked, neighbour] });
      expect(topics.map(({ errorCode }) => errorName(errorCode))).toEqual([want, 'NONE']);
      expect(topics[0]!.errorMessage).toMatch(/^cannot /);
    });
  }

  test('more than 10,000 partitions in one request: POLICY_VIOLATION for all of it', async () => {
    const asked = [topic('many', { numPartitions: 10_000 }), topic('one-more')];
    const { topics } = await client.call(createTopics, 4, { topics: asked });
    expect(topics.map(({ errorCode }) => errorName(errorCode))).toEqual([
      'POLICY_VIOLATION',
      'POLICY_VIOLATION',
    ]);
  });

  test('topics that the broker makes for itself are refused', async () => {
    const names = ['__transaction_state', '__share_group_state', '__cluster_metadata'];
    const { topics } = await client.call(createTopics, 4, { topics: names.map((name) => topic(name)) });
    expect(topics.map(({ errorCode }) => errorName(errorCode))).toEqual([
      'INVALID_TOPIC_EXCEPTION',
      'INVALID_TOPIC_EXCEPTION',
      'INVALID_REQUEST',
    ]);
  });

  test('an assignment to this node makes as many partitions as it names', async () => {
    const assignments = [0, 1, 2].map((partitionIndex) => ({ partitionIndex, brokerIds: [1] }));
    const asked = topic('assigned', { numPartitions: -1, replicationFactor: -1, assignments });
    const { topics } = await client.call(createTopics, 5, { topics: [asked] });
    expect(topics).toMatchObject([{ errorCode: 0, numPartitions: 3, replicationFactor: 1 }]);
  });

  test('the same name twice is refused once', async () => {
    const { topics } = await client.call(createTopics, 4, { topics: [topic('twice'), topic('twice')] });
    expect(topics).toMatchObject([{ name: 'twice', errorCode: CODE.INVALID_REQUEST }]);
  });

  test('a name that collides in Kafka metrics is refused', async () => {
    await makeTopic(client, 'with.dot');
    const { topics } = await client.call(createTopics, 4, { topics: [topic('with_dot')] });
    expect(topics[0]!.errorCode).toBe(CODE.INVALID_TOPIC_EXCEPTION);
  });

  test('validate_only makes nothing', async () => {
    const only = { topics: [topic('only')], validateOnly: true };
    expect((await client.call(createTopics, 4, only)).topics[0]!.errorCode).toBe(0);
    const asked = { topics: [{ name: 'only' }], allowAutoTopicCreation: false };
    expect((await client.call(metadata, 4, asked)).topics[0]!.errorCode).toBe(
      CODE.UNKNOWN_TOPIC_OR_PARTITION,
    );
  });

  test('-1 takes the defaults that DescribeConfigs tells', async () => {
    await makeTopic(client, 'defaults', { partitions: -1 });
    const { topics } = await client.call(metadata, 4, { topics: [{ name: 'defaults' }] });
    const resources = [{ resourceType: 4, resourceName: '1', configurationKeys: ['num.partitions'] }];
    const { results } = await client.call(describeConfigs, 1, { resources });
    expect(`${topics[0]!.partitions.length}`).toBe(results[0]!.configs[0]!.value);
  });
});

describe('DeleteTopics', () => {
  test('by name, by id, and a recreated topic has another id', async () => {
    const first = await makeTopic(client, 'gone');
    for (let version = 0; version <= 5; version += 1) {
      await makeTopic(client, `gone-${version}`);
      const { responses } = await client.call(deleteTopics, version, {
        topicNames: [`gone-${version}`],
        timeoutMs: 1,
      });
      expect(responses[0]!.errorCode).toBe(0);
    }
    const byId = await client.call(deleteTopics, 6, {
      topics: [{ name: null, topicId: first }],
      timeoutMs: 1,
    });
    expect(byId.responses[0]).toMatchObject({ errorCode: 0, name: 'gone' });
    expect(await makeTopic(client, 'gone')).not.toBe(first);
  });

  test('what is not there, is internal, or is named twice over is refused', async () => {
    await client.call(metadata, 4, { topics: [{ name: '__consumer_offsets' }] });
    const id = await topicId(client, 't');
    const { responses } = await client.call(deleteTopics, 6, {
      topics: [
        { name: 'none', topicId: ZERO_UUID },
        { name: null, topicId: '00112233-4455-4677-8899-aabbccddeeff' },
        { name: '__consumer_offsets', topicId: ZERO_UUID },
        { name: 't', topicId: id },
      ],
      timeoutMs: 1,
    });
    expect(responses.map(({ errorCode }) => errorName(errorCode))).toEqual([
      'UNKNOWN_TOPIC_OR_PARTITION',
      'UNKNOWN_TOPIC_ID',
      'INVALID_TOPIC_EXCEPTION',
      'INVALID_REQUEST',
    ]);
  });
});

describe('ListOffsets', () => {
  const at = async (timestamp: number, version: number, partition = 0) => {
    const { topics } = await client.call(listOffsets, version, {
      replicaId: -1,
      topics: [{ name: 'times', partitions: [{ partitionIndex: partition, timestamp }] }],
    });
    return topics[0]!.partitions[0]!;
  };
  const base = 1_700_000_000_000;
  beforeAll(async () => {
    await makeTopic(client, 'times', { partitions: 2 });
    const values = Array.from({ length: 20 }, (_, i) => `${i}`);
    await produceTo(client, 'times', recordBatch({ values, baseTimestamp: base, codec: 'gzip' }));
  });

  test('v0 answers a list', async () => {
    expect((await at(-1, 0)).oldStyleOffsets).toEqual([20]);
    expect((await at(-2, 0)).oldStyleOffsets).toEqual([0]);
  });

  test('every version knows both ends', async () => {
    for (let version = 1; version <= 11; version += 1) {
      expect(await at(-1, version)).toMatchObject({ errorCode: 0, offset: 20 });
      expect(await at(-2, version)).toMatchObject({ errorCode: 0, offset: 0 });
    }
  });

  test('a time finds the record, not the batch: inside a compressed batch too', async () => {
    expect(await at(base + 10, 5)).toMatchObject({ offset: 10, timestamp: base + 10 });
    expect(await at(base + 100, 5)).toMatchObject({ errorCode: 0, offset: -1, timestamp: -1 });
  });

  test('-3 is the record with the largest timestamp, -4 the local start, -5 and -6 nothing', async () => {
    expect(await at(-3, 7)).toMatchObject({ offset: 19, timestamp: base + 19 });
    expect(await at(-4, 8)).toMatchObject({ errorCode: 0, offset: 0 });
    expect(await at(-5, 9)).toMatchObject({ errorCode: 0, offset: -1 });
    expect(await at(-6, 11)).toMatchObject({ errorCode: 0, offset: -1 });
    expect((await at(-3, 6)).errorCode).toBe(CODE.UNSUPPORTED_VERSION);
  });

  test('an unknown partition is refused alone', async () => {
    expect((await at(-1, 5, 7)).errorCode).toBe(CODE.UNKNOWN_TOPIC_OR_PARTITION);
  });
});

test('OffsetForLeaderEpoch: the end for the current epoch, -1 for one that never was', async () => {
  await makeTopic(client, 'epoch');
  await produceTo(client, 'epoch', recordBatch({ values: ['a', 'b'] }));
  for (let version = 2; version <= 4; version += 1) {
    const partitions = [0, 9].map((leaderEpoch) => ({ partition: 0, leaderEpoch }));
    const { topics } = await client.call(offsetForLeaderEpoch, version, {
      topics: [{ topic: 'epoch', partitions }],
    });
    expect(topics[0]!.partitions).toMatchObject([
      { errorCode: 0, leaderEpoch: 0, endOffset: 2 },
      { errorCode: 0, leaderEpoch: -1, endOffset: -1 },
    ]);
  }
});

describe('DescribeConfigs', () => {
  test('all settings or the named ones, with their source', async () => {
    await makeTopic(client, 'configs', { configs: { 'retention.ms': '5000' } });
    for (let version = 0; version <= 4; version += 1) {
      const ask = async (configurationKeys: string[] | null) => {
        const { results } = await client.call(describeConfigs, version, {
          resources: [{ resourceType: 2, resourceName: 'configs', configurationKeys }],
          includeSynonyms: true,
          includeDocumentation: true,
        });
        return results[0]!.configs;
      };
      expect((await ask(null)).length).toBeGreaterThan(15);
      const [own] = await ask(['retention.ms']);
      expect(own).toMatchObject({ name: 'retention.ms', value: '5000' });
      expect(own!.configSource).toBe(version >= 1 ? 1 : -1);
      expect(own!.synonyms.map(({ source }) => source)).toEqual(version >= 1 ? [1] : []);
      expect(own!.documentation === null || own!.documentation === '').toBe(version < 3);
    }
  });

  const refused = [
    {
      what: 'a topic that is not there',
      resource: { resourceType: 2, resourceName: 'none' },
      want: 'UNKNOWN_TOPIC_OR_PARTITION',
    },
    { what: 'another broker', resource: { resourceType: 4, resourceName: '7' }, want: 'INVALID_REQUEST' },
    {
      what: 'another kind of thing',
      resource: { resourceType: 99, resourceName: 'x' },
      want: 'INVALID_REQUEST',
    },
  ];
  for (const { what, resource, want } of refused) {
    test(`${what}: ${want}`, async () => {
      const { results } = await client.call(describeConfigs, 2, {
        resources: [{ ...resource, configurationKeys: null }],
      });
      expect(errorName(results[0]!.errorCode)).toBe(want);
    });
  }
});

describe('AlterConfigs and IncrementalAlterConfigs', () => {
  const settings = async () => {
    const { results } = await client.call(describeConfigs, 1, {
      resources: [
        {
          resourceType: 2,
          resourceName: 'altered',
          configurationKeys: ['cleanup.policy', 'retention.ms', 'segment.ms'],
        },
      ],
    });
    return Object.fromEntries(
      results[0]!.configs.map(({ name, value, configSource }) => [name, `${value} ${configSource}`]),
    );
  };
  const change = async (
    name: string,
    configOperation: number,
    value: string | null,
    validateOnly = false,
  ) => {
    const resources = [
      { resourceType: 2, resourceName: 'altered', configs: [{ name, configOperation, value }] },
    ];
    const { responses } = await client.call(incrementalAlterConfigs, 1, { resources, validateOnly });
    return errorName(responses[0]!.errorCode);
  };
  beforeAll(() => makeTopic(client, 'altered', { configs: { 'segment.ms': '77' } }));

  test('set, append, subtract and delete read back, with their source', async () => {
    expect(await change('retention.ms', 0, '5000')).toBe('NONE');
    expect(await change('cleanup.policy', 2, 'compact')).toBe('NONE');
    expect(await settings()).toEqual({
      'cleanup.policy': 'delete,compact 1',
      'retention.ms': '5000 1',
      'segment.ms': '77 1',
    });
    expect(await change('cleanup.policy', 3, 'delete')).toBe('NONE');
    expect(await change('retention.ms', 1, null)).toBe('NONE');
    expect(await settings()).toMatchObject({ 'cleanup.policy': 'compact 1', 'retention.ms': '604800000 5' });
  });

  test('what cannot be is refused and changes nothing', async () => {
    const before = await settings();
    expect(await change('retention.ms', 0, 'x')).toBe('INVALID_CONFIG');
    expect(await change('retention.ms', 2, '1')).toBe('INVALID_CONFIG');
    expect(await change('no.such', 0, '1')).toBe('INVALID_CONFIG');
    expect(await change('retention.ms', 9, '1')).toBe('INVALID_REQUEST');
    expect(await change('retention.ms', 0, null)).toBe('INVALID_REQUEST');
    expect(await change('retention.ms', 0, '1', true)).toBe('NONE');
    expect(await settings()).toEqual(before);
  });

  test('AlterConfigs replaces the whole set', async () => {
    const replace = async (resource: object) => {
      const resources = [{ resourceType: 2, resourceName: 'altered', configs: [], ...resource }];
      const { responses } = await client.call(alterConfigs, 1, { resources, validateOnly: false });
      return errorName(responses[0]!.errorCode);
    };
    expect(await replace({ configs: [{ name: 'retention.ms', value: '9000' }] })).toBe('NONE');
    expect(await settings()).toEqual({
      'cleanup.policy': 'delete 5',
      'retention.ms': '9000 1',
      'segment.ms': '604800000 5',
    });
    expect(await replace({ resourceName: 'none' })).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(await replace({ resourceType: 8, resourceName: '1' })).toBe('INVALID_REQUEST');
  });
});

test('DescribeCluster names this node; asked for controllers it says that clients see none', async () => {
  for (let version = 0; version <= 2; version += 1) {
    const answer = await client.call(describeCluster, version, { includeClusterAuthorizedOperations: false });
    expect(answer).toMatchObject({
      errorCode: 0,
      controllerId: 1,
      brokers: [{ brokerId: 1, port: broker.port }],
    });
  }
  const controllers = { includeClusterAuthorizedOperations: false, endpointType: 2 };
  expect((await client.call(describeCluster, 1, controllers)).errorCode).toBe(CODE.MISMATCHED_ENDPOINT_TYPE);
});
