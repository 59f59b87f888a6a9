import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import type { Host } from '../../broker/host/host.ts';
import { nodeHost } from '../../broker/host/node-host.ts';
import { readMetrics } from '../../broker/records/otlp/read-metrics.ts';
import { eventually } from '../../test/support/eventually.ts';
import { oracleEncode } from '../../test/support/otlp-oracle.ts';
import { linesIn } from '../../test/support/tailing.ts';
import { agentConfig } from './config.ts';
import { type Agent, start } from './main.ts';

interface Request {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What the collector answers; `undefined` is a plain 200. */
type Answer = { status: number; headers?: Record<string, string>; body?: Buffer } | undefined;

let root: string;
let server: Server;
let port: number;
let answer: (request: Request) => Answer;
let taken: Request[];
let refused: Request[];
const agents: Agent[] = [];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'millrace-agent-'));
  answer = () => undefined;
  taken = [];
  refused = [];
  server = collector();
  await listen(0);
});

afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop(1_000);
  server.closeAllConnections();
  server.close();
  rmSync(root, { recursive: true });
});

function collector(): Server {
  return createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const request = { url: incoming.url ?? '', headers: incoming.headers, body: Buffer.concat(chunks) };
      const said = answer(request);
      (said && said.status !== 200 ? refused : taken).push(request);
      response.writeHead(said?.status ?? 200, said?.headers).end(said?.body);
    });
  });
}

