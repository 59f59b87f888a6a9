import { writeFile } from 'node:fs/promises';

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { eventually } from '../../test/support/eventually.ts';
import {
  PASSWORD,
  type SecuredBroker,
  SESSION_LIFETIME_MS,
  startSecuredBroker,
  USER,
} from '../../test/support/secured-broker.ts';
import { requestsServed } from '../../test/support/test-broker.ts';
import { nodeHost } from '../host/node-host.ts';
import { metadata } from '../wire/schemas/index.ts';
import { Connection } from './connection.ts';
import { kafkaConfig, SASL_MECHANISMS, type KafkaSasl, type KafkaTls } from './kafka-config.ts';
import { type KafkaOptions, openKafka } from './kafkajs.ts';
import type { KafkaClient } from './port.ts';

let secured: SecuredBroker;
beforeAll(async () => {
  secured = await startSecuredBroker();
});
afterAll(async () => {
  await secured?.stop();
});

const opened: KafkaClient[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((kafka) => kafka.close()));
});

describe.each(SASL_MECHANISMS)('over TLS with %s', (mechanism) => {
  test('topics are made, records are written, read by a group and without one', async () => {
    const kafka = await open({ sasl: { mechanism, username: USER, password: PASSWORD } });
    const topic = `by-${mechanism}`;
    const admin = await kafka.admin();
    await admin.ensureTopics([{ name: topic, partitions: 1 }]);
    const producer = await kafka.producer();
    await producer.send(topic, [{ key: null, value: Buffer.from('hello') }]);
    const values: string[] = [];
    const onBatch: Parameters<KafkaClient['consumer']>[0]['onBatch'] = async ({ records }) => {
      values.push(...records.map(({ value }) => String(value)));
    };
    await kafka.consumer({ groupId: `readers-${mechanism}`, topics: [topic], onBatch });
    await kafka.reader({ topic, from: 'earliest', onBatch });
    await eventually(() => expect(values).toEqual(['hello', 'hello']));
    expect((await admin.topics()).map(({ name }) => name)).toContain(topic);
  });

  test('a wrong password is one clear error, which does not tell it', async () => {
    const kafka = await open({ sasl: { mechanism, username: USER, password: 'battery staple' } });
    const want = {
      code: 'SASL_AUTHENTICATION_FAILED',
      retriable: false,
      message: expect.stringMatching(/cannot log in as "ann" with [^:]*: .*wrong name or password$/),
    };
    const producer = await kafka.producer();
    const failures = await Promise.all([
      producer.send('t', [{ key: null, value: Buffer.from('x') }]).catch((error: unknown) => error),
      (await kafka.admin()).ensureTopics([{ name: 't', partitions: 1 }]).catch((error: unknown) => error),
    ]);
    for (const failure of failures) {
      expect(failure).toMatchObject(want);
      expect(String(failure)).not.toContain('battery');
    }
  });
});

test('a mechanism that is not enabled is refused with those that are', async () => {
  const sasl: KafkaSasl = { mechanism: 'PLAIN', username: USER, password: PASSWORD };
  const kafka = await open({ brokers: [secured.address('RENEWING')], sasl });
  await expect((await kafka.producer()).send('t', [])).rejects.toMatchObject({
    code: 'UNSUPPORTED_SASL_MECHANISM',
    message: 'cannot log in as "ann" with PLAIN: the broker takes SCRAM-SHA-256',
  });
});

test('a password is read from its file at every login', async () => {
  await writeFile(secured.path('changing'), 'not yet');
  const sasl: KafkaSasl = { mechanism: 'PLAIN', username: USER, passwordFile: secured.path('changing') };
  const kafka = await open({ sasl });
  const admin = await kafka.admin();
  await expect(admin.origin('t')).rejects.toThrow(/wrong name or password/);
  await writeFile(secured.path('changing'), `${PASSWORD}\n`);
  await admin.ensureTopics([{ name: 'opened-late', partitions: 1 }]);
  expect(await admin.origin('opened-late')).toMatchObject({ clusterId: expect.any(String) });
});

