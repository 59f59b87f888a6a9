import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { subscriptionBytes } from '../../test/support/consumer-driver.ts';
import { eventually } from '../../test/support/eventually.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import { fetchFrom, makeTopic } from '../../test/support/requests.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { readAssignment } from '../groups/consumer-protocol.ts';
import { OFFSETS_TOPIC, partitionOf } from '../state/internal-topic.ts';
import { batchesOf, recordsOf } from '../state/record-batch.ts';
import { CODE, errorName } from '../wire/errors.ts';
import {
  consumerGroupDescribe,
  consumerGroupHeartbeat,
  deleteGroups,
  deleteTopics,
  describeGroups,
  heartbeat,
  joinGroup,
  leaveGroup,
  listGroups,
  offsetCommit,
  offsetDelete,
  offsetFetch,
  syncGroup,
} from '../wire/schemas/index.ts';

let broker: TestBroker;
let client: RawClient;
let id: string;
let groupId = '';
let groups = 0;
beforeAll(async () => {
  broker = await startTestBroker({ groupConsumerHeartbeatIntervalMs: 100 });
  client = await RawClient.connect(broker.port);
  id = await makeTopic(client, 't', { partitions: 4 });
});
beforeEach(() => {
  groups += 1;
  groupId = `group-${groups}`;
});
afterAll(async () => {
  client?.close();
  await broker?.stop();
});

/** A heartbeat; `owned` are partitions of `t`, null says nothing. */
async function beat(
  memberId: string,
  memberEpoch: number,
  owned: number[] | null = null,
  given: object = {},
) {
  const answer = await client.call(consumerGroupHeartbeat, 1, {
    groupId,
    memberId,
    memberEpoch,
    topicPartitions: owned && (owned.length > 0 ? [{ topicId: id, partitions: owned }] : []),
    ...given,
  });
  return {
    ...answer,
    error: errorName(answer.errorCode),
    has:
      answer.assignment?.topicPartitions.flatMap(({ partitions }) => partitions).toSorted((a, b) => a - b) ??
      null,
  };
}

function joinConsumer(memberId: string, given: object = {}) {
  return beat(memberId, 0, [], { rebalanceTimeoutMs: 10_000, subscribedTopicNames: ['t'], ...given });
}

/** A classic member, joined and synced. */
async function joinClassic(memberId = '', owned = '') {
  const joined = await client.call(joinGroup, 3, {
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: subscriptionBytes(['t'], owned) }],
  });
  return joined;
}

async function syncClassic(memberId: string, generationId: number, assign: object[] = []) {
  const answer = await client.call(syncGroup, 3, {
    groupId,
    generationId,
    memberId,
    assignments: assign as never,
  });
  return {
    error: errorName(answer.errorCode),
    has: readAssignment(answer.assignment)!
      .partitions.flatMap(({ partitions }) => partitions)
      .toSorted((a, b) => a - b),
  };
}

async function described(version = 1) {
  const {
    groups: [group],
  } = await client.call(consumerGroupDescribe, version, {
    groupIds: [groupId],
    includeAuthorizedOperations: false,
  });
  return group!;
}

