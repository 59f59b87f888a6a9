import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

import { readSettings } from './settings.ts';

const root = mkdtempSync(join(tmpdir(), 'millrace-settings-'));
afterAll(() => rmSync(root, { recursive: true }));

function serviceOf(env: NodeJS.ProcessEnv, entry: string | undefined): unknown {
  return readSettings(env, entry).resource['service.name'];
}

test('the service name: variable, resource attributes, package.json, file name', () => {
  const app = join(root, 'app/src');
  mkdirSync(app, { recursive: true });
  writeFileSync(join(root, 'app/package.json'), '{"name":"orders"}');
  const attributes = { OTEL_RESOURCE_ATTRIBUTES: 'service.name=from%20attributes,team=a' };
  expect(serviceOf({ OTEL_SERVICE_NAME: 'set', ...attributes }, join(app, 'main.js'))).toBe('set');
  expect(serviceOf(attributes, join(app, 'main.js'))).toBe('from attributes');
  expect(serviceOf({}, join(app, 'main.js'))).toBe('orders');
  writeFileSync(join(root, 'app/package.json'), '{"type":"module"}');
  expect(serviceOf({}, join(app, 'main.js'))).toBe('main');
  expect(serviceOf({}, undefined)).toBe('unknown_service:node');
});

test.each([
  [{}, 'http://localhost:4318/v1/logs'],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:1/' }, 'http://c:1/v1/logs'],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c/base' }, 'https://c/base/v1/logs'],
  [
    { OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://d:2/x', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:1' },
    'http://d:2/x',
  ],
])('where logs go with %j', (env, want) => {
  expect(readSettings(env, undefined).url).toBe(want);
});

test('an unusable address is named', () => {
  expect(() => readSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: 'localhost:4317' }, undefined)).toThrow(
    'cannot ship logs: got endpoint "localhost:4317/v1/logs", want an http or https URL',
  );
});
