import { zstdCompressSync } from 'node:zlib';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { Writer } from '../records/otlp/writer.ts';
import { errorName } from '../wire/errors.ts';
import { ZERO_UUID } from '../wire/schema.ts';
import {
  apiVersions,
  fetch,
  getTelemetrySubscriptions,
  incrementalAlterConfigs,
  metadata,
  pushTelemetry,
} from '../wire/schemas/index.ts';

let broker: TestBroker;
let client: RawClient;
beforeAll(async () => {
  broker = await startTestBroker();
  client = await RawClient.connect(broker.port);
  await client.call(apiVersions, 3, { clientSoftwareName: 'test-soft', clientSoftwareVersion: '1.0' });
  const set = (name: string, value: string) => ({ name, configOperation: 0, value });
  const resource = (resourceName: string, ...configs: Array<ReturnType<typeof set>>) => ({
    resourceType: 16,
    resourceName,
    configs,
  });
  await client.call(incrementalAlterConfigs, 1, {
    resources: [
      resource('a', set('metrics', 'org.apache.kafka.'), set('interval.ms', '60000')),
      resource('b', set('metrics', 'other.'), set('match', 'client_software_name=test-.*')),
      resource('c', set('metrics', 'never.'), set('match', 'client_software_name=test')),
    ],
    validateOnly: false,
  });
});
afterAll(async () => {
  client?.close();
  await broker?.stop();
});

const get = (clientInstanceId = ZERO_UUID) => client.call(getTelemetrySubscriptions, 0, { clientInstanceId });

async function push(
  subscribed: { clientInstanceId: string; subscriptionId: number },
  given: { metrics?: Buffer; compressionType?: number; terminating?: boolean; subscriptionId?: number } = {},
) {
  const { errorCode } = await client.call(pushTelemetry, 0, {
    clientInstanceId: subscribed.clientInstanceId,
    subscriptionId: given.subscriptionId ?? subscribed.subscriptionId,
    terminating: given.terminating ?? false,
    compressionType: given.compressionType ?? 0,
    metrics: given.metrics ?? metricsData(),
  });
  return errorName(errorCode);
}

/** One gauge of one resource. */
function metricsData(): Buffer {
  const writer = new Writer();
  const group = writer.begin(1);
  const resource = writer.begin(1);
  writer.keyValue(1, 'service.name', 'shop');
  writer.end(resource);
  const scope = writer.begin(2);
  const metric = writer.begin(2);
  writer.text(1, 'org.apache.kafka.producer.connection.count');
  const gauge = writer.begin(5);
  const point = writer.begin(1);
  writer.double(4, 3);
  writer.end(point);
  writer.end(gauge);
  writer.end(metric);
  writer.end(scope);
  writer.end(group);
  return writer.finish();
}

test('a client without an id gets one, and what all matching subscriptions ask for, at the shortest interval', async () => {
  const answer = await get();
  expect(answer).toMatchObject({
    errorCode: 0,
    pushIntervalMs: 60_000,
    requestedMetrics: ['org.apache.kafka.', 'other.'],
    acceptedCompressionTypes: [4, 3, 1, 2],
    telemetryMaxBytes: 1_048_576,
  });
  expect(answer.clientInstanceId).not.toBe(ZERO_UUID);
});

test('what is pushed is in otlp_metrics, with who pushed it', async () => {
  const subscribed = await get();
  expect(await push(subscribed, { metrics: zstdCompressSync(metricsData()), compressionType: 4 })).toBe(
    'NONE',
  );
  const { topics } = await client.call(metadata, 4, { topics: [{ name: 'otlp_metrics' }] });
  const partitions = topics[0]!.partitions.map(({ partitionIndex }) => ({
    partition: partitionIndex,
    fetchOffset: 0,
    partitionMaxBytes: 1_000_000,
  }));
  const { responses } = await client.call(fetch, 11, {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 10_000_000,
    topics: [{ topic: 'otlp_metrics', partitions }],
  });
  const text = responses[0]!.partitions.map(({ records }) => records!.toString('latin1')).join();
  for (const part of [
    'service.name',
    'shop',
    'client_instance_id',
    subscribed.clientInstanceId,
    'User:ANONYMOUS',
  ]) {
    expect(text).toContain(part);
  }
});

test('asking or pushing again within the interval is THROTTLING_QUOTA_EXCEEDED', async () => {
  const subscribed = await get();
  expect(errorName((await get(subscribed.clientInstanceId)).errorCode)).toBe('THROTTLING_QUOTA_EXCEEDED');
  expect(await push(subscribed)).toBe('NONE');
  expect(await push(subscribed)).toBe('THROTTLING_QUOTA_EXCEEDED');
});

test('a terminating push may come early, and nothing may follow it', async () => {
  const subscribed = await get();
  expect(await push(subscribed)).toBe('NONE');
  expect(await push(subscribed, { terminating: true })).toBe('NONE');
  expect(await push(subscribed, { terminating: true })).toBe('INVALID_REQUEST');
});

test('another subscription id is UNKNOWN_SUBSCRIPTION_ID, and the client may ask again at once', async () => {
  const subscribed = await get();
  const other = subscribed.subscriptionId ^ 1;
  expect(await push(subscribed, { subscriptionId: other })).toBe('UNKNOWN_SUBSCRIPTION_ID');
  expect((await get(subscribed.clientInstanceId)).errorCode).toBe(0);
});

const refused: Array<{ what: string; given: Parameters<typeof push>[1]; want: string }> = [
  { what: 'an unknown compression', given: { compressionType: 9 }, want: 'UNSUPPORTED_COMPRESSION_TYPE' },
  {
    what: 'more than telemetryMaxBytes',
    given: { metrics: Buffer.alloc(1_048_577) },
    want: 'TELEMETRY_TOO_LARGE',
  },
  { what: 'what is no OTLP', given: { metrics: Buffer.from('nonsense') }, want: 'INVALID_RECORD' },
  {
    what: 'what grows beyond a record',
    given: { metrics: zstdCompressSync(Buffer.alloc(2_000_000)), compressionType: 4 },
    want: 'INVALID_RECORD',
  },
];
for (const { what, given, want } of refused) {
  test(`${what} is ${want}`, async () => expect(await push(await get(), given)).toBe(want));
}

test('a push without an instance id is INVALID_REQUEST', async () => {
  expect(await push({ clientInstanceId: ZERO_UUID, subscriptionId: 1 })).toBe('INVALID_REQUEST');
});

test('switched off, neither API is advertised', async () => {
  const off = await startTestBroker({ clientTelemetry: false });
  const other = await RawClient.connect(off.port);
  const keys = (await other.call(apiVersions, 0, {})).apiKeys.map(({ apiKey }) => apiKey);
  expect(keys.filter((key) => key === 71 || key === 72)).toEqual([]);
  const on = (await client.call(apiVersions, 0, {})).apiKeys.map(({ apiKey }) => apiKey);
  expect(on.filter((key) => key === 71 || key === 72)).toEqual([71, 72]);
  other.close();
  await off.stop();
});
