import type { FastifyInstance } from 'fastify';
import { afterEach, expect, test } from 'vitest';

import packageJson from '../../package.json' with { type: 'json' };
import { KafkaError } from '../../broker/client/error.ts';
import type { Admin, KafkaClient } from '../../broker/client/port.ts';
import { nodeHost } from '../../broker/host/node-host.ts';
import type { AlertsView } from '../../sinks/alerts/view.ts';
import { start, webConfig } from '../main.ts';
import { alertRoutes } from './alert-routes.ts';
import { crossOriginRefusal, hostRefusal } from './cross-origin.ts';
import { kafkaRoutes } from './kafka-routes.ts';
import { createServer } from './server.ts';

const apps: FastifyInstance[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

function server(): FastifyInstance {
  const app = createServer(nodeHost(), { localNamesOnly: true });
  apps.push(app);
  return app;
}

const admin: Partial<Admin> = {
  topics: async () => [
    { name: 'otlp_logs', topicId: 'id', partitions: 2, internal: false },
    { name: '__consumer_offsets', topicId: 'io', partitions: 1, internal: true },
  ],
  offsets: async (topic) => {
    if (topic === 'gone') throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', 'cannot find it', false);
    if (topic === '__consumer_offsets') return [{ partition: 0, start: 0, end: 4 }];
    return [
      { partition: 0, start: 10, end: 30 },
      { partition: 1, start: 0, end: 5 },
    ];
  },
  groups: async () => [
    {
      groupId: 'millrace-sink',
      type: 'classic',
      state: 'Stable',
      protocolType: 'consumer',
      members: [{ memberId: 'm', clientId: 'c', host: 'h', assigned: [] }],
    },
  ],
  committed: async () => [
    { topic: 'otlp_logs', partition: 1, offset: 2 },
    { topic: 'otlp_logs', partition: 0, offset: 12 },
    { topic: 'gone', partition: 0, offset: 7 },
  ],
};

test('topics and groups with their lag', async () => {
  const app = server();
  kafkaRoutes(app, { admin: async () => admin } as unknown as KafkaClient);
  expect((await app.inject('/api/topics')).json()).toEqual([
    { name: '__consumer_offsets', topicId: 'io', internal: true, partitions: 1, records: 4 },
    { name: 'otlp_logs', topicId: 'id', internal: false, partitions: 2, records: 25 },
  ]);
  expect((await app.inject('/api/groups')).json()).toEqual([
    {
      groupId: 'millrace-sink',
      state: 'Stable',
      protocolType: 'consumer',
      members: 1,
      topics: [
        { topic: 'gone', partitions: 1, lag: 0 },
        { topic: 'otlp_logs', partitions: 2, lag: 21 },
      ],
    },
  ]);
  expect((await app.inject('/api/groups/millrace-sink')).json()).toEqual([
    { topic: 'gone', partition: 0, committed: 7, end: 7, lag: 0 },
    { topic: 'otlp_logs', partition: 0, committed: 12, end: 30, lag: 18 },
    { topic: 'otlp_logs', partition: 1, committed: 2, end: 5, lag: 3 },
  ]);
});

test('a broker that cannot say where a topic ends is an error, never a lag of zero', async () => {
  const away = { ...admin, offsets: () => Promise.reject(new KafkaError('TIMEOUT', 'no answer', true)) };
  const app = server();
  kafkaRoutes(app, { admin: async () => away } as unknown as KafkaClient);
  const { statusCode, body } = await app.inject('/api/groups');
  expect(statusCode).toBeGreaterThanOrEqual(500);
  expect(body).not.toContain('lag":0');
});

test('Kafka away is 503 with a reason', async () => {
  const app = server();
  const away = { admin: async () => ({ topics: () => Promise.reject(new Error('refused')) }) };
  kafkaRoutes(app, away as unknown as KafkaClient);
  const answer = await app.inject('/api/topics');
  expect([answer.statusCode, answer.json()]).toEqual([
    503,
    expect.objectContaining({ message: 'cannot reach Kafka: refused' }),
  ]);
});

test('rules for Prometheus and for Loki', async () => {
  const app = server();
  const rule = {
    type: 'alerting',
    name: 'Errors',
    query: 'rate({}[1m]) > 1',
    duration: 90,
    keepFiringFor: 0,
  };
  const groups = [
    {
      name: 'g',
      file: 'a.yaml',
      interval: 15,
      rules: [{ ...rule, labels: { severity: 'page' }, annotations: {} }],
    },
    { name: 'problems', file: 'b.yaml', interval: 0, rules: [{ ...rule, query: '' }] },
  ];
  alertRoutes(app, {
    rules: () => ({ groups }),
    alerts: () => ({ alerts: [] }),
    notifications: () => [],
  } as unknown as AlertsView);
  for (const path of ['/api/v1/rules', '/prometheus/api/v1/rules']) {
    expect((await app.inject(path)).json()).toEqual({ status: 'success', data: { groups } });
  }
  expect((await app.inject('/prometheus/api/v1/alerts')).json()).toEqual({
    status: 'success',
    data: { alerts: [] },
  });
  expect((await app.inject('/loki/api/v1/rules')).body).toBe(`a.yaml:
  - name: g
    interval: 15s
    rules:
      - alert: Errors
        expr: rate({}[1m]) > 1
        for: 1m30s
        labels:
          severity: page
        annotations: {}
`);
});

test.each([
  ['GET', { origin: 'http://evil.example' }, true],
  ['POST', {}, true],
  ['POST', { origin: 'http://localhost:3100', host: 'localhost:3100' }, true],
  ['POST', { origin: 'http://localhost:3000', host: 'localhost:3100' }, false],
  ['POST', { origin: 'null', host: 'localhost:3100' }, false],
  ['POST', { 'sec-fetch-site': 'same-origin', origin: 'http://localhost', host: 'localhost' }, true],
  ['POST', { 'sec-fetch-site': 'same-site', origin: 'http://localhost:1', host: 'localhost' }, false],
  ['DELETE', { 'sec-fetch-site': 'cross-site' }, false],
] as const)('%s with %j passes: %s', (method, headers, passes) => {
  expect(crossOriginRefusal(method, headers) === undefined).toBe(passes);
});

test.each([
  ['localhost:3100', true],
  ['LOCALHOST', true],
  ['127.0.0.1:3100', true],
  ['[::1]:3100', true],
  ['evil.example:3100', false],
  ['127.0.0.1.evil.example', false],
  ['localhost.evil.example', false],
])('host %s passes: %s', (name, passes) => {
  expect(hostRefusal(name) === undefined).toBe(passes);
});

test('the part starts without its neighbours, on both loopback addresses, and stops', async () => {
  const config = webConfig.parse({
    port: 0,
    clickhouse: { url: 'http://127.0.0.1:1' },
    kafka: { brokers: ['127.0.0.1:1'] },
  });
  const part = await start(config, nodeHost(), {
    families: () => [
      {
        part: 'broker',
        families: [{ name: 'x_total', help: 'X.', type: 'counter', series: [{ labels: {}, value: 1 }] }],
      },
    ],
    parts: () => [{ name: 'broker', state: 'running' }],
  });
  const { port } = part.addresses['web']!;
  const get = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  };
  expect((await get('/health')).status).toBe(200);
  expect((await get('/ready')).status).toBe(503);
  const metrics = await get('/metrics');
  expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(metrics.text).toBe('# HELP x_total X.\n# TYPE x_total counter\nx_total{part="broker"} 1\n');
  const status = JSON.parse((await get('/api/status')).text) as Record<string, unknown>;
  expect(status).toMatchObject({
    version: packageJson.version,
    clickhouse: 'not reachable',
    parts: [{ name: 'broker', state: 'running' }],
  });
  const boards = JSON.parse((await get('/api/dashboards')).text) as Array<{ uid: string }>;
  expect(boards.map(({ uid }) => uid)).toEqual(['millrace-host', 'millrace-logs', 'millrace-pipeline']);
  const missing = await get('/api/nothing');
  expect([missing.status, missing.headers.get('x-content-type-options')]).toEqual([404, 'nosniff']);
  await expect(start({ ...config, port }, nodeHost())).rejects.toThrow(`cannot listen on localhost:${port}`);
  await part.stop(5_000);
  await part.stop(5_000);
  await expect(get('/health')).rejects.toThrow('fetch failed');
});
