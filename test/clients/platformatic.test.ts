import {
  Admin,
  Consumer,
  ListOffsetTimestamps,
  type Message,
  MessagesStreamModes,
  Producer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { codecsOnDisk } from '../support/stored-batches.ts';
import { requestsServed, startTestBroker, type TestBroker } from '../support/test-broker.ts';

let broker: TestBroker;
let producer: Producer<string, string, string, string>;
let admin: Admin;
const base = () => ({
  clientId: 'platformatic-test',
  bootstrapBrokers: [broker.address],
  retries: 5,
  retryDelay: 50,
});

beforeAll(async () => {
  broker = await startTestBroker();
  producer = new Producer({ ...base(), serializers: stringSerializers, autocreateTopics: true });
  admin = new Admin(base());
});
afterAll(async () => {
  await Promise.allSettled([producer?.close(), admin?.close()]);
  await broker?.stop();
});

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

describe('produce and consume', () => {
  for (const [attribute, compression] of codecs.entries()) {
    test(`${compression}: records come back in order, and lie on the disk as they were compressed`, async () => {
      const topic = `codec-${compression}`;
      const sent = Array.from({ length: 50 }, (_, i) => `${i}: ${'x'.repeat(200)}`);
      await producer.send({
        messages: sent.map((value, i) => ({ topic, key: `k${i}`, value, headers: { h: `${i}` } })),
        compression,
        acks: -1,
      });
      const one = await member(topic);
      await eventually(() => expect(one.messages).toHaveLength(sent.length));
      expect(one.messages.map(({ value }) => value)).toEqual(sent);
      expect(one.messages[7]!.headers.get('h')).toBe('7');
      await one.leave();
      expect(await codecsOnDisk(broker, topic, 0)).toEqual([attribute]);
    });
  }

  test('an idempotent producer, several batches', async () => {
    const idempotent = new Producer({
      ...base(),
      serializers: stringSerializers,
      autocreateTopics: true,
      idempotent: true,
    });
    for (let i = 0; i < 5; i += 1) {
      await idempotent.send({ messages: [{ topic: 'idempotent', value: `${i}` }] });
    }
    await idempotent.close();
    const one = await member('idempotent');
    await eventually(() => expect(one.messages.map(({ value }) => value)).toEqual(['0', '1', '2', '3', '4']));
    await one.leave();
  });
});

describe('groups', () => {
  test('two members share, one leaves, every record is read once', async () => {
    await admin.createTopics({ topics: ['shared'], partitions: 4, replicas: 1 });
    const first = await member('shared');
    const second = await member('shared');
    await eventually(() => expect([first, second].map((one) => one.partitions())).toEqual([2, 2]));
    // Its streams may have a fetch of before the rebalance under way, whose records they would take as well.
    await fetches(20);
    await send(0);
    await eventually(() => expect(first.messages.length + second.messages.length).toBe(40));
    expect(Math.min(first.messages.length, second.messages.length)).toBeGreaterThan(0);
    const groups = await admin.describeGroups({ groups: ['group-shared'] });
    expect(groups.get('group-shared')).toMatchObject({ state: 'Stable', protocolType: 'consumer' });
    // Closing does not wait for the automatic commit; what it misses would rightly be read again.
    await committed(40);
    await second.leave();
    await eventually(() => expect(first.partitions()).toBe(4));
    await fetches(20);
    await send(40);
    await eventually(() => expect(first.messages.length + second.messages.length).toBe(80));
    const values = [...first.messages, ...second.messages].map(({ value }) => value);
    expect(new Set(values).size).toBe(80);
    await first.leave();
  });

  async function committed(count: number): Promise<void> {
    await eventually(async () => {
      const [group] = await admin.listConsumerGroupOffsets({
        groups: [{ groupId: 'group-shared', topics: [{ name: 'shared', partitionIndexes: [0, 1, 2, 3] }] }],
      });
      const offsets = group!.topics[0]!.partitions.map(({ committedOffset }) => Number(committedOffset));
      expect(offsets.reduce((sum, offset) => sum + Math.max(0, offset), 0)).toBe(count);
    });
  }

  async function send(from: number): Promise<void> {
    await producer.send({
      messages: Array.from({ length: 40 }, (_, i) => ({
        topic: 'shared',
        key: `${i}`,
        value: `${from + i}`,
      })),
    });
  }
});

describe('admin', () => {
  test('topics, offsets, times, settings and groups, there and back', async () => {
    await admin.createTopics({
      topics: ['admin'],
      partitions: 2,
      replicas: 1,
      configs: [{ name: 'retention.ms', value: '1234567' }],
    });
    expect(await admin.listTopics()).toContain('admin');
    const start = 1_700_000_000_000;
    for (const ms of [1_000, 2_000, 3_000]) {
      await producer.send({
        messages: [{ topic: 'admin', partition: 1, value: 'x', timestamp: BigInt(start + ms) }],
      });
    }
    const at = async (timestamp: bigint) => {
      const [topic] = await admin.listOffsets({
        topics: [{ name: 'admin', partitions: [{ partitionIndex: 1, timestamp }] }],
      });
      return topic!.partitions[0]!.offset;
    };
    expect(await at(ListOffsetTimestamps.EARLIEST)).toBe(0n);
    expect(await at(ListOffsetTimestamps.LATEST)).toBe(3n);
    expect(await at(BigInt(start + 1_500))).toBe(1n);
    const configs = await admin.describeConfigs({
      resources: [{ resourceType: 2, resourceName: 'admin', configurationKeys: ['retention.ms'] }],
    });
    expect(configs[0]!.configs).toMatchObject([{ name: 'retention.ms', value: '1234567', configSource: 1 }]);
    await admin.alterConsumerGroupOffsets({
      groupId: 'by-hand',
      topics: [{ name: 'admin', partitionOffsets: [{ partition: 1, offset: 2n }] }],
    });
    const [group] = await admin.listConsumerGroupOffsets({
      groups: [{ groupId: 'by-hand', topics: [{ name: 'admin', partitionIndexes: [0, 1] }] }],
    });
    expect(group!.topics[0]!.partitions.map(({ committedOffset }) => committedOffset)).toEqual([-1n, 2n]);
    await admin.deleteGroups({ groups: ['by-hand'] });
    await admin.deleteTopics({ topics: ['admin'] });
    expect(await admin.listTopics()).not.toContain('admin');
  });
});

/** Resolves after so many more Fetch requests. */
async function fetches(count: number): Promise<void> {
  const until = requestsServed(broker, 'Fetch') + count;
  await eventually(() => expect(requestsServed(broker, 'Fetch')).toBeGreaterThanOrEqual(until));
}

interface Member {
  readonly messages: Array<Message<string, string, string, string>>;
  partitions(): number;
  leave(): Promise<void>;
}

async function member(topic: string): Promise<Member> {
  const consumer = new Consumer<string, string, string, string>({
    ...base(),
    groupId: `group-${topic}`,
    deserializers: stringDeserializers,
    maxWaitTime: 50,
    heartbeatInterval: 100,
    sessionTimeout: 6_000,
    rebalanceTimeout: 6_000,
    autocommit: 50,
  });
  const messages: Member['messages'] = [];
  const stream = await consumer.consume({
    topics: [topic],
    mode: MessagesStreamModes.COMMITTED,
    fallbackMode: 'earliest',
  });
  stream.on('data', (message) => void messages.push(message));
  return {
    messages,
    partitions: () => consumer.assignments?.find((one) => one.topic === topic)?.partitions.length ?? 0,
    leave: () => consumer.close(true),
  };
}
