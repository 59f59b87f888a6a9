import { Backoff } from '../../broker/client/backoff.ts';
import type { Host } from '../../broker/host/host.ts';
import { REQUEST_HEADERS } from '../../broker/records/headers.ts';
import { encodeLogs, type LogRecordToWrite } from '../../broker/records/otlp/write-logs.ts';
import { contentOf } from './content.ts';
import { countFailure, type GenerateReport, newReport, unbrokenEnd } from './report.ts';

export interface GenerateOptions {
  /** Base of an OTLP/HTTP endpoint, `http://localhost:4318`. */
  readonly endpoint: string;
  /** Name of this run, on every record as `generate.run`. */
  readonly run: string;
  readonly seed: number;
  readonly ratePerSecond: number;
  /** Records in all. */
  readonly total: number;
  readonly batchRecords: number;
  /** Requests in flight; each sender is a source with an order of its own. */
  readonly senders: number;
  /** How long after the last record was due unacknowledged batches are still tried. */
  readonly graceMs: number;
  /** Ends the run early: nothing new is sent, what is in flight counts as unknown. */
  readonly signal?: AbortSignal;
  /** Called every second. */
  readonly onProgress?: (progress: Readonly<GenerateReport>) => void;
}

const ATTEMPT_TIMEOUT_MS = 30_000;
const PROGRESS_MS = 1_000;
/** A server may ask for a longer pause than a load generator wants to make. */
const PAUSE_MS_MAX = 5_000;

/**
 * Sends `total` records at a rate, each with its sequence number as `generate.seq` (from 0), and says what became
 * of them, so that an audit can count. A batch is sent again until it is acknowledged: 429, 503 and lost
 * connections cost time, not records.
 */
export async function generate(options: GenerateOptions, host: Host): Promise<GenerateReport> {
  const { total, ratePerSecond, signal } = options;
  const report = newReport(options.run, options.seed, total);
  const startMs = host.clock.monotonicMs();
  const deadlineMs = startMs + (total / ratePerSecond) * 1_000 + options.graceMs;
  const acknowledged: Array<[number, number]> = [];
  let claimed = 0;

  const runSender = async (index: number): Promise<void> => {
    const source = `generate:${options.run}:${index}`;
    for (let sequence = 0; claimed < total && !signal?.aborted; sequence += 1) {
      const first = claimed;
      const count = Math.min(options.batchRecords, total - first);
      claimed += count;
      const earlyMs = startMs + ((first + count) / ratePerSecond) * 1_000 - host.clock.monotonicMs();
      if (earlyMs > 0) await host.timers.sleep(earlyMs, signal);
      if (signal?.aborted) return;
      report.sent += count;
      const body = requestOf(options, host, index, first, count);
      const outcome = await deliver(options, host, { source, sequence, body, deadlineMs }, report);
      if (outcome.kind === 'acknowledged') {
        report.acknowledged += count - outcome.rejected;
        report.rejected += outcome.rejected;
        report.lastAcknowledged[source] = first + count - 1;
        if (outcome.rejected === 0) acknowledged.push([first, first + count - 1]);
      } else if (outcome.kind === 'rejected') {
        report.rejected += count;
      } else {
        report.unknown += count;
        report.unknownRanges.push([first, first + count - 1]);
      }
    }
  };

  const update = (): void => {
    report.seconds = (host.clock.monotonicMs() - startMs) / 1_000;
    report.acknowledgedThrough = unbrokenEnd(acknowledged);
  };
  const cancelProgress = host.timers.every(PROGRESS_MS, () => {
    update();
    options.onProgress?.(report);
  });
  try {
    await Promise.all(Array.from({ length: options.senders }, (_, index) => runSender(index)));
  } finally {
    cancelProgress();
  }
  update();
  return report;
}

function requestOf(
  { seed, run }: GenerateOptions,
  host: Host,
  sender: number,
  first: number,
  count: number,
): Buffer {
  const byService = new Map<string, LogRecordToWrite[]>();
  for (let sequence = first; sequence < first + count; sequence += 1) {
    const { service, record } = contentOf(seed, sequence);
    const now = host.clock.nowNs();
    const records = byService.get(service) ?? [];
    if (records.length === 0) byService.set(service, records);
    records.push({
      ...record,
      timeUnixNano: now,
      observedTimeUnixNano: now,
      attributes: { ...record.attributes, 'generate.run': run, 'generate.seq': sequence },
    });
  }
  return encodeLogs(
    ...[...byService].map(([service, records]) => ({
      resource: {
        attributes: {
          'service.name': service,
          'service.instance.id': `${service}-${sender}`,
          'host.name': `generate-${sender}`,
        },
      },
      scope: { name: 'millrace.generate' },
      records,
    })),
  );
}

type Outcome = { kind: 'acknowledged'; rejected: number } | { kind: 'rejected' } | { kind: 'unknown' };

/** Sends one batch until its fate is known or the time is up. */
async function deliver(
  options: GenerateOptions,
  host: Host,
  batch: { source: string; sequence: number; body: Buffer; deadlineMs: number },
  report: GenerateReport,
): Promise<Outcome> {
  const backoff = new Backoff(host.random, 100, 2_000);
  for (let attempt = 0; ; attempt += 1) {
    if (attempt > 0) report.retries += 1;
    let pauseMs = backoff.next();
    try {
      const response = await post(options, batch);
      const answer = Buffer.from(await response.arrayBuffer());
      if (response.status === 200) return { kind: 'acknowledged', rejected: rejectedIn(answer) };
      countFailure(report, `status ${response.status}`);
      if (![429, 502, 503, 504].includes(response.status)) return { kind: 'rejected' };
      const retryAfterS = Number(response.headers.get('retry-after'));
      if (retryAfterS > 0) pauseMs = Math.min(retryAfterS * 1_000, PAUSE_MS_MAX);
    } catch (error) {
      const { cause, name } = error as Error & { cause?: { code?: string } };
      countFailure(report, cause?.code ?? name);
    }
    const over = host.clock.monotonicMs() + pauseMs > batch.deadlineMs;
    if (!over) await host.timers.sleep(pauseMs, options.signal);
    if (over || options.signal?.aborted) return { kind: 'unknown' };
  }
}

function post(
  { endpoint, signal }: GenerateOptions,
  { source, sequence, body }: { source: string; sequence: number; body: Buffer },
): Promise<Response> {
  const timeout = AbortSignal.timeout(ATTEMPT_TIMEOUT_MS);
  return fetch(`${endpoint}/v1/logs`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-protobuf',
      [REQUEST_HEADERS.source]: source,
      [REQUEST_HEADERS.sequence]: String(sequence),
    },
    body: new Uint8Array(body),
    signal: signal ? AbortSignal.any([timeout, signal]) : timeout,
  });
}

/** Records that a partial success (field 1) names as rejected (its field 1). */
function rejectedIn(answer: Buffer): number {
  if (answer[0] !== 0x0a || answer[2] !== 0x08) return 0;
  let value = 0;
  let factor = 1;
  for (let at = 3; at < answer.length; at += 1) {
    value += (answer[at]! & 0x7f) * factor;
    if (answer[at]! < 0x80) break;
    factor *= 128;
  }
  return value;
}
