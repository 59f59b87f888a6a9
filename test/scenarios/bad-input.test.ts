// Bad input: whoever sent it gets a clear answer, nothing ends, and nothing else is lost.
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';

import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { type Millrace, startMillrace } from '../support/millrace.ts';

let up: Millrace;

beforeAll(async () => {
  up = await startMillrace();
});

afterAll(async () => {
  await up?.remove();
});

async function post(body: Uint8Array<ArrayBuffer> | string, headers: Record<string, string>) {
  const response = await fetch(`${up.otlp}/v1/logs`, { method: 'POST', body, headers });
  return { status: response.status, text: await response.text() };
}

const json = { 'content-type': 'application/json' };
const protobuf = { 'content-type': 'application/x-protobuf' };

function logRequest(body: string): string {
  const logRecords = [{ timeUnixNano: String(Date.now() * 1e6), body: { stringValue: body } }];
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'bad-input' } }] };
  return JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] });
}

async function restarts(): Promise<number> {
  return (await up.parts()).reduce((sum, part) => sum + part.restarts, 0);
}

/** Everything works as before: a record goes in and comes out. */
async function stillWorks(mark: string): Promise<void> {
  expect((await post(logRequest(mark), json)).status).toBe(200);
  await eventually(
    async () => {
      const [row] = await up.rows<{ rows: number }>(
        `SELECT count() AS rows FROM otel.otel_logs WHERE Body = '${mark}'`,
      );
      expect(row!.rows).toBe(1);
    },
    { timeoutMs: 15_000, everyMs: 100 },
  );
  expect(await restarts()).toBe(0);
}

test('malformed and oversized OTLP is refused with a reason that the sender can read', async () => {
  const cases: Array<[Uint8Array<ArrayBuffer> | string, Record<string, string>, number, RegExp]> = [
    [Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f, 1]), protobuf, 400, /\S/],
    ['{"resourceLogs": [', json, 400, /\S/],
    ['hello', { 'content-type': 'text/plain' }, 415, /\S/],
    [gzipSync(Buffer.alloc(64 * 1024 * 1024)), { ...protobuf, 'content-encoding': 'gzip' }, 413, /\S/],
    [Buffer.alloc(21 * 1024 * 1024), protobuf, 413, /\S/],
  ];
  for (const [body, headers, status, text] of cases) {
    const answer = await post(body, headers);
    expect(answer).toMatchObject({ status });
    expect(answer.text).toMatch(text);
  }
  await stillWorks('after malformed otlp');
});

test('broken Kafka frames end their own connection only', async () => {
  const [host, port] = up.broker.split(':');
  const frames = [
    Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]), // a TLS hello
    Buffer.from([0x7f, 0xff, 0xff, 0xff]),
    Buffer.from([0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0, 0, 0, 4, 0, 0, 0]), // half a header, then the end
    Buffer.concat([Buffer.from([0, 0, 0, 12]), Buffer.alloc(12, 0x5a)]),
    Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  ];
  for (const frame of frames) {
    const ended = new Promise<void>((resolve, reject) => {
      const socket = connect({ host: host!, port: Number(port) }, () => socket.end(frame));
      socket.setTimeout(10_000, () => reject(new Error(`no end after ${frame.toString('hex')}`)));
      socket.on('data', () => undefined);
      socket.on('error', () => resolve());
      socket.on('close', () => resolve());
    });
    await expect(ended).resolves.toBeUndefined();
  }
  await stillWorks('after broken frames');
});

test('a topic name that is a path is refused by its error code', async () => {
  const kafka = new Kafka({ brokers: [up.broker], logLevel: logLevel.NOTHING, retry: { retries: 0 } });
  const admin = kafka.admin();
  await admin.connect();
  try {
    await expect(
      admin.createTopics({
        topics: [{ topic: '../../etc/passwd', numPartitions: 1 }],
        waitForLeaders: false,
      }),
    ).rejects.toThrow(/topic/i);
    await expect(admin.fetchTopicMetadata({ topics: ['../../etc/passwd'] })).rejects.toThrow(/topic/i);
  } finally {
    await admin.disconnect();
  }
  await stillWorks('after a bad topic');
});

test('ClickHouse HTTP refuses writes without the password and says why a query is wrong', async () => {
  const ask = async (sql: string): Promise<[number, string]> => {
    const response = await fetch(`${up.clickhouse}/`, { method: 'POST', body: sql });
    return [response.status, await response.text()];
  };
  for (const sql of [
    'DROP TABLE otel.otel_logs',
    'INSERT INTO otel.otel_logs (Body) VALUES (1)',
    'SELECT 1; DROP TABLE otel.otel_logs',
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT 1 INTO OUTFILE '/tmp/millrace-outfile'",
    'SELEC 1',
  ]) {
    const [status, text] = await ask(sql);
    expect([sql, status >= 400 && status < 600]).toEqual([sql, true]);
    expect(text).toMatch(/Code: \d+\. DB::Exception: /);
  }
  await stillWorks('after bad sql');
});
