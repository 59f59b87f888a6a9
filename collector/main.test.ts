import assert from 'node:assert/strict';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { type MetricFamily, type MetricSeries } from '../broker/host/metrics.ts';
import { nodeHost } from '../broker/host/node-host.ts';
import type { Part } from '../broker/host/part.ts';
import { encodeLogs } from '../broker/records/otlp/write-logs.ts';
import { encodeMetrics } from '../broker/records/otlp/write-metrics.ts';
import { eventually } from '../test/support/eventually.ts';
import { AWAY, type ProducingKafka, producingKafka } from '../test/support/producing-kafka.ts';
import { oracleDecode, oracleEncode } from '../test/support/otlp-oracle.ts';
import { collectorConfig } from './config.ts';
import { startWith } from './main.ts';

const BODY_BYTES_MAX = 2 * 1024 * 1024;
const PROTOBUF = 'application/x-protobuf';
const JSON_TYPE = 'application/json';

let kafka: ProducingKafka;
let part: Part;
let url: string;
let host: ReturnType<typeof nodeHost>;

beforeEach(async () => {
  kafka = producingKafka();
  host = nodeHost();
  part = await startWith(
    kafka,
    collectorConfig.parse({
      otlpHttp: { host: '127.0.0.1', port: 0 },
      bodyBytesMax: BODY_BYTES_MAX,
      inFlightBytesMax: 4 * 1024 * 1024,
    }),
    host,
  );
  url = `http://127.0.0.1:${part.addresses['otlpHttp']!.port}`;
  await eventually(async () => assert((await fetch(`${url}/ready`)).ok));
});
afterEach(() => part.stop(5_000));

const logs = encodeLogs({ resource: { attributes: { 'service.name': 'a' } }, records: [{ body: 'line' }] });
const metrics = encodeMetrics({
  metrics: [{ type: 'gauge', name: 'g', points: [{ timeUnixNano: 1n, value: 1 }] }],
});
const spans = oracleEncode('ExportTrace', { resourceSpans: [{ scopeSpans: [{ spans: [{ name: 's' }] }] }] });
const logsJson = Buffer.from(
  '{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},' +
    '"scopeLogs":[{"logRecords":[{"body":{"stringValue":"line"}}]}]}]}',
);

