import {
  CompressionTypes,
  ConfigResourceTypes,
  type Consumer,
  Kafka,
  logLevel,
  type Message,
  type Producer,
} from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { patchKafkajs } from '../../broker/client/kafkajs-patches.ts';
import { eventually } from '../support/eventually.ts';
import { codecsOnDisk } from '../support/stored-batches.ts';
import { startTestBroker, type TestBroker } from '../support/test-broker.ts';

let broker: TestBroker;
let kafka: Kafka;

beforeAll(async () => {
  patchKafkajs();
  broker = await startTestBroker({ numPartitions: 2 });
  kafka = new Kafka({
    clientId: 'kafkajs-test',
    brokers: [broker.address],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20, maxRetryTime: 200, retries: 10 },
  });
});
afterAll(() => broker?.stop());

const codecs = [
  { name: 'none', type: CompressionTypes.None, attribute: 0 },
  { name: 'gzip', type: CompressionTypes.GZIP, attribute: 1 },
  { name: 'snappy', type: CompressionTypes.Snappy, attribute: 2 },
  { name: 'lz4', type: CompressionTypes.LZ4, attribute: 3 },
  { name: 'zstd', type: CompressionTypes.ZSTD, attribute: 4 },
];

describe('produce and consume', () => {
  for (const { name, type, attribute } of codecs) {
    test(`${name}: records come back in order, and lie on the disk as they were compressed`, async () => {
      const topic = `codec-${name}`;
      const sent = Array.from({ length: 50 }, (_, i) => `${i}: ${'x'.repeat(200)}`);
      const producer = kafka.producer();
      await producer.connect();
      await producer.send({
        topic,
        compression: type,
        messages: sent.map((value, i) => ({
          key: `k${i}`,
          value,
          partition: 0,
          headers: { h: `${i}` },
        })),
      });
      await producer.disconnect();
      const got = await consume(topic, sent.length);
      expect(got.map(({ value }) => value?.toString())).toEqual(sent);
      expect(got[7]?.headers?.['h']?.toString()).toBe('7');
      expect(await codecsOnDisk(broker, topic, 0)).toEqual([attribute]);
    });
  }

  test('an idempotent producer, several batches', async () => {
    const producer = kafka.producer({ idempotent: true });
    await producer.connect();
    for (let i = 0; i < 5; i += 1) {
      await producer.send({ topic: 'idempotent', messages: [{ value: `${i}`, partition: 0 }] });
    }
    await producer.disconnect();
    const got = await consume('idempotent', 5);
    expect(got.map(({ value }) => value?.toString())).toEqual(['0', '1', '2', '3', '4']);
  });
});

describe('groups', () => {
  test('two members share, a third joins and leaves, every record is read once', async () => {
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic: 'shared', numPartitions: 6 }] });
    const members = [await member('shared'), await member('shared')];
    const [first, second] = members as [Member, Member];
    await eventually(() => {
      expect([first, second].map((one) => one.partitions().length)).toEqual([3, 3]);
    });
    const producer = kafka.producer();
    await producer.connect();
    await send(producer, 0);
    await eventually(() => expect(read(members)).toBe(60));

    const third = await member('shared');
    members.push(third);
    await eventually(() => {
      expect(members.map((one) => one.partitions().length)).toEqual([2, 2, 2]);
    });
    const described = await admin.describeGroups(['group-shared']);
    expect(described.groups[0]).toMatchObject({ state: 'Stable', protocolType: 'consumer' });
    expect(described.groups[0]!.members).toHaveLength(3);
    await send(producer, 60);
    await eventually(() => expect(read(members)).toBe(120));

    await third.leave();
    await eventually(() => {
      expect([first, second].map((one) => one.partitions().length)).toEqual([3, 3]);
    });
    await send(producer, 120);
    await eventually(() => expect(read(members)).toBe(180));
    const values = members.flatMap(({ values: got }) => got);
    expect(new Set(values).size).toBe(180);
    expect(values).toHaveLength(180);
    await Promise.all([first.leave(), second.leave(), producer.disconnect()]);
    const groups = await admin.listGroups();
    expect(groups.groups).toContainEqual({ groupId: 'group-shared', protocolType: 'consumer' });
    await admin.deleteGroups(['group-shared']);
    await admin.disconnect();
  });

  test('positions survive a restart of the broker, and so does a running consumer', async () => {
    const one = await member('lasting');
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({ topic: 'lasting', messages: [{ value: 'before', partition: 0 }] });
    await eventually(() => expect(one.values).toEqual(['before']));
    const admin = kafka.admin();
    await admin.connect();
    await eventually(async () => {
      const [fetched] = await admin.fetchOffsets({ groupId: 'group-lasting', topics: ['lasting'] });
      expect(fetched!.partitions.find(({ partition }) => partition === 0)?.offset).toBe('1');
    });
    await admin.disconnect();
    await broker.restart();
    await producer.send({ topic: 'lasting', messages: [{ value: 'after', partition: 0 }] });
    await eventually(() => expect(one.values).toEqual(['before', 'after']));
    await one.leave();
    const next = await member('lasting');
    await producer.send({ topic: 'lasting', messages: [{ value: 'last', partition: 0 }] });
    await eventually(() => expect(next.values).toEqual(['last']));
    await Promise.all([next.leave(), producer.disconnect()]);
  });

  async function send(producer: Producer, from: number): Promise<void> {
    const messages = Array.from({ length: 60 }, (_, i) => ({ value: `${from + i}`, partition: i % 6 }));
    await producer.send({ topic: 'shared', messages });
  }
});

