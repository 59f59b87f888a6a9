import { Producer as PlatformaticProducer, stringSerializers } from '@platformatic/kafka';
import { Kafka, logLevel } from 'kafkajs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { patchKafkajs } from '../../broker/client/kafkajs-patches.ts';
import { CODE } from '../../broker/wire/errors.ts';
import { apiVersions, metadata } from '../../broker/wire/schemas/index.ts';
import {
  type Act,
  answer,
  change,
  closeAfter,
  closeBefore,
  delay,
  dropAnswer,
  dropRequest,
  misbehave,
  type Misbehaviour,
} from '../support/misbehave.ts';
import { RawClient } from '../support/raw-client.ts';
import { readBatches } from '../support/record-batch.ts';
import { fetchFrom, makeTopic } from '../support/requests.ts';
import { startTestBroker, type TestBroker } from '../support/test-broker.ts';

let broken: Misbehaviour;
let broker: TestBroker;
let raw: RawClient;
beforeEach(async () => {
  patchKafkajs();
  broken = misbehave();
  broker = await startTestBroker({ virtualNodes: 2 }, { intercept: broken.intercept });
  raw = await RawClient.connect(broker.port);
});
afterEach(async () => {
  raw.close();
  await broker.stop();
});

async function valuesOf(topic: string): Promise<string[]> {
  const values: string[] = [];
  const { brokers, topics } = await raw.call(metadata, 9, { topics: [{ name: topic }] });
  for (const { partitionIndex, leaderId } of topics[0]!.partitions) {
    const leader = await RawClient.connect(brokers.find(({ nodeId }) => nodeId === leaderId)!.port);
    const { records } = await fetchFrom(leader, topic, 0, { partition: partitionIndex });
    values.push(...readBatches(records!).flatMap((batch) => batch.values));
    leader.close();
  }
  return values;
}

describe('a produce that is written but not answered is retried, and is in the log once', () => {
  const ways: ReadonlyArray<{ name: string; act: Act }> = [
    { name: 'the connection closes', act: closeAfter },
    { name: 'the answer is lost', act: dropAnswer },
  ];
  for (const { name, act } of ways) {
    test(`kafkajs, idempotent: ${name}`, async () => {
      await makeTopic(raw, 'once');
      const rule = broken.on({ api: 'Produce', nth: [2, 3] }, act);
      const kafka = new Kafka({
        clientId: 'kafkajs-once',
        brokers: [broker.address],
        logLevel: logLevel.NOTHING,
        requestTimeout: 300,
        retry: { initialRetryTime: 20, maxRetryTime: 100, retries: 10 },
      });
      const producer = kafka.producer({ idempotent: true });
      await producer.connect();
      for (const value of ['a', 'b', 'c']) await producer.send({ topic: 'once', messages: [{ value }] });
      await producer.disconnect();
      expect(rule.acted).toBe(2);
      expect(await valuesOf('once')).toEqual(['a', 'b', 'c']);
    });

    test(`@platformatic/kafka, idempotent: ${name}`, async () => {
      await makeTopic(raw, 'once');
      const rule = broken.on({ api: 'Produce', nth: [2, 3] }, act);
      const producer = new PlatformaticProducer({
        clientId: 'platformatic-once',
        bootstrapBrokers: [broker.address],
        serializers: stringSerializers,
        idempotent: true,
        requestTimeout: 300,
        retries: 10,
        retryDelay: 20,
      });
      for (const value of ['a', 'b', 'c']) await producer.send({ messages: [{ topic: 'once', value }] });
      await producer.close();
      expect(rule.acted).toBe(2);
      expect(await valuesOf('once')).toEqual(['a', 'b', 'c']);
    });
  }
});

describe('the hook', () => {
  test('delays the n-th call of an API, and no other', async () => {
    broken.on({ api: 'ApiVersions', nth: 2 }, delay(150));
    const took: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      const startMs = performance.now();
      await raw.call(apiVersions, 0, {});
      took.push(performance.now() - startMs);
    }
    expect(took[1]).toBeGreaterThan(145);
    expect(Math.max(took[0]!, took[2]!)).toBeLessThan(145);
  });

  test('answers in place of the broker, changes an answer, and is quiet after `remove`', async () => {
    const rule = broken.on(
      { api: 'ApiVersions', nth: 1 },
      answer({ errorCode: CODE.INVALID_REQUEST, apiKeys: [] }),
    );
    expect((await raw.call(apiVersions, 0, {})).errorCode).toBe(CODE.INVALID_REQUEST);
    expect((await raw.call(apiVersions, 0, {})).errorCode).toBe(0);
    rule.remove();
    const changed = broken.on(
      { api: 'Metadata' },
      change((body) => ({ ...body, clusterId: 'other' })),
    );
    expect((await raw.call(metadata, 5, { topics: [] })).clusterId).toBe('other');
    changed.remove();
    expect((await raw.call(metadata, 5, { topics: [] })).clusterId).not.toBe('other');
  });

  test('drops a request of one client and serves the next on the same connection', async () => {
    broken.on({ api: 'Metadata', clientId: 'unlucky' }, dropRequest);
    raw.send(metadata, 5, { topics: [] }, 'unlucky');
    const id = raw.send(apiVersions, 0, {});
    expect((await raw.frame()).readInt32BE(0)).toBe(id);
  });

  test('closes connections of one node, not of the other', async () => {
    const { brokers } = await raw.call(metadata, 5, { topics: [] });
    broken.on({ api: 'ApiVersions', nodeId: brokers[1]!.nodeId }, closeBefore);
    const other = await RawClient.connect(brokers[1]!.port);
    other.send(apiVersions, 0, {});
    await other.closed;
    expect((await raw.call(apiVersions, 0, {})).errorCode).toBe(0);
  });
});
