import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { readBatches, recordBatch } from '../../test/support/record-batch.ts';
import { fetchFrom, makeTopic, produceTo } from '../../test/support/requests.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { CODE, errorName } from '../wire/errors.ts';
import { findCoordinator, initProducerId, produce } from '../wire/schemas/index.ts';

let broker: TestBroker;
let client: RawClient;
beforeAll(async () => {
  broker = await startTestBroker();
  client = await RawClient.connect(broker.port);
  await makeTopic(client, 't');
});
afterAll(async () => {
  client?.close();
  await broker?.stop();
});

const one = () => recordBatch({ values: ['a'] });

test('every served version stores the batch and answers its offset', async () => {
  const id = await makeTopic(client, 'versions');
  for (let version = 3; version <= 13; version += 1) {
    const answer = await produceTo(client, 'versions', recordBatch({ values: [`v${version}`, 'x'] }), {
      version,
      ...(version >= 13 ? { topicId: id } : {}),
    });
    expect(answer).toMatchObject({ errorCode: 0, baseOffset: (version - 3) * 2, logAppendTimeMs: -1 });
  }
  const { records } = await fetchFrom(client, 'versions', 20);
  expect(readBatches(records!)).toEqual([{ baseOffset: 20, values: ['v13', 'x'] }]);
});

test('the base offset and leader epoch that a client sends are ignored', async () => {
  await makeTopic(client, 'base');
  const batch = one();
  batch.writeBigInt64BE(77n, 0);
  batch.writeInt32BE(5, 12);
  expect(await produceTo(client, 'base', batch)).toMatchObject({ errorCode: 0, baseOffset: 0 });
});

describe('refused, with the partition told why and the connection usable', () => {
  const corrupt = one();
  corrupt[65]! ^= 1;
  const cases: Array<{
    what: string;
    want: string;
    topic?: string;
    records: Buffer | null;
    given?: { version?: number; partition?: number; acks?: number; topicId?: string };
  }> = [
    { what: 'an unknown topic', topic: 'none', records: one(), want: 'UNKNOWN_TOPIC_OR_PARTITION' },
    { what: 'a topic name with ../', topic: '../t', records: one(), want: 'INVALID_TOPIC_EXCEPTION' },
    {
      what: 'a topic name that is too long',
      topic: 'x'.repeat(250),
      records: one(),
      want: 'INVALID_TOPIC_EXCEPTION',
    },
    {
      what: 'a partition that is not there',
      records: one(),
      given: { partition: 1 },
      want: 'UNKNOWN_TOPIC_OR_PARTITION',
    },
    {
      what: 'a negative partition',
      records: one(),
      given: { partition: -1 },
      want: 'UNKNOWN_TOPIC_OR_PARTITION',
    },
    {
      what: 'an unknown topic id',
      records: one(),
      given: { version: 13, topicId: '00112233-4455-4677-8899-aabbccddeeff' },
      want: 'UNKNOWN_TOPIC_ID',
    },
    { what: 'acks other than -1, 0, 1', records: one(), given: { acks: 2 }, want: 'INVALID_REQUIRED_ACKS' },
    { what: 'no batch', records: null, want: 'INVALID_RECORD' },
    { what: 'an empty batch field', records: Buffer.alloc(0), want: 'INVALID_RECORD' },
    { what: 'two batches', records: Buffer.concat([one(), one()]), want: 'INVALID_RECORD' },
    { what: 'a flipped bit', records: corrupt, want: 'CORRUPT_MESSAGE' },
    { what: 'a cut-off batch', records: one().subarray(0, 65), want: 'CORRUPT_MESSAGE' },
    {
      what: 'a control batch',
      records: recordBatch({ values: ['a'], attributes: 0x20 }),
      want: 'INVALID_RECORD',
    },
    {
      what: 'a transactional batch in a request without a transactional id',
      records: recordBatch({
        values: ['a'],
        attributes: 0x10,
        producerId: 1,
        producerEpoch: 0,
        baseSequence: 0,
      }),
      want: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    },
    {
      what: 'a producer id without a sequence',
      records: recordBatch({ values: ['a'], producerId: 1, producerEpoch: 0 }),
      want: 'INVALID_RECORD',
    },
    {
      what: 'zstd before version 7',
      records: recordBatch({ values: ['a'], codec: 'zstd' }),
      given: { version: 6 },
      want: 'UNSUPPORTED_COMPRESSION_TYPE',
    },
    {
      what: 'a batch over max.message.bytes, its 12 bytes of prefix included',
      records: recordBatch({ values: ['x'.repeat(1_048_588)] }),
      want: 'MESSAGE_TOO_LARGE',
    },
    {
      what: 'an internal topic',
      topic: '__consumer_offsets',
      records: one(),
      want: 'INVALID_TOPIC_EXCEPTION',
    },
  ];
  // Made by the first look for a coordinator.
  beforeAll(() => client.call(findCoordinator, 0, { key: 'g' }));
  for (const { what, want, topic, records, given } of cases) {
    test(`${what}: ${want}`, async () => {
      const answer = await produceTo(client, topic ?? 't', records && Buffer.from(records), given);
      expect(errorName(answer.errorCode)).toBe(want);
      expect(answer.baseOffset).toBe(-1);
      expect((await produceTo(client, 't', one())).errorCode).toBe(0);
    });
  }

  test('v8 explains the refusal', async () => {
    const answer = await produceTo(client, '../t', one(), { version: 8 });
    expect(answer.errorMessage).toMatch(/cannot use topic name "..\/t"/);
  });
});

