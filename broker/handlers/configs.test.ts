import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { readBatches, recordBatch } from '../../test/support/record-batch.ts';
import { fetchFrom, makeTopic, produceTo } from '../../test/support/requests.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { CODE, errorName } from '../wire/errors.ts';
import { alterConfigs, describeConfigs, incrementalAlterConfigs } from '../wire/schemas/index.ts';

const TOPIC = 2;
const BROKER = 4;
const CLIENT_METRICS = 16;
const GROUP = 32;
const [SET, DELETE, APPEND, SUBTRACT] = [0, 1, 2, 3] as const;

let broker: TestBroker;
let client: RawClient;
beforeAll(async () => {
  broker = await startTestBroker({ retentionMs: 1_000_000 });
  client = await RawClient.connect(broker.port);
});
afterAll(async () => {
  client?.close();
  await broker?.stop();
});

type Operation = [name: string, operation: number, value: string | null];

async function alter(resourceType: number, resourceName: string, ...operations: Operation[]) {
  const configs = operations.map(([name, configOperation, value]) => ({ name, configOperation, value }));
  const { responses } = await client.call(incrementalAlterConfigs, 1, {
    resources: [{ resourceType, resourceName, configs }],
    validateOnly: false,
  });
  return `${errorName(responses[0]!.errorCode)} ${responses[0]!.errorMessage ?? ''}`.trim();
}

async function read(resourceType: number, resourceName: string, name: string) {
  const { results } = await client.call(describeConfigs, 4, {
    resources: [{ resourceType, resourceName, configurationKeys: [name] }],
    includeSynonyms: true,
    includeDocumentation: true,
  });
  return results[0]!.configs[0];
}

const from = (
  entry: { synonyms: ReadonlyArray<{ name: string; value: string | null; source: number }> } | undefined,
) => entry?.synonyms.map(({ value, source }) => `${value} ${source}`);

