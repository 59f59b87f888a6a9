import { afterAll, beforeAll, expect, test } from 'vitest';

import { eventually } from '../../test/support/eventually.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import { recordBatch } from '../../test/support/record-batch.ts';
import { fetchFrom, makeTopic, produceTo } from '../../test/support/requests.ts';
import { ACK, ShareMember } from '../../test/support/share-member.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { CODE } from '../wire/errors.ts';
import {
  alterShareGroupOffsets,
  deleteGroups,
  deleteShareGroupOffsets,
  deleteTopics,
  describeShareGroupOffsets,
  findCoordinator,
  joinGroup,
  listGroups,
  metadata,
  shareGroupDescribe,
  shareGroupHeartbeat,
} from '../wire/schemas/index.ts';

let broker: TestBroker;
let admin: RawClient;
beforeAll(async () => {
  broker = await startTestBroker({ shareStateRewriteBytes: 20_000, shareStatePartitions: 1 });
  admin = await RawClient.connect(broker.port);
});
afterAll(async () => {
  admin?.close();
  await broker?.stop();
});

let made = 0;
/** A topic with records, and a group that one member has joined. */
async function story(values: string[] = ['a', 'b', 'c']) {
  made += 1;
  const topic = { name: `t${made}`, id: await makeTopic(admin, `t${made}`) };
  const groupId = `g${made}`;
  const member = await ShareMember.join(broker.port, groupId, 'one', topic);
  // The first fetch opens the partition for the group, at its end.
  expect(await member.fetch()).toEqual([]);
  if (values.length > 0) await produceTo(admin, topic.name, recordBatch({ values }));
  return { topic, groupId, member };
}

async function offsetsOf(
  groupId: string,
  topics: Array<{ topicName: string; partitions: number[] }> | null = null,
) {
  const { groups } = await admin.call(describeShareGroupOffsets, 1, { groups: [{ groupId, topics }] });
  return groups[0]!;
}

test('ShareGroupDescribe tells state, epochs, members and their partitions', async () => {
  const { topic, groupId, member } = await story();
  const describe = async () => {
    const { groups } = await admin.call(shareGroupDescribe, 1, {
      groupIds: [groupId, 'none'],
      includeAuthorizedOperations: true,
    });
    return groups;
  };
  const [group, none] = await describe();
  expect(group).toMatchObject({
    errorCode: 0,
    groupState: 'Stable',
    groupEpoch: 1,
    assignmentEpoch: 1,
    assignorName: 'simple',
    members: [
      {
        memberId: 'one',
        memberEpoch: 1,
        clientId: 'raw',
        subscribedTopicNames: [topic.name],
        assignment: { topicPartitions: [{ topicId: topic.id, topicName: topic.name, partitions: [0] }] },
      },
    ],
  });
  expect(group!.authorizedOperations).toBeGreaterThan(0);
  expect(none).toMatchObject({ errorCode: CODE.GROUP_ID_NOT_FOUND, groupState: '' });
  await member.leave();
  expect((await describe())[0]).toMatchObject({ groupState: 'Empty', groupEpoch: 2, members: [] });
  member.close();
});

test('ListGroups shows share groups as such, and filters them by type and state', async () => {
  const { groupId, member } = await story();
  const ids = async (typesFilter: string[], statesFilter: string[]) =>
    (await admin.call(listGroups, 5, { typesFilter, statesFilter })).groups;
  expect(await ids(['SHARE'], ['stable'])).toContainEqual({
    groupId,
    protocolType: 'share',
    groupState: 'Stable',
    groupType: 'share',
  });
  expect((await ids(['classic'], [])).map((one) => one.groupId)).not.toContain(groupId);
  expect((await ids(['share'], ['empty'])).map((one) => one.groupId)).not.toContain(groupId);
  member.close();
});

