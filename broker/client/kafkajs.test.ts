import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { eventually } from '../../test/support/eventually.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { nodeHost } from '../host/node-host.ts';
import { openKafka } from './kafkajs.ts';
import type { ConsumedBatch, KafkaClient, TopicPartition } from './port.ts';

let broker: TestBroker;
let kafka: KafkaClient;
let topic = '';
let serial = 0;

beforeAll(async () => {
  broker = await startTestBroker({});
});
afterAll(() => broker?.stop());

beforeEach(async () => {
  const timing = { heartbeatIntervalMs: 200, fetchWaitMs: 50 };
  kafka = await openKafka({ brokers: [broker.address], clientId: 'test', timing }, nodeHost());
  topic = `topic-${(serial += 1)}`;
  const admin = await kafka.admin();
  await admin.ensureTopics([{ name: topic, partitions: 3, configs: { 'retention.ms': '100000' } }]);
});
afterEach(() => kafka.close());

describe('producer', () => {
  test('says where records went; a key has one partition', async () => {
    const producer = await kafka.producer();
    const first = await producer.send(topic, [record('a', '1'), record('a', '2')]);
    expect(first).toEqual([{ partition: expect.any(Number) as number, baseOffset: 0 }]);
    const second = await producer.send(topic, [record('a', '3')]);
    expect(second).toEqual([{ partition: first[0]!.partition, baseOffset: 2 }]);
  });

  test('a topic that is missing is an error, and is not created', async () => {
    const producer = await kafka.producer();
    await expect(producer.send('missing', [record('a', '1')])).rejects.toMatchObject({
      name: 'KafkaError',
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
    });
    const admin = await kafka.admin();
    expect((await admin.topics()).map(({ name }) => name)).not.toContain('missing');
  });

  test('a broker that is away is an error in finite time', async () => {
    const away = await openKafka({ brokers: ['127.0.0.1:1'], clientId: 'test' }, nodeHost());
    const producer = await away.producer();
    await expect(producer.send(topic, [record('a', '1')])).rejects.toMatchObject({
      code: 'CONNECTION',
      retriable: true,
    });
    await away.close();
  });

  test('a record that is too large is not worth another try', async () => {
    const producer = await kafka.producer();
    const large = { key: null, value: Buffer.alloc(2_000_000) };
    await expect(producer.send(topic, [large])).rejects.toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
      retriable: false,
    });
    expect(await producer.send(topic, [record('a', '1')])).toHaveLength(1);
  });
});

