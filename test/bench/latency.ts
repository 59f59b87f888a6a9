import { encodeLogs } from '../../broker/records/otlp/write-logs.ts';
import type { Bench } from './bench.ts';
import { otlpSender } from './otlp-load.ts';
import { percentile } from './statistics.ts';
import { startWhole } from './whole.ts';

const RECORDS_PER_SECOND = 2_000;
/** A request's records share its time: ten milliseconds' worth. */
const RECORDS_PER_REQUEST = 20;
const WARM_UP_SECONDS = 1;

/** How long a line takes from its sender to somebody who watches, at a steady rate that nothing holds up. */
export const bench: Bench = {
  name: 'latency',
  about: `log sent to seen by a live tail, at ${RECORDS_PER_SECOND} records/s`,
  async run({ seconds, workplace, say, report }) {
    const whole = await startWhole(workplace);
    const latencies: number[] = [];
    let dropped = 0;
    const abort = new AbortController();
    workplace.onClose(() => abort.abort());
    const watching = watch(
      `${whole.web}/api/tail?query=${encodeURIComponent('{service_name="latency"}')}`,
      abort.signal,
      (dueMs) => latencies.push(performance.timeOrigin + performance.now() - dueMs),
      (lines) => (dropped += lines),
    );
    await watching.opened;
    say(`${RECORDS_PER_SECOND} records/s, ${seconds} s`);
    const seen = async (lines: number): Promise<void> => {
      const deadline = performance.now() + 5_000;
      while (latencies.length + dropped < lines && performance.now() < deadline) {
        await new Promise((resolve) => void setTimeout(resolve, 5));
      }
    };
    await seen(await sendAtRate(whole.otlp, WARM_UP_SECONDS));
    latencies.length = 0;
    const sent = await sendAtRate(whole.otlp, seconds);
    await seen(sent);
    abort.abort();
    await watching.ended;
    const note = `${RECORDS_PER_SECOND} records/s, ${RECORDS_PER_REQUEST} a request; ${latencies.length} of ${sent} seen`;
    for (const share of [0.5, 0.99]) {
      report({
        what: `sent to seen by a live tail, p${share * 100}`,
        value: percentile(latencies, share),
        unit: 'ms',
        note,
      });
    }
    await whole.stop();
  },
};

/** Each record's body is when it was due, so that a stall counts for all that it delayed. */
async function sendAtRate(endpoint: string, seconds: number): Promise<number> {
  const sender = otlpSender(endpoint, 32);
  const everyMs = (RECORDS_PER_REQUEST * 1_000) / RECORDS_PER_SECOND;
  const total = Math.max(1, Math.floor((seconds * 1_000) / everyMs));
  const start = performance.now();
  const pending: Array<Promise<void>> = [];
  for (let sent = 0; sent < total;) {
    const due = Math.min(total, Math.floor((performance.now() - start) / everyMs) + 1);
    for (; sent < due; sent += 1) {
      const dueMs = performance.timeOrigin + start + sent * everyMs;
      pending.push(sender.send(requestAt(dueMs)));
    }
    await new Promise((resolve) => void setTimeout(resolve, 1));
  }
  await Promise.all(pending);
  sender.close();
  return total * RECORDS_PER_REQUEST;
}

function requestAt(dueMs: number): Buffer {
  const record = {
    timeUnixNano: BigInt(Math.floor(dueMs)) * 1_000_000n,
    severityNumber: 9,
    severityText: 'INFO',
    body: dueMs.toFixed(3),
  };
  const records = Array.from({ length: RECORDS_PER_REQUEST }, () => record);
  return encodeLogs({ resource: { attributes: { 'service.name': 'latency' } }, records });
}

/** Follows a stream of server-sent events; `onLine` gets the number that each line is. */
function watch(
  url: string,
  signal: AbortSignal,
  onLine: (value: number) => void,
  onDropped: (lines: number) => void,
): { opened: Promise<void>; ended: Promise<void> } {
  const opened = Promise.withResolvers<void>();
  const follow = async (): Promise<void> => {
    const response = await fetch(url, { signal });
    if (!response.ok || !response.body) throw new Error(`cannot tail: got status ${response.status}`);
    opened.resolve();
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of response.body) {
      rest += decoder.decode(chunk, { stream: true });
      const lines = rest.split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (!line.startsWith('data: ')) continue;
        const event = JSON.parse(line.slice(6)) as { lines: Array<{ line: string }>; dropped: number };
        for (const one of event.lines) onLine(Number(one.line));
        onDropped(event.dropped);
      }
    }
  };
  const ended = follow().catch((error: unknown) => {
    opened.reject(error);
    if (!signal.aborted) throw error;
  });
  return { opened: opened.promise, ended };
}
