/** The web part: viewer, native API, Loki API, Prometheus API, `/metrics`. */
import { fileURLToPath } from 'node:url';

import type { Host } from '../broker/host/host.ts';
import type { MetricFamily } from '../broker/host/metrics.ts';
import type { Part } from '../broker/host/part.ts';
import { type WebConfig, webConfig } from './config.ts';
import { openClickhouse } from './query/clickhouse.ts';
import { dashboardRoutes } from './query/dashboard-routes.ts';
import { listen } from './query/listen.ts';
import { createServer } from './query/server.ts';
import { viewerFiles } from './query/viewer-files.ts';

export { type WebConfig, webConfig } from './config.ts';

/** What the supervisor knows of the other parts; absent when the web part runs alone. */
export interface WebSources {
  /** The latest metrics of every part, this one included. */
  families(): ReadonlyArray<{ readonly part: string; readonly families: readonly MetricFamily[] }>;
  parts?(): readonly PartStatus[];
}

export interface PartStatus {
  readonly name: string;
  readonly state: string;
  readonly [detail: string]: unknown;
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1']);

/** Throws when the port cannot be had; ClickHouse and Kafka may come later. */
export async function start(config: WebConfig, host: Host, sources?: WebSources): Promise<Part> {
  void sources;
  const checked = webConfig.parse(config);
  const clickhouse = openClickhouse(checked.clickhouse, checked.limits);
  const app = createServer(host, { localNamesOnly: LOOPBACK.has(checked.host) });
  const dashboardsDir = checked.dashboardsDir ?? fileURLToPath(new URL('./grafana', import.meta.url));
  dashboardRoutes(app, { clickhouse, dashboardsDir, log: host.log });
  await viewerFiles(app, checked.viewerDir);
  const listening = await listen(app, checked.host, checked.port).catch(async (error: unknown) => {
    await clickhouse.close();
    throw error;
  });
  const { port } = listening;
  host.log.info({ host: checked.host, port }, 'web server listens');

  let stopped: Promise<void> | undefined;
  return {
    addresses: { web: { host: checked.host, port } },
    stop(deadlineMs) {
      stopped ??= Promise.race([
        listening.close().then(() => clickhouse.close()),
        host.timers.sleep(deadlineMs),
      ]).catch((error: unknown) =>
        host.log.warn({ error: String(error) }, 'web server did not stop cleanly'),
      );
      return stopped;
    },
  };
}
