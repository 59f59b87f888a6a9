import { Kafka, logLevel } from 'kafkajs';
import kafkajsMurmur2 from 'kafkajs/src/producer/partitioners/default/murmur2.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { eventually } from '../../test/support/eventually.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { nodeHost } from '../host/node-host.ts';
import { crcHolds } from '../log/batch/batch-header.ts';
import type { Intercept } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { openKafka } from './kafkajs.ts';
import { murmur2, partitionOfKey } from './murmur2.ts';
import type { KafkaClient, ProduceRecord } from './port.ts';
import { decodeBatches } from './record-batches.ts';
import { writeBatch } from './write-batch.ts';

describe('murmur2', () => {
  // From the tests of Kafka's Java client.
  const known: ReadonlyArray<[string, number]> = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ];
  test.each(known)('of %s', (text, want) => {
    expect(murmur2(Buffer.from(text))).toBe(want);
  });

  test('chooses the partitions that kafkajs chose', () => {
    for (let n = 0; n < 500; n += 1) {
      const key = Buffer.from(`checkout/${n % 7 === 0 ? 'größe' : 'x'.repeat(n % 40)}/${n}`);
      expect(partitionOfKey(key, 12)).toBe((kafkajsMurmur2(key) & 0x7fffffff) % 12);
    }
  });
});

describe('a batch', () => {
  const records: ProduceRecord[] = [
    { key: null, value: Buffer.from('plain') },
    { key: Buffer.from('k'), value: null, timestampMs: 4_000_000_000_000 },
    {
      key: Buffer.alloc(0),
      value: Buffer.alloc(70_000, 7),
      headers: { größe: 'wört', bytes: Buffer.from([0, 255]), '': '' },
      timestampMs: 1_000,
    },
    ...Array.from({ length: 200 }, (_, n) => ({ key: Buffer.from(String(n)), value: Buffer.alloc(n) })),
  ];

  test('is read back as it was given, and its CRC holds', () => {
    const batch = writeBatch(records, 1_700_000_000_000);
    expect(crcHolds(batch, 0, batch.length)).toBe(true);
    const { records: read, nextOffset } = decodeBatches(batch, 0);
    expect(nextOffset).toBe(records.length);
    expect(read).toEqual(
      records.map(({ key, value, headers = {}, timestampMs = 1_700_000_000_000 }, offset) => ({
        offset,
        timestampMs,
        key,
        value,
        headers: Object.fromEntries(
          Object.entries(headers).map(([name, header]) => [name, Buffer.from(header as string)]),
        ),
      })),
    );
  });
});

describe('against a broker that misbehaves', () => {
  let broker: TestBroker;
  let kafka: KafkaClient;
  let intercept: Intercept;
  let produces = 0;
  let serial = 0;
  beforeAll(async () => {
    broker = await startTestBroker(
      {},
      {
        intercept: (call, next) => {
          if (call.name !== 'Produce') return next();
          produces += 1;
          return intercept(call, next);
        },
      },
    );
    kafka = await openKafka({ brokers: [broker.address], clientId: 'test' }, nodeHost());
  });
  afterAll(async () => {
    await kafka?.close();
    await broker?.stop();
  });

  async function topicOf(partitions: number): Promise<string> {
    const name = `misbehaviour-${(serial += 1)}`;
    await (await kafka.admin()).ensureTopics([{ name, partitions }]);
    produces = 0;
    return name;
  }

  test('only the partitions that were refused for now are sent again', async () => {
    const topic = await topicOf(2);
    intercept = async (_call, next) => {
      const answer = (await next()) as {
        responses: Array<{ partitionResponses: Array<{ index: number; errorCode: number }> }>;
      };
      if (produces > 1) return answer;
      return {
        ...answer,
        responses: answer.responses.map((one) => ({
          ...one,
          partitionResponses: one.partitionResponses.map((partition) =>
            partition.index === 1 ? { ...partition, errorCode: CODE.NOT_LEADER_OR_FOLLOWER } : partition,
          ),
        })),
      };
    };
    const producer = await kafka.producer();
    const records = [0, 0, 1].map((partition) => ({ key: null, value: Buffer.from('v'), partition }));
    const stored = await producer.send(topic, records);
    expect(stored.toSorted((a, b) => a.partition - b.partition)).toEqual([
      { partition: 0, baseOffset: 0 },
      // The first try was stored too: its outcome was unknown.
      { partition: 1, baseOffset: 1 },
    ]);
    expect(produces).toBe(2);
  });

  test('what is refused for good is not tried again', async () => {
    const topic = await topicOf(1);
    intercept = async (_call, next) => {
      const answer = (await next()) as { responses: Array<{ partitionResponses: object[] }> };
      for (const one of answer.responses) {
        one.partitionResponses = one.partitionResponses.map((partition) => ({
          ...partition,
          errorCode: CODE.TOPIC_AUTHORIZATION_FAILED,
        }));
      }
      return answer;
    };
    const producer = await kafka.producer();
    await expect(producer.send(topic, [{ key: null, value: null }])).rejects.toMatchObject({
      code: 'TOPIC_AUTHORIZATION_FAILED',
      retriable: false,
    });
    expect(produces).toBe(1);
  });

  test('a partition that does not exist is an error in finite time', async () => {
    const topic = await topicOf(1);
    intercept = (_call, next) => next();
    const producer = await kafka.producer();
    const record = { key: null, value: null, partition: 9 };
    await expect(producer.send(topic, [record])).rejects.toMatchObject({
      name: 'KafkaError',
      retriable: true,
    });
  });

  test('a closed producer says so; others go on', async () => {
    const topic = await topicOf(1);
    intercept = (_call, next) => next();
    const [one, other] = [await kafka.producer(), await kafka.producer()];
    await one.send(topic, [{ key: null, value: null }]);
    await one.close();
    await expect(one.send(topic, [{ key: null, value: null }])).rejects.toMatchObject({ code: 'CLOSED' });
    expect(await other.send(topic, [{ key: null, value: null }])).toEqual([{ partition: 0, baseOffset: 1 }]);
  });

  test('records without a key take the partitions in turn; kafkajs reads what was written', async () => {
    const topic = await topicOf(3);
    intercept = (_call, next) => next();
    const producer = await kafka.producer();
    const values = ['a', 'b', 'c', 'd', 'e', 'f'];
    const stored = await producer.send(
      topic,
      values.map((value) => ({ key: null, value: Buffer.from(value), headers: { h: value } })),
    );
    expect(new Set(stored.map(({ partition }) => partition))).toEqual(new Set([0, 1, 2]));
    const plain = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING });
    const consumer = plain.consumer({ groupId: topic });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    const read: string[] = [];
    await consumer.run({
      eachMessage: ({ message }) => {
        read.push(`${message.value?.toString()}${message.headers?.['h']?.toString()}`);
        return Promise.resolve();
      },
    });
    await eventually(() => expect(read.toSorted()).toEqual(values.map((value) => value + value)));
    await consumer.disconnect();
  });
});
