import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { eventually } from '../../test/support/eventually.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import { readBatches, recordBatch } from '../../test/support/record-batch.ts';
import { fetchFrom, makeTopic, produceTo } from '../../test/support/requests.ts';
import { requestsServed, startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { CODE, errorName } from '../wire/errors.ts';
import { readResponse } from '../wire/frame.ts';
import { deleteTopics, fetch } from '../wire/schemas/index.ts';

let broker: TestBroker;
let client: RawClient;
let other: RawClient;
beforeAll(async () => {
  broker = await startTestBroker();
  client = await RawClient.connect(broker.port);
  other = await RawClient.connect(broker.port);
});
afterAll(async () => {
  client?.close();
  other?.close();
  await broker?.stop();
});

test('every served version returns what was produced', async () => {
  const id = await makeTopic(client, 'versions');
  await produceTo(client, 'versions', recordBatch({ values: ['a', 'b'] }));
  for (let version = 4; version <= 18; version += 1) {
    const answer = await fetchFrom(client, 'versions', 0, {
      version,
      ...(version >= 13 ? { topicId: id } : {}),
    });
    expect(answer).toMatchObject({ errorCode: 0, highWatermark: 2, lastStableOffset: 2 });
    expect(readBatches(answer.records!)).toEqual([{ baseOffset: 0, values: ['a', 'b'] }]);
  }
});

test('a fetch into the middle of a batch returns the whole batch', async () => {
  await makeTopic(client, 'middle');
  await produceTo(client, 'middle', recordBatch({ values: ['a', 'b', 'c'] }));
  await produceTo(client, 'middle', recordBatch({ values: ['d'] }));
  const { records } = await fetchFrom(client, 'middle', 1);
  expect(readBatches(records!).map(({ baseOffset }) => baseOffset)).toEqual([0, 3]);
});

describe('bounds', () => {
  test('the first partition with data gives one batch however large, the next only what fits', async () => {
    await makeTopic(client, 'large', { partitions: 3 });
    for (const partition of [1, 2]) {
      await produceTo(client, 'large', recordBatch({ values: ['x'.repeat(10_000)] }), { partition });
    }
    const answers = await fetchAll(client, 'large', 3, { maxBytes: 100 });
    expect(answers.map(({ records }) => records!.length > 0)).toEqual([false, true, false]);
  });

  test('partition_max_bytes bounds a partition at whole batches', async () => {
    await makeTopic(client, 'bounded');
    for (let i = 0; i < 5; i += 1)
      await produceTo(client, 'bounded', recordBatch({ values: ['x'.repeat(1_000)] }));
    const { records } = await fetchFrom(client, 'bounded', 0, { partitionMaxBytes: 2_500 });
    expect(readBatches(records!)).toHaveLength(2);
  });

  test('no partition starves behind the others', async () => {
    await makeTopic(client, 'fair', { partitions: 3 });
    for (const partition of [0, 1, 2]) {
      await produceTo(client, 'fair', recordBatch({ values: ['x'.repeat(1_000)] }), { partition });
    }
    const served = new Set<number>();
    for (let i = 0; i < 3; i += 1) {
      const answers = await fetchAll(client, 'fair', 3, { maxBytes: 500 });
      answers.forEach(({ records, partitionIndex }) => records!.length > 0 && served.add(partitionIndex));
    }
    expect([...served].toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
  });
});

describe('long polling', () => {
  test('waits for min_bytes, not for less, and answers as soon as they are durable', async () => {
    await makeTopic(client, 'poll');
    await produceTo(client, 'poll', recordBatch({ values: ['a'] }));
    let answered = false;
    const parked = fetchFrom(other, 'poll', 0, { maxWaitMs: 20_000, minBytes: 1_000 }).then((answer) => {
      answered = true;
      return answer;
    });
    await produceTo(client, 'poll', recordBatch({ values: ['b'] }));
    expect(answered).toBe(false);
    await produceTo(client, 'poll', recordBatch({ values: ['x'.repeat(2_000)] }));
    expect(readBatches((await parked).records!)).toHaveLength(3);
  });

  test('ends after max_wait with empty bytes, not null', async () => {
    await makeTopic(client, 'nothing');
    const answer = await fetchFrom(client, 'nothing', 0, { maxWaitMs: 30 });
    expect(answer).toMatchObject({ errorCode: 0, records: Buffer.alloc(0), abortedTransactions: null });
  });

  test('an error in any partition answers at once', async () => {
    await makeTopic(client, 'error');
    expect((await fetchFrom(client, 'error', 5, { maxWaitMs: 20_000 })).errorCode).toBe(
      CODE.OFFSET_OUT_OF_RANGE,
    );
  });

  test('a deleted topic wakes its readers', async () => {
    await makeTopic(client, 'deleted');
    const parked = fetchFrom(other, 'deleted', 0, { maxWaitMs: 20_000 });
    await eventually(() => expect(requestsServed(broker, 'Fetch')).toBeGreaterThan(0));
    await client.call(deleteTopics, 5, { topicNames: ['deleted'], timeoutMs: 1_000 });
    expect((await parked).errorCode).toBe(CODE.UNKNOWN_TOPIC_OR_PARTITION);
  });

  test('what is appended is not handed out before it is durable', async () => {
    await makeTopic(client, 'durable');
    const produced = produceTo(client, 'durable', recordBatch({ values: ['a'] }));
    const { records } = await fetchFrom(other, 'durable', 0, { maxWaitMs: 20_000 });
    expect(readBatches(records!)).toHaveLength(1);
    expect((await produced).errorCode).toBe(0);
  });
});

describe('refused', () => {
  const cases = [
    { what: 'an offset beyond the end', offset: 2, given: {}, want: 'OFFSET_OUT_OF_RANGE' },
    { what: 'a negative offset', offset: -1, given: {}, want: 'OFFSET_OUT_OF_RANGE' },
    {
      what: 'a partition that is not there',
      offset: 0,
      given: { partition: 9 },
      want: 'UNKNOWN_TOPIC_OR_PARTITION',
    },
    {
      what: 'an unknown topic id',
      offset: 0,
      given: { version: 13, topicId: '00112233-4455-4677-8899-aabbccddeeff' },
      want: 'UNKNOWN_TOPIC_ID',
    },
    { what: 'the zero topic id', offset: 0, given: { version: 13 }, want: 'UNKNOWN_TOPIC_ID' },
    {
      what: 'a leader epoch from the future',
      offset: 0,
      given: { currentLeaderEpoch: 99 },
      want: 'UNKNOWN_LEADER_EPOCH',
    },
    {
      what: 'zstd for a client before version 10',
      offset: 0,
      given: { version: 9 },
      want: 'UNSUPPORTED_COMPRESSION_TYPE',
    },
  ];
  beforeAll(async () => {
    await makeTopic(client, 'refused');
    await produceTo(client, 'refused', recordBatch({ values: ['a'], codec: 'zstd' }));
  });
  for (const { what, offset, given, want } of cases) {
    test(`${what}: ${want}`, async () => {
      const answer = await fetchFrom(client, 'refused', offset, given);
      expect(errorName(answer.errorCode)).toBe(want);
      expect(answer).toMatchObject({ highWatermark: -1, records: Buffer.alloc(0) });
    });
  }
});

test('a last fetched epoch that this log never had is out of range, at once', async () => {
  await makeTopic(client, 'epochs');
  await produceTo(client, 'epochs', recordBatch({ values: ['a'] }));
  const unknown = { version: 12, lastFetchedEpoch: 50, maxWaitMs: 10_000 };
  expect((await fetchFrom(client, 'epochs', 1, unknown)).errorCode).toBe(CODE.OFFSET_OUT_OF_RANGE);
  const known = await fetchFrom(client, 'epochs', 0, { version: 12, lastFetchedEpoch: 0 });
  expect(known).toMatchObject({ errorCode: 0, divergingEpoch: undefined });
  expect(readBatches(known.records!)).toHaveLength(1);
});

describe('sessions', () => {
  for (const version of [7, 11, 12, 13, 18]) {
    test(`version ${version}: an incremental answer names only what is new, and any partition may become so`, async () => {
      const name = `session-${version}`;
      const topicId = await makeTopic(client, name, { partitions: 3 });
      const place = version >= 13 ? { topicId } : { topic: name };
      const partitions = [0, 1, 2].map((partition) => ({
        partition,
        fetchOffset: 0,
        partitionMaxBytes: 1_000_000,
      }));
      const ask = { maxWaitMs: 0, minBytes: 1, topics: [] };
      const opened = await client.call(fetch, version, {
        ...ask,
        sessionId: 0,
        sessionEpoch: 0,
        topics: [{ ...place, partitions }],
      });
      expect(opened.errorCode).toBe(0);
      expect(opened.sessionId).toBeGreaterThan(0);
      expect(opened.responses[0]!.partitions).toHaveLength(3);
      const { sessionId } = opened;
      const quiet = await client.call(fetch, version, { ...ask, sessionId, sessionEpoch: 1 });
      expect(quiet).toMatchObject({ errorCode: 0, sessionId, responses: [] });
      await produceTo(client, name, recordBatch({ values: ['a'] }), { partition: 1 });
      const news = await client.call(fetch, version, { ...ask, sessionId, sessionEpoch: 2 });
      expect(news.responses).toMatchObject([
        { ...place, partitions: [{ partitionIndex: 1, highWatermark: 1 }] },
      ]);
      expect(readBatches(news.responses[0]!.partitions[0]!.records!)).toHaveLength(1);
      const closed = await client.call(fetch, version, { ...ask, sessionId, sessionEpoch: -1 });
      expect(closed).toMatchObject({ errorCode: 0, sessionId: 0 });
      const late = await client.call(fetch, version, { ...ask, sessionId, sessionEpoch: 3 });
      expect(late).toMatchObject({ errorCode: CODE.FETCH_SESSION_ID_NOT_FOUND, sessionId: 0, responses: [] });
    });
  }

  test('going from names to ids within a session: FETCH_SESSION_TOPIC_ID_ERROR', async () => {
    await makeTopic(client, 'switching');
    const ask = { maxWaitMs: 0, minBytes: 0 };
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000 }];
    const { sessionId } = await client.call(fetch, 12, {
      ...ask,
      sessionId: 0,
      sessionEpoch: 0,
      topics: [{ topic: 'switching', partitions }],
    });
    const switched = await client.call(fetch, 13, { ...ask, sessionId, sessionEpoch: 1, topics: [] });
    expect(errorName(switched.errorCode)).toBe('FETCH_SESSION_TOPIC_ID_ERROR');
  });

  test('a parked incremental fetch is woken by a partition that its request does not name', async () => {
    await makeTopic(client, 'woken');
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000 }];
    const { sessionId } = await other.call(fetch, 11, {
      maxWaitMs: 0,
      minBytes: 1,
      sessionId: 0,
      sessionEpoch: 0,
      topics: [{ topic: 'woken', partitions }],
    });
    const ask = { maxWaitMs: 20_000, minBytes: 1, sessionId, sessionEpoch: 1, topics: [] };
    const parked = other.call(fetch, 11, ask);
    await produceTo(client, 'woken', recordBatch({ values: ['a'] }));
    expect((await parked).responses[0]!.partitions[0]!.records!.length).toBeGreaterThan(0);
  });
});

async function fetchAll(from: RawClient, topic: string, count: number, { maxBytes }: { maxBytes: number }) {
  const partitions = Array.from({ length: count }, (_, partition) => ({
    partition,
    fetchOffset: 0,
    partitionMaxBytes: 1_000_000,
  }));
  from.send(fetch, 11, { maxWaitMs: 0, minBytes: 1, maxBytes, topics: [{ topic, partitions }] });
  const { body } = readResponse(fetch, 11, await from.frame());
  return body.responses[0]!.partitions;
}
