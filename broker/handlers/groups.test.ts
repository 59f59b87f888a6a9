import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { batchesOf, recordsOf } from '../state/record-batch.ts';
import { readCoordinatorRecord } from '../groups/coordinator-records.ts';
import { partitionOf } from '../state/internal-topic.ts';
import { fetchFrom, makeTopic, topicId } from '../../test/support/requests.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { CODE, errorName } from '../wire/errors.ts';
import {
  deleteGroups,
  deleteTopics,
  describeGroups,
  findCoordinator,
  heartbeat,
  joinGroup,
  leaveGroup,
  listGroups,
  offsetCommit,
  offsetFetch,
  syncGroup,
} from '../wire/schemas/index.ts';

let broker: TestBroker;
let client: RawClient;
beforeAll(async () => {
  broker = await startTestBroker();
  client = await RawClient.connect(broker.port);
  await makeTopic(client, 't', { partitions: 2 });
});
afterAll(async () => {
  client?.close();
  await broker?.stop();
});

const join = (groupId: string, given: object = {}) => ({
  groupId,
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 10_000,
  memberId: '',
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: Buffer.from('m') }],
  ...given,
});

/** A stable group of one; its member id and generation. */
async function stable(groupId: string): Promise<{ memberId: string; generationId: number }> {
  const { memberId, generationId } = await client.call(joinGroup, 3, join(groupId));
  const assignments = [{ memberId, assignment: Buffer.from('a') }];
  await client.call(syncGroup, 3, { groupId, generationId, memberId, assignments });
  return { memberId, generationId };
}

const commitOf = (
  groupId: string,
  given: object = {},
  partitions: object[] = [{ partitionIndex: 0, committedOffset: 5 }],
) => ({
  groupId,
  memberId: '',
  topics: [
    { name: 't', partitions: partitions.map((one) => ({ committedMetadata: null, ...one })) as never },
  ],
  ...given,
});

async function commit(
  groupId: string,
  given: object = {},
  version = 7,
  partitions?: object[],
): Promise<string> {
  const { topics } = await client.call(offsetCommit, version, commitOf(groupId, given, partitions));
  return errorName(topics[0]!.partitions[0]!.errorCode);
}

async function committed(groupId: string, version = 5) {
  const { topics } = await client.call(offsetFetch, version, {
    groupId,
    topics: [{ name: 't', partitionIndexes: [0] }],
    groups: [],
  });
  return topics[0]!.partitions[0]!;
}

