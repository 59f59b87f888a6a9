import { afterAll, beforeAll, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { makeTopic, topicId } from '../../test/support/requests.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { errorName } from '../wire/errors.ts';
import { consumerSubscription } from '../wire/schemas/group-records.ts';
import {
  consumerGroupHeartbeat,
  describeGroups,
  heartbeat,
  joinGroup,
  leaveGroup,
  offsetCommit,
  offsetDelete,
  offsetFetch,
  syncGroup,
} from '../wire/schemas/index.ts';
import { encodeVersioned } from '../wire/versioned.ts';

let broker: TestBroker;
let client: RawClient;
beforeAll(async () => {
  broker = await startTestBroker({
    groupConsumerMinHeartbeatIntervalMs: 50,
    groupConsumerHeartbeatIntervalMs: 100,
    groupConsumerMinSessionTimeoutMs: 300,
    groupConsumerSessionTimeoutMs: 400,
  });
  client = await RawClient.connect(broker.port);
  await makeTopic(client, 'read');
  await makeTopic(client, 'other');
});
afterAll(async () => {
  client?.close();
  await broker?.stop();
});

/** A stable group of one. */
async function stable(groupId: string, protocolType: string, metadata: Buffer) {
  const { memberId, generationId } = await client.call(joinGroup, 3, {
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    protocolType,
    protocols: [{ name: 'p', metadata }],
  });
  const assignments = [{ memberId, assignment: Buffer.from('mine') }];
  const synced = await client.call(syncGroup, 3, { groupId, generationId, memberId, assignments });
  return { memberId, generationId, assignment: synced.assignment };
}

function commit(groupId: string, topic: string, as: object = { memberId: '' }) {
  return client.call(offsetCommit, 7, {
    groupId,
    memberId: '',
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, committedOffset: 3, committedMetadata: '' }] }],
    ...as,
  });
}

test('OffsetFetch of several groups: each has its own error and its own positions', async () => {
  await commit('one', 'read');
  const member = { groupId: 'next', memberId: 'm', memberEpoch: 0, rebalanceTimeoutMs: 1_000 };
  await client.call(consumerGroupHeartbeat, 1, {
    ...member,
    subscribedTopicNames: ['read'],
    topicPartitions: [],
  });
  const topics = [{ name: 'read', partitionIndexes: [0] }];
  const { groups } = await client.call(offsetFetch, 9, {
    groups: [
      { groupId: 'one', topics },
      { groupId: 'next', memberId: 'm', memberEpoch: 77, topics },
      { groupId: 'unknown', topics },
    ],
  });
  expect(groups.map(({ errorCode }) => errorName(errorCode))).toEqual(['NONE', 'STALE_MEMBER_EPOCH', 'NONE']);
  const offsets = groups.map((one) => one.topics[0]?.partitions[0]?.committedOffset);
  expect([offsets[0], offsets[2]]).toEqual([3, -1]);
});

test('OffsetDelete of a topic that a classic group reads is GROUP_SUBSCRIBED_TO_TOPIC; of another it is done', async () => {
  const subscription = { topics: ['read'], userData: null, ownedPartitions: [], generationId: -1 };
  const metadata = Buffer.from(encodeVersioned(0, consumerSubscription, subscription as never));
  const { memberId, generationId } = await stable('classic', 'consumer', metadata);
  const as = { memberId, generationIdOrMemberEpoch: generationId };
  await commit('classic', 'read', as);
  await commit('classic', 'other', as);
  const { topics } = await client.call(offsetDelete, 0, {
    groupId: 'classic',
    topics: ['read', 'other'].map((name) => ({ name, partitions: [{ partitionIndex: 0 }] })),
  });
  expect(topics.map(({ partitions }) => errorName(partitions[0]!.errorCode))).toEqual([
    'GROUP_SUBSCRIBED_TO_TOPIC',
    'NONE',
  ]);
  const left = await client.call(offsetFetch, 5, { groupId: 'classic', topics: null, groups: [] });
  expect(left.topics.map(({ name }) => name)).toEqual(['read']);
});

test('a group of protocol type connect is served, its metadata carried unread', async () => {
  const metadata = Buffer.from([0xff, 0, 0x80]);
  const { memberId, assignment } = await stable('workers', 'connect', metadata);
  expect(assignment.toString()).toBe('mine');
  const { groups } = await client.call(describeGroups, 5, { groups: ['workers'] });
  expect(groups[0]).toMatchObject({
    errorCode: 0,
    groupState: 'Stable',
    protocolType: 'connect',
    members: [{ memberId, memberMetadata: metadata }],
  });
});