describe('broker settings', () => {
  test('DescribeConfigs tells value, source, type, whether it can change, and documentation', async () => {
    expect(await read(BROKER, '1', 'log.retention.ms')).toMatchObject({
      value: '1000000',
      configSource: 4,
      configType: 5,
      readOnly: false,
      isSensitive: false,
      synonyms: [{ name: 'log.retention.ms', value: '1000000', source: 4 }],
      documentation: expect.stringMatching(/topics/),
    });
    expect(await read(BROKER, '1', 'node.id')).toMatchObject({ value: '1', configSource: 4, readOnly: true });
    expect(await read(BROKER, '1', 'offset.metadata.max.bytes')).toMatchObject({ configSource: 5 });
    expect((await read(BROKER, '1', 'listeners'))!.value).toMatch(/^PLAINTEXT:\/\/localhost:/);
  });

  test('set for one broker and for all: the one holds (source 2), then all (3), then the file (4)', async () => {
    expect(await alter(BROKER, '', ['log.retention.ms', SET, '2000000'])).toBe('NONE');
    expect(await read(BROKER, '1', 'log.retention.ms')).toMatchObject({ value: '2000000', configSource: 3 });
    expect(await alter(BROKER, '1', ['log.retention.ms', SET, '3000000'])).toBe('NONE');
    const both = await read(BROKER, '1', 'log.retention.ms');
    expect(both).toMatchObject({ value: '3000000', configSource: 2 });
    expect(from(both)).toEqual(['3000000 2', '2000000 3', '1000000 4']);
    expect(await read(BROKER, '', 'log.retention.ms')).toMatchObject({ value: '2000000', configSource: 3 });
    expect(await alter(BROKER, '1', ['log.retention.ms', DELETE, null])).toBe('NONE');
    expect(await alter(BROKER, '', ['log.retention.ms', DELETE, null])).toBe('NONE');
    expect(await read(BROKER, '1', 'log.retention.ms')).toMatchObject({ value: '1000000', configSource: 4 });
    expect(await read(BROKER, '', 'log.retention.ms')).toBeUndefined();
  });

  test('what was set is there after a restart', async () => {
    expect(await alter(BROKER, '1', ['max.connections', SET, '1234'])).toBe('NONE');
    await broker.restart();
    client = await RawClient.connect(broker.port);
    expect(await read(BROKER, '1', 'max.connections')).toMatchObject({ value: '1234', configSource: 2 });
    expect(await alter(BROKER, '1', ['max.connections', DELETE, null])).toBe('NONE');
  });

  test('max.connections refuses one more at once', async () => {
    const { port } = broker;
    expect(await alter(BROKER, '1', ['max.connections', SET, '1'])).toBe('NONE');
    const more = await RawClient.connect(port);
    await more.closed;
    expect(await alter(BROKER, '1', ['max.connections', DELETE, null])).toBe('NONE');
    const again = await RawClient.connect(port);
    expect((await again.call(describeConfigs, 4, { resources: [] })).results).toEqual([]);
    again.close();
  });

  test('a topic follows a change of message.max.bytes, unless it says itself', async () => {
    await makeTopic(client, 'follows');
    await makeTopic(client, 'says', { configs: { 'max.message.bytes': '5000' } });
    const big = () => recordBatch({ values: ['x'.repeat(1_000)] });
    expect((await produceTo(client, 'follows', big())).errorCode).toBe(0);
    expect(await alter(BROKER, '', ['message.max.bytes', SET, '500'])).toBe('NONE');
    expect((await produceTo(client, 'follows', big())).errorCode).toBe(CODE.MESSAGE_TOO_LARGE);
    expect((await produceTo(client, 'says', big())).errorCode).toBe(0);
    expect(await read(TOPIC, 'follows', 'max.message.bytes')).toMatchObject({
      value: '500',
      configSource: 3,
    });
    expect(await alter(BROKER, '', ['message.max.bytes', DELETE, null])).toBe('NONE');
    expect((await produceTo(client, 'follows', big())).errorCode).toBe(0);
  });

  test('min.insync.replicas is set for all brokers, as Kafka formats its storage, and for all only', async () => {
    expect(from(await read(BROKER, '1', 'min.insync.replicas'))).toEqual(['1 3', '1 5']);
    await makeTopic(client, 'insync');
    expect(await read(TOPIC, 'insync', 'min.insync.replicas')).toMatchObject({ value: '1', configSource: 3 });
    expect(await alter(BROKER, '', ['min.insync.replicas', DELETE, null])).toMatch(/^INVALID_CONFIG/);
    expect(await alter(BROKER, '1', ['min.insync.replicas', SET, '2'])).toMatch(/^INVALID_CONFIG/);
    expect(await alter(BROKER, '', ['min.insync.replicas', SET, '2'])).toBe('NONE');
    expect(await alter(BROKER, '', ['min.insync.replicas', SET, '1'])).toBe('NONE');
  });

  test('a topic has no synonym where the broker has no value of its own', async () => {
    await makeTopic(client, 'synonyms', { configs: { 'segment.ms': '60000' } });
    expect(from(await read(TOPIC, 'synonyms', 'segment.ms'))).toEqual(['60000 1']);
    expect(from(await read(TOPIC, 'synonyms', 'remote.storage.enable'))).toEqual([]);
    expect(await read(BROKER, '1', 'log.roll.ms')).toMatchObject({ value: null, configSource: 5 });
    expect(await read(BROKER, '1', 'log.roll.hours')).toMatchObject({ value: '168', readOnly: true });
  });

  test('settings of a topic that contradict each other are refused', async () => {
    await makeTopic(client, 'contradicts');
    const lags: Operation[] = [
      ['min.compaction.lag.ms', SET, '100'],
      ['max.compaction.lag.ms', SET, '10'],
    ];
    expect(await alter(TOPIC, 'contradicts', ...lags)).toMatch(/^INVALID_CONFIG/);
    expect(await alter(TOPIC, '', ['retention.ms', SET, '1'])).toMatch(/^INVALID_REQUEST/);
  });

  test('lists take APPEND and SUBTRACT', async () => {
    expect(await alter(BROKER, '', ['log.cleanup.policy', APPEND, 'compact'])).toBe('NONE');
    expect((await read(BROKER, '1', 'log.cleanup.policy'))!.value).toBe('delete,compact');
    expect(await alter(BROKER, '', ['log.cleanup.policy', SUBTRACT, 'delete'])).toBe('NONE');
    expect((await read(BROKER, '1', 'log.cleanup.policy'))!.value).toBe('compact');
    expect(await alter(BROKER, '', ['log.cleanup.policy', DELETE, null])).toBe('NONE');
  });

  test('AlterConfigs replaces the whole set', async () => {
    const replace = async (...configs: Array<[name: string, value: string | null]>) => {
      const { responses } = await client.call(alterConfigs, 2, {
        resources: [
          {
            resourceType: BROKER,
            resourceName: '1',
            configs: configs.map(([name, value]) => ({ name, value })),
          },
        ],
        validateOnly: false,
      });
      return errorName(responses[0]!.errorCode);
    };
    expect(await replace(['log.retention.ms', '5'], ['log.roll.ms', '7'])).toBe('NONE');
    expect(await replace(['log.roll.ms', '8'])).toBe('NONE');
    expect(await read(BROKER, '1', 'log.roll.ms')).toMatchObject({ value: '8', configSource: 2 });
    expect(await read(BROKER, '1', 'log.retention.ms')).toMatchObject({ value: '1000000', configSource: 4 });
    expect(await replace(['log.roll.ms', null])).toBe('INVALID_REQUEST');
    expect(await replace()).toBe('NONE');
  });

  test('a name that this broker does not know is kept, and its value never shown', async () => {
    expect(await alter(BROKER, '1', ['my.plugin.password', SET, 'secret'])).toBe('NONE');
    expect(await read(BROKER, '1', 'my.plugin.password')).toMatchObject({
      value: null,
      isSensitive: true,
      configSource: 2,
    });
    expect(await alter(BROKER, '1', ['my.plugin.password', DELETE, null])).toBe('NONE');
  });

  const refused: Array<{ what: string; name: string; operation: Operation; want: RegExp }> = [
    {
      what: 'a setting of the configuration file',
      name: '1',
      operation: ['num.partitions', SET, '3'],
      want: /^INVALID_REQUEST cannot set num.partitions: it comes from the configuration file/,
    },
    {
      what: 'a value out of range',
      name: '',
      operation: ['max.connections', SET, '-1'],
      want: /^INVALID_REQUEST cannot set max.connections: got "-1", want a number from 0/,
    },
    {
      what: 'another broker',
      name: '7',
      operation: ['max.connections', SET, '1'],
      want: /^INVALID_REQUEST cannot alter broker 7: want 1/,
    },
    {
      what: 'no value',
      name: '1',
      operation: ['max.connections', SET, null],
      want: /^INVALID_REQUEST .*got null/,
    },
    {
      what: 'an append to what is no list',
      name: '1',
      operation: ['max.connections', APPEND, '1'],
      want: /^INVALID_CONFIG .*want a list/,
    },
  ];
  for (const { what, name, operation, want } of refused) {
    test(`${what} is refused`, async () => expect(await alter(BROKER, name, operation)).toMatch(want));
  }

  test('a resource named twice is refused once, and a setting named twice too', async () => {
    const one = { resourceType: BROKER, resourceName: '1', configs: [] };
    const twice = await client.call(incrementalAlterConfigs, 1, {
      resources: [one, one],
      validateOnly: false,
    });
    expect(twice.responses.map(({ errorCode }) => errorName(errorCode))).toEqual(['INVALID_REQUEST']);
    const same: Operation = ['log.roll.ms', SET, '1'];
    expect(await alter(BROKER, '1', same, same)).toMatch(/^INVALID_REQUEST .*twice/);
  });
});

