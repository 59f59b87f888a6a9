/**
 * Own metrics and logs through OpenTelemetry JS to an OTLP endpoint: normally our own collector, so that the
 * pipeline watches itself with its own means. One process carries the SDK for all parts.
 *
 * It never feeds on itself: metrics leave at a fixed pace whatever they say, and log lines are bounded a second
 * and a queue, with what is dropped counted and told.
 */
import { hostname } from 'node:os';

import { SeverityNumber } from '@opentelemetry/api';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import {
  MeterProvider,
  type MetricProducer,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';

import type { Host } from '../../broker/host/host.ts';
import type { PartLogLine, PartMetrics } from '../process/messages.ts';
import type { TelemetryConfig } from './config.ts';
import { metricDataOf } from './metric-data.ts';

/** Lines a part may send in a second: a part in trouble repeats itself, and must not fill the topic. */
const LINES_PER_SECOND_MAX = 50;

/** The first exports do not wait for a whole interval: a fresh start has something to show at once. */
const EARLY_EXPORTS_MS = [1_500, 3_000];

export interface Telemetry {
  log(line: PartLogLine): void;
  /** Sends what is left, but gives it up after the deadline: an exporter retries for ten seconds. */
  stop(deadlineMs: number): Promise<void>;
}

export function startTelemetry(
  { endpoint, exportIntervalMs }: TelemetryConfig,
  metrics: () => readonly PartMetrics[],
  host: Host,
): Telemetry {
  const base = endpoint.replace(/\/$/, '');
  const producer: MetricProducer = {
    async collect() {
      const nowMs = host.clock.nowMs();
      const data = metrics().flatMap((part) => metricDataOf(part, nowMs));
      const scope = { name: 'millrace' };
      return {
        resourceMetrics: {
          resource: resourceFromAttributes({}),
          scopeMetrics: [{ scope, metrics: data }],
        },
        errors: [],
      };
    },
  };
  const meters = new MeterProvider({
    resource: resourceOf('millrace'),
    readers: [
      new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter({ url: `${base}/v1/metrics` }),
        exportIntervalMillis: exportIntervalMs,
        exportTimeoutMillis: exportIntervalMs,
        metricProducers: [producer],
      }),
    ],
  });
  for (const afterMs of EARLY_EXPORTS_MS.filter((early) => early < exportIntervalMs)) {
    host.timers.after(afterMs, () => void meters.forceFlush().catch(() => undefined));
  }
  const logs = new Map<string, LoggerProvider>();
  const dropped = host.metrics.counter(
    'millrace_telemetry_dropped_lines_total',
    'Own log lines not exported because their part said too much in a second.',
  );
  const budgets = new Map<string, { second: number; left: number }>();

  return {
    log(line) {
      const second = Math.floor(host.clock.nowMs() / 1000);
      let budget = budgets.get(line.part);
      if (!budget || budget.second !== second) {
        budget = { second, left: LINES_PER_SECOND_MAX };
        budgets.set(line.part, budget);
      }
      if (budget.left === 0) {
        dropped.add(1, { part: line.part });
        return;
      }
      budget.left -= 1;
      let provider = logs.get(line.part);
      if (!provider) {
        provider = loggersOf(line.part, base);
        logs.set(line.part, provider);
      }
      emit(provider, line);
    },
    async stop(deadlineMs) {
      const shutdowns = [meters.shutdown(), ...[...logs.values()].map((one) => one.shutdown())];
      await Promise.race([Promise.allSettled(shutdowns), host.timers.sleep(deadlineMs)]);
    },
  };
}

function loggersOf(part: string, base: string): LoggerProvider {
  return new LoggerProvider({
    resource: resourceOf(`millrace-${part}`),
    processors: [
      new BatchLogRecordProcessor({
        exporter: new OTLPLogExporter({ url: `${base}/v1/logs` }),
        scheduledDelayMillis: 1_000,
      }),
    ],
  });
}

function resourceOf(serviceName: string) {
  return resourceFromAttributes({ 'service.name': serviceName, 'host.name': hostname() });
}

function emit(provider: LoggerProvider, { level, message, timeMs, fields }: PartLogLine): void {
  const [severityNumber, severityText] = severityOf(level);
  const attributes: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(fields)) {
    attributes[name] =
      typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
        ? value
        : JSON.stringify(value);
  }
  provider
    .getLogger('millrace')
    .emit({ timestamp: timeMs, severityNumber, severityText, body: message, attributes });
}

function severityOf(level: number): [SeverityNumber, string] {
  if (level >= 60) return [SeverityNumber.FATAL, 'FATAL'];
  if (level >= 50) return [SeverityNumber.ERROR, 'ERROR'];
  if (level >= 40) return [SeverityNumber.WARN, 'WARN'];
  if (level >= 30) return [SeverityNumber.INFO, 'INFO'];
  return [SeverityNumber.DEBUG, 'DEBUG'];
}