test('one bad partition does not fail its neighbours', async () => {
  await makeTopic(client, 'neighbours', { partitions: 2 });
  const { responses } = await client.call(produce, 7, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 1_000,
    topicData: [
      { name: 'nowhere', partitionData: [{ index: 0, records: one() }] },
      {
        name: 'neighbours',
        partitionData: [
          { index: 5, records: one() },
          { index: 1, records: one() },
        ],
      },
    ],
  });
  const codes = responses.map(({ partitionResponses }) =>
    partitionResponses.map(({ errorCode }) => errorCode),
  );
  expect(codes).toEqual([[3], [3, 0]]);
});

describe('idempotent producers', () => {
  test('a repeated batch is stored once and answered with its first offset; a gap is refused', async () => {
    await makeTopic(client, 'idempotent');
    const { producerId, producerEpoch } = await client.call(initProducerId, 4, {
      transactionalId: null,
      transactionTimeoutMs: 0,
    });
    expect(producerEpoch).toBe(0);
    const batch = (baseSequence: number) =>
      recordBatch({ values: ['a', 'b'], producerId, producerEpoch, baseSequence });
    expect(await produceTo(client, 'idempotent', batch(0))).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect(await produceTo(client, 'idempotent', batch(2))).toMatchObject({ errorCode: 0, baseOffset: 2 });
    expect(await produceTo(client, 'idempotent', batch(0))).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect((await produceTo(client, 'idempotent', batch(9))).errorCode).toBe(
      CODE.OUT_OF_ORDER_SEQUENCE_NUMBER,
    );
    expect((await fetchFrom(client, 'idempotent', 0)).highWatermark).toBe(4);
  });

  test('ids are never given twice, also over a restart', async () => {
    const own = await startTestBroker();
    const ids: number[] = [];
    for (let round = 0; round < 2; round += 1) {
      const caller = await RawClient.connect(own.port);
      for (let version = 0; version <= 5; version += 1) {
        const answer = await caller.call(initProducerId, version, {
          transactionalId: null,
          transactionTimeoutMs: 60_000,
        });
        expect(answer.errorCode).toBe(0);
        ids.push(answer.producerId);
      }
      caller.close();
      await own.restart();
    }
    expect(new Set(ids).size).toBe(ids.length);
    await own.stop();
  });
});

test('LogAppendTime stamps the batch and says so', async () => {
  await makeTopic(client, 'append-time', { configs: { 'message.timestamp.type': 'LogAppendTime' } });
  const before = Date.now();
  const answer = await produceTo(client, 'append-time', one());
  expect(answer.logAppendTimeMs).toBeGreaterThanOrEqual(before);
  const { records } = await fetchFrom(client, 'append-time', 0);
  expect(Number(records!.readBigInt64BE(35))).toBe(answer.logAppendTimeMs);
});