describe('admin', () => {
  test('topics, offsets, times and settings, there and back', async () => {
    const admin = kafka.admin();
    await admin.connect();
    const create = {
      topic: 'admin',
      numPartitions: 3,
      configEntries: [{ name: 'retention.ms', value: '1234567' }],
    };
    expect(await admin.createTopics({ topics: [create] })).toBe(true);
    expect(await admin.createTopics({ topics: [create] })).toBe(false);
    expect(await admin.listTopics()).toContain('admin');
    const { topics } = await admin.fetchTopicMetadata({ topics: ['admin'] });
    expect(topics[0]!.partitions).toHaveLength(3);
    expect(topics[0]!.partitions[0]).toMatchObject({ leader: 1, replicas: [1], isr: [1] });
    const { resources } = await admin.describeConfigs({
      includeSynonyms: true,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: 'admin', configNames: ['retention.ms'] }],
    });
    expect(resources[0]!.configEntries).toMatchObject([
      { configName: 'retention.ms', configValue: '1234567', isDefault: false },
    ]);

    const producer = kafka.producer();
    await producer.connect();
    const times = [1_000, 2_000, 3_000].map((ms) => 1_700_000_000_000 + ms);
    await producer.send({
      topic: 'admin',
      messages: times.map((ms) => ({ value: 'x', partition: 1, timestamp: `${ms}` })),
    });
    await producer.disconnect();
    const ends = await admin.fetchTopicOffsets('admin');
    expect(ends.find(({ partition }) => partition === 1)).toMatchObject({ low: '0', high: '3' });
    const atTime = await admin.fetchTopicOffsetsByTimestamp('admin', times[1]! - 1);
    expect(atTime.find(({ partition }) => partition === 1)).toMatchObject({ offset: '1' });

    const cluster = await admin.describeCluster();
    expect(cluster).toMatchObject({
      controller: 1,
      brokers: [{ nodeId: 1, host: 'localhost', port: broker.port }],
    });
    await admin.deleteTopics({ topics: ['admin'] });
    expect(await admin.listTopics()).not.toContain('admin');
    await admin.disconnect();
  });

  test('a consumer seeks by offset', async () => {
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({
      topic: 'seek',
      messages: ['0', '1', '2', '3'].map((value) => ({ value, partition: 0 })),
    });
    await producer.disconnect();
    const one = await member('seek', (consumer) =>
      consumer.seek({ topic: 'seek', partition: 0, offset: '2' }),
    );
    await eventually(() => expect(one.values.slice(-2)).toEqual(['2', '3']));
    expect(one.values).not.toContain('1');
    await one.leave();
  });

  test('an invalid topic name is refused and the client works on', async () => {
    const admin = kafka.admin();
    await admin.connect();
    await expect(admin.createTopics({ topics: [{ topic: '../etc' }] })).rejects.toMatchObject({
      errors: [{ type: 'INVALID_TOPIC_EXCEPTION' }],
    });
    expect(await admin.listTopics()).not.toContain('../etc');
    await admin.disconnect();
  });
});

interface Member {
  readonly values: string[];
  partitions(): number[];
  leave(): Promise<void>;
}

/** A consumer of its own in the topic's group. */
async function member(topic: string, onRun: (consumer: Consumer) => void = () => {}): Promise<Member> {
  const consumer = kafka.consumer({
    groupId: `group-${topic}`,
    maxWaitTimeInMs: 50,
    heartbeatInterval: 100,
    sessionTimeout: 6_000,
  });
  const values: string[] = [];
  let assigned: number[] = [];
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    assigned = payload.memberAssignment[topic] ?? [];
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommitInterval: 50,
    eachMessage: async ({ message }) => void values.push(message.value!.toString()),
  });
  onRun(consumer);
  return { values, partitions: () => assigned, leave: () => consumer.disconnect() };
}

function read(members: readonly Member[]): number {
  return members.reduce((sum, { values }) => sum + values.length, 0);
}

async function consume(topic: string, count: number): Promise<Message[]> {
  const consumer = kafka.consumer({ groupId: `read-${topic}`, maxWaitTimeInMs: 100 });
  const got: Message[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void got.push(message) });
  await eventually(() => expect(got.length).toBeGreaterThanOrEqual(count));
  await consumer.disconnect();
  return got;
}