test('one group id is of one kind, whoever came first', async () => {
  const { topic, groupId, member } = await story();
  const joined = await admin.call(joinGroup, 5, {
    groupId,
    sessionTimeoutMs: 10_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
  });
  expect(joined.errorCode).toBe(CODE.INCONSISTENT_GROUP_PROTOCOL);
  const classic = { groupId: 'classic', sessionTimeoutMs: 10_000, memberId: '', protocolType: 'consumer' };
  expect(
    (
      await admin.call(joinGroup, 3, {
        ...classic,
        protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
      })
    ).errorCode,
  ).toBe(0);
  await expect(ShareMember.join(broker.port, 'classic', 'one', topic)).rejects.toThrow(/got 69/);
  member.close();
});

test('a heartbeat without ids, topics or a known group is refused', async () => {
  const cases: Array<[given: object, errorCode: number]> = [
    [{ groupId: '' }, CODE.INVALID_REQUEST],
    [{ memberId: '' }, CODE.INVALID_REQUEST],
    [{ memberEpoch: -2 }, CODE.INVALID_REQUEST],
    [{ rackId: '' }, CODE.INVALID_REQUEST],
    [{ subscribedTopicNames: null }, CODE.INVALID_REQUEST],
    [{ memberEpoch: 1 }, CODE.GROUP_ID_NOT_FOUND],
  ];
  for (const [given, errorCode] of cases) {
    const whole = {
      groupId: 'nowhere',
      memberId: 'm',
      memberEpoch: 0,
      rackId: null,
      subscribedTopicNames: ['t'],
    };
    expect((await admin.call(shareGroupHeartbeat, 1, { ...whole, ...given })).errorCode).toBe(errorCode);
  }
});

test('DescribeShareGroupOffsets tells where a group begins, and the records it is not done with', async () => {
  const { topic, groupId, member } = await story();
  expect(await member.fetch()).toHaveLength(3);
  expect(await member.acknowledge([[0, 2, ACK.accept, ACK.release, ACK.accept]])).toBe(0);
  expect(await offsetsOf(groupId)).toMatchObject({
    errorCode: 0,
    topics: [
      { topicName: topic.name, topicId: topic.id, partitions: [{ startOffset: 1, lag: 1, errorCode: 0 }] },
    ],
  });
  expect(
    (await offsetsOf(groupId, [{ topicName: 'nothing', partitions: [0] }])).topics[0]!.partitions[0],
  ).toMatchObject({
    errorCode: CODE.UNKNOWN_TOPIC_OR_PARTITION,
    startOffset: -1,
  });
  expect(await offsetsOf('none')).toMatchObject({ errorCode: 0, topics: [] });
  member.close();
});

test('AlterShareGroupOffsets and DeleteShareGroupOffsets need a group without members', async () => {
  const { topic, groupId, member } = await story();
  const alter = (startOffset: number) =>
    admin.call(alterShareGroupOffsets, 0, {
      groupId,
      topics: [{ topicName: topic.name, partitions: [{ partitionIndex: 0, startOffset }] }],
    });
  const remove = () =>
    admin.call(deleteShareGroupOffsets, 0, { groupId, topics: [{ topicName: topic.name }] });
  expect((await alter(1)).errorCode).toBe(CODE.NON_EMPTY_GROUP);
  expect((await remove()).errorCode).toBe(CODE.NON_EMPTY_GROUP);
  expect(await member.fetch()).toHaveLength(3);
  expect(await member.acknowledge([[0, 2, ACK.accept]])).toBe(0);
  await member.leave();
  expect(await alter(1)).toMatchObject({ errorCode: 0, responses: [{ partitions: [{ errorCode: 0 }] }] });
  const again = await ShareMember.join(broker.port, groupId, 'two', topic);
  expect((await again.fetch()).map(({ value, deliveryCount }) => [value, deliveryCount])).toEqual([
    ['b', 1],
    ['c', 1],
  ]);
  await again.leave();
  expect(await remove()).toMatchObject({
    errorCode: 0,
    responses: [{ topicName: topic.name, errorCode: 0 }],
  });
  expect(await offsetsOf(groupId)).toMatchObject({ errorCode: 0, topics: [] });
  for (const one of [member, again]) one.close();
});

