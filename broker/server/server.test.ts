import { connect } from 'node:net';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { eventually } from '../../test/support/eventually.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import { recordBatch } from '../../test/support/record-batch.ts';
import { requestsServed, startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { brokerConfig } from '../config.ts';
import { start } from '../main.ts';
import { CODE } from '../wire/errors.ts';
import { readResponse, requestFrame } from '../wire/frame.ts';
import { apiVersions, createTopics, fetch, metadata, produce } from '../wire/schemas/index.ts';

let broker: TestBroker;
beforeAll(async () => {
  broker = await startTestBroker({ requestBytesMax: 1_000_000 });
});
afterAll(() => broker?.stop());

const everything = { topics: null, includeClusterAuthorizedOperations: false };

function framed(body: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(body.length);
  return Buffer.concat([head, body]);
}

function header(key: number, version: number): Buffer {
  const bytes = Buffer.alloc(10);
  bytes.writeInt16BE(key, 0);
  bytes.writeInt16BE(version, 2);
  bytes.writeInt16BE(-1, 8);
  return bytes;
}

describe('what is no request closes its connection with one line in the log, and disturbs nobody', () => {
  const cases = [
    { what: 'a negative length', bytes: Buffer.from('ffffffff', 'hex'), line: /length of -1/ },
    { what: 'a length over the limit', bytes: Buffer.from('000f4241', 'hex'), line: /length of 1000001/ },
    { what: 'a length too small for a header', bytes: Buffer.from('00000004', 'hex'), line: /length of 4/ },
    { what: 'a TLS hello', bytes: Buffer.from('16030100f5010000f1', 'hex'), line: /TLS hello/ },
    { what: 'HTTP', bytes: Buffer.from('GET / HTTP/1.1\r\n\r\n'), line: /length of/ },
    { what: 'an API key that is not served', bytes: framed(header(4, 0)), line: /API key 4/ },
    { what: 'a version that is not served', bytes: framed(header(3, 99)), line: /Metadata version 99/ },
    {
      what: 'a Produce version that is advertised but not served',
      bytes: framed(header(0, 2)),
      line: /Produce version 2/,
    },
    { what: 'a body that ends too early', bytes: framed(header(1, 4)), line: /cannot read/ },
    {
      what: 'an array longer than its frame',
      bytes: framed(Buffer.concat([header(3, 1), Buffer.from('7fffffff', 'hex')])),
      line: /array of 2147483647/,
    },
  ];
  for (const { what, bytes, line } of cases) {
    test(`${what}`, async () => {
      const honest = await RawClient.connect(broker.port);
      const before = broker.lines.length;
      const client = await RawClient.connect(broker.port);
      client.write(bytes);
      await client.closed;
      const said = broker.lines.slice(before).filter(({ level }) => level === 'warn' || level === 'error');
      expect(said.map(({ message }) => message)).toEqual([expect.stringMatching(line)]);
      expect((await honest.call(metadata, 5, everything)).clusterId).toBeTruthy();
      honest.close();
    });
  }

  test('random bytes', async () => {
    const samples = fc.sample(fc.uint8Array({ minLength: 20, maxLength: 400 }), { numRuns: 40, seed: 3 });
    for (const sample of samples) {
      const client = await RawClient.connect(broker.port);
      // A length that fits, so that what follows is looked at.
      client.write(framed(sample));
      client.write(Buffer.from('ffffffff', 'hex'));
      await client.closed;
    }
    const client = await RawClient.connect(broker.port);
    expect((await client.call(metadata, 5, everything)).clusterId).toBeTruthy();
    client.close();
    expect(broker.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

test('ApiVersions in an unknown version is answered in version 0 with its own row (KIP-511)', async () => {
  const client = await RawClient.connect(broker.port);
  client.write(framed(Buffer.concat([header(18, 77), Buffer.from('ff00ff', 'hex')])));
  const { body } = readResponse(apiVersions, 0, await client.frame());
  expect(body).toMatchObject({
    errorCode: CODE.UNSUPPORTED_VERSION,
    apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 5 }],
  });
  expect((await client.call(apiVersions, 0, {})).errorCode).toBe(0);
  client.close();
});

test('requests sent ahead are answered in their order, the slow one first', async () => {
  const client = await RawClient.connect(broker.port);
  await client.call(metadata, 4, { topics: [{ name: 'ahead' }] });
  const waiting = fetchOf('ahead', { maxWaitMs: 150 });
  const ids = [
    client.send(fetch, 4, waiting),
    client.send(metadata, 1, everything),
    client.send(apiVersions, 0, {}),
  ];
  const got: number[] = [];
  for (let i = 0; i < 3; i += 1) got.push((await client.frame()).readInt32BE(0));
  expect(got).toEqual(ids);
  client.close();
});

test('produce requests sent ahead share a sync, and are appended and answered in their order', async () => {
  const client = await RawClient.connect(broker.port);
  await client.call(metadata, 4, { topics: [{ name: 'together' }] });
  const groups = (): number => {
    const families = broker.host.metrics.snapshot();
    const commits = families.find(({ name }) => name === 'millrace_broker_wal_commit_seconds');
    return commits!.series[0]?.buckets?.count ?? 0;
  };
  const before = groups();
  const frames = Array.from({ length: 40 }, (_, n) =>
    requestFrame(
      produce,
      { version: 7, correlationId: 100 + n, clientId: 'ahead' },
      produceOf('together', -1),
    ),
  );
  client.write(Buffer.concat(frames.flat()));
  for (let n = 0; n < 40; n += 1) {
    const { correlationId, body } = readResponse(produce, 7, await client.frame());
    const answer = body.responses[0]!.partitionResponses[0];
    expect({ correlationId, answer }).toMatchObject({
      correlationId: 100 + n,
      answer: { errorCode: 0, baseOffset: n },
    });
  }
  expect(groups() - before).toBeLessThan(20);
  client.close();
});

test('what is sent behind a produce is begun after its answer, and sees it', async () => {
  const client = await RawClient.connect(broker.port);
  await client.call(metadata, 4, { topics: [{ name: 'behind' }] });
  client.send(produce, 7, produceOf('behind', -1));
  client.send(fetch, 4, fetchOf('behind', { maxWaitMs: 0 }));
  readResponse(produce, 7, await client.frame());
  const { body } = readResponse(fetch, 4, await client.frame());
  expect(body.responses[0]!.partitions[0]).toMatchObject({ errorCode: 0, highWatermark: 1 });
  client.close();
});

test('a broken frame behind a produce closes the connection after its answer', async () => {
  const client = await RawClient.connect(broker.port);
  await client.call(metadata, 4, { topics: [{ name: 'broken' }] });
  const ask = { version: 7, correlationId: 9, clientId: 'ahead' };
  const frame = Buffer.concat(requestFrame(produce, ask, produceOf('broken', -1)));
  client.write(Buffer.concat([frame, Buffer.from('ffffffff', 'hex')]));
  const { body } = readResponse(produce, 7, await client.frame());
  expect(body.responses[0]!.partitionResponses[0]!.errorCode).toBe(0);
  await client.closed;
});

test('stopping answers what waits for the disk', async () => {
  const brief = await startTestBroker();
  const client = await RawClient.connect(brief.port);
  await client.call(metadata, 4, { topics: [{ name: 'last' }] });
  const ids = Array.from({ length: 5 }, () => client.send(produce, 7, produceOf('last', -1)));
  await eventually(() => expect(requestsServed(brief, 'Produce')).toBe(5));
  const stopped = brief.stop();
  for (const id of ids) expect((await client.frame()).readInt32BE(0)).toBe(id);
  await client.closed;
  await stopped;
});

test('produce with acks=0 has no answer; the next request has', async () => {
  const client = await RawClient.connect(broker.port);
  await client.call(metadata, 4, { topics: [{ name: 'acks0' }] });
  client.send(produce, 7, produceOf('acks0', 0));
  const { correlationId } = readResponse(metadata, 1, await sendAndFrame(client));
  expect(correlationId).toBe(3);
  client.close();
});

test('produce with acks=0 that fails closes the connection', async () => {
  const client = await RawClient.connect(broker.port);
  client.send(produce, 7, produceOf('no-such-topic', 0));
  await client.closed;
  expect(broker.lines.at(-1)?.message).toMatch(/acks=0/);
});

test('both loopback families are listened on', async () => {
  for (const host of ['127.0.0.1', '::1']) {
    const client = await RawClient.connect(broker.port, host);
    expect((await client.call(metadata, 5, everything)).brokers).toMatchObject([
      { host: 'localhost', port: broker.port },
    ]);
    client.close();
  }
});

test('a taken port stops the start with a clear message, and leaves the directory free', async () => {
  const other = await startTestBroker();
  await other.halt();
  const again = start({ ...other.config, port: broker.port }, other.host);
  await expect(again).rejects.toThrow(`cannot listen on 127.0.0.1:${broker.port}: got EADDRINUSE`);
  await other.restart();
  await other.stop();
});

test('a directory in use stops the start with a clear message', async () => {
  await expect(start({ ...broker.config, port: 0 }, broker.host)).rejects.toThrow(
    /in use by another process/,
  );
});

describe('bounds', () => {
  test('a connection over the maximum is closed at once, the others work on', async () => {
    const small = await startTestBroker({ connectionsMax: 1 });
    const first = await RawClient.connect(small.port);
    await first.call(metadata, 5, everything);
    const second = await RawClient.connect(small.port);
    await second.closed;
    expect((await first.call(metadata, 5, everything)).clusterId).toBeTruthy();
    first.close();
    await small.stop();
  });

  test('an idle connection is closed, a parked fetch is not idle', async () => {
    const hasty = await startTestBroker({ connectionIdleMs: 200 });
    const idle = await RawClient.connect(hasty.port);
    const parked = await RawClient.connect(hasty.port);
    await parked.call(metadata, 4, { topics: [{ name: 'idle' }] });
    parked.send(fetch, 4, fetchOf('idle', { maxWaitMs: 600 }));
    await idle.closed;
    expect((await parked.frame()).length).toBeGreaterThan(0);
    parked.close();
    await hasty.stop();
  });

  test('half-received requests of all connections together are bounded', async () => {
    const small = await startTestBroker({ requestBytesMax: 1_000_000, bufferedBytesMax: 200_000 });
    const greedy = await RawClient.connect(small.port);
    greedy.write(Buffer.concat([Buffer.from('000f4240', 'hex'), Buffer.alloc(300_000)]));
    await greedy.closed;
    const modest = await RawClient.connect(small.port);
    expect((await modest.call(metadata, 5, everything)).clusterId).toBeTruthy();
    modest.close();
    await small.stop();
  });
});

test('a slow reader does not make the broker keep its answers', async () => {
  const writer = await RawClient.connect(broker.port);
  await writer.call(metadata, 4, { topics: [{ name: 'slow' }] });
  for (let i = 0; i < 8; i += 1) {
    await writer.call(produce, 7, produceOf('slow', 1, recordBatch({ values: ['x'.repeat(500_000)] })));
  }
  const slow = connect({ port: broker.port, host: '127.0.0.1' });
  slow.pause();
  const ask = { version: 4, correlationId: 1, clientId: 'slow' };
  const request = Buffer.concat(requestFrame(fetch, ask, fetchOf('slow', { maxBytes: 50_000_000 })));
  const before = requestsServed(broker, 'Fetch');
  for (let i = 0; i < 50; i += 1) slow.write(request);
  await eventually(() => expect(requestsServed(broker, 'Fetch')).toBeGreaterThan(before));
  for (let i = 0; i < 5; i += 1) await writer.call(metadata, 5, everything);
  // 4 MB an answer: the socket takes some, the rest of the requests waits unserved.
  expect(requestsServed(broker, 'Fetch') - before).toBeLessThan(10);
  slow.destroy();
  writer.close();
});

test('stopping answers a parked fetch and closes', async () => {
  const brief = await startTestBroker();
  const client = await RawClient.connect(brief.port);
  await client.call(metadata, 4, { topics: [{ name: 'parked' }] });
  client.send(fetch, 4, fetchOf('parked', { maxWaitMs: 60_000 }));
  await eventually(() => expect(requestsServed(brief, 'Fetch')).toBe(1));
  const stopped = brief.stop();
  const { body } = readResponse(fetch, 4, await client.frame());
  expect(body.responses[0]!.partitions[0]!.errorCode).toBe(0);
  await client.closed;
  await stopped;
});

test('an intercept may answer, delay and swallow requests', async () => {
  const scripted = await startTestBroker(
    {},
    {
      intercept: async (call, next) => {
        if (call.name !== 'CreateTopics') return next();
        return { topics: [{ name: 'made up', errorCode: CODE.NOT_CONTROLLER, errorMessage: null }] };
      },
    },
  );
  const client = await RawClient.connect(scripted.port);
  const answer = await client.call(createTopics, 4, { topics: [], timeoutMs: 0 });
  expect(answer.topics[0]).toMatchObject({ name: 'made up', errorCode: CODE.NOT_CONTROLLER });
  client.close();
  await scripted.stop();
});

test('settings have defaults for everything but the directory, and say what they refuse', () => {
  expect(brokerConfig.parse({ dataDir: '/d' })).toMatchObject({ port: 9092, numPartitions: 1 });
  expect(() => brokerConfig.parse({ dataDir: '/d', prot: 1 })).toThrow(/prot/);
});

function fetchOf(topic: string, given: { maxWaitMs?: number; maxBytes?: number } = {}) {
  return {
    maxWaitMs: given.maxWaitMs ?? 0,
    minBytes: 1,
    maxBytes: given.maxBytes ?? 1_000_000,
    topics: [{ topic, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 50_000_000 }] }],
  };
}

function produceOf(name: string, acks: number, records = recordBatch({ values: ['a'] })) {
  return {
    transactionalId: null,
    acks,
    timeoutMs: 1_000,
    topicData: [{ name, partitionData: [{ index: 0, records }] }],
  };
}

function sendAndFrame(client: RawClient): Promise<Buffer> {
  client.send(metadata, 1, everything);
  return client.frame();
}
