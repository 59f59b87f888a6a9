import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

import { DASHBOARDS } from './dashboards.ts';

const read = (path: string): unknown =>
  parse(readFileSync(fileURLToPath(new URL(`provisioning/${path}`, import.meta.url)), 'utf8'));

const datasources = z.strictObject({
  apiVersion: z.literal(1),
  prune: z.boolean(),
  datasources: z.array(
    z.strictObject({
      name: z.string(),
      uid: z.string(),
      type: z.string(),
      access: z.literal('proxy').optional(),
      url: z.string().optional(),
      jsonData: z.looseObject({}),
      secureJsonData: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

test('the data source that dashboards choose first is provisioned', () => {
  const file = datasources.parse(read('datasources/millrace.yaml'));
  for (const { dashboard } of DASHBOARDS) {
    const { value } = dashboard.templating.list[0]!['current'] as { value: string };
    const found = file.datasources.find(({ uid }) => uid === value);
    expect(found?.type).toBe('grafana-clickhouse-datasource');
    expect(found?.jsonData['defaultDatabase']).toBe('otel');
  }
});

test('the dashboards file has the keys that Grafana knows', () => {
  const provider = z.strictObject({
    name: z.string(),
    orgId: z.number(),
    folder: z.string(),
    type: z.literal('file'),
    disableDeletion: z.boolean(),
    allowUiUpdates: z.boolean(),
    updateIntervalSeconds: z.number(),
    options: z.strictObject({ path: z.string(), foldersFromFilesStructure: z.boolean() }),
  });
  const file = z.strictObject({ apiVersion: z.literal(1), providers: z.array(provider).min(1) });
  expect(() => file.parse(read('dashboards/millrace.yaml'))).not.toThrow();
});

test('every variable in the data sources is one that the Compose file gives to Grafana', () => {
  const text = (path: string) => readFileSync(fileURLToPath(new URL(path, import.meta.url)), 'utf8');
  const lines = text('provisioning/datasources/millrace.yaml')
    .split('\n')
    .filter((line) => !line.startsWith('#'));
  const used = [...lines.join('\n').matchAll(/\$(\w+)/g)].map(([, name]) => name!);
  const compose = z
    .looseObject({ services: z.looseObject({ grafana: z.looseObject({ environment: z.looseObject({}) }) }) })
    .parse(parse(text('../../docker-compose.yml')));
  expect(used.length).toBeGreaterThan(0);
  expect(Object.keys(compose.services.grafana.environment)).toEqual(expect.arrayContaining(used));
});