describe('consumer', () => {
  test('assignment first, then batches from the earliest record, in order', async () => {
    const producer = await kafka.producer();
    await producer.send(topic, records(30));
    const events: string[] = [];
    const values = new Map<number, string[]>();
    await kafka.consumer({
      groupId: topic,
      topics: [topic],
      onAssigned: async (assigned) => {
        await Promise.resolve();
        events.push(`assigned ${assigned.length}`);
      },
      onBatch: (batch) => {
        events.push('batch');
        const list = values.get(batch.partition) ?? [];
        list.push(...batch.records.map(({ value }) => value!.toString()));
        values.set(batch.partition, list);
        return Promise.resolve();
      },
    });
    await eventually(() => expect([...values.values()].flat()).toHaveLength(30));
    expect(events[0]).toBe('assigned 3');
    for (const list of values.values()) {
      expect(list).toEqual(list.toSorted((left, right) => Number(left) - Number(right)));
    }
  });

  test('headers, key and time arrive; a batch that fails comes again', async () => {
    const producer = await kafka.producer();
    await producer.send(topic, [
      {
        key: Buffer.from('k'),
        value: Buffer.from('v'),
        headers: { a: 'x', b: Buffer.from([255]) },
        timestampMs: 5,
      },
    ]);
    const batches: ConsumedBatch[] = [];
    await kafka.consumer({
      groupId: topic,
      topics: [topic],
      onBatch: (batch) => {
        batches.push(batch);
        return batches.length < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve();
      },
    });
    await eventually(() => expect(batches).toHaveLength(3));
    expect(batches[0]).toEqual(batches[2]);
    expect(batches[0]).toMatchObject({ highWatermark: 1, topic });
    expect(batches[0]!.records[0]).toEqual({
      offset: 0,
      timestampMs: 5,
      key: Buffer.from('k'),
      value: Buffer.from('v'),
      headers: { a: Buffer.from('x'), b: Buffer.from([255]) },
    });
  });

  test('a committed position is where the next member starts', async () => {
    const producer = await kafka.producer();
    await producer.send(topic, records(10, 0));
    const first: number[] = [];
    const one = await kafka.consumer({
      groupId: topic,
      topics: [topic],
      onBatch: (batch) => take(first, batch),
    });
    await eventually(() => expect(first).toHaveLength(10));
    await one.commit([{ topic, partition: 0, offset: 7 }]);
    const admin = await kafka.admin();
    expect(await admin.committed(topic)).toEqual([{ topic, partition: 0, offset: 7 }]);
    await one.close();
    const second: number[] = [];
    await kafka.consumer({ groupId: topic, topics: [topic], onBatch: (batch) => take(second, batch) });
    await eventually(() => expect(second).toEqual([7, 8, 9]));
  });

  test('onRevoked can still commit, at a rebalance and at the end; what is not assigned cannot be committed', async () => {
    const producer = await kafka.producer();
    await producer.send(topic, records(4, 0));
    const assignments: TopicPartition[][] = [];
    const revocations: number[] = [];
    const one = await kafka.consumer({
      groupId: topic,
      topics: [topic],
      onAssigned: (assigned) => Promise.resolve(void assignments.push([...assigned])),
      onRevoked: async (revoked) => {
        revocations.push(revoked.length);
        await one.commit(revoked.map((partition) => ({ ...partition, offset: 1 })));
      },
      onBatch: () => Promise.resolve(),
    });
    await eventually(() => expect(assignments).toHaveLength(1));
    const two = await kafka.consumer({ groupId: topic, topics: [topic], onBatch: () => Promise.resolve() });
    await eventually(() => expect(assignments).toHaveLength(2), { timeoutMs: 15_000 });
    expect(revocations).toEqual([3]);
    const owned = assignments[1]!.map(({ partition }) => partition);
    const foreign = [0, 1, 2].find((partition) => !owned.includes(partition))!;
    await expect(one.commit([{ topic, partition: foreign, offset: 2 }])).rejects.toMatchObject({
      code: 'NOT_ASSIGNED',
    });
    const admin = await kafka.admin();
    expect(await admin.committed(topic)).toHaveLength(3);
    await two.close();
    await one.close();
    expect(revocations.length).toBeGreaterThanOrEqual(2);
  });

  test('seek moves the reading position; pause holds a partition back', async () => {
    const producer = await kafka.producer();
    await producer.send(topic, records(5, 0));
    const seen: number[] = [];
    const consumer = await kafka.consumer({
      groupId: topic,
      topics: [topic],
      onBatch: (batch) => take(seen, batch),
    });
    await eventually(() => expect(seen).toHaveLength(5));
    consumer.seek({ topic, partition: 0, offset: 3 });
    await eventually(() => expect(seen).toEqual([0, 1, 2, 3, 4, 3, 4]));
    consumer.pause([{ topic, partition: 0 }]);
    await producer.send(topic, records(1, 0));
    await producer.send(topic, records(1, 1));
    // Partition 1 is read after the pause took effect, so partition 0 had its chance.
    await eventually(() => expect(seen.filter((offset) => offset === 0)).toHaveLength(2));
    consumer.resume([{ topic, partition: 0 }]);
    await eventually(() => expect(seen).toContain(5));
  });
});

test('a position that no record has: reading starts at the earliest, the position stays as committed', async () => {
  const producer = await kafka.producer();
  await producer.send(topic, records(2, 0));
  const one = await kafka.consumer({ groupId: topic, topics: [topic], onBatch: () => Promise.resolve() });
  await eventually(() => one.commit([{ topic, partition: 0, offset: 50 }]));
  await one.close();
  const seen: number[] = [];
  await kafka.consumer({ groupId: topic, topics: [topic], onBatch: (batch) => take(seen, batch) });
  await eventually(() => expect(seen).toEqual([0, 1]));
  const admin = await kafka.admin();
  expect(await admin.committed(topic)).toEqual([{ topic, partition: 0, offset: 50 }]);
});

test('over a restart of the broker: sends work again, the group is joined again, readers go on', async () => {
  const values: string[] = [];
  const read: string[] = [];
  const take = (into: string[]) => (batch: ConsumedBatch) =>
    Promise.resolve(void into.push(...batch.records.map(({ value }) => value!.toString())));
  await kafka.consumer({ groupId: topic, topics: [topic], onBatch: take(values) });
  await kafka.reader({ topic, from: 'earliest', onBatch: take(read) });
  const producer = await kafka.producer();
  await producer.send(topic, [record('a', 'before')]);
  await eventually(() => expect(values).toEqual(['before']));
  await broker.restart();
  await eventually(() => producer.send(topic, [record('a', 'after')]), { timeoutMs: 15_000 });
  await eventually(() => expect(values).toContain('after'), { timeoutMs: 15_000 });
  await eventually(() => expect(read).toContain('after'), { timeoutMs: 15_000 });
}, 40_000);