test('a heartbeat interval of 100 ms and a short session can be set', async () => {
  const join = (groupId: string, memberId: string) =>
    client.call(consumerGroupHeartbeat, 1, {
      groupId,
      memberId,
      memberEpoch: 0,
      rebalanceTimeoutMs: 1_000,
      subscribedTopicNames: ['read'],
      topicPartitions: [],
    });
  expect(await join('quick', 'silent')).toMatchObject({ errorCode: 0, heartbeatIntervalMs: 100 });
  // The silent one is gone after 400 ms, and the next has all.
  let epoch = (await join('quick', 'beats')).memberEpoch;
  await expect
    .poll(async () => {
      const beat = { groupId: 'quick', memberId: 'beats', memberEpoch: epoch };
      const answer = await client.call(consumerGroupHeartbeat, 1, beat);
      epoch = answer.memberEpoch;
      return answer.assignment?.topicPartitions.length;
    })
    .toBe(1);
});

test('a static member needs no id first; its earlier id is FENCED_INSTANCE_ID in every request', async () => {
  const ask = (version: number) =>
    client.call(joinGroup, version, {
      groupId: 'static',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId: '',
      groupInstanceId: 'i',
      protocolType: 'consumer',
      protocols: [{ name: 'p', metadata: Buffer.alloc(0) }],
    });
  const first = await ask(5);
  expect(first).toMatchObject({ errorCode: 0, generationId: 1 });
  const old = { groupId: 'static', generationId: 1, memberId: first.memberId, groupInstanceId: 'i' };
  const assignments = [{ memberId: first.memberId, assignment: Buffer.alloc(0) }];
  await client.call(syncGroup, 5, { ...old, assignments });
  const second = await ask(9);
  expect(second).toMatchObject({ errorCode: 0, generationId: 1, skipAssignment: true });
  expect(second.memberId).not.toBe(first.memberId);
  const as = { memberId: first.memberId, groupInstanceId: 'i', generationIdOrMemberEpoch: 1 };
  const committed = await commit('static', 'read', as);
  const left = await client.call(leaveGroup, 5, { groupId: 'static', members: [old] });
  const codes = [
    (await client.call(heartbeat, 4, old)).errorCode,
    (await client.call(syncGroup, 5, { ...old, assignments: [] })).errorCode,
    committed.topics[0]!.partitions[0]!.errorCode,
    left.members[0]!.errorCode,
  ];
  expect(codes.map(errorName)).toEqual(Array.from({ length: 4 }, () => 'FENCED_INSTANCE_ID'));
});

test('leaving a group that is not there: UNKNOWN_MEMBER_ID for each member, for all of it before v3', async () => {
  const before = await client.call(leaveGroup, 2, { groupId: 'nowhere', memberId: 'm' });
  expect(errorName(before.errorCode)).toBe('UNKNOWN_MEMBER_ID');
  const members = [{ memberId: 'm' }, { memberId: 'n' }];
  const after = await client.call(leaveGroup, 5, { groupId: 'nowhere', members });
  expect([after.errorCode, ...after.members.map(({ errorCode }) => errorName(errorCode))]).toEqual([
    0,
    'UNKNOWN_MEMBER_ID',
    'UNKNOWN_MEMBER_ID',
  ]);
});

test('from v10 positions go by topic id: an id that names nothing is UNKNOWN_TOPIC_ID, alone', async () => {
  const id = await topicId(client, 'read');
  const nothing = '00112233-4455-4677-8899-aabbccddeeff';
  const { topics } = await client.call(offsetCommit, 10, {
    groupId: 'by-id',
    memberId: '',
    topics: [nothing, id].map((one) => ({
      topicId: one,
      partitions: [{ partitionIndex: 0, committedOffset: 3, committedMetadata: '' }],
    })),
  });
  expect(topics.map((one) => errorName(one.partitions[0]!.errorCode))).toEqual(['UNKNOWN_TOPIC_ID', 'NONE']);
  const { groups } = await client.call(offsetFetch, 10, {
    groups: [
      { groupId: 'by-id', topics: [nothing, id].map((one) => ({ topicId: one, partitionIndexes: [0] })) },
    ],
  });
  expect(groups[0]!.topics.map((one) => errorName(one.partitions[0]!.errorCode))).toEqual([
    'UNKNOWN_TOPIC_ID',
    'NONE',
  ]);
  expect(groups[0]!.topics[1]!.partitions[0]!.committedOffset).toBe(3);
});

test('the consumer protocol does not take a group of protocol type connect that has members: GROUP_ID_NOT_FOUND', async () => {
  await stable('taken', 'connect', Buffer.alloc(0));
  const answer = await client.call(consumerGroupHeartbeat, 1, {
    groupId: 'taken',
    memberId: 'm',
    memberEpoch: 0,
    rebalanceTimeoutMs: 1_000,
    subscribedTopicNames: ['read'],
    topicPartitions: [],
  });
  expect(errorName(answer.errorCode)).toBe('GROUP_ID_NOT_FOUND');
});
