import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { recordBatch } from '../../test/support/record-batch.ts';
import { fetchFrom, makeTopic, produceTo } from '../../test/support/requests.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { errorName } from '../wire/errors.ts';
import {
  alterPartitionReassignments,
  alterReplicaLogDirs,
  createPartitions,
  createTopics,
  deleteRecords,
  deleteTopics,
  describeLogDirs,
  describeQuorum,
  describeTopicPartitions,
  electLeaders,
  incrementalAlterConfigs,
  listConfigResources,
  listPartitionReassignments,
  metadata,
} from '../wire/schemas/index.ts';

let broker: TestBroker;
let client: RawClient;
beforeAll(async () => {
  broker = await startTestBroker();
  client = await RawClient.connect(broker.port);
  await client.call(metadata, 4, { topics: [{ name: '__consumer_offsets' }] });
});
afterAll(async () => {
  client?.close();
  await broker?.stop();
});

describe('DeleteRecords', () => {
  const deleteTo = async (name: string, offset: number, version = 2, partitionIndex = 0) => {
    const partitions = [{ partitionIndex, offset }];
    const { topics } = await client.call(deleteRecords, version, {
      topics: [{ name, partitions }],
      timeoutMs: 1_000,
    });
    const { lowWatermark, errorCode } = topics[0]!.partitions[0]!;
    return `${errorName(errorCode)} ${lowWatermark}`;
  };
  const filled = async (name: string) => {
    await makeTopic(client, name);
    for (const value of ['a', 'b', 'c', 'd']) await produceTo(client, name, recordBatch({ values: [value] }));
    return name;
  };

  test('moves the start in every version; what is below cannot be read', async () => {
    for (let version = 0; version <= 2; version += 1) {
      const name = await filled(`records-${version}`);
      expect(await deleteTo(name, 2, version)).toBe('NONE 2');
      expect(errorName((await fetchFrom(client, name, 1)).errorCode)).toBe('OFFSET_OUT_OF_RANGE');
      expect((await fetchFrom(client, name, 2)).errorCode).toBe(0);
    }
  });

  test('-1 is the high watermark', async () => {
    expect(await deleteTo(await filled('to-end'), -1)).toBe('NONE 4');
  });

  test('below the start succeeds, changes nothing and answers the start', async () => {
    const name = await filled('below');
    expect(await deleteTo(name, 3)).toBe('NONE 3');
    expect(await deleteTo(name, 1)).toBe('NONE 3');
    expect((await fetchFrom(client, name, 3)).errorCode).toBe(0);
  });

  test('above the high watermark is OFFSET_OUT_OF_RANGE, and so is less than -1', async () => {
    const name = await filled('above');
    expect(await deleteTo(name, 5)).toBe('OFFSET_OUT_OF_RANGE -1');
    expect(await deleteTo(name, -2)).toBe('OFFSET_OUT_OF_RANGE -1');
  });

  test('a topic that is compacted only is POLICY_VIOLATION; one that is deleted too is not', async () => {
    await makeTopic(client, 'both', { configs: { 'cleanup.policy': 'compact,delete' } });
    expect(await deleteTo('both', -1)).toBe('NONE 0');
    await makeTopic(client, 'compacted', { configs: { 'cleanup.policy': 'compact' } });
    expect(await deleteTo('compacted', -1)).toBe('POLICY_VIOLATION -1');
  });

  test('what is not there, or is internal, is refused alone', async () => {
    expect(await deleteTo('none', 0)).toBe('UNKNOWN_TOPIC_OR_PARTITION -1');
    expect(await deleteTo(await filled('here'), 0, 2, 7)).toBe('UNKNOWN_TOPIC_OR_PARTITION -1');
    expect(await deleteTo('__consumer_offsets', 0)).toBe('INVALID_TOPIC_EXCEPTION -1');
  });

  test('the start is where it was after a restart', async () => {
    const name = await filled('durable');
    expect(await deleteTo(name, 3)).toBe('NONE 3');
    await broker.restart();
    client = await RawClient.connect(broker.port);
    expect(await deleteTo(name, 0)).toBe('NONE 3');
  });
});

