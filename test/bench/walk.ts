import { walkRequest } from '../../broker/records/otlp/walk.ts';
import type { Bench } from './bench.ts';
import { logsRequests } from './otlp-load.ts';
import { mib, ownCpuSeconds } from './process-usage.ts';

const RECORDS = 1_000;

/** What every accepted byte costs at the gateway, without HTTP and Kafka around it. */
export const bench: Bench = {
  name: 'walk',
  about: 'validating and counting OTLP requests, in this process',
  async run({ seconds, say, report }) {
    const requests = logsRequests('walk', 20, RECORDS);
    say(`${RECORDS} records a request`);
    walkFor(requests, 0.3);
    const { records, bytes, cpuSeconds } = walkFor(requests, Math.min(seconds, 3));
    const note = `${RECORDS} records a request, ${Math.round(bytes / records)} B and 5 attributes a record`;
    report({ what: 'walkRequest', value: records / cpuSeconds, unit: 'records/CPU-s', note });
    report({ what: 'walkRequest', value: mib(bytes) / cpuSeconds, unit: 'MiB/CPU-s' });
    await Promise.resolve();
  },
};

function walkFor(
  requests: ReturnType<typeof logsRequests>,
  seconds: number,
): { records: number; bytes: number; cpuSeconds: number } {
  const before = ownCpuSeconds();
  const endMs = performance.now() + seconds * 1_000;
  let records = 0;
  let bytes = 0;
  while (performance.now() < endMs) {
    for (const { body } of requests) {
      records += walkRequest('logs', body).count;
      bytes += body.length;
    }
  }
  return { records, bytes, cpuSeconds: ownCpuSeconds() - before };
}
