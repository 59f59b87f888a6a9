/** The web part: viewer, native API, Loki API, Prometheus API, `/metrics`. */
import { fileURLToPath } from 'node:url';

import { openKafka } from '../broker/client/kafkajs.ts';
import type { Host } from '../broker/host/host.ts';
import { listen } from '../broker/host/listen-fastify.ts';
import type { MetricFamily } from '../broker/host/metrics.ts';
import type { Part } from '../broker/host/part.ts';
import { SIGNAL_TOPICS } from '../broker/records/topics.ts';
import { alertsView } from '../sinks/alerts/view.ts';
import { type WebConfig, webConfig } from './config.ts';
import { alertRoutes } from './query/alert-routes.ts';
import { openClickHouseReader } from './query/clickhouse-reader.ts';
import { dashboardRoutes } from './query/dashboard-routes.ts';
import { kafkaRoutes } from './query/kafka-routes.ts';
import { lokiRoutes } from './query/loki-routes.ts';
import { createServer } from './query/server.ts';
import { statusRoutes } from './query/status-routes.ts';
import { createTailHub } from './query/tail-hub.ts';
import { tailRoutes } from './query/tail-routes.ts';
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

/** As in package.json; a test compares them. */
const VERSION = '0.1.0';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1']);

/** Throws when the port cannot be had; ClickHouse and Kafka may come later. */
export async function start(config: WebConfig, host: Host, sources?: WebSources): Promise<Part> {
  const checked = webConfig.parse(config);
  const clickhouse = openClickHouseReader(checked.clickhouse, checked.limits);
  const app = createServer(host, { localNamesOnly: LOOPBACK.has(checked.host) });
  const dashboardsDir = checked.dashboardsDir ?? fileURLToPath(new URL('./grafana', import.meta.url));
  const kafka = await openKafka({ ...checked.kafka, clientId: 'millrace-web' }, host);
  const { clickhouse: store, kafka: log } = checked;
  statusRoutes(app, {
    host,
    clickhouse,
    sources,
    version: VERSION,
    addresses: { clickhouse: store.url, kafka: log.brokers },
  });
  kafkaRoutes(app, kafka);
  tailRoutes(app, createTailHub(kafka, host, SIGNAL_TOPICS.logs), host, checked.tail);
  lokiRoutes(app, { clickhouse, host, version: VERSION, linesMax: 5_000 });
  const alerts = alertsView(kafka, host);
  alertRoutes(app, alerts);
  dashboardRoutes(app, { clickhouse, dashboardsDir, log: host.log });
  await viewerFiles(app, checked.viewerDir);
  const listening = await listen(app, checked.host, checked.port).catch(async (error: unknown) => {
    await Promise.all([clickhouse.close(), alerts.close().then(() => kafka.close())]);
    throw error;
  });
  const { port } = listening;
  host.log.info({ host: checked.host, port }, 'web server listens');

  const close = async (): Promise<void> => {
    await Promise.all([listening.close(), alerts.close()]);
    await Promise.all([clickhouse.close(), kafka.close()]);
  };
  const stop = async (deadlineMs: number): Promise<void> => {
    try {
      await Promise.race([close(), host.timers.sleep(deadlineMs)]);
    } catch (error) {
      host.log.warn({ error: String(error) }, 'web server did not stop cleanly');
    }
  };
  let stopped: Promise<void> | undefined;
  return {
    addresses: { web: { host: checked.host, port } },
    stop(deadlineMs) {
      stopped ??= stop(deadlineMs);
      return stopped;
    },
  };
}