describe('ConsumerGroupHeartbeat', () => {
  test('two members share a topic, in both versions, and one leaves', async () => {
    expect(await joinConsumer('a')).toMatchObject({
      error: 'NONE',
      memberEpoch: 1,
      heartbeatIntervalMs: 100,
      has: [0, 1, 2, 3],
    });
    const v0 = await client.call(consumerGroupHeartbeat, 0, {
      groupId,
      memberId: '',
      memberEpoch: 0,
      rebalanceTimeoutMs: 10_000,
      subscribedTopicNames: ['t'],
      topicPartitions: [],
    });
    expect(v0).toMatchObject({ errorCode: 0, memberEpoch: 2, assignment: { topicPartitions: [] } });
    expect(v0.memberId).toHaveLength(36);
    expect((await beat('a', 1)).has).toEqual([0, 1]);
    expect(await beat('a', 1, [0, 1])).toMatchObject({ memberEpoch: 2, has: null });
    expect((await beat(v0.memberId!, 2)).has).toEqual([2, 3]);
    expect(await beat('a', -1)).toMatchObject({ error: 'NONE', memberEpoch: -1 });
    expect((await beat(v0.memberId!, 2)).has).toEqual([0, 1, 2, 3]);
  });

  const refused = [
    { what: 'no group id', given: { groupId: '' }, want: 'INVALID_REQUEST' },
    { what: 'no member id', given: { memberId: '' }, want: 'INVALID_REQUEST' },
    { what: 'an empty instance id', given: { instanceId: '' }, want: 'INVALID_REQUEST' },
    { what: 'an empty rack id', given: { rackId: '' }, want: 'INVALID_REQUEST' },
    { what: 'no rebalance timeout', given: { rebalanceTimeoutMs: -1 }, want: 'INVALID_REQUEST' },
    { what: 'no topics', given: { subscribedTopicNames: null }, want: 'INVALID_REQUEST' },
    { what: 'nothing about what it owns', given: { topicPartitions: null }, want: 'INVALID_REQUEST' },
    { what: 'an epoch below -2', given: { memberEpoch: -3 }, want: 'INVALID_REQUEST' },
    { what: 'epoch -2 without an instance', given: { memberEpoch: -2 }, want: 'INVALID_REQUEST' },
    { what: 'an unknown assignor', given: { serverAssignor: 'mine' }, want: 'UNSUPPORTED_ASSIGNOR' },
    { what: 'a bad pattern', given: { subscribedTopicRegex: '(' }, want: 'INVALID_REGULAR_EXPRESSION' },
    {
      what: 'a later epoch of a group that is not there',
      given: { memberEpoch: 1 },
      want: 'GROUP_ID_NOT_FOUND',
    },
    { what: 'a leave of a group that is not there', given: { memberEpoch: -1 }, want: 'GROUP_ID_NOT_FOUND' },
  ];
  for (const { what, given, want } of refused) {
    test(`${what}: ${want}, and no group is left behind`, async () => {
      const answer = await joinConsumer('a', given);
      expect(answer).toMatchObject({ error: want, memberId: null });
      const { groups: all } = await client.call(listGroups, 5, { statesFilter: [], typesFilter: [] });
      expect(all.map((one) => one.groupId)).not.toContain(groupId);
    });
  }

  test('a pattern takes topics that are created and deleted later', async () => {
    const prefix = `pattern-${groups}`;
    const all = { subscribedTopicNames: null, subscribedTopicRegex: `${prefix}.*` };
    expect((await joinConsumer('a', all)).has).toEqual([]);
    await makeTopic(client, `${prefix}-a`, { partitions: 2 });
    expect(await beat('a', 1)).toMatchObject({ memberEpoch: 2, has: [0, 1] });
    await client.call(deleteTopics, 1, { topicNames: [`${prefix}-a`], timeoutMs: 1 });
    expect((await beat('a', 2, [])).has).toEqual([]);
  });

  test('members without a heartbeat are put out after the session timeout', async () => {
    const own = await startTestBroker({ groupConsumerSessionTimeoutMs: 150 });
    const before = client;
    client = await RawClient.connect(own.port);
    await makeTopic(client, 't');
    await joinConsumer('a');
    await eventually(async () => expect((await described()).groupState).toBe('Empty'));
    client.close();
    client = before;
    await own.stop();
  });
});

