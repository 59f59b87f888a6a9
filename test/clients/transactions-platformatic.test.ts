import {
  Consumer,
  type Message,
  MessagesStreamModes,
  Producer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { RawClient } from '../support/raw-client.ts';
import { startTestBroker, type TestBroker } from '../support/test-broker.ts';
import { readCommitted } from '../support/transactional-client.ts';

type Read = Message<string, string, string, string>;

let broker: TestBroker;
const base = () => ({
  clientId: 'platformatic-transactions',
  bootstrapBrokers: [broker.address],
  retries: 20,
  retryDelay: 50,
});

beforeAll(async () => {
  broker = await startTestBroker();
});
afterAll(() => broker?.stop());

test('the very first InitProducerId names pid 0 and epoch 0: the client gets its transactions all the same', async () => {
  const producer = transactional('first');
  const transaction = await producer.beginTransaction();
  await transaction.send({ messages: [{ topic: 'first', value: 'a' }] });
  await transaction.commit();
  await producer.close();
  expect(await committed('first')).toEqual(['a']);
});

test('a copy loop with positions: aborted attempts are not seen, each record is copied once, over a restart', async () => {
  const sent = Array.from({ length: 30 }, (_, i) => `record ${i}`);
  const plain = new Producer({ ...base(), serializers: stringSerializers, autocreateTopics: true });
  await plain.send({ messages: sent.map((value) => ({ topic: 'source', value })) });
  await plain.close();
  const { consumer, stream, messages } = await reader('source', 'copiers');
  await eventually(() => expect(messages).toHaveLength(sent.length));
  const producer = transactional('copy');
  for (let at = 0, attempts = 0; at < messages.length; attempts += 1) {
    const some = messages.slice(at, at + 5);
    const transaction = await producer.beginTransaction();
    await transaction.send({ messages: some.map(({ value }) => ({ topic: 'copied', value })) });
    await transaction.addConsumer(consumer);
    await transaction.addOffset(some.at(-1)!);
    if (attempts % 3 === 1) await transaction.abort();
    else {
      await transaction.commit();
      at += some.length;
    }
    if (at === 15) await broker.restart();
  }
  await producer.close();
  await stream.close();
  await consumer.close();
  expect(await committed('copied')).toEqual(sent);
  // Whoever goes on as that group begins behind what was copied.
  const next = await reader('source', 'copiers', MessagesStreamModes.COMMITTED);
  const last = new Producer({ ...base(), serializers: stringSerializers });
  await last.send({ messages: [{ topic: 'source', value: 'later' }] });
  await eventually(() => expect(next.messages.map(({ value }) => value)).toEqual(['later']));
  await last.close();
  await next.stream.close();
  await next.consumer.close();
});

function transactional(transactionalId: string): Producer<string, string, string, string> {
  return new Producer({
    ...base(),
    serializers: stringSerializers,
    autocreateTopics: true,
    idempotent: true,
    transactionalId,
  });
}

async function reader(
  topic: string,
  groupId: string,
  mode: 'earliest' | 'committed' = MessagesStreamModes.EARLIEST,
) {
  const consumer = new Consumer({ ...base(), groupId, deserializers: stringDeserializers });
  const stream = await consumer.consume({
    topics: [topic],
    mode,
    autocommit: false,
    maxWaitTime: 50,
    isolationLevel: 1,
  });
  const messages: Read[] = [];
  stream.on('data', (message: Read) => void messages.push(message));
  stream.on('error', () => {});
  return { consumer, stream, messages };
}

/** This client's own consumer hands over aborted records too: it does not look at the list of them. */
async function committed(topic: string): Promise<string[]> {
  const client = await RawClient.connect(broker.port);
  const values = await readCommitted(client, topic);
  client.close();
  return values;
}
