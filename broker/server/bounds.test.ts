import { connect, type Socket } from 'node:net';

import { afterEach, expect, test } from 'vitest';

import { eventually } from '../../test/support/eventually.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import { recordBatch } from '../../test/support/record-batch.ts';
import { makeTopic, produceTo } from '../../test/support/requests.ts';
import { plain } from '../../test/support/sasl-client.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import type { BrokerConfig } from '../config.ts';
import { requestFrame } from '../wire/frame.ts';
import { apiVersions, fetch, metadata } from '../wire/schemas/index.ts';
import type { Intercept } from './handler.ts';

let broker: TestBroker;
afterEach(() => broker?.stop());

async function started(settings: Partial<BrokerConfig>, intercept?: Intercept): Promise<RawClient> {
  broker = await startTestBroker(settings, intercept ? { intercept } : {});
  const client = await RawClient.connect(broker.port);
  await client.call(apiVersions, 0, {});
  return client;
}

function closedFor(reason: string): number {
  const families = broker.host.metrics.snapshot();
  const closed = families.find(({ name }) => name === 'millrace_broker_closed_connections_total');
  return closed?.series.find(({ labels }) => labels['reason'] === reason)?.value ?? 0;
}

function answersHold(): number {
  const families = broker.host.metrics.snapshot();
  const held = families.find(({ name }) => name === 'millrace_broker_request_memory_bytes')!;
  return held.series.find(({ labels }) => labels['of'] === 'answer')!.value;
}

test('who connects and sends no request in time is closed, who has sent one is not', async () => {
  const honest = await started({ firstRequestMs: 100 });
  const silent = await RawClient.connect(broker.port);
  await silent.closed;
  expect(closedFor('slow-sender')).toBe(1);
  expect((await honest.call(apiVersions, 0, {})).errorCode).toBe(0);
  honest.close();
});

test('who has to log in and does not in time is closed, however much it asks; who has logged in is not', async () => {
  broker = await startTestBroker({
    listeners: [{ name: 'SASL', port: 0, protocol: 'SASL_PLAINTEXT', sasl: { mechanisms: ['PLAIN'] } }],
    security: { plainUsers: { ann: 'secret' } },
    firstAuthenticationMs: 300,
  });
  const honest = await RawClient.connect(broker.port);
  expect((await plain(honest, 'ann', 'secret')).errorCode).toBe(0);
  const stranger = await RawClient.connect(broker.port);
  const asking = setInterval(() => void stranger.call(apiVersions, 0, {}).catch(() => undefined), 20);
  await stranger.closed;
  clearInterval(asking);
  expect(closedFor('authentication')).toBe(1);
  expect((await honest.call(metadata, 5, { topics: [] })).brokers).toHaveLength(1);
  honest.close();
});

test('a request that comes byte by byte is cut off, also a later one', async () => {
  const client = await started({ requestReceiveMs: 100 });
  client.write(Buffer.from('00010000', 'hex'));
  const dribble = setInterval(() => client.write(Buffer.from([0])), 20);
  await client.closed;
  clearInterval(dribble);
  expect(closedFor('slow-sender')).toBe(1);
});

test('a large request whose bytes keep coming may take longer', async () => {
  const client = await started({ requestReceiveMs: 100 });
  await makeTopic(client, 'large');
  const payload = recordBatch({ values: ['x'.repeat(60_000)] });
  const id = 7;
  const frame = Buffer.concat(
    requestFrame(
      metadata,
      { version: 1, correlationId: id, clientId: 'x'.repeat(30_000) },
      { topics: [{ name: 'y'.repeat(payload.length % 30_000) }] },
    ),
  );
  for (let at = 0; at < frame.length; at += 1_500) {
    client.write(frame.subarray(at, at + 1_500));
    await new Promise((resolve) => void setTimeout(resolve, 10));
  }
  expect((await client.frame()).readInt32BE(0)).toBe(id);
  client.close();
});

test('answers that are not taken hold memory one at a time, and give it back when their reader is gone', async () => {
  const writer = await started({});
  await makeTopic(writer, 'unread');
  for (let i = 0; i < 10; i += 1) {
    await produceTo(writer, 'unread', recordBatch({ values: ['x'.repeat(900_000)] }));
  }
  const slow: Socket = connect({ port: broker.port, host: '127.0.0.1' });
  slow.on('error', () => {});
  slow.pause();
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 900_000 }];
  const ask = { maxWaitMs: 0, minBytes: 1, topics: [{ topic: 'unread', partitions }] };
  const frame = Buffer.concat(requestFrame(fetch, { version: 4, correlationId: 1, clientId: 'slow' }, ask));
  for (let i = 0; i < 20; i += 1) slow.write(frame);
  await eventually(() => expect(answersHold()).toBeGreaterThan(0));
  for (let i = 0; i < 5; i += 1) await writer.call(apiVersions, 0, {});
  expect(answersHold()).toBeLessThan(2_000_000);
  slow.destroy();
  await eventually(() => expect(answersHold()).toBe(0));
  writer.close();
});

test('an address has a bound of its own; refusals are counted by reason, and said once a second', async () => {
  const first = await started({ connectionsPerAddressMax: 2 });
  const second = await RawClient.connect(broker.port);
  await second.call(apiVersions, 0, {});
  for (let i = 0; i < 5; i += 1) {
    const refused = await RawClient.connect(broker.port);
    await refused.closed;
  }
  expect(closedFor('too-many-of-address')).toBe(5);
  expect(broker.lines.filter(({ message }) => /refused: too-many-of-address/.test(message))).toHaveLength(1);
  const other = connect({ port: broker.port, host: '127.0.0.1', localAddress: '127.0.0.2' });
  await new Promise((resolve) => void other.once('connect', resolve));
  await eventually(() => {
    const open = broker.host.metrics.snapshot().find(({ name }) => name === 'millrace_broker_connections')!;
    expect(open.series[0]!.value).toBe(3);
  });
  other.destroy();
  first.close();
  second.close();
});

test('an address that connects too fast is refused', async () => {
  const first = await started({ connectionsPerSecondPerAddressMax: 0.5 });
  const clients: RawClient[] = [first];
  for (let i = 0; i < 9; i += 1) clients.push(await RawClient.connect(broker.port));
  await eventually(() => expect(closedFor('too-fast-of-address')).toBeGreaterThan(0));
  expect((await first.call(apiVersions, 0, {})).errorCode).toBe(0);
  for (const client of clients) client.close();
});

test('requests that would hold too much memory together wait for each other; small ones pass', async () => {
  const begun: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = await started({ requestMemoryBytesMax: 1_000_000 }, async (call, next) => {
    begun.push(call.clientId);
    if (call.clientId === 'first') await gate.promise;
    return next();
  });
  const large = { topics: Array.from({ length: 3 }, () => ({ name: 'x'.repeat(30_000) })) };
  first.send(metadata, 1, large, 'first');
  await eventually(() => expect(begun).toContain('first'));
  const second = await RawClient.connect(broker.port);
  second.send(metadata, 1, large, 'second');
  const small = await RawClient.connect(broker.port);
  await small.call(metadata, 1, { topics: [] }, 'small');
  expect(begun).toEqual(['raw', 'first', 'small']);
  gate.resolve();
  await second.frame();
  expect(begun.at(-1)).toBe('second');
  for (const client of [first, second, small]) client.close();
});
