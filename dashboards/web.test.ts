import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { openKafka } from '../broker/client/kafkajs.ts';
import type { KafkaClient, Producer } from '../broker/client/port.ts';
import type { Part } from '../broker/host/part.ts';
import { encodeLogs } from '../broker/records/otlp/write-logs.ts';
import { SIGNAL_TOPICS } from '../broker/records/topics.ts';
import { eventually } from '../test/support/eventually.ts';
import { type TestBroker, startTestBroker } from '../test/support/test-broker.ts';
import { start, webConfig } from './main.ts';
import { runLogs } from './query/logs-command.ts';

let broker: TestBroker;
let kafka: KafkaClient;
let producer: Producer;
let web: Part;
let url: string;
let viewerDir: string;

beforeAll(async () => {
  broker = await startTestBroker();
  kafka = await openKafka({ brokers: [broker.address], clientId: 'test' }, broker.host);
  await (await kafka.admin()).ensureTopics([{ name: SIGNAL_TOPICS.logs, partitions: 3 }]);
  producer = await kafka.producer();
  viewerDir = await mkdtemp(join(tmpdir(), 'millrace-viewer-'));
  await mkdir(join(viewerDir, 'assets'));
  await writeFile(join(viewerDir, 'index.html'), '<!doctype html><title>Millrace</title>');
  await writeFile(join(viewerDir, 'assets', 'viewer-0123456789ab.js'), 'export {};');
  web = await start(
    webConfig.parse({
      port: 0,
      viewerDir,
      kafka: { brokers: [broker.address] },
      clickhouse: { url: 'http://127.0.0.1:1' },
      tail: { flushIntervalMs: 5 },
    }),
    broker.host,
  );
  url = `http://127.0.0.1:${web.addresses['web']!.port}`;
});

afterAll(async () => {
  await web.stop(5_000);
  await kafka.close();
  await broker.stop();
  await rm(viewerDir, { recursive: true, force: true });
});

function send(partition: number, ...lines: string[]) {
  const value = encodeLogs({
    resource: { attributes: { 'service.name': 'shop' } },
    records: lines.map((body) => ({ timeUnixNano: 1_700_000_000_000_000_000n, body })),
  });
  return producer.send(SIGNAL_TOPICS.logs, [{ key: null, value, partition }]);
}

test('live tail through the broker: from a time on, then what comes, over a restart of the broker', async () => {
  await send(0, 'before');
  const stop = new AbortController();
  let out = '';
  const following = runLogs({
    url,
    query: '{service_name="shop"} != "noise"',
    sinceMs: 60_000,
    follow: true,
    limit: undefined,
    output: 'raw',
    write: (text) => void (out += text),
    warn: () => undefined,
    nowMs: () => broker.host.clock.nowMs(),
    sleep: (delayMs, signal) => broker.host.timers.sleep(delayMs, signal),
    signal: stop.signal,
  });
  await eventually(() => expect(out).toBe('before\n'));
  await send(1, 'one', 'noise', 'two');
  await eventually(() => expect(out).toBe('before\none\ntwo\n'));
  await broker.restart();
  await eventually(() => send(2, 'after'));
  await eventually(() => expect(out.replace(/(after\n)+$/, 'after\n')).toBe('before\none\ntwo\nafter\n'));
  stop.abort();
  await following;
});

test('topics and groups of the broker', async () => {
  const topics = (await (await fetch(`${url}/api/topics`)).json()) as Array<{
    name: string;
    partitions: number;
  }>;
  expect(topics.find(({ name }) => name === SIGNAL_TOPICS.logs)).toMatchObject({ partitions: 3 });
  expect(await (await fetch(`${url}/api/groups`)).json()).toEqual([]);
});

test.each(['/', '/d/millrace-pipeline', '/d/millrace-logs/logs?from=now-1h', '/logs', '/alerts', '/status'])(
  '%s is the viewer',
  async (path) => {
    const answer = await fetch(url + path);
    expect(await answer.text()).toContain('<title>Millrace</title>');
    expect(answer.headers.get('content-type')).toContain('text/html');
    expect(answer.headers.get('content-security-policy')).toContain("script-src 'self'");
    expect(answer.headers.get('cache-control')).toBe('no-cache');
  },
);

test('assets are kept by browsers, other files and folders are not served', async () => {
  const asset = await fetch(`${url}/assets/viewer-0123456789ab.js`);
  expect([asset.status, asset.headers.get('cache-control')]).toEqual([
    200,
    'public, max-age=31536000, immutable',
  ]);
  for (const path of ['/assets/', '/assets/none.js', '/..%2f..%2fetc/passwd', '/%2e%2e/package.json']) {
    expect((await fetch(url + path)).status).toBeGreaterThanOrEqual(400);
  }
});
