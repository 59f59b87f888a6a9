import { Kafka, logLevel } from 'kafkajs';
import { expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { startTestBroker } from '../support/test-broker.ts';

test('members of a group take up added partitions at their next metadata refresh', async () => {
  const broker = await startTestBroker();
  const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic: 'grows', numPartitions: 1 }] });
  const consumer = kafka.consumer({
    groupId: 'watching',
    metadataMaxAge: 200,
    maxWaitTimeInMs: 50,
    heartbeatInterval: 50,
  });
  let assigned: number[] = [];
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    assigned = payload.memberAssignment['grows'] ?? [];
  });
  const got: string[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic: 'grows', fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void got.push(message.value!.toString()) });
  await eventually(() => expect(assigned).toEqual([0]));

  await admin.createPartitions({ topicPartitions: [{ topic: 'grows', count: 3 }] });
  await eventually(() => expect(assigned.toSorted((a, b) => a - b)).toEqual([0, 1, 2]));
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic: 'grows', messages: [{ value: 'in a new one', partition: 2 }] });
  await eventually(() => expect(got).toEqual(['in a new one']));
  await Promise.all([consumer.disconnect(), producer.disconnect(), admin.disconnect()]);
  await broker.stop();
});