describe('the way through a group', () => {
  test('every version of every request', async () => {
    for (let version = 0; version <= 9; version += 1) {
      const groupId = `way-${version}`;
      const first = await client.call(joinGroup, version, join(groupId));
      expect(errorName(first.errorCode)).toBe(version >= 4 ? 'MEMBER_ID_REQUIRED' : 'NONE');
      const joined = await client.call(joinGroup, version, join(groupId, { memberId: first.memberId }));
      const { memberId, generationId } = joined;
      expect(joined).toMatchObject({
        errorCode: 0,
        generationId: 1,
        protocolName: 'range',
        leader: memberId,
      });
      expect(joined.protocolType).toBe(version >= 7 ? 'consumer' : null);
      expect(joined.members).toMatchObject([{ memberId, metadata: Buffer.from('m') }]);
      const synced = await client.call(syncGroup, Math.min(version, 5), {
        groupId,
        generationId,
        memberId,
        protocolType: 'consumer',
        protocolName: 'range',
        assignments: [{ memberId, assignment: Buffer.from('mine') }],
      });
      expect(synced).toMatchObject({ errorCode: 0, assignment: Buffer.from('mine') });
      const beat = await client.call(heartbeat, Math.min(version, 4), { groupId, generationId, memberId });
      expect(beat.errorCode).toBe(0);
      const left = await client.call(leaveGroup, Math.min(version, 5), {
        groupId,
        memberId,
        members: [{ memberId }],
      });
      expect([left.errorCode, ...left.members.map(({ errorCode }) => errorCode)]).toEqual(
        version >= 3 ? [0, 0] : [0],
      );
    }
  });

  test('the coordinator is found at the first call, for any group, in every version', async () => {
    for (let version = 0; version <= 6; version += 1) {
      const answer = await client.call(findCoordinator, version, {
        key: `new-${version}`,
        coordinatorKeys: [`new-${version}`],
      });
      const where = version >= 4 ? answer.coordinators[0]! : answer;
      expect(where).toMatchObject({ errorCode: 0, nodeId: 1, host: 'localhost', port: broker.port });
    }
  });

  test('a transactional id has its coordinator at the first call (key type 1)', async () => {
    const answer = await client.call(findCoordinator, 1, { key: 'tx', keyType: 1 });
    expect(errorName(answer.errorCode)).toBe('NONE');
  });

  const refused = [
    { what: 'an empty group id', given: { groupId: '' }, want: 'INVALID_GROUP_ID' },
    { what: 'a session too short', given: { sessionTimeoutMs: 99 }, want: 'INVALID_SESSION_TIMEOUT' },
    { what: 'a session too long', given: { sessionTimeoutMs: 1_800_001 }, want: 'INVALID_SESSION_TIMEOUT' },
    { what: 'no protocols', given: { protocols: [] }, want: 'INCONSISTENT_GROUP_PROTOCOL' },
    { what: 'an unknown member', given: { memberId: 'x' }, want: 'UNKNOWN_MEMBER_ID' },
  ];
  for (const { what, given, want } of refused) {
    test(`JoinGroup with ${what}: ${want}, and no group is left behind`, async () => {
      for (const version of [0, 6, 9]) {
        const answer = await client.call(joinGroup, version, join('refused', given));
        expect(errorName(answer.errorCode)).toBe(want);
      }
      const { groups } = await client.call(listGroups, 0, {});
      expect(groups.map(({ groupId }) => groupId)).not.toContain('refused');
    });
  }

  test('requests to a group that is not there: UNKNOWN_MEMBER_ID', async () => {
    const at = { groupId: 'nobody', generationId: 1, memberId: 'x' };
    const codes = [
      (await client.call(heartbeat, 3, at)).errorCode,
      (await client.call(syncGroup, 3, { ...at, assignments: [] })).errorCode,
      (await client.call(leaveGroup, 2, at)).errorCode,
    ];
    expect(codes.map(errorName)).toEqual(['UNKNOWN_MEMBER_ID', 'UNKNOWN_MEMBER_ID', 'UNKNOWN_MEMBER_ID']);
  });
});