describe('CreatePartitions', () => {
  const grow = async (
    name: string,
    count: number,
    { assignments = null as number[][] | null, validateOnly = false, version = 3 } = {},
  ) => {
    const { results } = await client.call(createPartitions, version, {
      topics: [{ name, count, assignments: assignments && assignments.map((brokerIds) => ({ brokerIds })) }],
      timeoutMs: 1_000,
      validateOnly,
    });
    return errorName(results[0]!.errorCode);
  };
  const countOf = async (name: string) => {
    const { topics } = await client.call(metadata, 4, { topics: [{ name }], allowAutoTopicCreation: false });
    return topics[0]!.partitions.length;
  };

  test('grows a topic in every version', async () => {
    await makeTopic(client, 'grows');
    for (let version = 0; version <= 3; version += 1) {
      expect(await grow('grows', version + 2, { version })).toBe('NONE');
      expect(await countOf('grows')).toBe(version + 2);
    }
  });

  test('honours an assignment that names this node for every added partition', async () => {
    await makeTopic(client, 'by-hand');
    expect(await grow('by-hand', 3, { assignments: [[1], [1]] })).toBe('NONE');
    expect(await countOf('by-hand')).toBe(3);
    expect(await grow('by-hand', 5, { assignments: [[1]] })).toBe('INVALID_REPLICA_ASSIGNMENT');
    expect(await grow('by-hand', 4, { assignments: [[9]] })).toBe('INVALID_REPLICA_ASSIGNMENT');
    expect(await grow('by-hand', 4, { assignments: [[]] })).toBe('INVALID_REPLICA_ASSIGNMENT');
  });

  test('validate only adds nothing', async () => {
    await makeTopic(client, 'stays');
    expect(await grow('stays', 4, { validateOnly: true })).toBe('NONE');
    expect(await countOf('stays')).toBe(1);
  });

  test('refuses fewer, as many, and too many partitions', async () => {
    await makeTopic(client, 'counted', { partitions: 3 });
    for (const count of [-1, 0, 2, 3, 10_001]) {
      expect(await grow('counted', count)).toBe('INVALID_PARTITIONS');
    }
  });

  test('refuses what is not there, is internal, or comes twice', async () => {
    expect(await grow('none', 2)).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(await grow('__consumer_offsets', 60)).toBe('INVALID_TOPIC_EXCEPTION');
    await makeTopic(client, 'grown-twice');
    const topics = [2, 3].map((count) => ({ name: 'grown-twice', count, assignments: null }));
    const twice = await client.call(createPartitions, 3, { topics, timeoutMs: 1, validateOnly: false });
    expect(twice.results.map(({ errorCode }) => errorName(errorCode))).toEqual(['INVALID_REQUEST']);
  });
});

