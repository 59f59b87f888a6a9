import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, expect, test } from 'vitest';

import { type LogsOptions, lineText, runLogs } from './logs-command.ts';

const apps: FastifyInstance[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

async function serve(routes: (app: FastifyInstance) => void): Promise<string> {
  const app = Fastify({ forceCloseConnections: true });
  apps.push(app);
  routes(app);
  return app.listen({ host: '127.0.0.1', port: 0 });
}

const NOW_MS = 1_700_000_000_000;

async function run(url: string, more: Partial<LogsOptions> = {}): Promise<{ out: string; said: string[] }> {
  let out = '';
  const said: string[] = [];
  await runLogs({
    url,
    query: '{}',
    sinceMs: 3_600_000,
    follow: false,
    limit: undefined,
    output: 'raw',
    write: (text) => void (out += text),
    warn: (text) => void said.push(text),
    nowMs: () => NOW_MS,
    sleep: () => Promise.resolve(),
    ...more,
  });
  return { out, said };
}

/** Lines of two services; every 700 of them share one time. */
const LINES = Array.from({ length: 12_345 }, (_, i) => ({
  ns: BigInt(NOW_MS - 3_000_000) * 1_000_000n + BigInt(Math.floor(i / 700)),
  service: i % 3 === 0 ? 'a' : 'b',
  line: `line ${i}`,
}));

/** Answers as the server does: ordered by time and place, cut at the limit, grouped into streams. */
function storedLines(app: FastifyInstance, lines: typeof LINES, asked: string[] = []): void {
  app.get('/loki/api/v1/query_range', async (request) => {
    const query = request.query as Record<string, string>;
    asked.push(query['limit']!);
    const [start, end] = [BigInt(query['start']!), BigInt(query['end']!)];
    const inRange = lines.filter(({ ns }) => ns >= start && ns < end);
    if (query['direction'] === 'backward') inRange.reverse();
    const streams = Map.groupBy(inRange.slice(0, Number(query['limit'])), ({ service }) => service);
    const result = [...streams].map(([service, found]) => ({
      stream: { service_name: service },
      values: found.map(({ ns, line }) => [String(ns), line, { structuredMetadata: { level: 'info' } }]),
    }));
    return { status: 'success', data: { resultType: 'streams', result } };
  });
}

/** Within a service in order; all there, once. */
function expectLines(out: string, want: typeof LINES): void {
  const got = out.split('\n').slice(0, -1);
  const bySource = (lines: string[]) =>
    ['a', 'b'].map((service) => lines.filter((line) => LINES[Number(line.slice(5))]?.service === service));
  expect(bySource(got)).toEqual(bySource(want.map(({ line }) => line)));
  expect(got).toHaveLength(want.length);
}

test('all lines of a long time, page by page', async () => {
  const asked: string[] = [];
  const url = await serve((app) => storedLines(app, LINES, asked));
  expectLines((await run(url)).out, LINES);
  expect(asked.length).toBeGreaterThan(2);
});

test.each([1, 10, 5_000, 7_777, 99_999])('the newest %i lines, oldest first', async (limit) => {
  const url = await serve((app) => storedLines(app, LINES));
  const { out } = await run(url, { limit });
  // Of the oldest time only some are wanted: any of them, as long as the number is right.
  expect(out.split('\n').slice(0, -1)).toHaveLength(Math.min(limit, LINES.length));
  const times = out
    .split('\n')
    .slice(0, -1)
    .map((line) => LINES[Number(line.slice(5))]!.ns);
  expect(times).toEqual(times.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
  if (limit >= LINES.length) expectLines(out, LINES);
});

test('more lines of one time than a page holds are an error, no loop', async () => {
  const same = LINES.slice(0, 6_000).map((line) => ({ ...line, ns: LINES[0]!.ns }));
  const url = await serve((app) => storedLines(app, same));
  await expect(run(url)).rejects.toThrow('of one time');
});

const LINE = {
  timestampNs: '1700000000123456789',
  line: 'payment declined',
  labels: { service_name: 'shop', level: 'error' },
};

test.each([
  ['default', LINE, '2023-11-14T22:13:20.123Z shop error payment declined'],
  ['default', { ...LINE, labels: { level: 'unknown' } }, '2023-11-14T22:13:20.123Z - payment declined'],
  ['raw', LINE, 'payment declined'],
  ['jsonl', LINE, JSON.stringify({ timestampNs: LINE.timestampNs, labels: LINE.labels, line: LINE.line })],
] as const)('output %s', (output, line, want) => {
  expect(lineText(line, output)).toBe(want);
});

test('follow goes on after a broken connection where it stopped', async () => {
  const seen: Array<string | undefined> = [];
  const stop = new AbortController();
  const event = (id: string, line: string, dropped = 0): string =>
    `event: lines\nid: ${id}\ndata: ${JSON.stringify({ lines: [{ ...LINE, line }], dropped })}\n\n`;
  const url = await serve((app) => {
    app.get('/api/tail', (request, reply) => {
      seen.push(request.headers['last-event-id'] as string | undefined);
      reply.hijack();
      reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
      if (seen.length === 1) {
        reply.raw.write(`id: 0:1\n\n${event('0:2', 'one')}: still here\n\n`);
        // In the middle of an event: what is cut off was not printed, and comes again.
        reply.raw.end(event('0:3', 'two').slice(0, 40));
      } else reply.raw.write(event('0:3', 'two', 7));
    });
  });
  let out = '';
  const said: string[] = [];
  await run(url, {
    follow: true,
    signal: stop.signal,
    warn: (text) => void said.push(text),
    write: (text) => {
      out += text;
      if (out.includes('two')) stop.abort();
    },
  });
  expect(out).toBe('one\ntwo\n');
  expect(seen).toEqual([undefined, '0:2']);
  expect(said.join('\n')).toContain('7 lines were left out');
});

test.each([
  ['a query that cannot be parsed', false, 400, 'cannot parse query'],
  ['the same when following', true, 400, 'cannot parse query'],
  ['an error of the server', false, 503, 'cannot reach ClickHouse'],
])('%s', async (_name, follow, status, message) => {
  const url = await serve((app) => {
    const refuse = {
      handler: (_request: unknown, reply: { code(n: number): { send(b: object): void } }) =>
        reply.code(status).send({ message }),
    };
    app.get('/loki/api/v1/query_range', refuse.handler as never);
    app.get('/api/tail', refuse.handler as never);
  });
  await expect(run(url, { follow })).rejects.toThrow(message);
});

test.each([true, false])('no server, follow: %s', async (follow) => {
  await expect(run('http://127.0.0.1:1', { follow })).rejects.toThrow('cannot reach http://127.0.0.1:1');
});