describe('settings of topics act on what is produced', () => {
  const far = () => recordBatch({ values: ['a'], baseTimestamp: Date.now() + 2 * 3_600_000 });

  test('a record two hours ahead is INVALID_TIMESTAMP with its index from v8, until the topic allows it', async () => {
    await makeTopic(client, 'clock');
    const refused = await produceTo(client, 'clock', far(), { version: 8 });
    expect(errorName(refused.errorCode)).toBe('INVALID_TIMESTAMP');
    expect(refused.recordErrors).toMatchObject([{ batchIndex: 0 }]);
    expect((await produceTo(client, 'clock', far(), { version: 7 })).recordErrors).toEqual([]);
    await alter(TOPIC, 'clock', ['message.timestamp.after.max.ms', SET, '9223372036854775807']);
    expect((await produceTo(client, 'clock', far())).errorCode).toBe(0);
  });

  test('a record without a key is INVALID_RECORD on a compacted topic, and the next partition is not', async () => {
    await makeTopic(client, 'keyed', { configs: { 'cleanup.policy': 'compact' } });
    const refused = await produceTo(client, 'keyed', recordBatch({ values: ['a'] }), { version: 8 });
    expect(errorName(refused.errorCode)).toBe('INVALID_RECORD');
    expect(refused.recordErrors).toMatchObject([
      { batchIndex: 0, batchIndexErrorMessage: expect.stringMatching(/without a key/) },
    ]);
  });

  test('compression.type of a topic, or of the broker, decides how batches are kept', async () => {
    await makeTopic(client, 'packed', { configs: { 'compression.type': 'zstd' } });
    await produceTo(client, 'packed', recordBatch({ values: ['a', 'b'], codec: 'gzip' }));
    const { records } = await fetchFrom(client, 'packed', 0);
    expect(records!.readInt16BE(21) & 7).toBe(4);
    expect(readBatches(records!)).toMatchObject([{ baseOffset: 0, values: ['a', 'b'] }]);
    await makeTopic(client, 'packed-by-all');
    await alter(BROKER, '', ['compression.type', SET, 'gzip']);
    await produceTo(client, 'packed-by-all', recordBatch({ values: ['a'] }));
    await alter(BROKER, '', ['compression.type', DELETE, null]);
    expect((await fetchFrom(client, 'packed-by-all', 0)).records!.readInt16BE(21) & 7).toBe(1);
  });
});