describe('positions', () => {
  const commit = async (memberId: string, epoch: number, partitions: number[], version = 9) => {
    const { topics } = await client.call(offsetCommit, version, {
      groupId,
      memberId,
      generationIdOrMemberEpoch: epoch,
      topics: [
        {
          name: 't',
          topicId: id,
          partitions: partitions.map((partitionIndex) => ({
            partitionIndex,
            committedOffset: 7,
            committedMetadata: '',
          })),
        },
      ],
    });
    return topics[0]!.partitions.map(({ errorCode }) => errorName(errorCode));
  };
  const fetchAs = async (memberId: string | null, memberEpoch: number) => {
    const topics = [{ name: 't', partitionIndexes: [0] }];
    const {
      groups: [group],
    } = await client.call(offsetFetch, 9, {
      groups: [{ groupId, memberId, memberEpoch, topics }],
    });
    return group!.errorCode === 0
      ? group!.topics[0]!.partitions[0]!.committedOffset
      : errorName(group!.errorCode);
  };

  test('are committed and read in the member epoch', async () => {
    await joinConsumer('a');
    expect(await commit('a', 1, [0])).toEqual(['NONE']);
    expect(await commit('a', 2, [0])).toEqual(['STALE_MEMBER_EPOCH']);
    expect(await commit('x', 1, [0])).toEqual(['UNKNOWN_MEMBER_ID']);
    expect(await commit('', -1, [0])).toEqual(['UNKNOWN_MEMBER_ID']);
    expect(await commit('a', 1, [0], 8)).toEqual(['UNSUPPORTED_VERSION']);
    expect(await fetchAs('a', 1)).toBe(7);
    expect(await fetchAs(null, -1)).toBe(7);
    expect(await fetchAs('a', 2)).toBe('STALE_MEMBER_EPOCH');
    expect(await fetchAs('x', 1)).toBe('UNKNOWN_MEMBER_ID');
  });

  test('of an older epoch are taken for partitions that the member had then already (KIP-1251)', async () => {
    await joinConsumer('a');
    await joinConsumer('b');
    await beat('a', 1);
    await beat('a', 1, [0, 1]);
    await beat('b', -1);
    expect(await beat('a', 2, [0, 1])).toMatchObject({ memberEpoch: 3, has: [0, 1, 2, 3] });
    expect(await commit('a', 2, [0, 2])).toEqual(['NONE', 'STALE_MEMBER_EPOCH']);
  });

  test('of a group that is not there: GROUP_ID_NOT_FOUND from v9, ILLEGAL_GENERATION before', async () => {
    expect(await commit('a', 1, [0], 9)).toEqual(['GROUP_ID_NOT_FOUND']);
    expect(await commit('a', 1, [0], 8)).toEqual(['ILLEGAL_GENERATION']);
    expect(await fetchAs('a', 1)).toBe(-1);
  });

  test('OffsetDelete: not of topics that are read; one that was deleted reads as -1', async () => {
    const remove = async (index = 0) => {
      const topics = [{ name: 't', partitions: [{ partitionIndex: index }] }];
      const answer = await client.call(offsetDelete, 0, { groupId, topics });
      return errorName(answer.errorCode || answer.topics[0]!.partitions[0]!.errorCode);
    };
    expect(await remove()).toBe('GROUP_ID_NOT_FOUND');
    await joinConsumer('a');
    await commit('a', 1, [0]);
    expect(await remove()).toBe('GROUP_SUBSCRIBED_TO_TOPIC');
    await beat('a', -1);
    expect(await remove(9)).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(await remove()).toBe('NONE');
    expect(await remove()).toBe('NONE');
    expect(await fetchAs(null, -1)).toBe(-1);
  });
});

