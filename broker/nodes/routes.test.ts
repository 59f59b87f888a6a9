import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { recordBatch } from '../../test/support/record-batch.ts';
import { fetchFrom, makeTopic, produceTo } from '../../test/support/requests.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { CODE } from '../wire/errors.ts';
import {
  createTopics,
  deleteRecords,
  deleteTopics,
  describeCluster,
  describeConfigs,
  describeGroups,
  fetch,
  findCoordinator,
  heartbeat,
  initProducerId,
  joinGroup,
  leaveGroup,
  listGroups,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  offsetForLeaderEpoch,
  produce,
  shareAcknowledge,
  shareFetch,
  shareGroupHeartbeat,
  syncGroup,
} from '../wire/schemas/index.ts';

const TOPIC = 'spread';
let broker: TestBroker;
/** One client a node, by node id. */
let clients: Map<number, RawClient>;

beforeAll(async () => {
  broker = await startTestBroker({ virtualNodes: 3, nodeId: 0 });
  const first = await RawClient.connect(broker.port);
  await makeTopic(first, TOPIC, { partitions: 3 });
  const { brokers } = await first.call(metadata, 9, { topics: [] });
  first.close();
  clients = new Map();
  for (const { nodeId, port } of brokers) clients.set(nodeId, await RawClient.connect(port));
});
afterAll(async () => {
  for (const client of clients.values()) client.close();
  await broker.stop();
});

async function leaders(): Promise<number[]> {
  const { topics } = await clients.get(0)!.call(metadata, 9, { topics: [{ name: TOPIC }] });
  return topics[0]!.partitions.map(({ leaderId }) => leaderId);
}

async function coordinator(key: string, keyType = 0): Promise<number> {
  const { coordinators } = await clients
    .get(1)!
    .call(findCoordinator, 4, { keyType, coordinatorKeys: [key] });
  return coordinators[0]!.nodeId;
}

describe('what nodes tell about themselves', () => {
  test('Metadata and DescribeCluster list all nodes with their ports and one controller, whoever is asked', async () => {
    for (const client of clients.values()) {
      const answer = await client.call(metadata, 9, { topics: null });
      expect(answer.brokers.map(({ nodeId }) => nodeId)).toEqual([0, 1, 2]);
      expect(new Set(answer.brokers.map(({ port }) => port)).size).toBe(3);
      expect(answer.controllerId).toBe(0);
      const cluster = await client.call(describeCluster, 1, { includeClusterAuthorizedOperations: false });
      expect(cluster.brokers.map(({ brokerId, port }) => [brokerId, port])).toEqual(
        answer.brokers.map(({ nodeId, port }) => [nodeId, port]),
      );
      expect(cluster.controllerId).toBe(0);
    }
  });

  test('leaders are spread over the nodes', async () => {
    expect(new Set(await leaders())).toEqual(new Set([0, 1, 2]));
  });

  test("a broker's settings are told under the id of the node that is asked", async () => {
    const asked = { resourceType: 4, resourceName: '2', configurationKeys: ['node.id'] };
    const { results } = await clients.get(2)!.call(describeConfigs, 1, { resources: [asked] });
    expect(results[0]).toMatchObject({ errorCode: 0, resourceName: '2' });
  });
});

