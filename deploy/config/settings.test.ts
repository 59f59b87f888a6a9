import { z } from 'zod';
import { expect, test } from 'vitest';

import { check, settingsSchema } from './settings.ts';
import { environmentSource, mergeSources, optionSource, yamlSource } from './source.ts';

const SECTIONS = new Set(Object.keys(settingsSchema.shape));

function load(text: string, env: NodeJS.ProcessEnv = {}, options: Parameters<typeof optionSource>[0] = []) {
  const source = mergeSources([
    yamlSource('millrace.yaml', text, env),
    environmentSource(env, SECTIONS),
    optionSource(options),
  ]);
  return { settings: check(settingsSchema, source.values, source, []), source };
}

function refused(text: string, env: NodeJS.ProcessEnv = {}): string {
  try {
    load(text, env);
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
}

test('an empty file gives the defaults', () => {
  expect(load('').settings).toMatchObject({ dataDir: './.millrace', portOffset: 0, kafka: {} });
});

test('every error names file, line and column', () => {
  const cases: Array<[text: string, message: RegExp]> = [
    ['portOffset: many', /^millrace\.yaml:1:13: cannot use portOffset: .*expected number/],
    ['dataDir: x\nkafka:\n  brokers: []', /^millrace\.yaml:3:3: cannot use kafka\.brokers: /],
    ['kafka:\n  brokers:\n    - 7', /^millrace\.yaml:3:7: cannot use kafka\.brokers\.0: /],
    ['dataDirectory: x', /^millrace\.yaml:1:1: unknown setting dataDirectory$/],
    ['telemetry:\n  enabled: true\n  speed: 3', /^millrace\.yaml:3:3: unknown setting telemetry\.speed$/],
    ['a: [1', /^millrace\.yaml:1:\d+: cannot read the settings: /],
    ['- a\n- b', /^millrace\.yaml:1:1: cannot read the settings: got no mapping/],
    [
      'dataDir: ${env:NOT_SET}',
      /^millrace\.yaml:1:10: cannot use \$\{env:NOT_SET\}: the variable is not set$/,
    ],
  ];
  for (const [text, message] of cases) expect(refused(text)).toMatch(message);
});

test('all problems are told at once', () => {
  expect(refused('portOffset: -1\nunknown: 1').split('\n')).toHaveLength(2);
});

test('the environment goes over the file, options over both, and errors name who said it', () => {
  const env = { MILLRACE_PORT_OFFSET: '7', MILLRACE_BROKER__RETENTION_MS: '1000', MILLRACE_AGENT_QUIET: '1' };
  const file = 'portOffset: 1\nbroker:\n  retentionMs: 5\n  port: 9';
  expect(load(file, env).settings).toMatchObject({ portOffset: 7, broker: { retentionMs: 1000, port: 9 } });
  const over = load(file, env, [{ option: '--port-offset', path: ['portOffset'], value: 9 }]);
  expect(over.settings.portOffset).toBe(9);
  expect(refused(file, { MILLRACE_PORT_OFFSET: 'x' })).toMatch(
    /^environment MILLRACE_PORT_OFFSET: cannot use/,
  );
  expect(refused(file, { MILLRACE_KAFKA__BROKERS: '[' })).toMatch(/^environment MILLRACE_KAFKA__BROKERS: /);
});

test('a part names the place of a value in its own section', () => {
  const source = yamlSource('m.yaml', 'broker:\n  port: 1\n  retentionMs: soon', {});
  const schema = z.strictObject({ port: z.int(), retentionMs: z.int() });
  expect(() => check(schema, source.values['broker'], source, ['broker'])).toThrow(
    /^m\.yaml:3:16: cannot use broker\.retentionMs: /,
  );
});

test('values from the environment may stand in the file', () => {
  expect(load('clickhouse:\n  password: ${env:PW}', { PW: 's3cret' }).settings.clickhouse.password).toBe(
    's3cret',
  );
});
