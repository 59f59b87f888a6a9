/** What an API does depends on the version that a client speaks. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { recordBatch } from '../../test/support/record-batch.ts';
import { fetchFrom, makeTopic, produceTo, topicId } from '../../test/support/requests.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { CODE, errorName } from '../wire/errors.ts';
import {
  apiVersions,
  createTopics,
  deleteTopics,
  describeConfigs,
  heartbeat,
  joinGroup,
  listOffsets,
  metadata,
  offsetFetch,
  saslHandshake,
  syncGroup,
} from '../wire/schemas/index.ts';

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

describe('ApiVersions', () => {
  // Key and the first version that Apache Kafka 4 still serves.
  const kept = [
    listOffsets,
    createTopics,
    deleteTopics,
    describeConfigs,
    saslHandshake,
    joinGroup,
    offsetFetch,
  ];

  test('old versions that cost nothing are served', async () => {
    const { apiKeys } = await client.call(apiVersions, 0, {});
    const first = kept.map(({ key }) => apiKeys.find(({ apiKey }) => apiKey === key)!.minVersion);
    // OffsetFetch 0 read from ZooKeeper.
    expect(first).toEqual([0, 0, 0, 0, 0, 0, 1]);
  });

  test('APIs of brokers and controllers among themselves are not advertised', async () => {
    const { apiKeys } = await client.call(apiVersions, 4, {
      clientSoftwareName: 'test',
      clientSoftwareVersion: '1',
    });
    const theirs = [
      [4, 5, 6, 7, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73],
      [80, 81, 82, 83, 84, 85, 86, 87, 93, 94],
    ].flat();
    expect(apiKeys.map(({ apiKey }) => apiKey).filter((key) => theirs.includes(key))).toEqual([]);
  });
});

describe('Metadata', () => {
  test('before version 4 a missing topic is always made', async () => {
    for (let version = 0; version <= 3; version += 1) {
      const { topics } = await client.call(metadata, version, { topics: [{ name: `made-by-${version}` }] });
      expect(topics[0]).toMatchObject({ errorCode: 0, partitions: [{ leaderId: 1 }] });
    }
  });

  test('Metadata before version 12 by id is INVALID_REQUEST, and no name is taken for one', async () => {
    const id = await topicId(client, 't');
    for (const version of [10, 11]) {
      const { topics } = await client.call(metadata, version, { topics: [{ name: null, topicId: id }] });
      expect(topics.map(({ errorCode }) => errorName(errorCode))).toEqual(['INVALID_REQUEST']);
    }
  });
});

describe('Fetch', () => {
  test('records are empty bytes, never null, in every version, with an error and without', async () => {
    const id = await topicId(client, 't');
    for (let version = 4; version <= 18; version += 1) {
      const place = { version, ...(version >= 13 ? { topicId: id } : {}) };
      const empty = await fetchFrom(client, 't', 0, place);
      expect(empty).toMatchObject({ errorCode: 0, records: Buffer.alloc(0) });
      const beyond = await fetchFrom(client, 't', 5, place);
      expect(beyond).toMatchObject({ errorCode: CODE.OFFSET_OUT_OF_RANGE, records: Buffer.alloc(0) });
    }
  });
});

describe('Produce', () => {
  test('the start of the log is told from v5, the reason of a refusal from v8', async () => {
    for (let version = 3; version <= 12; version += 1) {
      const taken = await produceTo(client, 't', recordBatch({ values: ['a'] }), { version });
      expect(taken.logStartOffset).toBe(version >= 5 ? 0 : -1);
      const refused = await produceTo(client, 't', Buffer.alloc(0), { version });
      expect(errorName(refused.errorCode)).toBe('INVALID_RECORD');
      expect(refused.errorMessage === null).toBe(version < 8);
    }
  });
});

describe('JoinGroup', () => {
  const join = (groupId: string, given: object = {}) => ({
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('m') }],
    ...given,
  });

  test('MEMBER_ID_REQUIRED is told from JoinGroup v4 on; before, a member without an id is let in', async () => {
    for (let version = 0; version <= 9; version += 1) {
      const answer = await client.call(joinGroup, version, join(`without-${version}`));
      expect(errorName(answer.errorCode)).toBe(version >= 4 ? 'MEMBER_ID_REQUIRED' : 'NONE');
      expect(answer.memberId).toMatch(/^raw-[0-9a-f-]{36}$/);
    }
  });

  test('JoinGroup v0: the session timeout is the rebalance timeout', async () => {
    const session = { sessionTimeoutMs: 400 };
    const first = await client.call(joinGroup, 0, join('old', session));
    const { memberId, generationId } = first;
    await client.call(syncGroup, 0, { groupId: 'old', generationId, memberId, assignments: [] });
    const other = await RawClient.connect(broker.port);
    const second = other.call(joinGroup, 0, join('old', session));
    // It beats, but does not come back: its session goes on, and only the rebalance timeout ends its place.
    const beat = { groupId: 'old', generationId, memberId };
    await expect
      .poll(async () => (await client.call(heartbeat, 0, beat)).errorCode)
      .toBe(CODE.UNKNOWN_MEMBER_ID);
    expect(await second).toMatchObject({ errorCode: 0, generationId: generationId + 1 });
    other.close();
  });
});
