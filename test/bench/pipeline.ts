import { selectRows } from '../support/millrace.ts';
import type { Bench } from './bench.ts';
import { logsRequests, sendWhile } from './otlp-load.ts';
import { cpuSeconds, residentMib, residentPeakMib } from './process-usage.ts';
import { startWhole, type Whole } from './whole.ts';

const RECORDS = 1_000;
const CONNECTIONS = 8;
/** A run of ten seconds: 300,000 records. */
const RECORDS_PER_SECOND_OF_RUN = 30_000;
const VISIBLE_TIMEOUT_MS = 120_000;

/** Everything at once: records sent as fast as they are accepted, until the last one can be queried. */
export const bench: Bench = {
  name: 'pipeline',
  about: 'OTLP in to rows queryable through all of `up`; memory of each part',
  async run({ seconds, workplace, say, report }) {
    const whole = await startWhole(workplace);
    const parts = await whole.parts();
    const requests = logsRequests('bench', 48, RECORDS);
    say('warming up');
    const warm = await sendWhile(whole.otlp, requests, CONNECTIONS, (sent) => sent < 5 * RECORDS);
    await visible(whole, warm.records);
    const total = Math.max(1, Math.round((seconds * RECORDS_PER_SECOND_OF_RUN) / RECORDS)) * RECORDS;
    say(`${total} records`);
    const cpuBefore = parts.map(({ pid }) => cpuSeconds(pid));
    const start = performance.now();
    const load = await sendWhile(whole.otlp, requests, CONNECTIONS, (sent) => sent < total);
    const acceptedMs = performance.now();
    await visible(whole, warm.records + load.records);
    const visibleMs = performance.now();
    const note = `${load.records} records, ${RECORDS} a request, ${CONNECTIONS} connections`;
    report({ what: 'accepted', value: load.records / load.seconds, unit: 'records/s', note });
    report({
      what: 'sent to queryable, all rows',
      value: (load.records * 1_000) / (visibleMs - start),
      unit: 'rows/s',
    });
    report({
      what: 'last 200 to all rows visible',
      value: (visibleMs - acceptedMs) / 1_000,
      unit: 's',
    });
    for (const [index, { name, pid }] of parts.entries()) {
      const cpu = cpuSeconds(pid) - cpuBefore[index]!;
      const perCpu = cpu > 0 ? `, ${Math.round(load.records / cpu / 1_000)}k records/CPU-s` : '';
      report({
        what: `resident memory of ${name}`,
        value: residentMib(pid),
        unit: 'MiB',
        note: `after the load; peak ${Math.round(residentPeakMib(pid))} MiB; ${cpu.toFixed(2)} s CPU${perCpu}`,
      });
    }
    report({ what: 'resident memory of up itself', value: residentMib(whole.pid), unit: 'MiB' });
    await whole.stop();
  },
};

/** Resolves when this many of our rows can be counted. */
async function visible({ clickhouse }: Whole, rows: number): Promise<void> {
  const deadline = performance.now() + VISIBLE_TIMEOUT_MS;
  for (;;) {
    // The table comes with the sink's first migration.
    const [found] = await selectRows<{ n: number }>(
      clickhouse,
      `SELECT count() AS n FROM otel.otel_logs WHERE startsWith(ServiceName, 'bench-')`,
    ).catch(() => []);
    if ((found?.n ?? 0) >= rows) return;
    if (performance.now() > deadline)
      throw new Error(`cannot see all rows: got ${found?.n ?? 0}, want ${rows}`);
    await new Promise((resolve) => void setTimeout(resolve, 10));
  }
}
