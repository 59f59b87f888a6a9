import { spawn, spawnSync } from 'node:child_process';

import { Admin, Producer, stringSerializers } from '@platformatic/kafka';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
  type SASLOptions,
} from 'kafkajs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { patchKafkajs } from '../../broker/client/kafkajs-patches.ts';
import { authority, certificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { requestsServed, startTestBroker, type TestBroker } from '../support/test-broker.ts';

const hasKcat = spawnSync('kcat', ['-V']).status === 0;
if (!hasKcat) console.log('skipped: kcat is not installed (Debian package kcat)');

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
const LISTENERS = ['SASL_PLAINTEXT', 'SASL_SSL'] as const;
const ca = authority();
/** More than the second that lies between two authentications at least. */
const LIFETIME_MS = 1_500;

let broker: TestBroker;
let directory: string;
beforeAll(async () => {
  patchKafkajs();
  directory = await mkdtemp(join(tmpdir(), 'millrace-sasl-'));
  const { cert, key } = certificate([['CN', 'broker']], ca);
  await writeFile(join(directory, 'cert.pem'), cert);
  await writeFile(join(directory, 'key.pem'), key);
  await writeFile(join(directory, 'ca.pem'), ca.cert);
  const tls = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
  const sasl = { mechanisms: [...MECHANISMS] };
  broker = await startTestBroker({
    listeners: [
      { name: 'SASL_PLAINTEXT', port: 0, protocol: 'SASL_PLAINTEXT', sasl },
      { name: 'SASL_SSL', port: 0, protocol: 'SASL_SSL', sasl, tls },
      {
        name: 'RENEWED',
        port: 0,
        protocol: 'SASL_PLAINTEXT',
        sasl: { ...sasl, connectionsMaxReauthMs: LIFETIME_MS },
      },
      { name: 'OAUTH', port: 0, protocol: 'SASL_PLAINTEXT', sasl: { mechanisms: ['OAUTHBEARER'] } },
      { name: 'ADMIN', port: 0 },
    ],
    security: {
      plainUsers: { ann: 'secret', root: 'toor' },
      scramUsers: [{ name: 'ann', password: 'secret' }],
      oauthBearer: { allowUnsecured: true, requiredScopes: ['logs'] },
      authorizer: true,
      superUsers: ['User:root', 'User:ANONYMOUS'],
      allowEveryoneIfNoAclFound: true,
    },
  });
});
afterAll(async () => {
  await broker?.stop();
  await rm(directory, { recursive: true, force: true });
});

for (const listener of LISTENERS) {
  for (const mechanism of MECHANISMS) {
    describe(`${mechanism} over ${listener}`, () => {
      const topic = `${listener}-${mechanism}`;

      test('kafkajs produces and consumes', async () => {
        const kafka = kafkajs(listener, mechanism, 'secret');
        const producer = kafka.producer();
        await producer.connect();
        await producer.send({ topic, messages: [{ value: 'from kafkajs' }] });
        await producer.disconnect();
        expect(await firstOf(kafka, topic)).toBe('from kafkajs');
      });

      test('kafkajs with a wrong password is refused', async () => {
        const admin = kafkajs(listener, mechanism, 'wrong').admin();
        await expect(admin.connect()).rejects.toThrow(/wrong name or password/);
      });

      test('@platformatic/kafka produces', async () => {
        const producer = new Producer({
          ...platformatic(listener, mechanism, 'secret'),
          serializers: stringSerializers,
          autocreateTopics: true,
        });
        const { offsets } = await producer.send({ messages: [{ topic, value: 'from platformatic' }] });
        await producer.close();
        expect(offsets).toHaveLength(1);
      });

      test('@platformatic/kafka with a wrong password is refused', async () => {
        const admin = new Admin({ ...platformatic(listener, mechanism, 'wrong'), retries: 0 });
        await expect(admin.listTopics()).rejects.toThrow(/failed|SASL/i);
        await admin.close();
      });

      test.skipIf(!hasKcat)('kcat lists topics', async () => {
        expect(await kcat(listener, mechanism, 'secret')).toMatch(/topics:/);
      });
    });
  }
}

test.skipIf(!hasKcat)('kcat with a wrong password says why', async () => {
  expect(await kcat('SASL_PLAINTEXT', 'PLAIN', 'wrong')).toMatch(/Authentication failed: wrong name/);
});

describe('OAUTHBEARER', () => {
  const token = (scope: string): string =>
    [{ alg: 'none' }, { sub: 'ann', scope, exp: Math.floor(Date.now() / 1_000) + 60 }]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .concat('')
      .join('.');

  test('kafkajs is let in with a token, and an extension beside it', async () => {
    const oauthBearerProvider = () => Promise.resolve({ value: token('logs'), extensions: { traceId: '1' } });
    const sasl = { mechanism: 'oauthbearer' as const, oauthBearerProvider };
    const admin = new Kafka({ ...options('OAUTH'), sasl }).admin();
    await admin.connect();
    expect((await admin.describeCluster()).brokers).toHaveLength(1);
    await admin.disconnect();
  });

  for (const [scope, isLetIn] of [
    ['logs', true],
    ['metrics', false],
  ] as const) {
    test(`@platformatic/kafka with the scope ${scope}: ${isLetIn ? 'let in' : 'refused'}`, async () => {
      const admin = new Admin({
        clientId: 'security',
        bootstrapBrokers: [`localhost:${broker.portOf('OAUTH')}`],
        sasl: { mechanism: 'OAUTHBEARER', token: token(scope) },
        retries: 0,
      });
      const outcome = await admin.listTopics().then(
        () => true,
        () => false,
      );
      await admin.close();
      expect(outcome).toBe(isLetIn);
    });
  }
});

describe('re-authentication (KIP-368) on the live connection', () => {
  test('kafkajs goes on past the session lifetime without a new connection', async () => {
    const admin = kafkajs('RENEWED', 'SCRAM-SHA-256', 'secret').admin();
    await admin.connect();
    const beganMs = performance.now();
    const before = requestsServed(broker, 'SaslHandshake');
    const from = broker.lines.length;
    await eventually(async () => {
      await Promise.all([admin.listTopics(), admin.describeCluster(), admin.listTopics()]);
      expect(performance.now() - beganMs).toBeGreaterThan(LIFETIME_MS + 500);
      expect(requestsServed(broker, 'SaslHandshake')).toBeGreaterThan(before);
    });
    await admin.listTopics();
    await admin.disconnect();
    expect(broker.lines.slice(from).filter(({ level }) => level !== 'info')).toEqual([]);
  });

  test('@platformatic/kafka goes on past the session lifetime', async () => {
    const admin = new Admin(platformatic('RENEWED', 'SCRAM-SHA-512', 'secret'));
    await admin.listTopics();
    const beganMs = performance.now();
    const before = requestsServed(broker, 'SaslHandshake');
    const from = broker.lines.length;
    await eventually(async () => {
      await Promise.all([admin.listTopics(), admin.listTopics()]);
      expect(performance.now() - beganMs).toBeGreaterThan(LIFETIME_MS + 500);
      expect(requestsServed(broker, 'SaslHandshake')).toBeGreaterThan(before);
    });
    await admin.listTopics();
    await admin.close();
    expect(broker.lines.slice(from).filter(({ level }) => level !== 'info')).toEqual([]);
  });
});

describe('access rules', () => {
  test('kafkajs makes, lists and deletes them, and a denied topic fails without a dropped connection', async () => {
    const root = new Kafka({
      ...options('SASL_PLAINTEXT'),
      sasl: { mechanism: 'plain', username: 'root', password: 'toor' },
    }).admin();
    await root.connect();
    await root.createTopics({ topics: [{ topic: 'denied' }, { topic: 'allowed' }] });
    const acl = {
      resourceType: AclResourceTypes.TOPIC,
      resourceName: 'denied',
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: 'User:ann',
      host: '*',
      operation: AclOperationTypes.ALL,
      permissionType: AclPermissionTypes.DENY,
    };
    await root.createAcls({ acl: [acl] });
    const { resources } = await root.describeAcls({
      ...acl,
      operation: AclOperationTypes.ANY,
      permissionType: AclPermissionTypes.ANY,
    });
    expect(resources).toMatchObject([{ resourceName: 'denied', acls: [{ principal: 'User:ann' }] }]);
    const producer = kafkajs('SASL_PLAINTEXT', 'PLAIN', 'secret').producer();
    await producer.connect();
    const send = (topic: string) => producer.send({ topic, messages: [{ value: 'x' }] });
    await expect(send('denied')).rejects.toThrow(/[Nn]ot authorized to access topics/);
    expect(await send('allowed')).toHaveLength(1);
    const { filterResponses } = await root.deleteAcls({ filters: [acl] });
    expect(filterResponses[0]!.matchingAcls).toHaveLength(1);
    expect(await send('denied')).toHaveLength(1);
    await producer.disconnect();
    await root.disconnect();
  });
});

function options(listener: string) {
  return {
    clientId: 'security',
    brokers: [`localhost:${broker.portOf(listener)}`],
    ...(listener === 'SASL_SSL' ? { ssl: { ca: [ca.cert] } } : {}),
    logLevel: logLevel.NOTHING,
    // The default of 10 s would make it authenticate again before every request.
    reauthenticationThreshold: 400,
    retry: { initialRetryTime: 20, maxRetryTime: 100, retries: 2 },
  };
}

function kafkajs(listener: string, mechanism: (typeof MECHANISMS)[number], password: string): Kafka {
  const sasl = { mechanism: mechanism.toLowerCase(), username: 'ann', password } as SASLOptions;
  return new Kafka({ ...options(listener), sasl });
}

function platformatic(listener: string, mechanism: (typeof MECHANISMS)[number], password: string) {
  return {
    clientId: 'security',
    bootstrapBrokers: [`localhost:${broker.portOf(listener)}`],
    ...(listener === 'SASL_SSL' ? { tls: { ca: [ca.cert] } } : {}),
    sasl: { mechanism, username: 'ann', password },
    retries: 3,
    retryDelay: 50,
  };
}

async function firstOf(kafka: Kafka, topic: string): Promise<string | undefined> {
  const consumer = kafka.consumer({ groupId: `group-${topic}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  try {
    return await new Promise((resolve, reject) => {
      consumer
        .run({
          eachMessage({ message }) {
            resolve(message.value?.toString());
            return Promise.resolve();
          },
        })
        .catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
}

/** Everything that it said, on whichever stream. */
function kcat(listener: string, mechanism: string, password: string): Promise<string> {
  const settings = {
    'security.protocol': listener,
    'sasl.mechanism': mechanism,
    'sasl.username': 'ann',
    'sasl.password': password,
    'ssl.ca.location': join(directory, 'ca.pem'),
    'broker.address.family': 'v4',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-X', `${name}=${value}`]);
  return new Promise((resolve, reject) => {
    const child = spawn('kcat', [
      '-b',
      `localhost:${broker.portOf(listener)}`,
      '-L',
      '-m',
      password === 'secret' ? '5' : '1',
      ...args,
    ]);
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.on('error', reject);
    child.on('close', () => resolve(said));
  });
}
