import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

import { serviceName } from './service-name.ts';

/** What the agent needs to know, from the environment alone. Plain data: it is handed to the worker. */
export interface Settings {
  /** Where logs go: a full http(s) URL. */
  readonly url: string;
  /** Extra request headers. */
  readonly headers: Readonly<Record<string, string>>;
  readonly resource: Readonly<Record<string, string | number>>;
  /** No line at start. */
  readonly quiet: boolean;
  /**
   * Text kept while the collector is away, bytes. 16 MiB hold about a minute of 1,000 lines/s, and the
   * application's memory cannot grow by more than a small multiple of it.
   */
  readonly queueBytesMax: number;
  /** Longest wait at exit for the last records. */
  readonly exitTimeoutMs: number;
  /** Dropped records are told on stderr at most this often. */
  readonly reportIntervalMs: number;
}

/** Reads the settings; throws an Error "cannot X: got Y, want Z" on an unusable address. */
export function readSettings(env: NodeJS.ProcessEnv, entry: string | undefined): Settings {
  const attributes = pairs(env['OTEL_RESOURCE_ATTRIBUTES']);
  return {
    url: logsUrl(env),
    headers: pairs(env['OTEL_EXPORTER_OTLP_LOGS_HEADERS'] ?? env['OTEL_EXPORTER_OTLP_HEADERS']),
    resource: {
      'host.name': hostname(),
      'service.instance.id': randomUUID(),
      'process.pid': process.pid,
      'process.runtime.name': 'nodejs',
      'process.runtime.version': process.versions.node,
      ...attributes,
      'service.name': env['OTEL_SERVICE_NAME'] || attributes['service.name'] || serviceName(entry),
    },
    quiet: env['MILLRACE_AGENT_QUIET'] === '1',
    queueBytesMax: positive(env['MILLRACE_AGENT_QUEUE_BYTES'], 16 * 1024 * 1024),
    exitTimeoutMs: positive(env['MILLRACE_AGENT_EXIT_TIMEOUT_MS'], 1_000),
    reportIntervalMs: positive(env['MILLRACE_AGENT_REPORT_INTERVAL_MS'], 10_000),
  };
}

function logsUrl(env: NodeJS.ProcessEnv): string {
  const logs = env['OTEL_EXPORTER_OTLP_LOGS_ENDPOINT'];
  const base = env['OTEL_EXPORTER_OTLP_ENDPOINT'] || 'http://localhost:4318';
  const text = logs || `${base.replace(/\/+$/, '')}/v1/logs`;
  let url: URL | undefined;
  try {
    url = new URL(text);
  } catch {
    url = undefined;
  }
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new Error(`cannot ship logs: got endpoint ${JSON.stringify(text)}, want an http or https URL`);
  }
  return url.href;
}

/** `a=b,c=d` with percent-encoded values, as the OpenTelemetry variables write it. */
function pairs(text: string | undefined): Record<string, string> {
  const found: Record<string, string> = {};
  for (const part of (text ?? '').split(',')) {
    const at = part.indexOf('=');
    if (at <= 0) continue;
    found[decoded(part.slice(0, at).trim())] = decoded(part.slice(at + 1).trim());
  }
  return found;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function positive(text: string | undefined, otherwise: number): number {
  const value = Number(text);
  return text && Number.isFinite(value) && value > 0 ? value : otherwise;
}