describe('DescribeLogDirs', () => {
  test('null topics are all, with sizes; an absolute path; the disk from v4', async () => {
    await makeTopic(client, 'sized', { partitions: 2 });
    await produceTo(client, 'sized', recordBatch({ values: ['x'.repeat(500)] }));
    for (let version = 1; version <= 5; version += 1) {
      const { errorCode, results } = await client.call(describeLogDirs, version, { topics: null });
      expect([errorCode, results.length]).toEqual([0, 1]);
      const [dir] = results;
      expect(dir!.logDir).toMatch(/^\//);
      expect(dir!.isCordoned).toBe(false);
      expect(dir!.totalBytes > 0 && dir!.usableBytes > 0).toBe(version >= 4);
      const { partitions } = dir!.topics.find(({ name }) => name === 'sized')!;
      expect(partitions).toMatchObject([
        { partitionIndex: 0, offsetLag: 0, isFutureKey: false },
        { partitionIndex: 1, partitionSize: 0 },
      ]);
      expect(partitions[0]!.partitionSize).toBeGreaterThan(500);
    }
  });

  test('named partitions are those alone', async () => {
    await makeTopic(client, 'some', { partitions: 3 });
    const topics = [
      { topic: 'some', partitions: [1, 9] },
      { topic: 'none', partitions: [0] },
    ];
    const { results } = await client.call(describeLogDirs, 4, { topics });
    expect(results[0]!.topics).toMatchObject([{ name: 'some', partitions: [{ partitionIndex: 1 }] }]);
  });
});

describe('DescribeTopicPartitions', () => {
  type Cursor = { topicName: string; partitionIndex: number } | null;
  const ask = (names: string[], responsePartitionLimit = 2_000, cursor: Cursor = null) =>
    client.call(describeTopicPartitions, 0, {
      topics: names.map((name) => ({ name })),
      responsePartitionLimit,
      cursor,
    });

  test('named topics sorted, each with its error; no name is all topics', async () => {
    await makeTopic(client, 'dtp-b');
    await makeTopic(client, 'dtp-a');
    const { topics, nextCursor } = await ask(['dtp-b', 'nowhere', 'dtp-a', 'a b']);
    expect(topics.map(({ name, errorCode }) => `${name} ${errorName(errorCode)}`)).toEqual([
      'a b INVALID_TOPIC_EXCEPTION',
      'dtp-a NONE',
      'dtp-b NONE',
      'nowhere UNKNOWN_TOPIC_OR_PARTITION',
    ]);
    expect(topics[1]!.partitions[0]).toMatchObject({ leaderId: 1, replicaNodes: [1], isrNodes: [1] });
    expect(nextCursor).toBeNull();
    expect((await ask([])).topics.map(({ name }) => name)).toContain('__consumer_offsets');
  });

  test('the cursor goes through all partitions, each once', async () => {
    await makeTopic(client, 'pages-a', { partitions: 5 });
    await makeTopic(client, 'pages-b', { partitions: 3 });
    for (const limit of [1, 2, 3, 5, 8]) {
      const seen: string[] = [];
      let cursor: Cursor = null;
      do {
        const part: Awaited<ReturnType<typeof ask>> = await ask(['pages-a', 'pages-b'], limit, cursor);
        const partitions = part.topics.flatMap((topic) =>
          topic.partitions.map(({ partitionIndex }) => `${topic.name} ${partitionIndex}`),
        );
        expect(partitions.length).toBeLessThanOrEqual(limit);
        seen.push(...partitions);
        cursor = part.nextCursor;
      } while (cursor);
      expect(seen).toEqual([
        ...[0, 1, 2, 3, 4].map((i) => `pages-a ${i}`),
        ...[0, 1, 2].map((i) => `pages-b ${i}`),
      ]);
    }
  });
});

describe('ListConfigResources', () => {
  test('v0 lists client metrics, v1 the kinds that are asked for or all', async () => {
    const set = (resourceType: number, resourceName: string, name: string, value: string) => ({
      resourceType,
      resourceName,
      configs: [{ name, configOperation: 0, value }],
    });
    await client.call(incrementalAlterConfigs, 1, {
      resources: [
        set(16, 'sub', 'interval.ms', '1000'),
        set(32, 'grp', 'share.isolation.level', 'read_committed'),
      ],
      validateOnly: false,
    });
    const v0 = await client.call(listConfigResources, 0, {});
    expect(v0.configResources).toMatchObject([{ resourceName: 'sub', resourceType: 16 }]);
    const list = async (...resourceTypes: number[]) => {
      const { errorCode, configResources } = await client.call(listConfigResources, 1, { resourceTypes });
      expect(errorCode).toBe(0);
      return configResources.map(({ resourceType, resourceName }) => `${resourceType} ${resourceName}`);
    };
    expect(await list(32)).toEqual(['32 grp']);
    expect(await list(4, 8)).toEqual(['4 1', '8 1']);
    expect(await list()).toEqual(expect.arrayContaining(['16 sub', '32 grp', '4 1', '2 __consumer_offsets']));
    const unknown = await client.call(listConfigResources, 1, { resourceTypes: [99] });
    expect(errorName(unknown.errorCode)).toBe('UNSUPPORTED_VERSION');
  });
});

describe('what only a cluster does', () => {
  beforeAll(() => makeTopic(client, 'alone'));

  test('ElectLeaders: ELECTION_NOT_NEEDED per partition; for all partitions nothing was done', async () => {
    for (let version = 0; version <= 2; version += 1) {
      const asked = { electionType: 0, topicPartitions: [{ topic: 'alone', partitions: [0, 5] }] };
      const answer = await client.call(electLeaders, version, asked);
      expect(answer.errorCode).toBe(0);
      const codes = answer.replicaElectionResults[0]!.partitionResult.map(({ errorCode }) => errorCode);
      expect(codes.map(errorName)).toEqual(['ELECTION_NOT_NEEDED', 'UNKNOWN_TOPIC_OR_PARTITION']);
      const all = await client.call(electLeaders, version, { electionType: 1, topicPartitions: null });
      expect(all).toMatchObject({ errorCode: 0, replicaElectionResults: [] });
    }
  });

  test('AlterPartitionReassignments: an unknown node is INVALID_REPLICA_ASSIGNMENT', async () => {
    const asked: Array<[index: number, replicas: number[] | null]> = [
      [0, [9]],
      [0, [1, 9]],
      [0, []],
      [0, null],
      [5, [1]],
      [0, [1]],
    ];
    for (const version of [0, 1]) {
      const partitions = asked.map(([partitionIndex, replicas]) => ({ partitionIndex, replicas }));
      const answer = await client.call(alterPartitionReassignments, version, {
        topics: [{ name: 'alone', partitions }],
      });
      expect(answer.responses[0]!.partitions.map(({ errorCode }) => errorName(errorCode))).toEqual([
        'INVALID_REPLICA_ASSIGNMENT',
        'INVALID_REPLICA_ASSIGNMENT',
        'INVALID_REPLICA_ASSIGNMENT',
        'NO_REASSIGNMENT_IN_PROGRESS',
        'UNKNOWN_TOPIC_OR_PARTITION',
        'NONE',
      ]);
    }
  });

  test('ListPartitionReassignments: none', async () => {
    const answer = await client.call(listPartitionReassignments, 0, { topics: null });
    expect(answer).toMatchObject({ errorCode: 0, topics: [] });
  });

  test('AlterReplicaLogDirs: another directory is LOG_DIR_NOT_FOUND', async () => {
    for (const version of [1, 2]) {
      const topics = [{ name: 'alone', partitions: [0, 5] }];
      const dirs = [
        { path: '/nowhere', topics },
        { path: broker.config.dataDir, topics },
      ];
      const { results } = await client.call(alterReplicaLogDirs, version, { dirs });
      const codes = results.flatMap(({ partitions }) =>
        partitions.map(({ errorCode }) => errorName(errorCode)),
      );
      expect(codes).toEqual(['LOG_DIR_NOT_FOUND', 'LOG_DIR_NOT_FOUND', 'NONE', 'UNKNOWN_TOPIC_OR_PARTITION']);
    }
  });

  test('DescribeQuorum: one voter that leads', async () => {
    for (let version = 0; version <= 2; version += 1) {
      const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }];
      const answer = await client.call(describeQuorum, version, { topics });
      expect(answer.topics[0]!.partitions[0]).toMatchObject({
        errorCode: 0,
        leaderId: 1,
        currentVoters: [{ replicaId: 1 }],
        observers: [],
      });
      expect(answer.nodes).toHaveLength(version >= 2 ? 1 : 0);
    }
  });
});

