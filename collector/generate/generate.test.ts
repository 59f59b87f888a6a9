import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { nodeHost } from '../../broker/host/node-host.ts';
import { readLogs } from '../../broker/records/otlp/read-logs.ts';
import { exportResponse } from '../../broker/records/otlp/responses.ts';
import { contentOf } from './content.ts';
import { generate, type GenerateOptions } from './generate.ts';

interface Received {
  readonly source: string;
  readonly sequence: string;
  readonly sequences: number[];
}

let server: Server;
let endpoint: string;
let received: Received[];
/** Status for the nth request; 0 breaks the connection after taking it. */
let answer: (nth: number) => number;

beforeEach(async () => {
  received = [];
  answer = () => 200;
  let nth = 0;
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const status = answer(nth);
      nth += 1;
      if (status === 200 || status === 0) received.push(receivedOf(request.headers, Buffer.concat(chunks)));
      if (status === 0) request.socket.destroy();
      else response.writeHead(status, { 'retry-after': '0.01' }).end(exportResponse('logs', 'protobuf'));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

test('every sequence number once, each source in order, everything acknowledged', async () => {
  const report = await generate(options({ total: 1_050 }), nodeHost());
  const sequences = received.flatMap((one) => one.sequences).toSorted((left, right) => left - right);
  expect(sequences).toEqual([...Array.from({ length: 1_050 }).keys()]);
  expect(report).toMatchObject({
    sent: 1_050,
    acknowledged: 1_050,
    unknown: 0,
    rejected: 0,
    acknowledgedThrough: 1_049,
  });
  for (const source of ['generate:r1:0', 'generate:r1:1']) {
    const own = received.filter((one) => one.source === source);
    expect(own.map(({ sequence }) => Number(sequence))).toEqual(own.map((_, index) => index));
    expect(report.lastAcknowledged[source]).toBe(Math.max(...own.flatMap((one) => one.sequences)));
  }
});

test('429, 503 and broken connections are tried again, with the same sequence', async () => {
  const statuses = [429, 503, 0];
  answer = (nth) => statuses[nth] ?? 200;
  const report = await generate(options({ senders: 1, total: 300 }), nodeHost());
  expect(report).toMatchObject({ acknowledged: 300, unknown: 0, retries: 3 });
  expect(report.failures).toMatchObject({ 'status 429': 1, 'status 503': 1 });
  expect(received.map(({ sequence }) => sequence)).toEqual(['0', '0', '1', '2']);
});

test('what nobody answers is unknown, not acknowledged', async () => {
  answer = (nth) => (nth < 2 ? 200 : 503);
  const report = await generate(options({ senders: 1, total: 400, graceMs: 100 }), nodeHost());
  expect(report).toMatchObject({ acknowledged: 200, unknown: 200, acknowledgedThrough: 199 });
  expect(report.unknownRanges).toEqual([
    [200, 299],
    [300, 399],
  ]);
});

test('a refusal for good is counted and not repeated', async () => {
  answer = () => 400;
  const report = await generate(options({ senders: 1, total: 100 }), nodeHost());
  expect(report).toMatchObject({ acknowledged: 0, rejected: 100, retries: 0 });
});

test('an abort ends the run; the report stays true', async () => {
  const abort = new AbortController();
  answer = (nth) => {
    if (nth === 2) abort.abort();
    return 200;
  };
  const report = await generate(options({ senders: 1, total: 100_000, signal: abort.signal }), nodeHost());
  expect(report.acknowledged).toBeLessThanOrEqual(300);
  expect(report.acknowledged + report.unknown).toBe(report.sent);
});

describe('content', () => {
  test('is decided by seed and sequence', () => {
    expect(contentOf(7, 123)).toEqual(contentOf(7, 123));
    expect(contentOf(7, 123)).not.toEqual(contentOf(7, 124));
    expect(contentOf(8, 123)).not.toEqual(contentOf(7, 123));
  });

  test('has several services, levels and forms, JSON that parses, and stack traces', () => {
    const all = Array.from({ length: 5_000 }, (_, sequence) => contentOf(1, sequence));
    expect(new Set(all.map(({ service }) => service)).size).toBe(7);
    expect(new Set(all.map(({ record }) => record.severityText)).size).toBeGreaterThanOrEqual(4);
    const bodies = all.map(({ record }) => record.body as string);
    const json = bodies.filter((body) => body.startsWith('{'));
    expect(json.length).toBeGreaterThan(500);
    for (const body of json) expect(JSON.parse(body)).toHaveProperty('msg');
    expect(bodies.some((body) => body.includes('\n    at '))).toBe(true);
    expect(new Set(bodies).size).toBeGreaterThan(4_500);
  });
});

function options(changes: Partial<GenerateOptions> = {}): GenerateOptions {
  return {
    endpoint,
    run: 'r1',
    seed: 7,
    ratePerSecond: 50_000,
    total: 1_000,
    batchRecords: 100,
    senders: 2,
    graceMs: 5_000,
    ...changes,
  };
}

function receivedOf(headers: Record<string, string | string[] | undefined>, body: Buffer): Received {
  return {
    source: headers['millrace-source'] as string,
    sequence: headers['millrace-sequence'] as string,
    sequences: readLogs(body).map(({ attributes }) => attributes['generate.seq'] as number),
  };
}