describe('the wrong node answers NOT_LEADER_OR_FOLLOWER for a partition, and the right one serves it', () => {
  test('Produce, with the leader and where it is from version 10', async () => {
    const ids = await leaders();
    for (const version of [7, 10]) {
      const { responses, nodeEndpoints } = await clients.get(0)!.call(produce, version, {
        acks: -1,
        timeoutMs: 5_000,
        topicData: [
          {
            name: TOPIC,
            partitionData: [0, 1, 2].map((index) => ({ index, records: recordBatch({ values: ['x'] }) })),
          },
        ],
      });
      expect(responses).toHaveLength(1);
      for (const { index, errorCode, currentLeader } of responses[0]!.partitionResponses) {
        const isHere = ids[index] === 0;
        expect({ index, errorCode }).toEqual({ index, errorCode: isHere ? 0 : CODE.NOT_LEADER_OR_FOLLOWER });
        const told = version >= 10 && !isHere ? ids[index] : undefined;
        expect(currentLeader?.leaderId).toBe(told);
      }
      const told = nodeEndpoints.map(({ nodeId }) => nodeId);
      expect(told).toEqual(version >= 10 ? [1, 2] : []);
    }
    for (const [partition, id] of ids.entries()) {
      const answer = await produceTo(clients.get(id)!, TOPIC, recordBatch({ values: ['y'] }), { partition });
      expect(answer.errorCode).toBe(0);
    }
  });

  test('Produce with acks=0 closes the connection', async () => {
    const wrong = (await leaders()).indexOf(1);
    const { brokers } = await clients.get(0)!.call(metadata, 9, { topics: [] });
    const client = await RawClient.connect(brokers[0]!.port);
    client.send(produce, 7, {
      acks: 0,
      timeoutMs: 5_000,
      topicData: [
        { name: TOPIC, partitionData: [{ index: wrong, records: recordBatch({ values: ['x'] }) }] },
      ],
    });
    await expect(client.closed).resolves.toBeUndefined();
  });

  test('Fetch, at once, with the leader from version 12 and where it is from 16', async () => {
    const ids = await leaders();
    const id = (await clients.get(0)!.call(metadata, 10, { topics: [{ name: TOPIC }] })).topics[0]!.topicId;
    const answer = await clients.get(1)!.call(fetch, 16, {
      maxWaitMs: 60_000,
      minBytes: 1_000_000,
      topics: [
        {
          topicId: id,
          partitions: [0, 1, 2].map((partition) => ({ partition, fetchOffset: 0, partitionMaxBytes: 1_000 })),
        },
      ],
    });
    for (const { partitionIndex, errorCode, currentLeader } of answer.responses[0]!.partitions) {
      const isHere = ids[partitionIndex] === 1;
      expect(errorCode).toBe(isHere ? 0 : CODE.NOT_LEADER_OR_FOLLOWER);
      expect(currentLeader?.leaderId).toBe(isHere ? undefined : ids[partitionIndex]);
    }
    expect(answer.nodeEndpoints.map(({ nodeId }) => nodeId)).toEqual([0, 2]);
    expect((await fetchFrom(clients.get(1)!, TOPIC, 0, { partition: ids.indexOf(2) })).errorCode).toBe(6);
  });

  test('ShareFetch and ShareAcknowledge, at once, with the leader and where it is', async () => {
    const ids = await leaders();
    const topicId = (await clients.get(0)!.call(metadata, 10, { topics: [{ name: TOPIC }] })).topics[0]!
      .topicId;
    const group = { groupId: 'sharing', memberId: 'one' };
    const joined = await clients.get(await coordinator('sharing'))!.call(shareGroupHeartbeat, 1, {
      ...group,
      memberEpoch: 0,
      rackId: null,
      subscribedTopicNames: [TOPIC],
    });
    expect(joined.errorCode).toBe(0);
    const client = clients.get(1)!;
    const fetched = await client.call(shareFetch, 1, {
      ...group,
      shareSessionEpoch: 0,
      maxWaitMs: 60_000,
      minBytes: 1_000_000,
      maxBytes: 1_000_000,
      maxRecords: 10,
      batchSize: 10,
      topics: [
        {
          topicId,
          partitions: [0, 1, 2].map((partitionIndex) => ({ partitionIndex, acknowledgementBatches: [] })),
        },
      ],
      forgottenTopicsData: [],
    });
    const batches = [{ firstOffset: 0, lastOffset: 0, acknowledgeTypes: [1] }];
    const partitionIndex = ids.indexOf(2);
    const acknowledged = await client.call(shareAcknowledge, 1, {
      ...group,
      shareSessionEpoch: 1,
      topics: [{ topicId, partitions: [{ partitionIndex, acknowledgementBatches: batches }] }],
    });
    const told = fetched.responses[0]!.partitions.map((one) => [one.partitionIndex, one.errorCode]);
    for (const [index, errorCode] of told) {
      expect(errorCode).toBe(ids[index!] === 1 ? 0 : CODE.NOT_LEADER_OR_FOLLOWER);
    }
    expect(told.length).toBeGreaterThanOrEqual(2);
    expect(fetched.nodeEndpoints.map(({ nodeId }) => nodeId)).toEqual([0, 2]);
    expect(acknowledged.responses[0]!.partitions[0]).toMatchObject({
      errorCode: CODE.NOT_LEADER_OR_FOLLOWER,
      currentLeader: { leaderId: 2 },
    });
    expect(acknowledged.nodeEndpoints.map(({ nodeId }) => nodeId)).toEqual([2]);
  });

  test('ListOffsets and OffsetForLeaderEpoch', async () => {
    const ids = await leaders();
    const partitions = [0, 1, 2].map((partitionIndex) => ({ partitionIndex, timestamp: -1 }));
    const offsets = await clients.get(2)!.call(listOffsets, 5, {
      replicaId: -1,
      topics: [{ name: TOPIC, partitions }],
    });
    for (const { partitionIndex, errorCode } of offsets.topics[0]!.partitions) {
      expect(errorCode).toBe(ids[partitionIndex] === 2 ? 0 : CODE.NOT_LEADER_OR_FOLLOWER);
    }
    const epochs = await clients.get(2)!.call(offsetForLeaderEpoch, 3, {
      topics: [{ topic: TOPIC, partitions: [0, 1, 2].map((partition) => ({ partition, leaderEpoch: 0 })) }],
    });
    for (const { partition, errorCode } of epochs.topics[0]!.partitions) {
      expect(errorCode).toBe(ids[partition] === 2 ? 0 : CODE.NOT_LEADER_OR_FOLLOWER);
    }
  });

  test('DeleteRecords, for the partitions that it does not lead', async () => {
    const ids = await leaders();
    const partitions = [0, 1, 2].map((partitionIndex) => ({ partitionIndex, offset: 0 }));
    const { topics } = await clients.get(2)!.call(deleteRecords, 2, {
      topics: [{ name: TOPIC, partitions }],
      timeoutMs: 1_000,
    });
    for (const { partitionIndex, errorCode, lowWatermark } of topics[0]!.partitions) {
      const isLed = ids[partitionIndex] === 2;
      expect([errorCode, lowWatermark]).toEqual(isLed ? [0, 0] : [CODE.NOT_LEADER_OR_FOLLOWER, -1]);
    }
  });

  test('an unknown partition is unknown at every node', async () => {
    for (const client of clients.values()) {
      const answer = await produceTo(client, TOPIC, recordBatch({ values: ['x'] }), { partition: 9 });
      expect(answer.errorCode).toBe(CODE.UNKNOWN_TOPIC_OR_PARTITION);
    }
  });
});