describe('OffsetCommit and OffsetFetch', () => {
  test('an unknown group or partition reads as offset -1, metadata "", no error', async () => {
    for (let version = 1; version <= 7; version += 1) {
      expect(await committed('never-used', version)).toMatchObject({
        committedOffset: -1,
        metadata: '',
        errorCode: 0,
      });
    }
    for (const version of [8, 9]) {
      const { groups } = await client.call(offsetFetch, version, {
        groups: [
          { groupId: 'never-used', topics: [{ name: 't', partitionIndexes: [1] }] },
          { groupId: 'nor-this', topics: null },
        ],
      });
      expect(groups[0]).toMatchObject({
        errorCode: 0,
        topics: [{ partitions: [{ committedOffset: -1, metadata: '', errorCode: 0 }] }],
      });
      expect(groups[1]).toMatchObject({ errorCode: 0, topics: [] });
    }
  });

  test('every version keeps the position; metadata verbatim, absent metadata as ""', async () => {
    const id = await topicId(client, 't');
    for (let version = 2; version <= 10; version += 1) {
      const groupId = `commit-${version}`;
      const topics = [
        {
          ...(version >= 10 ? { topicId: id } : { name: 't' }),
          partitions: [
            { partitionIndex: 0, committedOffset: version, committedMetadata: null },
            { partitionIndex: 1, committedOffset: 9, committedMetadata: 'ü ' },
          ],
        },
      ];
      const answer = await client.call(offsetCommit, version, { groupId, memberId: '', topics });
      expect(answer.topics[0]!.partitions.map(({ errorCode }) => errorCode)).toEqual([0, 0]);
      expect(await committed(groupId)).toMatchObject({ committedOffset: version, metadata: '' });
      const all = await client.call(offsetFetch, 10, { groups: [{ groupId, topics: null }] });
      expect(all.groups[0]!.topics).toMatchObject([
        { topicId: id, partitions: [{ committedOffset: version }, { committedOffset: 9, metadata: 'ü ' }] },
      ]);
    }
  });

  test('an offset outside of the log is taken', async () => {
    expect(await commit('far', {}, 7, [{ partitionIndex: 0, committedOffset: 1_000_000 }])).toBe('NONE');
  });

  test('partitions are refused alone', async () => {
    const partitions = [
      { partitionIndex: 9, committedOffset: 1 },
      { partitionIndex: 0, committedOffset: 1, committedMetadata: 'x'.repeat(4_097) },
      { partitionIndex: 1, committedOffset: 1 },
    ];
    const { topics } = await client.call(offsetCommit, 7, commitOf('alone', {}, partitions));
    expect(topics[0]!.partitions.map(({ errorCode }) => errorName(errorCode))).toEqual([
      'UNKNOWN_TOPIC_OR_PARTITION',
      'OFFSET_METADATA_TOO_LARGE',
      'NONE',
    ]);
  });

  test('who may commit to a group with members', async () => {
    const { memberId, generationId } = await stable('members');
    const as = (given: object) =>
      commit('members', { memberId, generationIdOrMemberEpoch: generationId, ...given });
    expect(await as({})).toBe('NONE');
    expect(await as({ generationIdOrMemberEpoch: generationId - 1 })).toBe('ILLEGAL_GENERATION');
    expect(await as({ memberId: 'x' })).toBe('UNKNOWN_MEMBER_ID');
    expect(await commit('members')).toBe('UNKNOWN_MEMBER_ID');
    expect(await commit('no-group', { generationIdOrMemberEpoch: 3, memberId: 'x' })).toBe(
      'ILLEGAL_GENERATION',
    );
  });

  test('a commit that crosses a rebalance or a close fails', async () => {
    const { memberId, generationId } = await stable('crossing');
    const as = { memberId, generationIdOrMemberEpoch: generationId };
    const other = await RawClient.connect(broker.port);
    other.send(joinGroup, 3, join('crossing'));
    await expect
      .poll(
        async () =>
          (await client.call(heartbeat, 3, { groupId: 'crossing', generationId, memberId })).errorCode,
      )
      .toBe(CODE.REBALANCE_IN_PROGRESS);
    // The join phase still belongs to the old generation.
    expect(await commit('crossing', as)).toBe('NONE');
    await client.call(joinGroup, 3, join('crossing', { memberId }));
    expect(await commit('crossing', as)).toBe('ILLEGAL_GENERATION');
    const next = { memberId, generationIdOrMemberEpoch: generationId + 1 };
    expect(await commit('crossing', next)).toBe('REBALANCE_IN_PROGRESS');
    await client.call(leaveGroup, 2, { groupId: 'crossing', memberId });
    expect(await commit('crossing', next)).toBe('UNKNOWN_MEMBER_ID');
    other.close();
  });

  test('a deleted topic takes its positions along', async () => {
    await makeTopic(client, 'short');
    const topics = [
      { name: 'short', partitions: [{ partitionIndex: 0, committedOffset: 7, committedMetadata: '' }] },
    ];
    await client.call(offsetCommit, 7, { groupId: 'short-lived', memberId: '', topics });
    await client.call(deleteTopics, 1, { topicNames: ['short'], timeoutMs: 1 });
    const all = await client.call(offsetFetch, 5, { groupId: 'short-lived', topics: null, groups: [] });
    expect(all.topics).toEqual([]);
  });
});

