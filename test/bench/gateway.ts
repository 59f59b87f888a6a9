import type { Bench } from './bench.ts';
import { QUIET, startBroker } from './broker-process.ts';
import { logsRequests, sendWhile } from './otlp-load.ts';
import { cpuSeconds, mib, residentMib } from './process-usage.ts';
import { untilReady } from './workplace.ts';

const RECORDS = 1_000;
const CONNECTIONS = 8;

/** The collector under OTLP/HTTP, with a real broker behind it: 200 means fsynced there. */
export const bench: Bench = {
  name: 'gateway',
  about: 'OTLP/HTTP protobuf through the collector into the broker: records per CPU-second',
  async run({ seconds, workplace, say, report }) {
    const broker = await startBroker(workplace);
    const endpoint = `http://127.0.0.1:${4318 + broker.portOffset}`;
    const args = ['collector', '--port-offset', String(broker.portOffset)];
    const collector = workplace.millrace(args, QUIET);
    await untilReady(collector, async () => {
      const { status } = await fetch(`${endpoint}/ready`);
      if (status !== 200) throw new Error(`cannot use the collector: got ${status}`);
    });
    const requests = logsRequests('bench', 24, RECORDS);
    const sendFor = (forSeconds: number): ReturnType<typeof sendWhile> => {
      const endMs = performance.now() + forSeconds * 1_000;
      return sendWhile(endpoint, requests, CONNECTIONS, () => performance.now() < endMs);
    };
    say('warming up');
    await sendFor(Math.min(1, seconds / 2));
    say(`${RECORDS} records a request, ${CONNECTIONS} connections`);
    const before = [cpuSeconds(collector.pid), cpuSeconds(broker.pid)] as const;
    const load = await sendFor(seconds);
    const collectorCpu = cpuSeconds(collector.pid) - before[0];
    const brokerCpu = cpuSeconds(broker.pid) - before[1];
    const note = `${RECORDS} records a request of ${Math.round(requests[0]!.body.length / 1024)} KiB, ${CONNECTIONS} connections`;
    report({ what: 'accepted', value: load.records / load.seconds, unit: 'records/s', note });
    report({ what: 'accepted', value: mib(load.bytes) / load.seconds, unit: 'MiB/s' });
    report({ what: 'collector', value: load.records / collectorCpu, unit: 'records/CPU-s' });
    report({
      what: 'broker behind it',
      value: load.records / brokerCpu,
      unit: 'records/CPU-s',
      note: 'fsync before every answer',
    });
    report({ what: 'resident memory of the collector', value: residentMib(collector.pid), unit: 'MiB' });
    await collector.stop();
    await broker.stop();
  },
};