describe('settings of the broker', () => {
  test('delete.topic.enable=false refuses, by a code that the version knows', async () => {
    const strict = await startTestBroker({ deleteTopics: false });
    const other = await RawClient.connect(strict.port);
    await makeTopic(other, 'kept');
    for (const [version, want] of [
      [1, 'INVALID_REQUEST'],
      [3, 'TOPIC_DELETION_DISABLED'],
    ] as const) {
      const { responses } = await other.call(deleteTopics, version, { topicNames: ['kept'], timeoutMs: 1 });
      expect(errorName(responses[0]!.errorCode)).toBe(want);
    }
    other.close();
    await strict.stop();
  });

  test('clampReplicationFactor takes 3 for 1, as applications that hard-code it need', async () => {
    const lenient = await startTestBroker({ clampReplicationFactor: true });
    const other = await RawClient.connect(lenient.port);
    const configs = [{ name: 'min.insync.replicas', value: '2' }];
    const asked = [3, 0].map((replicationFactor) => ({
      name: `rf-${replicationFactor}`,
      numPartitions: 1,
      replicationFactor,
      assignments: [],
      configs,
    }));
    const { topics } = await other.call(createTopics, 5, { topics: asked });
    expect(topics[0]).toMatchObject({ errorCode: 0, replicationFactor: 1 });
    expect(errorName(topics[1]!.errorCode)).toBe('INVALID_REPLICATION_FACTOR');
    expect((await produceTo(other, 'rf-3', recordBatch({ values: ['a'] }))).errorCode).toBe(0);
    other.close();
    await lenient.stop();
  });
});