describe('listing, describing, deleting', () => {
  test('filters by state and type do not mind case', async () => {
    await stable('listed');
    const ids = async (given: object, version: number) =>
      (await client.call(listGroups, version, { statesFilter: [], typesFilter: [], ...given })).groups.map(
        ({ groupId }) => groupId,
      );
    expect(await ids({ statesFilter: ['STABLE'] }, 4)).toContain('listed');
    expect(await ids({ statesFilter: ['empty'] }, 4)).not.toContain('listed');
    expect(await ids({ typesFilter: ['Classic'] }, 5)).toContain('listed');
    expect(await ids({ typesFilter: ['consumer'] }, 5)).toEqual([]);
    const { groups } = await client.call(listGroups, 5, { statesFilter: [], typesFilter: [] });
    expect(groups.find(({ groupId }) => groupId === 'listed')).toMatchObject({
      groupState: 'Stable',
      groupType: 'classic',
      protocolType: 'consumer',
    });
  });

  test('every version describes; what is unknown is Dead, from v6 GROUP_ID_NOT_FOUND', async () => {
    const { memberId } = await stable('described');
    for (let version = 0; version <= 6; version += 1) {
      const { groups } = await client.call(describeGroups, version, { groups: ['described', 'unknown'] });
      expect(groups[0]).toMatchObject({
        errorCode: 0,
        groupState: 'Stable',
        protocolType: 'consumer',
        protocolData: 'range',
        members: [
          {
            memberId,
            clientId: 'raw',
            clientHost: '/127.0.0.1',
            memberMetadata: Buffer.from('m'),
            memberAssignment: Buffer.from('a'),
          },
        ],
      });
      expect(groups[1]).toMatchObject({
        groupState: 'Dead',
        errorCode: version >= 6 ? CODE.GROUP_ID_NOT_FOUND : 0,
      });
    }
  });

  test('only an empty group is deleted, with its positions', async () => {
    const { memberId, generationId } = await stable('deleted');
    await commit('deleted', { memberId, generationIdOrMemberEpoch: generationId });
    const remove = async (version: number) =>
      (await client.call(deleteGroups, version, { groupsNames: ['deleted', 'never'] })).results.map(
        ({ errorCode }) => errorName(errorCode),
      );
    for (let version = 0; version <= 3; version += 1) {
      expect(await remove(version)).toEqual(['NON_EMPTY_GROUP', 'GROUP_ID_NOT_FOUND']);
    }
    await client.call(leaveGroup, 2, { groupId: 'deleted', memberId });
    expect(await remove(3)).toEqual(['NONE', 'GROUP_ID_NOT_FOUND']);
    expect((await committed('deleted')).committedOffset).toBe(-1);
  });
});

test('after a restart members, generation and positions are as before', async () => {
  const own = await startTestBroker();
  client.close();
  client = await RawClient.connect(own.port);
  await makeTopic(client, 't');
  const { memberId, generationId } = await stable('lasting');
  await commit('lasting', { memberId, generationIdOrMemberEpoch: generationId });
  await commit('simple', {}, 7, [{ partitionIndex: 0, committedOffset: 3, committedMetadata: 'why' }]);
  client.close();
  await own.restart();
  client = await RawClient.connect(own.port);
  expect(await client.call(heartbeat, 3, { groupId: 'lasting', generationId, memberId })).toMatchObject({
    errorCode: 0,
  });
  expect((await committed('lasting')).committedOffset).toBe(5);
  expect(await committed('simple')).toMatchObject({ committedOffset: 3, metadata: 'why' });
  const again = await client.call(syncGroup, 3, {
    groupId: 'lasting',
    generationId,
    memberId,
    assignments: [],
  });
  expect(again.assignment.toString()).toBe('a');

  // Readers of the topic itself find Kafka's records.
  const at = { partition: partitionOf('simple', 50) };
  const { records } = await fetchFrom(client, '__consumer_offsets', 0, at);
  const read = [...batchesOf(records!)].flatMap(recordsOf).map(readCoordinatorRecord);
  expect(read).toContainEqual(
    expect.objectContaining({
      kind: 'offset',
      groupId: 'simple',
      topic: 't',
      partition: 0,
      value: expect.objectContaining({ offset: 3, metadata: 'why' }),
    }),
  );
  client.close();
  await own.stop();
  client = await RawClient.connect(broker.port);
});
