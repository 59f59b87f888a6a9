import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { recordBatch } from '../../test/support/record-batch.ts';
import { makeTopic } from '../../test/support/requests.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { nodeFiles } from '../host/node-files.ts';
import { CODE } from '../wire/errors.ts';
import {
  alterClientQuotas,
  apiVersions,
  createTopics,
  deleteTopics,
  describeClientQuotas,
  fetch,
  metadata,
  produce,
} from '../wire/schemas/index.ts';
import { ClientQuotas } from './client-quotas.ts';
import type { Entity } from './quota-entity.ts';
import { TokenBucket } from './token-bucket.ts';

let broker: TestBroker;
let client: RawClient;
beforeAll(async () => {
  broker = await startTestBroker();
  client = await RawClient.connect(broker.port);
});
afterAll(async () => {
  client?.close();
  await broker?.stop();
});
beforeEach(clear);

type Ops = Record<string, number | null>;
type Wire = Array<{ entityType: string; entityName: string | null }>;

const wire = (entity: Entity): Wire =>
  Object.entries(entity).map(([entityType, entityName]) => ({ entityType, entityName }));

/** Sets, or removes with null; the error code. */
async function alter(entity: Wire, ops: Ops, validateOnly = false): Promise<number> {
  const { entries } = await client.call(alterClientQuotas, 1, {
    entries: [
      {
        entity,
        ops: Object.entries(ops).map(([key, value]) => ({ key, value: value ?? 0, remove: value === null })),
      },
    ],
    validateOnly,
  });
  return entries[0]!.errorCode;
}

async function describeAll(
  components: Array<{ entityType: string; matchType: number; match: string | null }> = [],
  strict = false,
) {
  return client.call(describeClientQuotas, 1, { components, strict });
}

async function named(components: Parameters<typeof describeAll>[0], strict = false): Promise<string[]> {
  const { entries } = await describeAll(components, strict);
  return entries!
    .map(({ entity }) => entity.map(({ entityType, entityName }) => `${entityType}=${entityName}`).join())
    .toSorted();
}

async function clear(): Promise<void> {
  const { entries } = await describeAll();
  for (const { entity, values } of entries!) {
    await alter(entity, Object.fromEntries(values.map(({ key }) => [key, null])));
  }
}