describe('settings of groups and client metrics', () => {
  test('a group has its own (source 8) over the defaults, also one that nobody has used', async () => {
    expect(await alter(GROUP, 'g', ['consumer.session.timeout.ms', SET, '50000'])).toBe('NONE');
    expect(await read(GROUP, 'g', 'consumer.session.timeout.ms')).toMatchObject({
      value: '50000',
      configSource: 8,
    });
    expect(await read(GROUP, 'g', 'share.auto.offset.reset')).toMatchObject({
      value: 'latest',
      configSource: 5,
    });
    expect(await alter(GROUP, 'g', ['share.auto.offset.reset', SET, 'by_duration:PT1H'])).toBe('NONE');
    expect(await alter(GROUP, 'g', ['share.auto.offset.reset', SET, 'sometimes'])).toMatch(/^INVALID_CONFIG/);
    expect(await alter(GROUP, 'g', ['retention.ms', SET, '1'])).toMatch(/^INVALID_CONFIG .*no group setting/);
    expect(await alter(GROUP, '', ['share.auto.offset.reset', SET, 'latest'])).toMatch(/^INVALID_REQUEST/);
  });

  const outside: Array<[name: string, value: string]> = [
    ['consumer.heartbeat.interval.ms', '4999'],
    ['consumer.session.timeout.ms', '5'],
    ['consumer.session.timeout.ms', '60001'],
    ['errors.deadletterqueue.topic.name', '__consumer_offsets'],
    ['share.auto.offset.reset', 'EARLIEST'],
    ['share.delivery.count.limit', '11'],
    ['share.heartbeat.interval.ms', '15001'],
    ['share.partition.max.record.locks', '4001'],
    ['share.record.lock.duration.ms', '14999'],
    ['share.session.timeout.ms', '44999'],
    ['streams.num.standby.replicas', '3'],
  ];
  for (const [name, value] of outside) {
    test(`a group cannot have ${name}=${value}, which the broker's bounds forbid`, async () => {
      expect(await alter(GROUP, 'bounded', [name, SET, value])).toMatch(/^INVALID_CONFIG/);
    });
  }

  test('a group cannot have a session shorter than the interval of its heartbeats', async () => {
    const other = await startTestBroker({
      groupConsumerMinSessionTimeoutMs: 1_000,
      groupConsumerSessionTimeoutMs: 45_000,
    });
    const raw = await RawClient.connect(other.port);
    const set = async (value: string) => {
      const configs = [{ name: 'consumer.session.timeout.ms', configOperation: SET, value }];
      const resources = [{ resourceType: GROUP, resourceName: 'g', configs }];
      return (await raw.call(incrementalAlterConfigs, 1, { resources, validateOnly: false })).responses[0]!
        .errorCode;
    };
    expect(await set('5000')).toBe(CODE.INVALID_CONFIG);
    expect(await set('5001')).toBe(0);
    raw.close();
    await other.stop();
  });

  test('a subscription to client metrics reads back (source 7), and goes with its last setting', async () => {
    const metrics: Operation = ['metrics', SET, 'org.apache.kafka.producer.'];
    expect(await alter(CLIENT_METRICS, 's', metrics, ['interval.ms', SET, '1000'])).toBe('NONE');
    expect(await read(CLIENT_METRICS, 's', 'interval.ms')).toMatchObject({ value: '1000', configSource: 7 });
    expect(await alter(CLIENT_METRICS, 's', ['match', SET, 'client_id=a.*,client_software_name=x'])).toBe(
      'NONE',
    );
    expect(await alter(CLIENT_METRICS, 's', ['match', SET, 'host=x'])).toMatch(/^INVALID_CONFIG/);
    expect(await alter(CLIENT_METRICS, 's', ['match', SET, 'client_id=(']).then(String)).toMatch(
      /^INVALID_CONFIG/,
    );
    expect(await alter(CLIENT_METRICS, 's', ['interval.ms', SET, '99'])).toMatch(/^INVALID_REQUEST/);
    expect(await alter(CLIENT_METRICS, 's', ['interval.ms', SET, 'x'])).toMatch(/^INVALID_CONFIG/);
    expect(await alter(CLIENT_METRICS, 's', ['nothing', SET, '1'])).toMatch(/^INVALID_REQUEST/);
    for (const name of ['metrics', 'interval.ms', 'match']) {
      expect(await alter(CLIENT_METRICS, 's', [name, DELETE, null])).toBe('NONE');
    }
    expect(await read(CLIENT_METRICS, 's', 'interval.ms')).toMatchObject({ configSource: 5 });
  });

  test('validate only stores nothing', async () => {
    for (const [resourceType, resourceName, name] of [
      [BROKER, '1', 'log.roll.ms'],
      [GROUP, 'v', 'consumer.session.timeout.ms'],
    ] as const) {
      const configs = [{ name, configOperation: SET, value: '60000' }];
      const resources = [{ resourceType, resourceName, configs }];
      const { responses } = await client.call(incrementalAlterConfigs, 1, { resources, validateOnly: true });
      expect(responses[0]!.errorCode).toBe(0);
      expect((await read(resourceType, resourceName, name))!.configSource).toBe(5);
    }
  });
});
