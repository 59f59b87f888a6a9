import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { brokerConfig } from '../config.ts';
import { metadata } from '../wire/schemas/index.ts';
import { exposure } from './listeners.ts';

const tls = { key: '/key.pem', cert: '/cert.pem' };
const sasl = { mechanisms: ['PLAIN'] };

describe('plaintext beyond the loopback', () => {
  const at = (host: string, protocol: string): object => ({
    name: host.replaceAll(/[^A-Za-z0-9]/g, '_'),
    host,
    port: 0,
    protocol,
    ...(protocol.endsWith('SSL') ? { tls } : {}),
    ...(protocol.startsWith('SASL') ? { sasl } : {}),
  });
  const cases: Array<[name: string, settings: object, want: RegExp | undefined]> = [
    ['the default', {}, undefined],
    ['a loopback address', { host: '127.0.0.2' }, undefined],
    [
      'all addresses',
      { host: '0.0.0.0' },
      /PLAINTEXT.*beyond the loopback.*allowPlaintextBeyondLoopback: true/,
    ],
    ['a name', { host: 'broker.example' }, /cannot listen on broker.example/],
    ['all addresses, allowed', { host: '0.0.0.0', allowPlaintextBeyondLoopback: true }, undefined],
    ['all addresses with TLS', { listeners: [at('::', 'SASL_SSL')] }, undefined],
    ['passwords in the open', { listeners: [at('::', 'SASL_PLAINTEXT')] }, /SASL_PLAINTEXT/],
    ['one of two', { listeners: [at('::1', 'PLAINTEXT'), at('10.0.0.1', 'PLAINTEXT')] }, /10.0.0.1/],
  ];
  for (const [name, settings, want] of cases) {
    test(`${name}: ${want ? 'refused' : 'fine'}`, () => {
      const problem = exposure(brokerConfig.parse({ dataDir: '/data', ...settings }));
      expect(problem ?? '').toMatch(want ?? /^$/);
    });
  }

  test('the broker does not start, and says what to do', async () => {
    await expect(startTestBroker({ host: '0.0.0.0' })).rejects.toThrow(/want SSL or SASL_SSL/);
  });
});

describe('settings of a listener are refused', () => {
  const cases: Record<string, [object, RegExp]> = {
    'TLS without a key': [{ protocol: 'SSL' }, /has `tls` when/],
    'a key without TLS': [{ protocol: 'PLAINTEXT', tls }, /has `tls` when/],
    'SASL without mechanisms': [{ protocol: 'SASL_PLAINTEXT' }, /has `sasl` when/],
    'mechanisms without SASL': [{ protocol: 'PLAINTEXT', sasl }, /has `sasl` when/],
    'an unknown mechanism': [
      { protocol: 'SASL_PLAINTEXT', sasl: { mechanisms: ['GSSAPI'] } },
      /GSSAPI|Invalid/,
    ],
  };
  for (const [name, [settings, want]] of Object.entries(cases)) {
    test(`${name}`, () => {
      const listeners = [{ name: 'A', port: 0, ...settings }];
      const { error } = brokerConfig.safeParse({ dataDir: '/data', listeners });
      expect(error?.message).toMatch(want);
    });
  }

  test('two of one name', () => {
    const listeners = [
      { name: 'A', port: 0 },
      { name: 'A', port: 0 },
    ];
    expect(brokerConfig.safeParse({ dataDir: '/data', listeners }).error?.message).toMatch(/different names/);
  });
});

describe('listeners side by side', () => {
  let broker: TestBroker;
  beforeAll(async () => {
    broker = await startTestBroker({
      listeners: [
        { name: 'INSIDE', port: 0 },
        {
          name: 'OUTSIDE',
          host: '127.0.0.1',
          port: 0,
          advertisedHost: 'broker.example',
          advertisedPort: 19_092,
        },
        { name: 'V6', host: '::1', port: 0 },
      ],
    });
  });
  afterAll(() => broker?.stop());

  const cases = [
    { listener: 'INSIDE', from: '127.0.0.1', want: { host: 'localhost' } },
    { listener: 'INSIDE', from: '::1', want: { host: 'localhost' } },
    { listener: 'OUTSIDE', from: '127.0.0.1', want: { host: 'broker.example', port: 19_092 } },
    { listener: 'V6', from: '::1', want: { host: '::1' } },
  ];
  for (const { listener, from, want } of cases) {
    test(`${listener} from ${from}: the advertised address is that of the listener of the connection`, async () => {
      const port = broker.portOf(listener);
      const client = await RawClient.connect(port, from);
      const { brokers } = await client.call(metadata, 5, { topics: [] });
      expect(brokers).toMatchObject([{ port, ...want }]);
      client.close();
    });
  }
});