describe('listing, describing, deleting', () => {
  test('ConsumerGroupDescribe tells members, assignments, targets, epochs and assignor', async () => {
    await joinConsumer('a', { instanceId: 'i', rackId: 'r', serverAssignor: 'range' });
    await joinConsumer('b');
    const topicPartitions = (partitions: number[]) => ({
      topicPartitions: partitions.length > 0 ? [{ topicId: id, topicName: 't', partitions }] : [],
    });
    expect(await described()).toMatchObject({
      errorCode: 0,
      groupState: 'Reconciling',
      groupEpoch: 2,
      assignmentEpoch: 2,
      assignorName: 'range',
      members: [
        {
          memberId: 'a',
          instanceId: 'i',
          rackId: 'r',
          memberEpoch: 1,
          clientId: 'raw',
          clientHost: '/127.0.0.1',
          subscribedTopicNames: ['t'],
          assignment: topicPartitions([0, 1, 2, 3]),
          targetAssignment: topicPartitions([0, 1]),
          memberType: 1,
        },
        { memberId: 'b', assignment: topicPartitions([]), targetAssignment: topicPartitions([2, 3]) },
      ],
    });
    expect((await described(0)).members).toHaveLength(2);
  });

  test('classic groups are GROUP_ID_NOT_FOUND here, consumer groups are so in DescribeGroups v6', async () => {
    const { memberId, generationId } = await joinClassic();
    await syncClassic(memberId, generationId);
    expect(await described()).toMatchObject({
      errorCode: CODE.GROUP_ID_NOT_FOUND,
      errorMessage: `Group ${groupId} is not a consumer group.`,
    });
    groupId = `${groupId}-consumer`;
    await joinConsumer('a');
    for (const [version, want] of [
      [5, CODE.NONE],
      [6, CODE.GROUP_ID_NOT_FOUND],
    ] as const) {
      const {
        groups: [one],
      } = await client.call(describeGroups, version, { groups: [groupId] });
      expect(one).toMatchObject({ errorCode: want, groupState: 'Dead' });
    }
  });

  test('ListGroups filters by type and state without regard to case', async () => {
    await joinConsumer('a');
    const listed = async (statesFilter: string[], typesFilter: string[]) => {
      const answer = await client.call(listGroups, 5, { statesFilter, typesFilter });
      return answer.groups.find((one) => one.groupId === groupId);
    };
    expect(await listed(['sTaBle'], ['Consumer'])).toMatchObject({
      groupState: 'Stable',
      groupType: 'consumer',
      protocolType: 'consumer',
    });
    expect(await listed([], ['CLASSIC'])).toBeUndefined();
    expect(await listed(['empty'], [])).toBeUndefined();
  });

  test('DeleteGroups wants the group empty, and takes all of it', async () => {
    await joinConsumer('a');
    const remove = async () => {
      const { results } = await client.call(deleteGroups, 2, { groupsNames: [groupId] });
      return errorName(results[0]!.errorCode);
    };
    expect(await remove()).toBe('NON_EMPTY_GROUP');
    await beat('a', -1);
    expect(await remove()).toBe('NONE');
    expect(await remove()).toBe('GROUP_ID_NOT_FOUND');
  });
});