describe('reader', () => {
  test('from earliest, caught up once, then what comes', async () => {
    const producer = await kafka.producer();
    await producer.send(topic, records(12));
    const values: string[] = [];
    let caughtUp = 0;
    const reader = await kafka.reader({
      topic,
      from: 'earliest',
      onBatch: (batch) =>
        Promise.resolve(void values.push(...batch.records.map(({ value }) => value!.toString()))),
      onCaughtUp: () => (caughtUp += 1),
    });
    await eventually(() => expect(caughtUp).toBe(1));
    expect(values.map(Number).toSorted((a, b) => a - b)).toEqual([...Array.from({ length: 12 }).keys()]);
    await producer.send(topic, [record('x', 'later')]);
    await eventually(() => expect(values).toContain('later'));
    expect(caughtUp).toBe(1);
    await reader.close();
  });

  const starts = [
    { name: 'latest', from: 'latest' as const, expected: ['new'] },
    { name: 'a time', from: { timestampMs: 2_000 }, expected: ['2', '3', 'new'] },
    { name: 'offsets', from: { offsets: { 0: 1 } }, expected: ['1', '2', '3', 'new'] },
  ];
  test.each(starts)('from $name', async ({ from, expected }) => {
    const producer = await kafka.producer();
    const old = records(4, 0).map((one, index) => ({ ...one, timestampMs: index * 1_000 }));
    await producer.send(topic, old);
    const values: string[] = [];
    await kafka.reader({
      topic,
      partitions: [0],
      from,
      onBatch: (batch) =>
        Promise.resolve(void values.push(...batch.records.map(({ value }) => value!.toString()))),
    });
    await producer.send(topic, [{ ...record('x', 'new'), partition: 0, timestampMs: 9_000 }]);
    await eventually(() => expect(values).toEqual(expected));
  });
});

test.each([1, 2, 3, 4])(
  'a reader decodes batches of codec %d, written by plain kafkajs',
  async (compression) => {
    const plain = new Kafka({ clientId: 'plain', brokers: [broker.address], logLevel: logLevel.NOTHING });
    const producer = plain.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    const sent = Array.from({ length: 200 }, (_, index) => `${index}: ${'again '.repeat(20)}`);
    const messages = sent.map((value) => ({ key: null, value, headers: { h: 'x' }, partition: 0 }));
    await producer.send({ topic, compression, messages });
    await producer.disconnect();
    const got: ConsumedBatch['records'][number][] = [];
    await kafka.reader({
      topic,
      from: { offsets: { 0: 50 } },
      onBatch: (batch) => Promise.resolve(void got.push(...batch.records)),
    });
    await eventually(() => expect(got).toHaveLength(150));
    expect(got.map(({ value }) => value!.toString())).toEqual(sent.slice(50));
    expect(got[0]).toMatchObject({ offset: 50, key: null, headers: { h: Buffer.from('x') } });
  },
);

describe('admin', () => {
  test('topics, origin and offsets', async () => {
    const producer = await kafka.producer();
    await producer.send(topic, records(2, 1));
    const admin = await kafka.admin();
    const found = (await admin.topics()).find(({ name }) => name === topic);
    expect(found).toMatchObject({ partitions: 3, internal: false });
    const origin = await admin.origin(topic);
    expect(origin.topicId).toBe(found!.topicId);
    expect(origin.clusterId).not.toBe('');
    expect(await admin.offsets(topic)).toEqual([
      { partition: 0, start: 0, end: 0 },
      { partition: 1, start: 0, end: 2 },
      { partition: 2, start: 0, end: 0 },
    ]);
    await admin.deleteTopics([topic]);
    await expect(admin.origin(topic)).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' });
  });

  test('a topic created by two at once is there for both', async () => {
    const admin = await kafka.admin();
    const other = await kafka.admin();
    const plan = [{ name: `${topic}-both`, partitions: 2 }];
    await Promise.all([admin.ensureTopics(plan), other.ensureTopics(plan)]);
    expect((await admin.topics()).find(({ name }) => name === `${topic}-both`)?.partitions).toBe(2);
  });

  test('groups and their members', async () => {
    let assigned = false;
    await kafka.consumer({
      groupId: topic,
      topics: [topic],
      onAssigned: () => Promise.resolve(void (assigned = true)),
      onBatch: () => Promise.resolve(),
    });
    await eventually(() => expect(assigned).toBe(true));
    const admin = await kafka.admin();
    const group = (await admin.groups()).find(({ groupId }) => groupId === topic);
    expect(group).toMatchObject({ state: 'Stable', protocolType: 'consumer' });
    expect(group!.members[0]!.assigned).toHaveLength(3);
  });
});

function record(key: string, value: string): { key: Buffer; value: Buffer } {
  return { key: Buffer.from(key), value: Buffer.from(value) };
}

function records(
  count: number,
  partition?: number,
): Array<{ key: Buffer; value: Buffer; partition?: number }> {
  return Array.from({ length: count }, (_, index) => ({
    ...record(`key-${index}`, String(index)),
    ...(partition !== undefined && { partition }),
  }));
}

function take(into: number[], batch: ConsumedBatch): Promise<void> {
  into.push(...batch.records.map(({ offset }) => offset));
  return Promise.resolve();
}