async function listen(on: number): Promise<void> {
  await new Promise<void>((resolve) => void server.listen(on, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
}

async function begin(config: object = {}, host: Host = nodeHost()): Promise<Agent> {
  const agent = await start(
    agentConfig.parse({
      dataDir: join(root, '.agent'),
      collector: `http://127.0.0.1:${port}`,
      files: [{ path: join(root, 'app.log'), serviceName: 'shop' }],
      hostMetrics: { enabled: false },
      retry: { initialMs: 5, maxMs: 20 },
      tail: { pollIntervalMs: 10 },
      ...config,
    }),
    host,
  );
  agents.push(agent);
  return agent;
}

function texts(): string[] {
  return taken
    .filter(({ url }) => url === '/v1/logs')
    .flatMap(({ body }) => linesIn(body).map(({ text }) => text));
}

function count(host: Host, name: string): Record<string, number> {
  const family = host.metrics.snapshot().find((one) => one.name === `millrace_agent_${name}`);
  return Object.fromEntries(
    (family?.series ?? []).map(({ labels, value }) => [labels['reason'] ?? '', value]),
  );
}

const file = (): string => join(root, 'app.log');

test('lines arrive with their source, a rising sequence and their service', async () => {
  writeFileSync(file(), 'one\ntwo\n');
  const agent = await begin();
  await eventually(() => expect(texts()).toEqual(['one', 'two']));
  appendFileSync(file(), 'three\n');
  await eventually(() => expect(texts()).toEqual(['one', 'two', 'three']));
  expect(linesIn(taken[0]!.body)[0]!.service).toBe('shop');
  expect(taken[0]!.headers['content-type']).toBe('application/x-protobuf');
  expect(taken.map(({ headers }) => headers['millrace-sequence'])).toEqual(['8', '14']);
  const sources = new Set(taken.map(({ headers }) => headers['millrace-source']));
  expect(sources.size).toBe(1);
  expect([...sources][0]).toContain(`${agent.status().agentId}/`);
});

test('a collector that is away is waited for; nothing is lost or sent twice', async () => {
  const first = port;
  server.close();
  server.closeAllConnections();
  writeFileSync(file(), 'one\ntwo\n');
  const host = nodeHost();
  await begin({}, host);
  await eventually(() => expect(count(host, 'retried_requests_total')['unreachable']).toBeGreaterThan(1));
  appendFileSync(file(), 'three\n');
  server = collector();
  await listen(first);
  await eventually(() => expect(texts()).toEqual(['one', 'two', 'three']));
});

test.each([429, 502, 503, 504, 500, 404])(
  'status %i: the same bytes again, under the same number',
  async (status) => {
    writeFileSync(file(), 'one\ntwo\n');
    answer = () => (refused.length < 3 ? { status, headers: { 'retry-after': '0' } } : undefined);
    await begin();
    await eventually(() => expect(texts()).toEqual(['one', 'two']));
    const all = [...refused, ...taken];
    expect(new Set(all.map(({ body }) => body.toString('hex'))).size).toBe(1);
    expect(new Set(all.map(({ headers }) => headers['millrace-sequence']))).toEqual(new Set(['8']));
  },
);

test('Retry-After is honoured, up to a minute', async () => {
  writeFileSync(file(), 'one\n');
  answer = () =>
    refused.length < 2
      ? { status: 503, headers: { 'retry-after': String(7 + refused.length * 1e6) } }
      : undefined;
  const slept: number[] = [];
  const real = nodeHost();
  const sleep = async (delayMs: number): Promise<void> => void slept.push(delayMs);
  await begin({}, { ...real, timers: { ...real.timers, sleep } });
  await eventually(() => expect(texts()).toEqual(['one']));
  expect(slept.map((ms) => Math.floor(ms / 1_000))).toEqual([7, 60]);
});

test.each([400, 413])('status %i: the offending record alone is dropped and counted', async (status) => {
  const lines = Array.from({ length: 50 }, (_, i) => (i === 17 ? 'poison' : `line ${i}`));
  writeFileSync(file(), lines.map((line) => `${line}\n`).join(''));
  answer = ({ body }) => (body.includes('poison') ? { status } : undefined);
  const host = nodeHost();
  await begin({}, host);
  await eventually(() => expect(texts()).toHaveLength(49));
  expect(texts()).toEqual(lines.filter((line) => line !== 'poison'));
  await eventually(() => expect(count(host, 'dropped_records_total')).toEqual({ [status]: 1 }));
  const sequences = taken.map(({ headers }) => Number(headers['millrace-sequence']));
  expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
});

test('records that a partial success names as rejected are counted', async () => {
  writeFileSync(file(), 'one\ntwo\n');
  const body = oracleEncode('ExportLogsResponse', {
    partialSuccess: { rejectedLogRecords: 1, errorMessage: 'no' },
  });
  answer = () => ({ status: 200, body });
  const host = nodeHost();
  await begin({}, host);
  await eventually(() => expect(count(host, 'dropped_records_total')).toEqual({ rejected: 1 }));
});

test('a stop sends what was written just before, and the next start goes on behind it', async () => {
  writeFileSync(file(), 'one\n');
  const agent = await begin({ tail: { pollIntervalMs: 60_000 } });
  await eventually(() => expect(texts()).toEqual(['one']));
  appendFileSync(file(), 'two\n');
  await agent.stop(5_000);
  expect(texts()).toEqual(['one', 'two']);
  appendFileSync(file(), 'three\n');
  await begin();
  await eventually(() => expect(texts()).toEqual(['one', 'two', 'three']));
});

test('a stop does not wait longer than its deadline for a collector that does not answer', async () => {
  writeFileSync(file(), 'one\n');
  answer = () => ({ status: 503 });
  const agent = await begin();
  await eventually(() => expect(refused.length).toBeGreaterThan(0));
  await agent.stop(600);
  answer = () => undefined;
  await begin();
  await eventually(() => expect(texts()).toEqual(['one']));
});

test('the first host sample comes at once, the next with utilisation', async () => {
  await begin({ files: [], hostMetrics: { intervalMs: 50 } });
  await eventually(() => expect(taken.filter(({ url }) => url === '/v1/metrics').length).toBeGreaterThan(1));
  const metrics = taken.flatMap(({ body }) => readMetrics(body));
  expect(metrics[0]!.resource.attributes).toMatchObject({ 'service.name': 'host', 'host.name': hostname() });
  const names = new Set(metrics.map(({ name }) => name));
  for (const name of [
    'system.cpu.time',
    'system.memory.usage',
    'system.cpu.load_average.1m',
    'system.uptime',
  ]) {
    expect(names).toContain(name);
  }
  await eventually(() => {
    const all = taken.flatMap(({ body }) => readMetrics(body).map(({ name }) => name));
    expect(all).toContain('system.cpu.utilization');
  });
});

test('a data directory that cannot be used stops the start', async () => {
  writeFileSync(join(root, 'plain'), '');
  await expect(begin({ dataDir: join(root, 'plain/agent') })).rejects.toThrow(
    /^cannot use data directory .*: got ENOTDIR, want one to read and write$/,
  );
});