describe('setting and reading quotas', () => {
  const combinations: Entity[] = [
    { user: 'u', 'client-id': 'c' },
    { user: 'u', 'client-id': null },
    { user: null, 'client-id': 'c' },
    { user: null, 'client-id': null },
  ];
  for (const entity of combinations) {
    test(`${JSON.stringify(entity)}: what is set reads back exactly, and what is removed is gone`, async () => {
      const set = { producer_byte_rate: 1_000, request_percentage: 12.5 };
      expect(await alter(wire(entity), set)).toBe(0);
      const { entries } = await describeAll();
      expect(entries).toHaveLength(1);
      expect(entries![0]!.entity).toEqual(wire(entity));
      expect(Object.fromEntries(entries![0]!.values.map(({ key, value }) => [key, value]))).toEqual(set);
      expect(await alter(wire(entity), { producer_byte_rate: null })).toBe(0);
      expect((await describeAll()).entries![0]!.values).toEqual([{ key: 'request_percentage', value: 12.5 }]);
      expect(await alter(wire(entity), { request_percentage: null })).toBe(0);
      expect((await describeAll()).entries).toEqual([]);
    });
  }

  test('match types: this name, the default, any; strict leaves out entities with more parts', async () => {
    const all: Entity[] = [
      { user: 'a' },
      { user: 'b' },
      { user: null },
      { user: 'a', 'client-id': 'c' },
      { ip: '::1' },
    ];
    for (const entity of all) {
      const key = 'ip' in entity ? 'connection_creation_rate' : 'consumer_byte_rate';
      expect(await alter(wire(entity), { [key]: 5 })).toBe(0);
    }
    const user = (matchType: number, match: string | null) => [{ entityType: 'user', matchType, match }];
    expect(await named(user(0, 'a'))).toEqual(['user=a', 'user=a,client-id=c']);
    expect(await named(user(0, 'a'), true)).toEqual(['user=a']);
    expect(await named(user(1, null))).toEqual(['user=null']);
    expect(await named(user(2, null), true)).toEqual(['user=a', 'user=b', 'user=null']);
    expect(await named([])).toHaveLength(all.length);
    expect(await named([], true)).toEqual([]);
    expect(await named([{ entityType: 'ip', matchType: 2, match: null }])).toEqual(['ip=::1']);
  });

  test('validate_only judges and stores nothing', async () => {
    expect(await alter(wire({ user: 'u' }), { producer_byte_rate: 5 }, true)).toBe(0);
    expect(await alter(wire({ user: 'u' }), { nonsense: 5 }, true)).toBe(CODE.INVALID_REQUEST);
    expect((await describeAll()).entries).toEqual([]);
  });

  const refusals: Array<[string, Wire, Ops]> = [
    ['no parts', [], { producer_byte_rate: 1 }],
    ['an unknown type', [{ entityType: 'group', entityName: 'g' }], { producer_byte_rate: 1 }],
    ['an empty name', wire({ user: '' }), { producer_byte_rate: 1 }],
    ['a type twice', [...wire({ user: 'a' }), ...wire({ user: 'b' })], { producer_byte_rate: 1 }],
    ['an ip beside a user', wire({ user: 'a', ip: '1.2.3.4' }), { connection_creation_rate: 1 }],
    ['a byte rate with a fraction', wire({ user: 'a' }), { producer_byte_rate: 1.5 }],
    ['a rate of nothing', wire({ user: 'a' }), { consumer_byte_rate: 0 }],
    ['a name for an address', wire({ ip: 'nowhere.invalid' }), { connection_creation_rate: 1 }],
    ['a quota of clients for an address', wire({ ip: '1.2.3.4' }), { producer_byte_rate: 1 }],
    ['an unknown quota', wire({ user: 'a' }), { hope: 1 }],
  ];
  for (const [what, entity, ops] of refusals) {
    test(`${what} is refused, its neighbours in the request are not`, async () => {
      const given = Object.entries(ops).map(([key, value]) => ({ key, value: value!, remove: false }));
      const good = {
        entity: wire({ user: 'neighbour' }),
        ops: [{ key: 'request_percentage', value: 5, remove: false }],
      };
      const { entries } = await client.call(alterClientQuotas, 0, {
        entries: [{ entity, ops: given }, good],
        validateOnly: false,
      });
      expect(entries.map(({ errorCode }) => errorCode)).toEqual([CODE.INVALID_REQUEST, 0]);
      expect(await named([])).toEqual(['user=neighbour']);
    });
  }

  test('a filter that makes no sense is refused', async () => {
    const unknown = await describeAll([{ entityType: 'group', matchType: 2, match: null }]);
    expect(unknown).toMatchObject({ errorCode: CODE.UNSUPPORTED_VERSION, entries: null });
    const odd = await describeAll([{ entityType: 'user', matchType: 1, match: 'a' }]);
    expect(odd.errorCode).toBe(CODE.INVALID_REQUEST);
    const both = ['ip', 'user'].map((entityType) => ({ entityType, matchType: 2, match: null }));
    expect((await describeAll(both)).errorCode).toBe(CODE.INVALID_REQUEST);
  });

  test('quotas are there after a restart', async () => {
    const other = await startTestBroker();
    const first = await RawClient.connect(other.port);
    await first.call(alterClientQuotas, 1, {
      entries: [
        { entity: wire({ user: null }), ops: [{ key: 'producer_byte_rate', value: 7, remove: false }] },
      ],
      validateOnly: false,
    });
    first.close();
    await other.restart();
    const second = await RawClient.connect(other.port);
    const { entries } = await second.call(describeClientQuotas, 0, { components: [], strict: false });
    expect(entries).toMatchObject([
      {
        entity: [{ entityType: 'user', entityName: null }],
        values: [{ key: 'producer_byte_rate', value: 7 }],
      },
    ]);
    second.close();
    await other.stop();
  });
});

test('of all quotas that fit a client the most specific one holds, in the order of Kafka', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-quotas-'));
  const quotas = await ClientQuotas.open(nodeFiles, dataDir);
  const levels: Entity[] = [
    { 'client-id': null },
    { 'client-id': 'c' },
    { user: null },
    { user: null, 'client-id': null },
    { user: null, 'client-id': 'c' },
    { user: 'u' },
    { user: 'u', 'client-id': null },
    { user: 'u', 'client-id': 'c' },
  ];
  for (const [value, entity] of levels.entries()) {
    await quotas.alter([{ entity, ops: [{ key: 'producer_byte_rate', value: value + 1 }] }]);
    expect(quotas.find('producer_byte_rate', 'u', 'c')?.value).toBe(value + 1);
    // Each quota is looked for by itself.
    expect(quotas.find('consumer_byte_rate', 'u', 'c')).toBeUndefined();
  }
  const shared = (user: string, clientId: string): string =>
    quotas.find('producer_byte_rate', user, clientId)!.sharedBy;
  expect(shared('u', 'c')).not.toBe(shared('u', 'd'));
  await quotas.alter(
    levels.slice(6).map((entity) => ({ entity, ops: [{ key: 'producer_byte_rate', value: undefined }] })),
  );
  expect(shared('u', 'c')).toBe(shared('u', 'd'));
  await rm(dataDir, { recursive: true });
});