describe('the wrong node answers NOT_COORDINATOR, and FindCoordinator names the right one', () => {
  test('coordinators are spread, each with its own port', async () => {
    const keys = Array.from({ length: 30 }, (_, n) => `group-${n}`);
    const { coordinators } = await clients
      .get(0)!
      .call(findCoordinator, 4, { keyType: 0, coordinatorKeys: keys });
    expect(new Set(coordinators.map(({ nodeId }) => nodeId))).toEqual(new Set([0, 1, 2]));
    const { brokers } = await clients.get(0)!.call(metadata, 9, { topics: [] });
    for (const { nodeId, port } of coordinators) {
      expect(port).toBe(brokers.find((one) => one.nodeId === nodeId)!.port);
    }
    const single = await clients.get(0)!.call(findCoordinator, 0, { key: keys[0]! });
    expect(single.nodeId).toBe(coordinators[0]!.nodeId);
  });

  test('all group APIs', async () => {
    const groupId = 'misplaced';
    const wrong = clients.get(((await coordinator(groupId)) + 1) % 3)!;
    const member = { groupId, generationId: 1, memberId: 'm', groupInstanceId: null };
    const join = await wrong.call(joinGroup, 5, {
      groupId,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [],
    });
    const commit = await wrong.call(offsetCommit, 6, {
      groupId,
      memberId: 'm',
      topics: [
        { name: TOPIC, partitions: [{ partitionIndex: 1, committedOffset: 0, committedMetadata: '' }] },
      ],
    });
    const asked = [{ name: TOPIC, partitionIndexes: [0] }];
    const codes = [
      join.errorCode,
      (await wrong.call(syncGroup, 3, { ...member, assignments: [] })).errorCode,
      (await wrong.call(heartbeat, 3, member)).errorCode,
      (await wrong.call(leaveGroup, 3, { groupId, members: [] })).errorCode,
      commit.topics[0]!.partitions[0]!.errorCode,
      (await wrong.call(offsetFetch, 1, { groupId, topics: asked })).topics[0]!.partitions[0]!.errorCode,
      (await wrong.call(offsetFetch, 5, { groupId, topics: asked })).errorCode,
      (await wrong.call(offsetFetch, 8, { groups: [{ groupId, topics: asked }] })).groups[0]!.errorCode,
      (await wrong.call(describeGroups, 3, { groups: [groupId] })).groups[0]!.errorCode,
    ];
    expect(codes).toEqual(codes.map(() => CODE.NOT_COORDINATOR));
  });

  test('a group is listed and described where it is coordinated, and nowhere else', async () => {
    const groupId = 'placed';
    const place = await coordinator(groupId);
    await clients.get(place)!.call(offsetCommit, 6, {
      groupId,
      memberId: '',
      topics: [
        { name: TOPIC, partitions: [{ partitionIndex: 0, committedOffset: 5, committedMetadata: '' }] },
      ],
    });
    for (const [nodeId, client] of clients) {
      const { groups } = await client.call(listGroups, 3, {});
      expect(groups.some((group) => group.groupId === groupId)).toBe(nodeId === place);
    }
  });

  test('InitProducerId with a transactional id; without one any node serves it', async () => {
    const ask = { transactionalId: 'tx', transactionTimeoutMs: 10_000 };
    const codes: number[] = [];
    for (const client of clients.values()) codes.push((await client.call(initProducerId, 1, ask)).errorCode);
    expect(codes.filter((code) => code === CODE.NOT_COORDINATOR)).toHaveLength(2);
    const free = await clients.get(1)!.call(initProducerId, 1, { ...ask, transactionalId: null });
    expect(free.errorCode).toBe(0);
  });
});

