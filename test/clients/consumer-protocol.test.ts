import {
  Admin,
  Consumer,
  type Message,
  MessagesStreamModes,
  Producer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { requestsServed, startTestBroker, type TestBroker } from '../support/test-broker.ts';

let broker: TestBroker;
let producer: Producer<string, string, string, string>;
let admin: Admin;
let sent = 0;
const base = () => ({
  clientId: 'consumer-protocol-test',
  bootstrapBrokers: [broker.address],
  retries: 5,
  retryDelay: 50,
});

beforeAll(async () => {
  broker = await startTestBroker({
    groupConsumerHeartbeatIntervalMs: 50,
    groupConsumerSessionTimeoutMs: 2_000,
  });
  producer = new Producer({ ...base(), serializers: stringSerializers });
  admin = new Admin(base());
});
afterAll(async () => {
  await Promise.allSettled([producer?.close(), admin?.close()]);
  await broker?.stop();
});

/** A member of the consumer protocol (KIP-848), or of the classic one, with all that it has read. */
async function member(topic: string, protocol: 'consumer' | 'classic' = 'consumer') {
  const consumer = new Consumer({
    ...base(),
    groupId: `group-${topic}`,
    deserializers: stringDeserializers,
    maxWaitTime: 50,
    autocommit: true,
    ...(protocol === 'consumer'
      ? { groupProtocol: 'consumer' as const }
      : { sessionTimeout: 2_000, heartbeatInterval: 50 }),
  });
  const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST });
  const messages: Array<Message<string, string, string, string>> = [];
  stream.on('data', (message) => messages.push(message));
  return {
    messages,
    partitions: () => consumer.assignments?.flatMap(({ partitions }) => partitions).length ?? 0,
    leave: async () => {
      await stream.close();
      await consumer.close();
    },
  };
}

/** Sends eight records, two a partition; their values. */
async function sendEight(topic: string): Promise<string[]> {
  const values = Array.from({ length: 8 }, () => `${(sent += 1)}`);
  await producer.send({
    messages: values.map((value, index) => ({ topic, value, partition: index % 4 })),
  });
  return values;
}

test('two members share a topic, one leaves, and every record is read', async () => {
  await admin.createTopics({ topics: ['shared'], partitions: 4, replicas: 1 });
  const first = await member('shared');
  await eventually(() => expect(first.partitions()).toBe(4));
  const second = await member('shared');
  await eventually(() => expect([first.partitions(), second.partitions()]).toEqual([2, 2]));
  expect(requestsServed(broker, 'ConsumerGroupHeartbeat')).toBeGreaterThan(2);
  expect(requestsServed(broker, 'JoinGroup')).toBe(0);
  const before = await sendEight('shared');
  const read = () => [...first.messages, ...second.messages].map(({ value }) => value);
  await eventually(() => expect(new Set(read())).toEqual(new Set(before)));
  await second.leave();
  await eventually(() => expect(first.partitions()).toBe(4));
  const after = await sendEight('shared');
  await eventually(() => expect(new Set(read())).toEqual(new Set([...before, ...after])));
  await first.leave();
});

test('a member that starts again goes on where its group had committed', async () => {
  await admin.createTopics({ topics: ['resumed'], partitions: 4, replicas: 1 });
  const first = await member('resumed');
  const before = await sendEight('resumed');
  await eventually(() => expect(first.messages).toHaveLength(before.length));
  await first.leave();
  const after = await sendEight('resumed');
  const second = await member('resumed');
  await eventually(() =>
    expect(second.messages.map(({ value }) => value)).toEqual(expect.arrayContaining(after)),
  );
  await second.leave();
});