describe('quotas are kept', () => {
  const produceOf = (bytes: number) => ({
    transactionalId: null,
    acks: -1,
    timeoutMs: 5_000,
    topicData: [
      {
        name: 'throttled',
        partitionData: [{ index: 0, records: recordBatch({ values: ['x'.repeat(bytes)] }) }],
      },
    ],
  });
  const fetchOf = {
    maxWaitMs: 0,
    minBytes: 1,
    topics: [
      { topic: 'throttled', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 100_000 }] },
    ],
  };
  beforeAll(() => makeTopic(client, 'throttled'));

  /** How long the next request of this connection takes. */
  async function silence(one: RawClient, clientId: string): Promise<number> {
    const startMs = performance.now();
    await one.call(apiVersions, 0, {}, clientId);
    return performance.now() - startMs;
  }

  test('a produce over producer_byte_rate is answered at once with the throttle time, then its connection is muted', async () => {
    await alter(wire({ 'client-id': 'writer' }), { producer_byte_rate: 10_000 });
    const writer = await RawClient.connect(broker.port);
    const other = await RawClient.connect(broker.port);
    const startMs = performance.now();
    const answer = await writer.call(produce, 7, produceOf(112_000), 'writer');
    expect(performance.now() - startMs).toBeLessThan(200);
    expect(answer.responses[0]!.partitionResponses[0]!.errorCode).toBe(0);
    expect(answer.throttleTimeMs).toBeGreaterThan(50);
    expect(await silence(other, 'another')).toBeLessThan(answer.throttleTimeMs);
    expect(await silence(writer, 'writer')).toBeGreaterThan(answer.throttleTimeMs * 0.8 - 20);
    for (const one of [writer, other]) one.close();
  });

  test('a fetch over consumer_byte_rate tells its throttle time; another client is served', async () => {
    await client.call(produce, 7, produceOf(50_000));
    await alter(wire({ 'client-id': 'reader' }), { consumer_byte_rate: 4_900 });
    const reader = await RawClient.connect(broker.port);
    const answer = await reader.call(fetch, 11, fetchOf, 'reader');
    expect(answer.throttleTimeMs).toBeGreaterThan(0);
    const free = await client.call(fetch, 11, fetchOf, 'free');
    expect(free.throttleTimeMs).toBe(0);
    reader.close();
  });

  test('work over request_percentage is throttled, for a second at most', async () => {
    await alter(wire({ user: 'ANONYMOUS', 'client-id': 'busy' }), { request_percentage: 0.000_001 });
    const answer = await client.call(metadata, 9, { topics: null }, 'busy');
    expect(answer.throttleTimeMs).toBe(1_000);
  });

  test('changes over controller_mutation_rate are refused one by one, before KIP-599 made and delayed', async () => {
    await alter(wire({ 'client-id': 'maker' }), { controller_mutation_rate: 0.5 });
    const maker = await RawClient.connect(broker.port);
    const topicsOf = (names: string[]) => ({
      topics: names.map((name) => ({
        name,
        numPartitions: 3,
        replicationFactor: 1,
        assignments: [],
        configs: [],
      })),
    });
    const strict = await maker.call(createTopics, 6, topicsOf(['m1', 'm2', 'm3']), 'maker');
    const codes = Object.fromEntries(strict.topics.map(({ name, errorCode }) => [name, errorCode]));
    expect(codes).toEqual({ m1: 0, m2: 0, m3: CODE.THROTTLING_QUOTA_EXCEEDED });
    expect(strict.throttleTimeMs).toBeGreaterThan(0);
    maker.close();
    const again = await RawClient.connect(broker.port);
    const asked = { topics: [], topicNames: ['m1'], timeoutMs: 1_000 };
    const kept = await again.call(deleteTopics, 5, asked, 'maker');
    expect(kept.responses).toMatchObject([{ name: 'm1', errorCode: CODE.THROTTLING_QUOTA_EXCEEDED }]);
    again.close();
    const third = await RawClient.connect(broker.port);
    const lenient = await third.call(deleteTopics, 4, asked, 'maker');
    expect(lenient.responses).toMatchObject([{ name: 'm1', errorCode: 0 }]);
    expect(lenient.throttleTimeMs).toBeGreaterThan(strict.throttleTimeMs);
    third.close();
  });

  test('connections over connection_creation_rate of an address are refused', async () => {
    await alter(wire({ ip: '127.0.0.1' }), { connection_creation_rate: 0 });
    const refused = await RawClient.connect(broker.port);
    await expect(refused.closed).resolves.toBeUndefined();
    await alter(wire({ ip: '127.0.0.1' }), { connection_creation_rate: null });
    const admitted = await RawClient.connect(broker.port);
    expect((await admitted.call(apiVersions, 0, {})).errorCode).toBe(0);
    admitted.close();
  });

  test('throttled requests are counted by quota', () => {
    const family = broker.host.metrics
      .snapshot()
      .find(({ name }) => name === 'millrace_broker_throttled_requests_total')!;
    const quotas = family.series.map(({ labels }) => labels['quota']);
    expect(quotas).toEqual(
      expect.arrayContaining([
        'producer_byte_rate',
        'consumer_byte_rate',
        'request_percentage',
        'controller_mutation_rate',
      ]),
    );
  });
});

test('a bucket holds eleven seconds, goes below zero by one request, and says when it is at zero again', () => {
  const bucket = new TokenBucket();
  expect(bucket.level(2, 0)).toBe(22);
  bucket.take(30, 2, 0);
  expect(bucket.throttleMs(2, 0)).toBe(4_000);
  expect(bucket.throttleMs(2, 4_000)).toBe(0);
  expect(bucket.level(2, 1_000_000)).toBe(22);
});
