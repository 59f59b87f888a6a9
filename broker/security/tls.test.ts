import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { authority, certificate, type Certificate, type Subject } from '../../test/support/certificates.ts';
import { eventually } from '../../test/support/eventually.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import type { ListenerSettings } from '../config.ts';
import { CODE } from '../wire/errors.ts';
import { createTopics, metadata } from '../wire/schemas/index.ts';
import { principalMapping } from './principal-mapping.ts';

const ca = authority();
const stranger = authority([['CN', 'Other CA']]);
const ann = certificate(person('ann'), ca);
let directory: string;
let broker: TestBroker;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-tls-'));
  await keep(certificate([['CN', 'broker 1']], ca));
  await writeFile(join(directory, 'ca.pem'), ca.cert);
  const files = {
    key: join(directory, 'key.pem'),
    cert: join(directory, 'cert.pem'),
    ca: join(directory, 'ca.pem'),
    principalMappingRules: 'DEFAULT',
    reloadIntervalMs: 10,
  };
  const listener = (name: string, tls: Partial<ListenerSettings['tls']>) => ({
    name,
    port: 0,
    protocol: 'SSL' as const,
    tls: { ...files, ...tls },
  });
  broker = await startTestBroker({
    listeners: [
      listener('ONE_WAY', {}),
      listener('REQUESTED', { clientAuth: 'requested' }),
      listener('REQUIRED', { clientAuth: 'required', principalMappingRules: 'RULE:^CN=(ann|bob),.*$/$1/' }),
      { name: 'PLAIN', port: 0 },
    ],
    security: { authorizer: true, superUsers: ['User:ann', 'User:CN=ann,OU=Ops,O=Millrace\\, Inc,C=DE'] },
  });
});
afterAll(async () => {
  await broker?.stop();
  await rm(directory, { recursive: true, force: true });
});

