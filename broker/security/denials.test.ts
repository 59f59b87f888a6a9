import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { ADMINISTRATION } from '../../test/support/denials/administration.ts';
import { DATA } from '../../test/support/denials/data.ts';
import { commit, fetchPositions, GROUPS } from '../../test/support/denials/groups.ts';
import { SHARE_GROUPS } from '../../test/support/denials/share-groups.ts';
import { TRANSACTIONS } from '../../test/support/denials/transactions.ts';
import { type DenialWorld, type Grant, startDenialWorld } from '../../test/support/denials/world.ts';
import type { RawClient } from '../../test/support/raw-client.ts';
import { recordBatch } from '../../test/support/record-batch.ts';
import { HANDLERS } from '../handlers/index.ts';
import { CODE } from '../wire/errors.ts';
import * as api from '../wire/schemas/index.ts';
import { CLUSTER_NAME } from './authorizer.ts';

const DENIALS = [...DATA, ...GROUPS, ...SHARE_GROUPS, ...TRANSACTIONS, ...ADMINISTRATION];

/** What everybody may ask who is let in, as in Kafka. */
const OPEN_TO_ALL = new Set([
  // Before it is known who asks.
  'ApiVersions',
  'SaslHandshake',
  'SaslAuthenticate',
  // Addresses, which Metadata tells to everybody too; only its authorized operations ask.
  'DescribeCluster',
  // What clients push of themselves.
  'GetTelemetrySubscriptions',
  'PushTelemetry',
]);
/** What answers everybody with what the asker may see; below. */
const FILTERED = new Set(['ListGroups', 'ListTransactions']);

let world: DenialWorld;
beforeAll(async () => {
  world = await startDenialWorld();
});
afterAll(async () => {
  await world?.stop();
});

describe('without the right an error code, never a dropped connection; with it an answer', () => {
  for (const { name, grant, denied, ask } of DENIALS) {
    test(`${name}: ${denied} without ${grant[2]} on ${grant[0]} ${grant[1]}`, async () => {
      expect(await ask(world.ann, world)).toBe(CODE[denied]);
      await world.allow(grant);
      expect(await ask(world.ann, world)).not.toBe(CODE[denied]);
      await world.revoke(grant);
      expect(await ask(world.ann, world)).toBe(CODE[denied]);
    });
  }
});

test('every API that is served asks, filters, or is open on purpose', () => {
  const asking = new Set(DENIALS.map(({ name }) => /^\w+/.exec(name)![0]));
  const covered = [...asking, ...OPEN_TO_ALL, ...FILTERED].sort();
  expect(covered).toEqual(HANDLERS.map((one) => one.api.name).sort());
});

describe('what may not be described is not to be seen', () => {
  test('Metadata of all topics leaves it out', async () => {
    await world.allow(['Topic', 'logs', 'Read']);
    const { topics } = await world.ann.call(api.metadata, 9, { topics: null });
    await world.revoke(['Topic', 'logs', 'Read']);
    expect(topics.map(({ name }) => name)).toEqual(['logs']);
  });

  test('Metadata answers the same for a topic that there is and one that there is not, without an id', async () => {
    const { topics } = await world.ann.call(api.metadata, 12, {
      topics: [{ name: 'secret' }, { name: 'nowhere' }],
    });
    const [known, unknown] = topics.map(({ name: _name, ...rest }) => rest);
    expect(known).toEqual(unknown);
    expect(known!.topicId).toMatch(/^0/);
  });

  test('ListGroups leaves out groups, unless the cluster may be described', async () => {
    expect(await commit(world.admin)).toBe(0);
    const seenBy = async (client: RawClient) =>
      (await client.call(api.listGroups, 4, {})).groups.map(({ groupId }) => groupId);
    const seen = () => seenBy(world.ann);
    expect(await seen()).toEqual([]);
    expect(await world.allowing([['Group', 'readers', 'Describe']], seen)).toEqual(['readers']);
    const all = await world.allowing([['Cluster', CLUSTER_NAME, 'Describe']], seen);
    expect(all).toEqual(await seenBy(world.admin));
  });

  test('OffsetFetch of all positions leaves out topics', async () => {
    const grants: Grant[] = [
      ['Group', 'readers', 'Describe'],
      ['Topic', 'logs', 'Describe'],
    ];
    await world.allow(grants[0]!);
    expect((await fetchPositions(world.ann, null)).topics).toEqual([]);
    await world.allow(grants[1]!);
    expect((await fetchPositions(world.ann, null)).topics.map(({ name }) => name)).toEqual(['logs']);
    for (const grant of grants) await world.revoke(grant);
  });

  test('ListTransactions leaves out what may not be described', async () => {
    const request = { transactionalId: 'tx', transactionTimeoutMs: 60_000 };
    expect((await world.admin.call(api.initProducerId, 4, request)).errorCode).toBe(0);
    const seen = async () =>
      (
        await world.ann.call(api.listTransactions, 0, { stateFilters: [], producerIdFilters: [] })
      ).transactionStates.map((one) => one.transactionalId);
    expect(await seen()).toEqual([]);
    expect(await world.allowing([['TransactionalId', 'tx', 'Describe']], seen)).toEqual(['tx']);
  });

  test('DescribeTopicPartitions of all topics leaves it out', async () => {
    const seen = async () =>
      (await world.ann.call(api.describeTopicPartitions, 0, { topics: [] })).topics.map(({ name }) => name);
    expect(await seen()).toEqual([]);
    expect(await world.allowing([['Topic', 'logs', 'Describe']], seen)).toEqual(['logs']);
  });
});

test('a topic that may be created but not read back: made, its settings are not told', async () => {
  await world.allow(['Topic', 'blind', 'Create']);
  const topic = { name: 'blind', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
  const { topics } = await world.ann.call(api.createTopics, 7, { topics: [topic] });
  await world.revoke(['Topic', 'blind', 'Create']);
  expect(topics[0]).toMatchObject({
    errorCode: 0,
    topicConfigErrorCode: CODE.TOPIC_AUTHORIZATION_FAILED,
    numPartitions: -1,
    configs: null,
  });
});

test('one denied partition does not fail its neighbours in the same Produce', async () => {
  await world.allow(['Topic', 'logs', 'Write']);
  const { responses } = await world.ann.call(api.produce, 7, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 5_000,
    topicData: ['secret', 'logs'].map((name) => ({
      name,
      partitionData: [{ index: 0, records: recordBatch({ values: ['a'] }) }],
    })),
  });
  await world.revoke(['Topic', 'logs', 'Write']);
  expect(responses.map(({ partitionResponses }) => partitionResponses[0]!.errorCode)).toEqual([
    CODE.TOPIC_AUTHORIZATION_FAILED,
    CODE.NONE,
  ]);
});
