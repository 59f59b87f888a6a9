/**
 * A server with the built viewer and made-up answers of the web API over the real dashboard files: what a
 * browser test needs when no pipeline runs. The same time always gives the same data.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { CONTENT_SECURITY_POLICY } from '../../dashboards/query/viewer-files.ts';

interface FixturePanel {
  id: number;
  type: string;
  title?: string;
  fieldConfig?: { defaults?: { unit?: string } };
  panels?: FixturePanel[];
}

interface FixtureDashboard {
  uid: string;
  title: string;
  tags: string[];
  description: string;
  panels: FixturePanel[];
}

export interface ViewerFixture {
  baseUrl: string;
  /** Sends lines to all live tails. */
  tail(lines: readonly string[], dropped?: number): void;
  /** Live tails that are open. */
  tails(): number;
  close(): Promise<void>;
}

const GRAFANA = fileURLToPath(new URL('../../dashboards/grafana/', import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

/** What a hostile application might log: all of it must stay text. */
export const HOSTILE_LINES: readonly string[] = [
  '<img src=x onerror="globalThis.pwned=1">',
  '<script>globalThis.pwned=1</script>',
  '"><svg onload=globalThis.pwned=1>',
  '[click](javascript:globalThis.pwned=1)',
  '{"msg":"<iframe srcdoc=\'<script>parent.pwned=1</script>\'>"}',
];

const LEVELS = ['info', 'info', 'info', 'debug', 'info', 'warn', 'info', 'error'];
const TEXTS = [
  'GET /api/orders 200 12ms trace=4bf92f3577b34da6',
  'connection from 10.0.3.17:52114 accepted',
  '{"event":"checkout","amount":42.5,"currency":"EUR","items":3}',
  'cache miss for key user:18231, loading from store',
  'segment 000000000000184320 rolled after 1073741824 bytes',
  'retrying request to inventory after 250 ms',
  'healthy: 12 partitions, 3 groups, lag 0',
  'error: cannot reach inventory: connect ECONNREFUSED 10.0.3.9:8443',
];

export async function startViewerFixture(viewerDir: string): Promise<ViewerFixture> {
  const texts = new Map<string, string>();
  const dashboards = readdirSync(GRAFANA)
    .filter((name) => name.endsWith('.json'))
    .map((name) => {
      const text = readFileSync(join(GRAFANA, name), 'utf8');
      const dashboard = JSON.parse(text) as FixtureDashboard;
      texts.set(dashboard.uid, text);
      return dashboard;
    })
    .sort((a, b) => Number(b.title === 'Pipeline') - Number(a.title === 'Pipeline'));
  const tails = new Set<ServerResponse>();

  const routes: [RegExp, (match: RegExpExecArray, url: URL, body: string) => unknown][] = [
    [
      /^\/api\/dashboards$/,
      () => dashboards.map(({ uid, title, tags, description }) => ({ uid, title, tags, description })),
    ],
    [/^\/api\/dashboards\/([^/]+)$/, ([, uid = '']) => texts.get(uid)],
    [
      /^\/api\/dashboards\/([^/]+)\/panels\/(\d+)\/query$/,
      ([, uid, id], _, body) => {
        const panels = dashboards.find((one) => one.uid === uid)?.panels ?? [];
        const panel = panels
          .flatMap((one) => [one, ...(one.panels ?? [])])
          .find((one) => one.id === Number(id));
        return panel && panelAnswer(panel, JSON.parse(body) as PanelQuery);
      },
    ],
    [
      /^\/api\/dashboards\/[^/]+\/variables\/(\w+)$/,
      ([, name]) =>
        ['shop', 'inventory', 'payments'].map((one) => ({ value: `${one}-${name}`, text: `${one}-${name}` })),
    ],
    [/^\/loki\/api\/v1\/query_range$/, (_, url) => lokiAnswer(url)],
    [/^\/metrics$/, () => METRICS],
    [/^\/api\/status$/, () => STATUS],
    [/^\/api\/topics$/, () => TOPICS],
    [/^\/api\/groups$/, () => GROUPS],
    [/^\/api\/v1\/rules$/, () => RULES],
    [/^\/api\/alerts\/notifications$/, () => NOTIFICATIONS],
  ];

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    let body = '';
    for await (const chunk of request) body += String(chunk);
    if (url.pathname === '/api/tail') {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
      response.write(': open\n\n');
      tails.add(response);
      request.on('close', () => tails.delete(response));
      return;
    }
    for (const [pattern, make] of routes) {
      const match = pattern.exec(url.pathname);
      if (!match) continue;
      const made = make(match, url, body);
      const failed = made === undefined || made instanceof Error;
      const json = failed ? { message: made instanceof Error ? made.message : 'not found' } : made;
      response.writeHead(failed ? (made === undefined ? 404 : 400) : 200, {
        'content-type': 'application/json',
      });
      response.end(typeof json === 'string' ? json : JSON.stringify(json));
      return;
    }
    const asset = /^\/assets\/[\w.-]+$/.test(url.pathname) ? url.pathname : '/index.html';
    const file = await readFile(join(viewerDir, asset)).catch(() => undefined);
    response.writeHead(file ? 200 : 404, {
      'content-type': TYPES[extname(asset)] ?? 'text/plain',
      'content-security-policy': CONTENT_SECURITY_POLICY,
    });
    response.end(file ?? 'not found');
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((cause: unknown) => response.destroy(cause as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  let sequence = 0;
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tails: () => tails.size,
    tail(lines, dropped = 0) {
      const now = BigInt(Date.now()) * 1_000_000n;
      const message = lines.map((line) => ({
        timestampNs: String(now + BigInt(sequence++)),
        line,
        labels: { service_name: 'live', level: 'info' },
      }));
      const data = JSON.stringify({ lines: message, dropped });
      for (const response of tails) response.write(`id: ${sequence}\nevent: lines\ndata: ${data}\n\n`);
    },
    async close() {
      for (const response of tails) response.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

interface PanelQuery {
  from: number;
  to: number;
  maxDataPoints: number;
}

const SIZES: Readonly<Record<string, number>> = { bytes: 3e8, Bps: 4e5, percentunit: 0.3, s: 12, short: 900 };

function panelAnswer(panel: FixturePanel, { from, to, maxDataPoints }: PanelQuery): unknown {
  if (panel.type === 'logs') return { frames: [logsFrame(from, to)], intervalMs: 1000 };
  const title = (panel.title ?? '').toLowerCase();
  const [label, names] = seriesNames(panel.type, title);
  const stepMs = Math.max(1000, Math.ceil((to - from) / Math.min(300, maxDataPoints) / 1000) * 1000);
  const times: number[] = [];
  for (let time = Math.ceil(from / stepMs) * stepMs; time <= to; time += stepMs) times.push(time);
  const size = SIZES[panel.fieldConfig?.defaults?.unit ?? 'short'] ?? 100;
  const fields = names.map((name, index) => ({
    name: 'Value',
    type: 'number',
    ...(label === '' ? {} : { labels: { [label]: name } }),
    values: times.map((time) => size * wave(time / 60_000, panel.id * 7 + index)),
  }));
  return {
    frames: [{ refId: 'A', fields: [{ name: 'time', type: 'time', values: times }, ...fields] }],
    intervalMs: stepMs,
  };
}

function seriesNames(type: string, title: string): [string, string[]] {
  if (type === 'stat') return ['', ['one']];
  if (title.includes('level')) return ['level', ['debug', 'error', 'info', 'warn']];
  if (title.includes('topic') || title.includes('retention'))
    return ['topic', ['otlp_logs', 'otlp_metrics', 'otlp_spans']];
  if (title.includes('table')) return ['table', ['otel_logs', 'otel_metrics_gauge', 'otel_metrics_sum']];
  if (title.includes('lag') || title.includes('unread'))
    return ['group', ['millrace-sink', 'millrace-alerts']];
  if (title.includes('part')) return ['part', ['broker', 'collector', 'sink', 'store', 'web']];
  if (title.includes('mode')) return ['mode', ['user', 'system', 'iowait', 'idle']];
  return ['name', ['first', 'second']];
}

/** Between about 0 and 1, smooth with some noise. */
function wave(minutes: number, seed: number): number {
  const noise = Math.abs(Math.sin((minutes * 60 + seed * 13.7) * 12.9898) * 43_758.5453) % 1;
  const slow = 0.5 + 0.3 * Math.sin(minutes / 2.3 + seed) + 0.12 * Math.sin(minutes * 1.7 + seed * 2);
  return Math.max(0, slow * (0.5 + ((seed * 37) % 10) / 14) + 0.06 * noise);
}

function lineAt(index: number): { line: string; level: string } {
  if (index === 3) return { line: `\u001b[32mready\u001b[0m on \u001b[1mport 8080\u001b[0m`, level: 'info' };
  if (index === 9) return { line: `long ${'x'.repeat(20_000)}`, level: 'debug' };
  if (index >= 12 && index < 12 + HOSTILE_LINES.length) {
    return { line: HOSTILE_LINES[index - 12] ?? '', level: 'warn' };
  }
  return {
    line: `${TEXTS[(index * 5) % TEXTS.length] ?? ''} #${index}`,
    level: LEVELS[(index * 5) % LEVELS.length] ?? 'info',
  };
}

function logsFrame(from: number, to: number): unknown {
  const rows = Array.from({ length: 400 }, (_, index) => ({
    time: to - index * ((to - from) / 500),
    ...lineAt(index),
  }));
  return {
    refId: 'A',
    fields: [
      { name: 'timestamp', type: 'time', values: rows.map(({ time }) => Math.round(time)) },
      { name: 'body', type: 'string', values: rows.map(({ line }) => line) },
      { name: 'level', type: 'string', values: rows.map(({ level }) => level) },
      {
        name: 'service',
        type: 'string',
        values: rows.map((_, index) => ['shop', 'inventory', 'payments'][index % 3]),
      },
      {
        name: 'resource',
        type: 'other',
        values: rows.map(() => ({ 'service.name': 'shop', 'host.name': 'node-1' })),
      },
    ],
  };
}

const LINES_TOTAL = 1200;

function lokiAnswer(url: URL): unknown {
  const query = url.searchParams.get('query') ?? '';
  const start = BigInt(url.searchParams.get('start') ?? '0');
  const end = BigInt(url.searchParams.get('end') ?? '0');
  if (!query.includes('}'))
    return new Error('parse error at line 1, col 15: unexpected end of input, want "}"');
  if (/^\s*sum/.test(query)) {
    const stepMs = Number.parseInt(url.searchParams.get('step') ?? '60000', 10);
    const series = ['error', 'warn', 'info', 'debug'].map((level, index) => ({
      metric: { level },
      values: Array.from({ length: Math.floor(Number((end - start) / 1_000_000n) / stepMs) }, (_, at) => {
        const ms = Number(start / 1_000_000n) + (at + 1) * stepMs;
        return [ms / 1000, String(Math.round(200 * wave(ms / 60_000, index) * [0.1, 0.2, 1, 0.5][index]!))];
      }),
    }));
    return { status: 'success', data: { resultType: 'matrix', result: series } };
  }
  // Line n stands at a fixed place in the hour before the range's rounded end, so that pages fit together.
  const step = 3_000_000_000n;
  const newest = (end / step) * step;
  const limit = Number(url.searchParams.get('limit') ?? '100');
  const streams = new Map<string, [string, string][]>();
  const base = BigInt(Math.floor(Date.now() / 3_600_000)) * 3_600_000_000_000n + 3_600_000_000_000n;
  let given = 0;
  for (let time = newest; time >= start && given < limit; time -= step) {
    if (time >= end) continue;
    const index = Number((base - time) / step) % LINES_TOTAL;
    const { line, level } = lineAt(given < 40 ? given : index + 40);
    const stream = JSON.stringify({
      service_name: ['shop', 'inventory', 'payments'][index % 3],
      host_name: 'node-1',
      level,
    });
    streams.set(stream, [...(streams.get(stream) ?? []), [String(time + BigInt(index)), line]]);
    given += 1;
  }
  return {
    status: 'success',
    data: {
      resultType: 'streams',
      result: [...streams].map(([stream, values]) => ({ stream: JSON.parse(stream) as object, values })),
    },
  };
}

const part = (name: string, pid: number, port: Record<string, number>) => ({
  name,
  state: 'running',
  version: '0.1.0',
  pid,
  restarts: 0,
  uptimeMs: 3_725_000,
  addresses: Object.fromEntries(
    Object.entries(port).map(([key, value]) => [key, { host: 'localhost', port: value }]),
  ),
});

const STATUS = {
  version: '0.1.0',
  clickhouse: 'ready',
  startedAt: '2026-11-22T08:00:00.000Z',
  addresses: { web: { host: 'localhost', port: 3100 } },
  parts: [
    part('broker', 4711, { kafka: 9092 }),
    part('collector', 4712, { otlpHttp: 4318 }),
    part('store', 4713, { clickhouse: 8123 }),
    part('sink', 4714, {}),
    { ...part('alerts', 4720, {}), state: 'restarting', restarts: 2 },
  ],
};

const TOPICS = ['otlp_logs', 'otlp_metrics', 'otlp_spans', 'millrace.alerts'].map((topic, index) => ({
  name: topic,
  topicId: `id-${index}`,
  internal: false,
  partitions: index === 3 ? 1 : 12,
  records: [184_320, 92_117, 0, 214][index],
}));

const GROUPS = [
  {
    groupId: 'millrace-sink',
    state: 'Stable',
    protocolType: 'consumer',
    members: 1,
    topics: [
      { topic: 'otlp_logs', partitions: 12, lag: 12 },
      { topic: 'otlp_metrics', partitions: 12, lag: 0 },
    ],
  },
  {
    groupId: 'millrace-alerts',
    state: 'PreparingRebalance',
    protocolType: 'consumer',
    members: 0,
    topics: [{ topic: 'otlp_logs', partitions: 12, lag: 4312 }],
  },
];

const METRICS = `# TYPE kafka_topic_size_bytes gauge
kafka_topic_size_bytes{topic="otlp_logs",part="broker"} 412000000
kafka_topic_size_bytes{topic="otlp_metrics",part="broker"} 88000000
kafka_topic_retention_used_ratio{topic="otlp_logs",part="broker"} 0.41
kafka_consumergroup_lag_seconds{group="millrace-sink",topic="otlp_logs",part="broker"} 0.4
kafka_consumergroup_lag_seconds{group="millrace-alerts",topic="otlp_logs",part="broker"} 95
process_resident_memory_bytes{part="broker"} 78000000
process_resident_memory_bytes{part="store"} 412000000
`;

const RULES = {
  status: 'success',
  data: {
    groups: [
      {
        name: 'shop',
        file: 'rules/shop.yaml',
        interval: 15,
        rules: [
          {
            name: 'ShopErrors',
            type: 'alerting',
            query: 'sum by (service_name) (count_over_time({service_name="shop"} |= "error" [1m])) > 5',
            state: 'firing',
            duration: 60,
            health: 'ok',
            labels: { severity: 'page', team: 'shop' },
            annotations: {
              summary: 'The shop logs more than 5 errors a minute',
              runbook: 'https://example.org/<b>',
            },
            alerts: [
              {
                state: 'firing',
                labels: { alertname: 'ShopErrors', service_name: 'shop' },
                annotations: { summary: '17 errors in the last minute' },
                activeAt: new Date(Date.now() - 184_000).toISOString(),
                value: '17',
              },
            ],
          },
          {
            name: 'ShopSilent',
            type: 'alerting',
            query: 'absent_over_time({service_name="shop"}[5m])',
            state: 'inactive',
            health: 'ok',
          },
          {
            name: 'SlowCheckout',
            type: 'alerting',
            query: 'sum(rate({service_name="shop"} |= "slow" [5m])) > 0.1',
            state: 'pending',
            health: 'ok',
            alerts: [
              {
                state: 'pending',
                labels: {},
                activeAt: new Date(Date.now() - 20_000).toISOString(),
                value: '0.2',
              },
            ],
          },
        ],
      },
    ],
  },
};

const NOTIFICATIONS = [
  {
    id: 'a1',
    status: 'firing',
    labels: { alertname: 'ShopErrors', service_name: 'shop' },
    timings: { appendMs: Date.now() - 124_000, evalMs: Date.now() - 123_970, notifyMs: Date.now() - 123_938 },
    deliveries: { 'webhook http://localhost:5001/': { outcome: 'delivered', attempts: 1 } },
  },
  {
    id: 'a0',
    status: 'resolved',
    labels: { alertname: 'SlowCheckout' },
    timings: { evalMs: Date.now() - 990_000 },
    deliveries: {
      'webhook http://localhost:5001/': { outcome: 'waiting', attempts: 3, lastError: '503 busy' },
    },
  },
];
