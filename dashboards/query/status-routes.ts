/** Is it alive, is it ready, what runs where, and what it counts. */
import type { FastifyInstance } from 'fastify';

import type { Host } from '../../broker/host/host.ts';
import type { WebSources } from '../main.ts';
import type { ClickHouseReader } from './clickhouse-reader.ts';
import { PROMETHEUS_TEXT, prometheusText } from './prometheus-text.ts';
import { QueryError } from './query-error.ts';

export interface StatusRoutes {
  readonly host: Host;
  readonly clickhouse: ClickHouseReader;
  readonly sources: WebSources | undefined;
  readonly version: string;
  readonly addresses: Readonly<Record<string, unknown>>;
}

export function statusRoutes(app: FastifyInstance, routes: StatusRoutes): void {
  const { host, clickhouse, sources, version, addresses } = routes;
  const startedMs = host.clock.nowMs();

  // Alive is this process; ready is what most of its answers need.
  app.get('/health', async () => ({ status: 'ok' }));
  app.get('/ready', async (_request, reply) => {
    if (!(await clickhouse.ping())) throw new QueryError(503, 'not ready: ClickHouse does not answer');
    return reply.type('text/plain; charset=utf-8').send('ready\n');
  });

  app.get('/metrics', (_request, reply) => {
    const families = sources?.families() ?? [{ part: 'web', families: host.metrics.snapshot() }];
    return reply.header('content-type', PROMETHEUS_TEXT).send(prometheusText(families));
  });

  app.get('/api/status', async () => ({
    version,
    node: process.version,
    startedAt: new Date(startedMs).toISOString(),
    now: new Date(host.clock.nowMs()).toISOString(),
    clickhouse: (await clickhouse.ping()) ? 'ready' : 'not reachable',
    addresses,
    parts: sources?.parts?.() ?? [],
  }));
}
