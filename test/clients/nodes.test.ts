import {
  Consumer as PlatformaticConsumer,
  type MessagesStream,
  MessagesStreamFallbackModes,
  MessagesStreamModes,
  Producer as PlatformaticProducer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka';
import { Kafka, logLevel } from 'kafkajs';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { patchKafkajs } from '../../broker/client/kafkajs-patches.ts';
import { RawClient } from '../support/raw-client.ts';
import { makeTopic } from '../support/requests.ts';
import { eventually } from '../support/eventually.ts';
import { startTestBroker, type TestBroker } from '../support/test-broker.ts';

/** Real clients against three nodes: they find leaders and coordinators, and find them again when a node stops. */
const TOPIC = 'spread';
const PARTITIONS = [0, 1, 2, 3, 4, 5];

let broker: TestBroker;
beforeEach(async () => {
  patchKafkajs();
  broker = await startTestBroker({ virtualNodes: 3 });
  const client = await RawClient.connect(broker.port);
  await makeTopic(client, TOPIC, { partitions: PARTITIONS.length });
  client.close();
});
afterEach(() => broker?.stop());

test('kafkajs produces and consumes across three nodes while one of them stops and returns', async () => {
  const kafka = new Kafka({
    clientId: 'kafkajs-nodes',
    brokers: [broker.address],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20, maxRetryTime: 200, retries: 20 },
  });
  const producer = kafka.producer({ idempotent: true });
  const consumer = kafka.consumer({
    groupId: 'kafkajs-group',
    sessionTimeout: 2_000,
    heartbeatInterval: 100,
    maxWaitTimeInMs: 200,
  });
  const seen: string[] = [];
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void seen.push(message.value!.toString()) });
  const sent: string[] = [];
  const send = async (round: string): Promise<void> => {
    const messages = PARTITIONS.map((partition) => ({ partition, value: `${round}-${partition}` }));
    sent.push(...messages.map(({ value }) => value));
    await producer.send({ topic: TOPIC, messages });
  };
  const allArrive = (): Promise<void> => eventually(() => expect(new Set(seen)).toEqual(new Set(sent)));
  await send('all');
  await allArrive();
  for (const nodeId of [2, 3]) {
    await broker.nodes.stop(nodeId);
    await send(`without ${nodeId}`);
    await allArrive();
    await broker.nodes.start(nodeId);
    await send(`with ${nodeId}`);
    await allArrive();
  }
  await Promise.all([producer.disconnect(), consumer.disconnect()]);
});

test('@platformatic/kafka produces and consumes across three nodes while one of them stops and returns', async () => {
  const base = {
    clientId: 'platformatic-nodes',
    bootstrapBrokers: [broker.address],
    retries: 20,
    retryDelay: 50,
    metadataMaxAge: 500,
  };
  const producer = new PlatformaticProducer({ ...base, serializers: stringSerializers, idempotent: true });
  const consumer = new PlatformaticConsumer({
    ...base,
    groupId: 'platformatic-group',
    sessionTimeout: 2_000,
    heartbeatInterval: 100,
    maxWaitTime: 100,
    retries: 2,
    deserializers: stringDeserializers,
  });
  const seen: string[] = [];
  let stream: MessagesStream<string, string, string, string>;
  // A node that leads no more ends this client's stream: whoever reads on opens another, from what is committed.
  const follow = async (): Promise<void> => {
    consumer.clearMetadata();
    stream = await consumer.consume({
      topics: [TOPIC],
      mode: MessagesStreamModes.COMMITTED,
      fallbackMode: MessagesStreamFallbackModes.EARLIEST,
      autocommit: true,
    });
    stream.on('data', (message) => void seen.push(message.value));
    stream.on('error', () => void follow());
  };
  await follow();
  const sent: string[] = [];
  const send = async (round: string): Promise<void> => {
    const messages = PARTITIONS.map((partition) => ({
      topic: TOPIC,
      partition,
      value: `${round}-${partition}`,
    }));
    sent.push(...messages.map(({ value }) => value));
    // One by one: this client sends a batch of several partitions to the leader of its first one when it tries again.
    await Promise.all(messages.map((message) => producer.send({ messages: [message], acks: -1 })));
  };
  const allArrive = (): Promise<void> => eventually(() => expect(new Set(seen)).toEqual(new Set(sent)));
  await send('all');
  await allArrive();
  await broker.nodes.stop(2);
  await send('without 2');
  await allArrive();
  await broker.nodes.start(2);
  await send('with 2');
  await allArrive();
  await stream!.close();
  await Promise.allSettled([producer.close(), consumer.close(true)]);
});