describe('a client', () => {
  const cases: Array<[name: string, listener: string, options: ConnectionOptions, isSuper: boolean]> = [
    ['without a certificate is anonymous where none is asked', 'ONE_WAY', {}, false],
    ['with a certificate is anonymous where none is asked', 'ONE_WAY', ann, false],
    ['without a certificate is anonymous where one is requested', 'REQUESTED', {}, false],
    ['with a certificate is its subject', 'REQUESTED', ann, true],
    ['with a certificate is what the rules make of its subject', 'REQUIRED', ann, true],
    ['over TLS 1.2', 'REQUIRED', { ...ann, maxVersion: 'TLSv1.2' }, true],
  ];
  for (const [name, listener, options, isSuper] of cases) {
    test(`${name}`, async () => {
      const client = RawClient.over(await secure(listener, options));
      const { topics } = await client.call(createTopics, 2, {
        topics: [{ name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
        validateOnly: true,
      });
      expect(topics[0]!.errorCode).toBe(isSuper ? CODE.NONE : CODE.TOPIC_AUTHORIZATION_FAILED);
      client.close();
    });
  }

  const refused: Array<[name: string, listener: string, options: ConnectionOptions, want: RegExp]> = [
    ['without a certificate where one is required', 'REQUIRED', {}, /got no client certificate/],
    [
      'of another authority where one is required',
      'REQUIRED',
      certificate(person('ann'), stranger),
      /TLS handshake failed/,
    ],
    [
      'of another authority where one is requested',
      'REQUESTED',
      certificate(person('ann'), stranger),
      /not trusted/,
    ],
    ['whose subject no rule maps', 'REQUIRED', certificate(person('eve'), ca), /no rule maps/],
    [
      'with TLS 1.1',
      'ONE_WAY',
      { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' },
      /TLS handshake failed|plain bytes/,
    ],
  ];
  for (const [name, listener, options, want] of refused) {
    test(`${name} is refused, and the log says why`, async () => {
      const from = broker.lines.length;
      await secure(listener, options)
        .then((socket) => RawClient.over(socket).call(metadata, 5, { topics: [] }))
        .catch(() => undefined);
      await eventually(() => expect(said(from)).toMatch(want));
    });
  }
});

describe('the wrong protocol ends with a clear line in the log', () => {
  test('plain bytes on a TLS listener', async () => {
    const from = broker.lines.length;
    const client = await RawClient.connect(broker.portOf('ONE_WAY'));
    await expect(client.call(metadata, 5, { topics: [] })).rejects.toThrow(/closed/);
    await eventually(() => expect(said(from)).toMatch(/plain bytes on a TLS listener/));
  });

  test('TLS bytes on a plaintext listener', async () => {
    const from = broker.lines.length;
    await expect(secure('PLAIN', {})).rejects.toThrow(/socket|SSL|TLS|ECONNRESET/i);
    await eventually(() => expect(said(from)).toMatch(/TLS hello on a plaintext listener/));
  });

  test('a client that comes and goes without a word does no harm', async () => {
    const socket = connectPlain(broker.portOf('ONE_WAY'), '127.0.0.1', () => socket.destroy());
    await new Promise((resolve) => socket.once('close', resolve));
    expect(await nameOf('ONE_WAY')).toMatch(/^broker/);
  });
});

describe('certificates that change', () => {
  test('are used without a restart, and open connections stay', async () => {
    const before = RawClient.over(await secure('ONE_WAY', {}));
    await keep(certificate([['CN', 'broker 2']], ca));
    await eventually(async () => expect(await nameOf('ONE_WAY')).toBe('broker 2'));
    expect((await before.call(metadata, 5, { topics: [] })).brokers).toHaveLength(1);
    before.close();
  });

  test('are refused when they are none: the old stay, the log and a counter say so', async () => {
    const name = await nameOf('ONE_WAY');
    const from = broker.lines.length;
    await writeFile(join(directory, 'cert.pem'), 'no certificate');
    await eventually(() => expect(said(from)).toMatch(/cannot use the new certificate; the old one stays/));
    expect(await nameOf('ONE_WAY')).toBe(name);
    expect(reloads('refused')).toBeGreaterThan(0);
  });

  test('are refused while key and certificate are no pair, and used once they are', async () => {
    const { cert, key } = certificate([['CN', 'broker 3']], ca);
    const from = broker.lines.length;
    await writeFile(join(directory, 'cert.pem'), cert);
    await eventually(() => expect(said(from)).toMatch(/cannot use the new certificate/));
    expect(await nameOf('REQUESTED')).not.toBe('broker 3');
    await writeFile(join(directory, 'key.pem'), key);
    await eventually(async () => expect(await nameOf('REQUESTED')).toBe('broker 3'));
    expect(reloads('used')).toBeGreaterThan(0);
  });
});

test('a broker whose certificate is missing does not start, and names the file', async () => {
  const tls = { key: join(directory, 'key.pem'), cert: join(directory, 'none.pem') };
  const listeners = [{ name: 'A', port: 0, protocol: 'SSL' as const, tls }];
  await expect(startTestBroker({ listeners })).rejects.toThrow(/cannot read .*none.pem/);
});

describe('ssl.principal.mapping.rules', () => {
  const subject = 'CN=Ann,OU=Ops,O=Millrace,C=DE';
  const cases: Array<[rules: string, subject: string, want: string | undefined]> = [
    ['DEFAULT', subject, subject],
    ['RULE:^CN=(.*?),OU=Ops.*$/$1/', subject, 'Ann'],
    ['RULE:^CN=(.*?),OU=Ops.*$/$1/L', subject, 'ann'],
    ['RULE:^CN=(.*?),.*$/$1@corp/U', subject, 'ANN@CORP'],
    ['RULE:^CN=(.*?),OU=Dev.*$/$1/,DEFAULT', subject, subject],
    ['RULE:^CN=(.*?),OU=Dev.*$/$1/, RULE:^CN=(.*?),.*$/$1/', subject, 'Ann'],
    ['RULE:CN=(.*?),OU/$1/', subject, undefined],
    ['RULE:^CN=a\\/(.*)$/$1/', 'CN=a/b', 'b'],
  ];
  for (const [rules, from, want] of cases) {
    test(`${rules} makes ${want} of ${from}`, () => expect(principalMapping(rules)(from)).toBe(want));
  }

  for (const rules of ['RULE:^CN=(.*?),OU/$1', 'CN=x', 'RULE:(/x/']) {
    test(`${rules} is refused`, () => expect(() => principalMapping(rules)).toThrow(/cannot map principals/));
  }
});

function person(name: string): Subject {
  return [
    ['C', 'DE'],
    ['O', 'Millrace, Inc'],
    ['OU', 'Ops'],
    ['CN', name],
  ];
}

async function keep({ cert, key }: Certificate): Promise<void> {
  await writeFile(join(directory, 'key.pem'), key);
  await writeFile(join(directory, 'cert.pem'), cert);
}

function secure(
  listener: string,
  { cert, key, minVersion, maxVersion }: ConnectionOptions,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const port = broker.portOf(listener);
    const versions = { ...(minVersion ? { minVersion } : {}), ...(maxVersion ? { maxVersion } : {}) };
    const own = cert && key ? { cert, key } : {};
    const socket = connect({
      host: '127.0.0.1',
      port,
      servername: 'localhost',
      ca: ca.cert,
      ...own,
      ...versions,
    });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

async function nameOf(listener: string): Promise<unknown> {
  const socket = await secure(listener, {});
  socket.on('error', () => {});
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return subject.CN;
}

function said(from: number): string {
  return broker.lines
    .slice(from)
    .map(({ message }) => message)
    .join('\n');
}

function reloads(outcome: string): number {
  const family = broker.host.metrics
    .snapshot()
    .find(({ name }) => name === 'millrace_broker_certificate_reloads_total');
  return family?.series.find(({ labels }) => labels['outcome'] === outcome)?.value ?? 0;
}
