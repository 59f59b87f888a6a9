import { afterAll, beforeAll, expect, test } from 'vitest';

import { readBatches, recordBatch } from '../../test/support/record-batch.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import { fetchFrom, makeTopic, produceTo } from '../../test/support/requests.ts';
import { SimBroker } from '../../test/support/sim-broker.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { produce } from '../wire/schemas/index.ts';
import produceHandler from './produce.ts';

const STAMPED = { 'message.timestamp.type': 'LogAppendTime' };
const SENT_MS = 1_700_000_000_000;
let broker: TestBroker;
let client: RawClient;
beforeAll(async () => {
  broker = await startTestBroker();
  client = await RawClient.connect(broker.port);
});
afterAll(async () => {
  client?.close();
  await broker?.stop();
});

test('each topic has its own timestamp type, and CreateTime answers -1 as append time', async () => {
  await makeTopic(client, 'stamped', { configs: STAMPED });
  await makeTopic(client, 'created');
  const batch = recordBatch({ values: ['a'], baseTimestamp: SENT_MS });
  const stamped = await produceTo(client, 'stamped', Buffer.from(batch));
  expect(Math.abs(stamped.logAppendTimeMs - Date.now())).toBeLessThan(60_000);
  expect((await produceTo(client, 'created', Buffer.from(batch))).logAppendTimeMs).toBe(-1);
});

test('a repeated batch is told the append time it was stored with, also after a restart', async () => {
  const own = await startTestBroker();
  let its = await RawClient.connect(own.port);
  await makeTopic(its, 'stamped', { configs: STAMPED });
  await makeTopic(its, 'created');
  const batch = (): Buffer =>
    recordBatch({
      values: ['a'],
      baseTimestamp: SENT_MS,
      producerId: 7,
      producerEpoch: 0,
      baseSequence: 0,
    });
  const first = await produceTo(its, 'stamped', batch());
  await produceTo(its, 'created', batch());
  for (let start = 0; start < 2; start += 1) {
    await expect.poll(() => Date.now()).toBeGreaterThan(first.logAppendTimeMs);
    expect(await produceTo(its, 'stamped', batch())).toMatchObject({
      errorCode: 0,
      baseOffset: 0,
      logAppendTimeMs: first.logAppendTimeMs,
    });
    expect((await produceTo(its, 'created', batch())).logAppendTimeMs).toBe(SENT_MS);
    its.close();
    await own.restart();
    its = await RawClient.connect(own.port);
  }
  its.close();
  await own.stop();
});

test('acks=1 is answered when the disk has it, as acks=all', async () => {
  const sim = await SimBroker.start(3);
  const [partition] = await sim.topic('t');
  for (const acks of [1, -1]) {
    let isAnswered = false;
    const answer = sim
      .ask(produceHandler, produce, 7, {
        transactionalId: null,
        acks,
        timeoutMs: 1_000,
        topicData: [{ name: 't', partitionData: [{ index: 0, records: recordBatch({ values: ['a'] }) }] }],
      })
      .then((got) => {
        isAnswered = true;
        return { got, durable: partition!.highWatermark };
      });
    await new Promise((resolve) => setImmediate(resolve));
    expect([partition!.endOffset - partition!.highWatermark, isAnswered]).toEqual([1, false]);
    const { got, durable } = await sim.settle(answer);
    expect(got.responses[0]!.partitionResponses[0]).toMatchObject({ errorCode: 0, baseOffset: durable - 1 });
  }
  await sim.settle(sim.log.close());
});

test("values are bytes: a schema registry's header comes back as it was", async () => {
  await makeTopic(client, 'avro');
  const value = `${String.fromCharCode(0, 0, 0, 0, 42)}payload`;
  await produceTo(client, 'avro', recordBatch({ values: [value] }));
  const { records } = await fetchFrom(client, 'avro', 0);
  expect(readBatches(records!)).toEqual([{ baseOffset: 0, values: [value] }]);
});
