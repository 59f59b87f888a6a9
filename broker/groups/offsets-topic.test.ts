/** `__consumer_offsets` is read by others: lag monitors, mirrors, people with a console. */
import { afterAll, beforeAll, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { fetchFrom, makeTopic } from '../../test/support/requests.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { batchesOf, type ReadRecord, recordsOf } from '../state/record-batch.ts';
import { partitionOf } from '../state/internal-topic.ts';
import {
  deleteGroups,
  deleteTopics,
  describeConfigs,
  joinGroup,
  leaveGroup,
  metadata,
  offsetCommit,
  syncGroup,
} from '../wire/schemas/index.ts';

const TOPIC = '__consumer_offsets';
let broker: TestBroker;
let client: RawClient;
beforeAll(async () => {
  broker = await startTestBroker();
  client = await RawClient.connect(broker.port);
  await makeTopic(client, 't');
});
afterAll(async () => {
  client?.close();
  await broker?.stop();
});

async function recordsOfGroup(groupId: string): Promise<ReadRecord[]> {
  const { records } = await fetchFrom(client, TOPIC, 0, { partition: partitionOf(groupId, 50) });
  return [...batchesOf(records!)].flatMap((batch) => recordsOf(batch));
}

function commit(groupId: string, committedMetadata: string | null, topic = 't') {
  const partitions = [
    { partitionIndex: 0, committedOffset: 258, committedMetadata, committedLeaderEpoch: 4 },
  ];
  return client.call(offsetCommit, 7, { groupId, memberId: '', topics: [{ name: topic, partitions }] });
}

const hex = (bytes: Uint8Array | null): string | null => bytes && Buffer.from(bytes).toString('hex');

test('is listed, compacted and internal, with 50 partitions', async () => {
  await commit('first', null);
  const { topics } = await client.call(metadata, 9, { topics: null });
  const [found] = topics.filter(({ name }) => name === TOPIC);
  expect(found).toMatchObject({ errorCode: 0, isInternal: true });
  expect(found!.partitions).toHaveLength(50);
  const { results } = await client.call(describeConfigs, 4, {
    resources: [{ resourceType: 2, resourceName: TOPIC, configurationKeys: ['cleanup.policy'] }],
  });
  expect(results[0]!.configs).toMatchObject([{ value: 'compact', configSource: 1 }]);
});

test('a position is a record of key version 1 and value version 3', async () => {
  await commit('g', 'why');
  const [record] = await recordsOfGroup('g');
  //                                version  group       topic       partition
  expect(hex(record!.key)).toBe('0001' + '000167' + '000174' + '00000000');
  // version, offset, leader epoch, metadata, then when it was committed
  expect(hex(record!.value)).toMatch(/^00030000000000000102000000040003776879[0-9a-f]{16}$/);
});

test('a group is a record of key version 2', async () => {
  const groupId = 'group';
  const { memberId, generationId } = await client.call(joinGroup, 3, {
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('m') }],
  });
  const assignments = [{ memberId, assignment: Buffer.from('a') }];
  await client.call(syncGroup, 3, { groupId, generationId, memberId, assignments });
  const record = (await recordsOfGroup(groupId)).at(-1)!;
  expect(hex(record.key)).toBe('0002' + '000567726f7570');
  //                                  version    protocol type
  expect(hex(record.value)).toMatch(/^000[34]0008636f6e73756d6572/);
  expect(Buffer.from(record.value!).toString('latin1')).toContain(memberId);
  await client.call(leaveGroup, 2, { groupId, memberId });
});

test('deleting leaves tombstones, of a group and of the positions on a deleted topic', async () => {
  await commit('gone', null);
  await client.call(deleteGroups, 1, { groupsNames: ['gone'] });
  const ofGone = (await recordsOfGroup('gone')).filter(({ key }) => Buffer.from(key!).includes('gone'));
  expect(ofGone.at(-1)!.value).toBeNull();
  expect(ofGone.some(({ key, value }) => key![1] === 1 && value === null)).toBe(true);

  await makeTopic(client, 'short');
  await commit('reader', null, 'short');
  await client.call(deleteTopics, 1, { topicNames: ['short'], timeoutMs: 1_000 });
  await expect
    .poll(async () => {
      const all = await recordsOfGroup('reader');
      return all.findLast(({ key }) => Buffer.from(key!).includes('short'))?.value;
    })
    .toBeNull();
});
