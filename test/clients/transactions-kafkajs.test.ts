import { Kafka, logLevel, type Producer } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { patchKafkajs } from '../../broker/client/kafkajs-patches.ts';
import { eventually } from '../support/eventually.ts';
import { startTestBroker, type TestBroker } from '../support/test-broker.ts';

let broker: TestBroker;
let kafka: Kafka;

beforeAll(async () => {
  patchKafkajs();
  broker = await startTestBroker();
  kafka = new Kafka({
    clientId: 'kafkajs-transactions',
    brokers: [broker.address],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20, maxRetryTime: 200, retries: 15 },
  });
});
afterAll(() => broker?.stop());

test('consume, transform, produce with sendOffsets: aborted attempts are not seen, each record is copied once', async () => {
  const sent = await fill('source', 60);
  const producer = await transactional('copy');
  const consumer = kafka.consumer({ groupId: 'copiers', maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topics: ['source'], fromBeginning: true });
  let attempts = 0;
  await consumer.run({
    autoCommit: false,
    async eachBatch({ batch: { topic, partition, messages } }) {
      for (let at = 0; at < messages.length; attempts += 1) {
        const some = messages.slice(at, at + 10);
        const transaction = await producer.transaction();
        await transaction.send({
          topic: 'copied',
          messages: some.map(({ value }) => ({ value, partition: 0 })),
        });
        const offset = String(Number(some.at(-1)!.offset) + 1);
        await transaction.sendOffsets({
          consumerGroupId: 'copiers',
          topics: [{ topic, partitions: [{ partition, offset }] }],
        });
        if (attempts % 2 === 0) await transaction.abort();
        else {
          await transaction.commit();
          at += some.length;
        }
      }
    },
  });
  await eventually(async () => expect(await committedPosition('copiers', 'source')).toBe(sent.length));
  await Promise.all([consumer.disconnect(), producer.disconnect()]);
  expect(attempts).toBeGreaterThanOrEqual(12);
  expect(await readAll('copied', sent.length)).toEqual(sent);
});

test('the same across restarts of the broker: whatever the producer was told, position and records agree', async () => {
  const sent = await fill('long-source', 120);
  let producer = await transactional('lasting');
  let position = 0;
  let failures = 0;
  const restarts = restartAt([20, 50, 80]);
  while (position < sent.length) {
    const restarting = restarts(position);
    try {
      const transaction = await producer.transaction();
      const values = sent.slice(position, position + 10);
      await transaction.send({
        topic: 'long-copied',
        messages: values.map((value) => ({ value, partition: 0 })),
      });
      await restarting;
      await transaction.sendOffsets({
        consumerGroupId: 'long-copiers',
        topics: [{ topic: 'long-source', partitions: [{ partition: 0, offset: String(position + 10) }] }],
      });
      if (position % 30 === 0 && failures % 2 === 0) {
        failures += 1;
        await transaction.abort();
      } else {
        await transaction.commit();
        position += 10;
      }
    } catch {
      // What became of it is unknown: the next producer of this id ends it, and then the position tells.
      failures += 1;
      await restarting;
      await producer.disconnect().catch(() => {});
      producer = await transactional('lasting');
      position = await committedPosition('long-copiers', 'long-source');
    }
  }
  await producer.disconnect();
  expect(await readAll('long-copied', sent.length)).toEqual(sent);
});

/** Begins a restart the first time a position is reached; resolves when the broker is back. */
function restartAt(positions: number[]): (position: number) => Promise<void> {
  return async (position) => {
    if (positions[0] === undefined || position < positions[0]) return;
    positions.shift();
    await broker.restart();
  };
}

async function transactional(transactionalId: string): Promise<Producer> {
  const producer = kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  return producer;
}

async function fill(topic: string, count: number): Promise<string[]> {
  const sent = Array.from({ length: count }, (_, i) => `${topic} ${i}`);
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages: sent.map((value) => ({ value, partition: 0 })) });
  await producer.disconnect();
  return sent;
}

async function committedPosition(groupId: string, topic: string): Promise<number> {
  const admin = kafka.admin();
  await admin.connect();
  const [fetched] = await admin.fetchOffsets({ groupId, topics: [topic] });
  await admin.disconnect();
  return Math.max(0, Number(fetched?.partitions[0]?.offset ?? 0));
}

/** What a consumer of committed records gets, which kafkajs is unless told otherwise. */
async function readAll(topic: string, count: number): Promise<string[]> {
  const consumer = kafka.consumer({ groupId: `readers-${topic}`, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const values: string[] = [];
  await consumer.run({
    async eachMessage({ message }) {
      values.push(message.value!.toString());
    },
  });
  await eventually(() => expect(values.length).toBeGreaterThanOrEqual(count));
  await consumer.disconnect();
  return values;
}