describe('accepts', () => {
  const cases: ReadonlyArray<[string, string, Buffer, Record<string, string>, string]> = [
    ['logs', '/v1/logs', logs, { 'content-type': PROTOBUF }, 'otlp_logs'],
    ['metrics', '/v1/metrics', metrics, { 'content-type': PROTOBUF }, 'otlp_metrics'],
    ['traces', '/v1/traces', spans, { 'content-type': PROTOBUF }, 'otlp_spans'],
    ['JSON', '/v1/logs', logsJson, { 'content-type': 'application/json; charset=utf-8' }, 'otlp_logs'],
    [
      'gzip',
      '/v1/logs',
      gzipSync(logs),
      { 'content-type': PROTOBUF, 'content-encoding': 'gzip' },
      'otlp_logs',
    ],
    [
      'deflate',
      '/v1/logs',
      deflateSync(logs),
      { 'content-type': PROTOBUF, 'content-encoding': 'deflate' },
      'otlp_logs',
    ],
    [
      'zstd',
      '/v1/logs',
      zstdCompressSync(logs),
      { 'content-type': PROTOBUF, 'content-encoding': 'zstd' },
      'otlp_logs',
    ],
    [
      'gzipped JSON',
      '/v1/logs',
      gzipSync(logsJson),
      { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' },
      'otlp_logs',
    ],
  ];
  test.each(cases)('%s', async (_, path, body, headers, topic) => {
    const response = await post(path, body, headers);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain(headers['content-type']!.split(';')[0]);
    expect(kafka.produced.map((one) => one.topic)).toEqual([topic]);
    expect(Buffer.from(kafka.produced[0]!.record.value!).length).toBeGreaterThan(5);
  });

  test('the original bytes reach the topic, with count, and the source of an agent', async () => {
    const headers = { 'content-type': PROTOBUF, 'millrace-source': 'agent:/x', 'millrace-sequence': '12' };
    expect((await post('/v1/logs', logs, headers)).status).toBe(200);
    const { record } = kafka.produced[0]!;
    expect(Buffer.from(record.value!).equals(logs)).toBe(true);
    expect(Buffer.from(record.key!).toString()).toBe('agent:/x');
    expect(record.headers).toEqual({
      'millrace.source': 'agent:/x',
      'millrace.sequence': '12',
      'millrace.part': '0/1',
      'millrace.count': '1',
    });
  });

  test('an empty request', async () => {
    expect((await post('/v1/logs', Buffer.alloc(0))).status).toBe(200);
    expect(kafka.produced).toHaveLength(0);
  });

  test('JSON and protobuf of the same request become the same bytes', async () => {
    await post('/v1/logs', logsJson, { 'content-type': JSON_TYPE });
    await post('/v1/logs', logs);
    const [one, two] = kafka.produced;
    expect(Buffer.from(one!.record.value!).equals(Buffer.from(two!.record.value!))).toBe(true);
  });
});

describe('refuses for good', () => {
  const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));
  const zstdBomb = zstdCompressSync(Buffer.alloc(50 * 1024 * 1024));
  const deflateBomb = deflateSync(Buffer.alloc(50 * 1024 * 1024));
  const cases: ReadonlyArray<[string, string, Buffer, Record<string, string>, number, string]> = [
    ['another content type', '/v1/logs', logs, { 'content-type': 'text/plain' }, 415, 'content-type'],
    ['no content type', '/v1/logs', logs, { 'content-type': '' }, 415, 'content-type'],
    ['another encoding', '/v1/logs', logs, { 'content-encoding': 'br' }, 415, 'want gzip, deflate, zstd'],
    ['bytes that are no OTLP', '/v1/logs', Buffer.from('hello world'), {}, 400, 'cannot read OTLP at byte'],
    [
      'JSON that is none',
      '/v1/logs',
      Buffer.from('{'),
      { 'content-type': JSON_TYPE },
      400,
      'cannot read OTLP',
    ],
    ['bytes that are no gzip', '/v1/logs', logs, { 'content-encoding': 'gzip' }, 400, 'cannot decode gzip'],
    ['a cut gzip', '/v1/logs', gzipSync(logs).subarray(0, 20), { 'content-encoding': 'gzip' }, 400, 'gzip'],
    ['an oversized body', '/v1/logs', Buffer.alloc(BODY_BYTES_MAX + 1), {}, 413, 'got more than'],
    ['a gzip bomb', '/v1/logs', bomb, { 'content-encoding': 'gzip' }, 413, 'got more than'],
    ['a zstd bomb', '/v1/logs', zstdBomb, { 'content-encoding': 'zstd' }, 413, 'got more than'],
    ['a deflate bomb', '/v1/logs', deflateBomb, { 'content-encoding': 'deflate' }, 413, 'got more than'],
    ['another path', '/v1/profiles', logs, {}, 404, 'want POST /v1/logs'],
    ['a source without a sequence', '/v1/logs', logs, { 'millrace-source': 'a' }, 400, 'millrace-sequence'],
    [
      'a sequence that is no number',
      '/v1/logs',
      logs,
      { 'millrace-source': 'a', 'millrace-sequence': 'x' },
      400,
      'decimal',
    ],
  ];
  test.each(cases)('%s', async (_, path, body, headers, status, message) => {
    const response = await post(path, body, { 'content-type': PROTOBUF, ...headers });
    expect(response.status).toBe(status);
    expect(await statusMessage(response)).toContain(message);
    expect(kafka.sends).toHaveLength(0);
    expect((await post('/v1/logs', logs)).status).toBe(200);
  });

  test('the error has the encoding of the request', async () => {
    const protobuf = await post('/v1/logs', Buffer.from([0x08, 0x01]));
    expect(protobuf.headers.get('content-type')).toBe(PROTOBUF);
    expect(oracleDecode('RpcStatus', Buffer.from(await protobuf.arrayBuffer()))).toMatchObject({ code: 3 });
    const json = await post('/v1/logs', Buffer.from('[]'), { 'content-type': JSON_TYPE });
    expect(json.headers.get('content-type')).toContain(JSON_TYPE);
    expect(await json.json()).toMatchObject({ code: 3 });
  });

  test('partial success: what can never be stored is named, the rest is stored', async () => {
    const points = Array.from({ length: 20_000 }, () => ({
      timeUnixNano: 1n,
      value: 1,
      attributes: { key: 'x'.repeat(40) },
    }));
    const bytes = encodeMetrics({
      metrics: [
        { type: 'gauge', name: 'large', points },
        { type: 'gauge', name: 'small', points: points.slice(0, 1) },
      ],
    });
    const response = await post('/v1/metrics', bytes);
    expect(response.status).toBe(200);
    const body = oracleDecode('ExportLogsResponse', Buffer.from(await response.arrayBuffer()));
    expect(body).toMatchObject({ partialSuccess: { rejectedLogRecords: '20000' } });
    expect(kafka.produced).toHaveLength(1);
    expect(counter('millrace_collector_rejected_records_total', { reason: 'too_large' })).toBe(20_000);
    expect(counter('millrace_collector_accepted_records_total', { signal: 'metrics' })).toBe(1);
  });
});

