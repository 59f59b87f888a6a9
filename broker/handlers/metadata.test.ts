import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { makeTopic } from '../../test/support/requests.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { errorName } from '../wire/errors.ts';
import { createTopics, deleteTopics, describeConfigs, metadata, produce } from '../wire/schemas/index.ts';

let broker: TestBroker;
let client: RawClient;
beforeAll(async () => {
  broker = await startTestBroker({ numPartitions: 2 });
  client = await RawClient.connect(broker.port);
});
afterAll(async () => {
  client?.close();
  await broker?.stop();
});

const ask = async (from: RawClient, name: string, allowAutoTopicCreation = false) =>
  (await from.call(metadata, 9, { topics: [{ name }], allowAutoTopicCreation })).topics[0]!;

test('the answer that makes a topic names its leader, and it can be written to at once', async () => {
  const made = await ask(client, 'fresh', true);
  expect(made).toMatchObject({ errorCode: 0, partitions: [{ leaderId: 1 }, { leaderId: 1 }] });
});

test('replicas and isr are the leader alone, and none is offline', async () => {
  await makeTopic(client, 'alone', { partitions: 3 });
  const { partitions } = await ask(client, 'alone');
  expect(partitions).toHaveLength(3);
  for (const one of partitions) {
    expect(one).toMatchObject({ leaderId: 1, replicaNodes: [1], isrNodes: [1], offlineReplicas: [] });
  }
});

test('a deleted topic is gone from Metadata at once', async () => {
  await makeTopic(client, 'short');
  await client.call(deleteTopics, 5, { topicNames: ['short'], timeoutMs: 1_000 });
  expect(errorName((await ask(client, 'short')).errorCode)).toBe('UNKNOWN_TOPIC_OR_PARTITION');
  const { topics } = await client.call(metadata, 9, { topics: null });
  expect(topics.map(({ name }) => name)).not.toContain('short');
});

test('Produce makes no topic', async () => {
  const records = Buffer.alloc(0);
  await client.call(produce, 7, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 1_000,
    topicData: [{ name: 'not-made', partitionData: [{ index: 0, records }] }],
  });
  expect(errorName((await ask(client, 'not-made')).errorCode)).toBe('UNKNOWN_TOPIC_OR_PARTITION');
});

test('topic ids are random UUIDs of version 4', async () => {
  const ids = [await makeTopic(client, 'one'), await makeTopic(client, 'two')];
  for (const id of ids)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(ids[0]).not.toBe(ids[1]);
});

test('default.replication.factor is what a topic with -1 gets, and 1', async () => {
  const resources = [
    { resourceType: 4, resourceName: '1', configurationKeys: ['default.replication.factor'] },
  ];
  const { results } = await client.call(describeConfigs, 4, { resources });
  const asked = {
    name: 'replicated',
    numPartitions: -1,
    replicationFactor: -1,
    assignments: [],
    configs: [],
  };
  const { topics } = await client.call(createTopics, 7, { topics: [asked] });
  expect(results[0]!.configs).toMatchObject([{ name: 'default.replication.factor', value: '1' }]);
  expect(topics).toMatchObject([{ errorCode: 0, replicationFactor: 1 }]);
});

describe('of another broker', () => {
  let other: TestBroker;
  let its: RawClient;
  beforeAll(async () => {
    other = await startTestBroker({ autoCreateTopics: false, nodeId: 0 });
    its = await RawClient.connect(other.port);
  });
  afterAll(async () => {
    its?.close();
    await other?.stop();
  });

  test('with auto-creation switched off nothing is made, whatever the client says', async () => {
    for (const version of [3, 9]) {
      const topics = [{ name: `off-${version}` }];
      const answer = await its.call(metadata, version, { topics, allowAutoTopicCreation: true });
      expect(errorName(answer.topics[0]!.errorCode)).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    }
    expect((await its.call(metadata, 9, { topics: null })).topics).toEqual([]);
  });

  test('node ids begin at 0 where that is set', async () => {
    await makeTopic(its, 't');
    const answer = await its.call(metadata, 9, { topics: null });
    expect(answer).toMatchObject({ controllerId: 0, brokers: [{ nodeId: 0 }] });
    expect(answer.topics[0]!.partitions).toMatchObject([{ leaderId: 0, isrNodes: [0] }]);
  });

  test('the cluster id is the same after a restart, and not that of another broker', async () => {
    const idOf = async (from: RawClient) => (await from.call(metadata, 9, { topics: [] })).clusterId;
    const before = await idOf(its);
    expect(before).toMatch(/^[A-Za-z0-9_-]{22}$/);
    its.close();
    await other.restart();
    its = await RawClient.connect(other.port);
    expect(await idOf(its)).toBe(before);
    expect(await idOf(client)).not.toBe(before);
  });
});
