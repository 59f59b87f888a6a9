import { CompressionTypes, Kafka, logLevel, type Message } from 'kafkajs';
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