describe('refuses for now', () => {
  test('a broker that is away: 503 with Retry-After, never a loss, and it recovers by itself', async () => {
    kafka.failure = AWAY;
    const refused = await post('/v1/logs', logs);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(oracleDecode('RpcStatus', Buffer.from(await refused.arrayBuffer()))).toMatchObject({ code: 14 });
    expect((await fetch(`${url}/ready`)).status).toBe(503);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    kafka.failure = undefined;
    expect((await post('/v1/logs', logs)).status).toBe(200);
    expect((await fetch(`${url}/ready`)).status).toBe(200);
    expect(kafka.produced).toHaveLength(1);
    expect(counter('millrace_collector_refused_requests_total', { reason: 'broker_away' })).toBe(1);
  });

  test('while the broker is away one request at a time tries, the others are refused at once', async () => {
    kafka.failure = AWAY;
    await post('/v1/logs', logs);
    const release = holdSends();
    const probe = post('/v1/logs', logs);
    await eventually(() => expect(kafka.sends).toHaveLength(2));
    expect((await post('/v1/logs', logs)).status).toBe(503);
    expect(kafka.sends).toHaveLength(2);
    kafka.failure = undefined;
    release();
    expect((await probe).status).toBe(200);
  });

  test('more bytes than may wait: 429 with Retry-After', async () => {
    const release = holdSends();
    const large = encodeLogs({ records: [{ body: 'x'.repeat(1_900_000) }] });
    const first = [post('/v1/logs', large), post('/v1/logs', large)];
    await eventually(() => expect(gauge('millrace_collector_in_flight_bytes')).toBeGreaterThan(3_800_000));
    const refused = await post('/v1/logs', encodeLogs({ records: [{ body: 'x'.repeat(500_000) }] }));
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('1');
    release();
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await post('/v1/logs', logs)).status).toBe(200);
  });

  test('what the broker refuses for itself is 503 too, and stops nobody else', async () => {
    const { KafkaError } = await import('../broker/client/error.ts');
    kafka.failure = new KafkaError('MESSAGE_TOO_LARGE', 'cannot produce: too large', false);
    expect((await post('/v1/logs', logs)).status).toBe(503);
    expect((await fetch(`${url}/ready`)).status).toBe(200);
  });
});

test('requests of one key reach the log in the order of their arrival', async () => {
  const release = holdSends();
  const sent = Array.from({ length: 50 }, async (_, index) => {
    // One after the other into the collector, while no send of the lane ends.
    await eventually(() => expect(arrived()).toBeGreaterThanOrEqual(index));
    return post(
      '/v1/logs',
      encodeLogs({ resource: { attributes: { 'host.name': 'h' } }, records: [{ body: index }] }),
    );
  });
  await eventually(() => expect(arrived()).toBe(50));
  release();
  for (const response of await Promise.all(sent)) expect(response.status).toBe(200);
  const order = kafka.produced.map(({ record }) => bodyOf(record.value!));
  expect(order).toEqual(Array.from({ length: 50 }, (_, index) => String(index)));
  // Those that waited share sends.
  expect(kafka.sends.length).toBeLessThan(10);
});

test('a stop answers what is in flight', async () => {
  const release = holdSends();
  const waiting = post('/v1/logs', logs);
  await eventually(() => expect(kafka.sends).toHaveLength(1));
  const stopped = part.stop(5_000);
  release();
  expect((await waiting).status).toBe(200);
  await stopped;
  await expect(fetch(`${url}/health`)).rejects.toThrow('fetch failed');
});

test('a busy port is a clear error', async () => {
  const { port } = part.addresses['otlpHttp']!;
  const config = collectorConfig.parse({ otlpHttp: { host: '127.0.0.1', port } });
  await expect(startWith(producingKafka(), config, nodeHost())).rejects.toThrow(
    `cannot listen on 127.0.0.1:${port}: got EADDRINUSE, want a free port`,
  );
});

function post(path: string, body: Buffer, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': PROTOBUF, ...headers },
    body: new Uint8Array(body),
  });
}

async function statusMessage(response: Response): Promise<string> {
  const bytes = Buffer.from(await response.arrayBuffer());
  if (response.headers.get('content-type') === PROTOBUF) {
    return oracleDecode('RpcStatus', bytes)['message'] as string;
  }
  return (JSON.parse(bytes.toString()) as { message: string }).message;
}

function holdSends(): () => void {
  let release = (): void => undefined;
  kafka.gate = new Promise((resolve) => (release = resolve));
  return () => release();
}

/** Requests that the gateway holds, counted by their bytes: every one of the order test has the same size but for digits. */
function arrived(): number {
  const bytes = gauge('millrace_collector_in_flight_bytes');
  return Math.round(
    bytes / encodeLogs({ resource: { attributes: { 'host.name': 'h' } }, records: [{ body: 1 }] }).length,
  );
}

function bodyOf(value: Uint8Array): string {
  const request = oracleDecode('ExportLogs', value) as unknown as {
    resourceLogs: Array<{ scopeLogs: Array<{ logRecords: Array<{ body: { intValue: string } }> }> }>;
  };
  return request.resourceLogs[0]!.scopeLogs[0]!.logRecords[0]!.body.intValue;
}

function series(name: string): readonly MetricSeries[] {
  return host.metrics.snapshot().find((family: MetricFamily) => family.name === name)?.series ?? [];
}

function gauge(name: string): number {
  return series(name)[0]?.value ?? 0;
}

function counter(name: string, labels: Record<string, string>): number {
  const found = series(name).find((one) =>
    Object.entries(labels).every(([key, value]) => one.labels[key] === value),
  );
  return found?.value ?? 0;
}