describe('certificates', () => {
  const sasl: KafkaSasl = { mechanism: 'PLAIN', username: USER, password: PASSWORD };

  test('of the client let it in where brokers ask for one', async () => {
    const own = { cert: secured.path('client.pem'), key: secured.path('client.key') };
    const brokers = [secured.address('MUTUAL')];
    const kafka = await open({ brokers, tls: own });
    await (await kafka.admin()).ensureTopics([{ name: 'mutual', partitions: 1 }]);
    await (await kafka.producer()).send('mutual', [{ key: null, value: Buffer.from('x') }]);
    const without = await open({ brokers });
    await expect((await without.admin()).origin('mutual')).rejects.toMatchObject({ code: 'CONNECTION' });
  });

  const refused: Array<[name: string, tls: () => Partial<KafkaTls>, want: RegExp]> = [
    ['of an unknown signer', () => ({ ca: secured.path('other-ca.pem') }), /certificate/],
    ['that the system does not trust', () => ({ ca: undefined }), /certificate/],
    ['of another name', () => ({ serverName: 'broker.example' }), /broker\.example|altname/],
  ];
  for (const [name, tls, want] of refused) {
    test(`${name} are refused by both clients, unless nothing is to be verified`, async () => {
      const kafka = await open({ sasl, tls: tls() });
      await expect((await kafka.admin()).origin('t')).rejects.toThrow(want);
      await expect((await kafka.admin()).groups()).rejects.toThrow(/./);
      const lax = await open({ sasl, tls: { ...tls(), rejectUnauthorized: false } });
      expect(await (await lax.admin()).groups()).toEqual(expect.any(Array));
      expect(await (await lax.admin()).topics()).toEqual(expect.any(Array));
    });
  }

  test('bear the name that is asked for, also behind an address', async () => {
    const brokers = [secured.address('SASL_SSL').replace('localhost', '127.0.0.1')];
    for (const serverName of [undefined, 'localhost']) {
      const kafka = await open({ brokers, sasl, tls: { serverName } });
      expect(await (await kafka.admin()).topics()).toEqual(expect.any(Array));
    }
  });
});

describe('files that cannot be used are named before anything connects', () => {
  const cases: Array<[name: string, options: () => Partial<Options>, want: RegExp]> = [
    [
      'a missing one',
      () => ({ tls: { ca: '/nowhere/ca.pem' } }),
      /cannot use \/nowhere\/ca.pem: there is no/,
    ],
    [
      'one that is no PEM',
      () => ({ tls: { ca: secured.path('password') } }),
      /password: want certificates as PEM$/,
    ],
    [
      'a key of another certificate',
      () => ({ tls: { cert: secured.path('client.pem'), key: secured.path('broker.key') } }),
      /broker.key: it is not the key of .*client.pem$/,
    ],
    [
      'no file of a password',
      () => ({ sasl: { mechanism: 'PLAIN', username: USER, passwordFile: '/nowhere/pw' } }),
      /cannot read the password from \/nowhere\/pw: there is no such file/,
    ],
  ];
  for (const [name, options, want] of cases) {
    test(`${name}`, async () => await expect(open(options())).rejects.toThrow(want));
  }
});

describe('a session that ends', () => {
  const sasl: KafkaSasl = { mechanism: 'SCRAM-SHA-256', username: USER, password: PASSWORD };
  const ask = { topics: [], allowAutoTopicCreation: false };

  async function connected(): Promise<{ connection: Connection; later: (ms: number) => void }> {
    const host = nodeHost();
    let shiftMs = 0;
    const clock = { ...host.clock, monotonicMs: () => host.clock.monotonicMs() + shiftMs };
    const address = { host: 'localhost', port: secured.broker.portOf('RENEWING') };
    const tls: KafkaTls = { ca: secured.path('ca.pem'), rejectUnauthorized: true };
    const connection = await Connection.open({ ...host, clock }, address, 'test', { tls, sasl });
    return { connection, later: (ms) => (shiftMs += ms) };
  }

  test('is renewed on the same connection, before its end, between requests', async () => {
    const { connection, later } = await connected();
    const handshakes = () => requestsServed(secured.broker, 'SaslHandshake');
    const before = handshakes();
    later(SESSION_LIFETIME_MS * 0.84);
    await connection.request(metadata, ask);
    expect(handshakes()).toBe(before);
    const earlier = connection.request(metadata, ask);
    later(SESSION_LIFETIME_MS * 0.12);
    const all = await Promise.all([
      earlier,
      ...Array.from({ length: 5 }, () => connection.request(metadata, ask)),
    ]);
    expect(all).toHaveLength(6);
    expect(handshakes()).toBe(before + 1);
    expect(connection.closed).toBe(false);
    connection.close();
  });

  test('that cannot be renewed ends the connection, and a new one can be made', async () => {
    const { connection, later } = await connected();
    later(SESSION_LIFETIME_MS);
    await connection.request(metadata, ask);
    // Once more within a second of the broker's clock, which Kafka refuses.
    later(SESSION_LIFETIME_MS);
    await expect(connection.request(metadata, ask)).rejects.toThrow(/cannot log in as "ann"/);
    expect(connection.closed).toBe(true);
    const { connection: next } = await connected();
    await next.request(metadata, ask);
    next.close();
  });
});

type Options = { brokers: string[]; tls: Partial<KafkaTls>; sasl: KafkaSasl };

async function open({ brokers, tls, sasl }: Partial<Options>): Promise<KafkaClient> {
  const config = kafkaConfig.parse({
    brokers: brokers ?? [secured.address('SASL_SSL')],
    tls: { ca: secured.path('ca.pem'), ...tls },
    ...(sasl ? { sasl } : {}),
  });
  const timing: KafkaOptions['timing'] = { fetchWaitMs: 50, heartbeatIntervalMs: 100 };
  const kafka = await openKafka({ ...config, clientId: 'test', timing }, nodeHost());
  opened.push(kafka);
  return kafka;
}