test('a node that is not the controller answers NOT_CONTROLLER to who creates or deletes topics', async () => {
  const topics = [{ name: 'new', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }];
  const refused = await clients.get(1)!.call(createTopics, 4, { topics });
  expect(refused.topics).toMatchObject([{ name: 'new', errorCode: CODE.NOT_CONTROLLER }]);
  const made = await clients.get(0)!.call(createTopics, 4, { topics });
  expect(made.topics).toMatchObject([{ name: 'new', errorCode: 0 }]);
  const kept = await clients.get(2)!.call(deleteTopics, 3, { topicNames: ['new'], timeoutMs: 1_000 });
  expect(kept.responses).toMatchObject([{ name: 'new', errorCode: CODE.NOT_CONTROLLER }]);
});

test('a node that stops disappears from Metadata, the others lead what was its own, and it gets that back', async () => {
  const before = await leaders();
  const groupId = 'moving';
  const place = await coordinator(groupId);
  const gone = place === 0 ? 2 : place;
  const closed = clients.get(gone)!.closed;
  await broker.nodes.stop(gone);
  await closed;
  const client = clients.get(place === 0 ? 0 : (gone + 1) % 3)!;
  const { brokers, topics } = await client.call(metadata, 9, { topics: [{ name: TOPIC }] });
  expect(brokers.map(({ nodeId }) => nodeId)).toEqual([0, 1, 2].filter((id) => id !== gone));
  expect(topics[0]!.partitions.some(({ leaderId }) => leaderId === gone)).toBe(false);
  const moved = await client.call(findCoordinator, 4, { keyType: 0, coordinatorKeys: [groupId] });
  expect(moved.coordinators[0]!.nodeId).not.toBe(gone);
  await broker.nodes.start(gone);
  const back = await client.call(metadata, 9, { topics: [{ name: TOPIC }] });
  expect(back.topics[0]!.partitions.map(({ leaderId }) => leaderId)).toEqual(before);
  const { port } = back.brokers.find(({ nodeId }) => nodeId === gone)!;
  clients.set(gone, await RawClient.connect(port));
  expect(await coordinator(groupId)).toBe(place);
});

test('when the controller stops, another node is it', async () => {
  const other = clients.get(1)!;
  await broker.nodes.stop(0);
  const { controllerId } = await other.call(metadata, 9, { topics: [] });
  expect(controllerId).toBe(1);
  const topics = [{ name: 'later', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }];
  expect((await other.call(createTopics, 4, { topics })).topics).toMatchObject([{ errorCode: 0 }]);
  await broker.nodes.start(0);
  const { brokers } = await other.call(metadata, 9, { topics: [] });
  clients.set(0, await RawClient.connect(brokers[0]!.port));
});