describe('online conversion', () => {
  test('a consumer that joins a classic group converts it; the classic member stays, and both read', async () => {
    const { memberId, generationId } = await joinClassic();
    await client.call(syncGroup, 3, { groupId, generationId, memberId, assignments: [] });
    expect(await joinConsumer('new')).toMatchObject({ error: 'NONE', memberEpoch: 2 });
    expect((await described()).members.map(({ memberType }) => memberType)).toEqual([0, 1]);
    const at = { groupId, memberId };
    const beatAt = async (generation: number) =>
      errorName((await client.call(heartbeat, 3, { ...at, generationId: generation })).errorCode);
    expect(await beatAt(generationId)).toBe('REBALANCE_IN_PROGRESS');
    const again = await joinClassic(memberId);
    expect(again).toMatchObject({ errorCode: 0, memberId, protocolName: 'range', leader: '', members: [] });
    const synced = await syncClassic(memberId, again.generationId);
    expect(synced).toMatchObject({ error: 'NONE' });
    expect(await beatAt(again.generationId)).toBe('NONE');
    expect(await beatAt(again.generationId - 1)).toBe('ILLEGAL_GENERATION');
    const { has } = await beat('new', 2, []);
    const now = (await described()).members.flatMap(({ assignment }) =>
      assignment.topicPartitions.flatMap(({ partitions }) => partitions),
    );
    expect(now.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
    expect(has ?? []).toEqual([]);
  });

  test('when the last consumer leaves, the group is classic again and rebalances', async () => {
    await joinConsumer('new');
    const { memberId, generationId, errorCode } = await joinClassic();
    expect(errorCode).toBe(0);
    expect((await syncClassic(memberId, generationId)).error).toBe('NONE');
    await beat('new', -1);
    const {
      groups: [one],
    } = await client.call(describeGroups, 6, { groups: [groupId] });
    expect(one).toMatchObject({ errorCode: 0, groupState: 'PreparingRebalance' });
    const again = await joinClassic(memberId);
    expect(again).toMatchObject({ errorCode: 0, leader: memberId, members: [{ memberId }] });
  });

  test('the policy disabled keeps a classic group classic: GROUP_ID_NOT_FOUND', async () => {
    const own = await startTestBroker({ groupConsumerMigrationPolicy: 'disabled' });
    const before = client;
    client = await RawClient.connect(own.port);
    await makeTopic(client, 't');
    await joinClassic();
    expect((await joinConsumer('new')).error).toBe('GROUP_ID_NOT_FOUND');
    client.close();
    client = before;
    await own.stop();
  });

  test('an empty group takes either protocol', async () => {
    await joinConsumer('a');
    await beat('a', -1);
    const { memberId } = await joinClassic();
    expect((await described()).errorCode).toBe(CODE.GROUP_ID_NOT_FOUND);
    await client.call(leaveGroup, 2, { groupId, memberId });
    expect((await joinConsumer('a')).error).toBe('NONE');
  });

  test('an administrator removes a static member of either protocol by its instance', async () => {
    await joinConsumer('a', { instanceId: 'i' });
    const { members } = await client.call(leaveGroup, 5, {
      groupId,
      members: [{ memberId: '', groupInstanceId: 'i' }, { memberId: 'x' }],
    });
    expect(members.map(({ errorCode }) => errorName(errorCode))).toEqual(['NONE', 'UNKNOWN_MEMBER_ID']);
    expect((await described()).groupState).toBe('Empty');
  });
});

test('after a restart everything is as before, from the records alone', async () => {
  const own = await startTestBroker();
  const before = client;
  client = await RawClient.connect(own.port);
  const ids = id;
  id = await makeTopic(client, 't', { partitions: 4 });
  await joinConsumer('a', { instanceId: 'i', subscribedTopicRegex: 'zz.*' });
  await joinConsumer('b', { serverAssignor: 'range' });
  await beat('a', 1, null, { instanceId: 'i' });
  const { memberId } = await joinClassic();
  const then = await described();
  expect(then.members).toHaveLength(3);
  client.close();
  await own.restart();
  client = await RawClient.connect(own.port);
  const now = await described();
  const byId = (all: typeof then.members) =>
    all.toSorted((one, other) => (one.memberId < other.memberId ? -1 : 1));
  expect({ ...now, members: byId(now.members) }).toEqual({ ...then, members: byId(then.members) });
  expect((await beat('a', 1, [0], { instanceId: 'i' })).error).toBe('NONE');
  expect((await described()).members.some((one) => one.memberId === memberId)).toBe(true);

  // Whoever reads the topic itself finds Kafka's kinds of records, and tombstones for what went.
  await beat('b', -1);
  const kinds = new Set<string>();
  for (let offset = 0, more = true; more;) {
    const at = { partition: partitionOf(groupId, 50) };
    const { records } = await fetchFrom(client, OFFSETS_TOPIC, offset, at);
    const read = [...batchesOf(records!)].flatMap(recordsOf);
    for (const { key, value } of read) {
      kinds.add(`${key!.readInt16BE(0)}${value === null ? ' gone' : ''}`);
    }
    more = read.length > 0;
    offset = (read.at(-1)?.offset ?? -1) + 1;
  }
  expect([...kinds].toSorted()).toEqual(
    ['16', '3', '5', '5 gone', '6', '7', '7 gone', '8', '8 gone'].toSorted(),
  );
  client.close();
  await own.stop();
  client = before;
  id = ids;
});
