import { describe, expect, test } from 'vitest';

import { check, type LoadedSettings, settingsSchema } from '../config/settings.ts';
import { mergeSources, yamlSource } from '../config/source.ts';
import { partsOf, planPart, seams } from './plan.ts';

function load(text: string): LoadedSettings {
  const source = mergeSources([yamlSource('millrace.yaml', text, {})]);
  return { settings: check(settingsSchema, source.values, source, []), source };
}

const SECURED = `
kafka:
  brokers: [kafka-1:9093]
  tls: { ca: ca.pem }
  sasl: { mechanism: SCRAM-SHA-256, username: ann, password: pencil }
`;

describe('a Kafka that lets in by TLS and password', () => {
  test.each(['collector', 'sink', 'alerts', 'web'] as const)('is told to %s', async (name) => {
    const { config } = await planPart(name, load(SECURED));
    expect(config).toMatchObject({
      kafka: {
        brokers: ['kafka-1:9093'],
        tls: { ca: 'ca.pem', rejectUnauthorized: true },
        sasl: { mechanism: 'SCRAM-SHA-256', username: 'ann', password: 'pencil' },
      },
    });
  });

  test('takes the place of the bundled broker', () => {
    expect(partsOf(load(SECURED))).not.toContain('broker');
  });

  const bad: Array<[name: string, text: string, want: RegExp]> = [
    [
      'an unknown mechanism',
      'kafka:\n  sasl: { mechanism: GSSAPI, username: a, password: b }',
      /^millrace\.yaml:2:22: cannot use kafka\.sasl\.mechanism: /,
    ],
    [
      'no password',
      'kafka:\n  sasl:\n    mechanism: PLAIN\n    username: a',
      /^millrace\.yaml:\d:\d+: cannot use kafka\.sasl: want either `password` or `passwordFile`/,
    ],
    [
      'two passwords, without telling them',
      'kafka:\n  sasl: { mechanism: PLAIN, username: a, password: pencil, passwordFile: f }',
      /^millrace\.yaml:2:\d+: cannot use kafka\.sasl: want either `password` or `passwordFile`$/,
    ],
    [
      'a certificate without its key',
      'kafka:\n  tls: { cert: c.pem }',
      /^millrace\.yaml:2:\d+: cannot use kafka\.tls: got one of `cert` and `key`/,
    ],
    [
      'a setting that there is not',
      'kafka:\n  tls: { insecure: true }',
      /^millrace\.yaml:2:10: unknown setting/,
    ],
  ];
  for (const [name, text, want] of bad) {
    test(`${name}: refused with its place`, () => expect(() => load(text)).toThrow(want));
  }
});

describe('the bundled broker is reached by its first listener that takes what the parts speak', () => {
  const listeners = `
broker:
  listeners:
    - { name: OUT, port: 9193, protocol: SASL_SSL, tls: { key: k, cert: c }, sasl: { mechanisms: [PLAIN] } }
    - { name: LOCAL, port: 9192 }
`;
  const cases: Array<[name: string, text: string, want: string]> = [
    ['plaintext by default', listeners, 'localhost:9192'],
    [
      'SASL_SSL with both',
      `${listeners}kafka: { tls: {}, sasl: { mechanism: PLAIN, username: a, password: b } }`,
      'localhost:9193',
    ],
    ['the port, where there are no listeners', 'broker: { port: 1234 }', 'localhost:1234'],
    ['the standard port', '', 'localhost:9092'],
  ];
  for (const [name, text, want] of cases) {
    test(`${name}`, () => expect(seams(load(text)).brokers).toEqual([want]));
  }
});