test('AlterShareGroupOffsets makes a group that nobody has joined yet, which lasts over a restart', async () => {
  const { topic, member } = await story();
  const groupId = 'made by its offsets';
  const altered = await admin.call(alterShareGroupOffsets, 0, {
    groupId,
    topics: [{ topicName: topic.name, partitions: [{ partitionIndex: 0, startOffset: 2 }] }],
  });
  expect(altered).toMatchObject({ errorCode: 0, responses: [{ partitions: [{ errorCode: 0 }] }] });
  member.close();
  admin.close();
  await broker.restart();
  admin = await RawClient.connect(broker.port);
  expect(await offsetsOf(groupId)).toMatchObject({
    errorCode: 0,
    topics: [{ topicName: topic.name, partitions: [{ startOffset: 2 }] }],
  });
  const one = await ShareMember.join(broker.port, groupId, 'one', topic);
  expect((await one.fetch()).map(({ value }) => value)).toEqual(['c']);
  one.close();
});

test('DeleteGroups takes a share group without members, and what it knew', async () => {
  const { topic, groupId, member } = await story();
  const remove = async () =>
    (await admin.call(deleteGroups, 2, { groupsNames: [groupId] })).results[0]!.errorCode;
  expect(await remove()).toBe(CODE.NON_EMPTY_GROUP);
  await member.leave();
  expect(await remove()).toBe(0);
  expect(await remove()).toBe(CODE.GROUP_ID_NOT_FOUND);
  expect(await offsetsOf(groupId)).toMatchObject({ errorCode: 0, topics: [] });
  const nameless = await admin.call(alterShareGroupOffsets, 0, { groupId: '', topics: [] });
  expect(nameless.errorCode).toBe(CODE.INVALID_GROUP_ID);
  const again = await ShareMember.join(broker.port, groupId, 'two', topic);
  expect(await again.fetch()).toEqual([]);
  for (const one of [member, again]) one.close();
});

test('a deleted topic takes what groups knew of it along', async () => {
  const { topic, groupId, member } = await story();
  expect(await member.fetch()).toHaveLength(3);
  await admin.call(deleteTopics, 5, { topicNames: [topic.name], timeoutMs: 5_000 });
  expect((await member.fetchAnswer()).responses[0]!.partitions[0]).toMatchObject({
    errorCode: CODE.UNKNOWN_TOPIC_ID,
  });
  expect((await offsetsOf(groupId)).topics).toEqual([]);
  await makeTopic(admin, topic.name);
  expect((await member.heartbeat()).assignment?.topicPartitions[0]?.topicId).not.toBe(topic.id);
  member.close();
});

test('FindCoordinator takes share keys of group, topic id and partition', async () => {
  const ask = async (key: string) =>
    (await admin.call(findCoordinator, 6, { keyType: 2, coordinatorKeys: [key] })).coordinators[0]!;
  expect(await ask('a:group:AAAAAAAAAAAAAAAAAAAAAA:0')).toMatchObject({ errorCode: 0, port: broker.port });
  for (const key of ['group', 'g:short:0', 'g:AAAAAAAAAAAAAAAAAAAAAA:x']) {
    expect((await ask(key)).errorCode).toBe(CODE.INVALID_REQUEST);
  }
  const { topics } = await admin.call(metadata, 9, { topics: [{ name: '__share_group_state' }] });
  expect(topics[0]).toMatchObject({ errorCode: 0, isInternal: true });
});

test('the state topic stays small: what is written anew is cut off in front', async () => {
  const { topic, groupId, member } = await story([]);
  for (let i = 0; i < 150; i += 1) {
    await produceTo(admin, topic.name, recordBatch({ values: [`${i}`] }));
    const [record] = await member.fetch();
    expect(await member.acknowledge([[record!.offset, record!.offset, ACK.accept]])).toBe(0);
  }
  await eventually(async () =>
    expect((await fetchFrom(admin, '__share_group_state', 0)).errorCode).toBe(CODE.OFFSET_OUT_OF_RANGE),
  );
  await broker.restart();
  admin.close();
  admin = await RawClient.connect(broker.port);
  expect((await offsetsOf(groupId)).topics[0]!.partitions[0]).toMatchObject({ startOffset: 150, lag: 0 });
  member.close();
});
