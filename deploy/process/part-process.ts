/**
 * The process of one part, in two lives: under `up`, which configures it over IPC, hears its metrics and stops
 * it; or alone (`millrace broker …`), where signals stop it and it exports its own telemetry.
 */
import pino from 'pino';

import { nodeHost } from '../../broker/host/node-host.ts';
import type { Host } from '../../broker/host/host.ts';
import type { Part } from '../../broker/host/part.ts';
import type { PartName } from '../parts/names.ts';
import { type PartSources, type PartStatus, startPart } from '../parts/start.ts';
import type { TelemetryConfig } from '../telemetry/config.ts';
import type { Telemetry } from '../telemetry/export.ts';
import type { FromPart, PartMetrics, ToPart } from './messages.ts';
import { collectProcessMetrics } from './process-metrics.ts';
import { collectStartGarbage } from './start-garbage.ts';

/** Metrics cross to the supervisor this often: half the shortest export interval. */
const METRICS_PERIOD_MS = 1_000;
export const STOP_DEADLINE_MS = 8_000;
/** The last metrics and lines are worth this much of it. */
const TELEMETRY_STOP_MS = 1_000;
/** After a signal, the supervisor's word that it stops the whole is waited for this long. */
const SUPERVISOR_WORD_MS = 300;

/** Serves a supervisor over IPC until it says stop or goes away. */
export async function serveSupervisor(): Promise<void> {
  const host = newHost();
  const others = new Map<string, PartMetrics>();
  let statuses: readonly PartStatus[] = [];
  let part: Part | undefined;
  let telemetry: Telemetry | undefined;
  let stopping = false;

  const stop = async (deadlineMs: number): Promise<void> => {
    if (stopping) return;
    stopping = true;
    const abandon = setTimeout(() => process.exit(1), deadlineMs + 500);
    abandon.unref();
    await telemetry?.stop(TELEMETRY_STOP_MS);
    await part?.stop(deadlineMs);
    process.exit(0);
  };
  // A signal may reach the whole process group: the supervisor decides who stops when, so it is asked first.
  let ordered = false;
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => {
    host.timers.after(SUPERVISOR_WORD_MS, () => {
      if (!ordered) void stop(STOP_DEADLINE_MS);
    });
  });
  process.on('disconnect', () => void stop(STOP_DEADLINE_MS));

  process.on('message', (message: ToPart) => {
    switch (message.type) {
      case 'start':
        void start(message);
        break;
      case 'stopping':
        ordered = true;
        break;
      case 'stop':
        void stop(message.deadlineMs);
        break;
      case 'metrics':
        others.set(message.metrics.part, message.metrics);
        break;
      case 'parts':
        statuses = message.parts;
        break;
      case 'logs':
        for (const line of message.lines) telemetry?.log(line);
        break;
    }
  });
  send({ type: 'hello' });

  async function start({
    part: name,
    config,
    telemetry: exporting,
  }: ToPart & { type: 'start' }): Promise<void> {
    const sources: PartSources = {
      families: () => [...others.values()].map((one) => ({ part: one.part, families: [...one.families] })),
      parts: () => [...statuses],
    };
    try {
      part = await startPart(name, config, host, sources);
      collectStartGarbage();
    } catch (error) {
      host.log.error({ err: error }, 'cannot start');
      send({ type: 'failed', message: error instanceof Error ? error.message : String(error) }, () =>
        process.exit(1),
      );
      return;
    }
    // Before `ready`: the log lines that were held back follow it at once.
    if (exporting) {
      const { startTelemetry } = await import('../telemetry/export.ts');
      telemetry = startTelemetry(exporting, () => [...others.values()], host);
    }
    send({ type: 'ready', addresses: part.addresses });
    const report = (): void =>
      send({ type: 'metrics', families: host.metrics.snapshot(), startedMs: performance.timeOrigin });
    report();
    host.timers.every(METRICS_PERIOD_MS, report);
  }
}

/** Runs one part in this process until a signal stops it. */
export async function runAlone(
  name: PartName,
  config: unknown,
  exporting: TelemetryConfig | undefined,
): Promise<void> {
  const host = newHost();
  const startedMs = performance.timeOrigin;
  const own = (): PartMetrics => ({ part: name, startedMs, families: host.metrics.snapshot() });
  const sources: PartSources = {
    families: () => [{ part: name, families: host.metrics.snapshot() }],
    parts: () => [],
  };
  const part = await startPart(name, config, host, sources);
  collectStartGarbage();
  host.log.info({ addresses: part.addresses }, `${name} is ready`);
  const telemetry = exporting
    ? (await import('../telemetry/export.ts')).startTelemetry(exporting, () => [own()], host)
    : undefined;
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await telemetry?.stop(TELEMETRY_STOP_MS);
  await part.stop(STOP_DEADLINE_MS);
  process.exit(0);
}

function newHost(): Host {
  const log = pino(
    { base: null, level: process.env['MILLRACE_LOG_LEVEL'] ?? 'info' },
    pino.destination({ fd: 1, sync: true }),
  );
  const host = nodeHost(log);
  collectProcessMetrics(host.metrics);
  // A bug stops this process, not the data: the supervisor starts it again from what is durable.
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'stopped by an unexpected error');
    process.exit(70);
  });
  return host;
}

function send(message: FromPart, then?: () => void): void {
  if (!process.connected) {
    then?.();
    return;
  }
  process.send?.(message, undefined, {}, () => then?.());
}
