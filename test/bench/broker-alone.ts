import type { Bench, BenchContext } from './bench.ts';
import { type BrokerProcess, startBroker } from './broker-process.ts';
import { kafkajsConsume, kafkajsProduce } from './kafkajs-load.ts';
import { cpuSeconds, mib, residentMib, residentPeakMib } from './process-usage.ts';
import { fetchAll, type Load, produceAtRate, produceFor, type ProducePlan } from './raw-load.ts';
import { percentile } from './statistics.ts';

const PARTITIONS = 12;
const RECORD_BYTES = 1024;
const CONNECTIONS = 4;
const DURABLE = 'acks=all, fsync before the answer';

/** A broker process under the load of one client process on the same machine, through the page cache. */
export const bench: Bench = {
  name: 'broker-alone',
  about: 'produce and fetch: kafkajs, and a raw client that costs little itself; latency, CPU, memory',
  async run(context) {
    const broker = await startBroker(context.workplace);
    const before = residentMib(broker.pid);
    await kafkajs(context, broker);
    await raw(context, broker);
    context.report({ what: 'resident memory after the start', value: before, unit: 'MiB' });
    context.report({
      what: 'resident memory after the load',
      value: residentMib(broker.pid),
      unit: 'MiB',
      note: `peak ${Math.round(residentPeakMib(broker.pid))} MiB`,
    });
    await broker.stop();
  },
};

async function kafkajs({ seconds, say, report }: BenchContext, broker: BrokerProcess): Promise<void> {
  const plan = {
    broker: `127.0.0.1:${broker.port}`,
    topic: 'bench-kafkajs',
    partitions: PARTITIONS,
    recordBytes: RECORD_BYTES,
    recordsPerBatch: 100,
  };
  await broker.createTopic(plan.topic, PARTITIONS);
  say('kafkajs produces');
  const produced = await withCpu(broker, () => kafkajsProduce(plan, seconds));
  say('kafkajs consumes');
  const consumed = await withCpu(broker, () => kafkajsConsume(plan, produced.records));
  const what = `${RECORD_BYTES} B records, ${PARTITIONS} partitions`;
  const phases = [
    ['kafkajs produce', produced, `${what}, batches of 100, ${DURABLE}`],
    ['kafkajs consume', consumed, `${what}, one group member`],
  ] as const;
  for (const [name, load, note] of phases) {
    report({ what: name, value: mib(load.bytes) / load.seconds, unit: 'MiB/s', note });
    report({
      what: name,
      value: load.records / load.seconds,
      unit: 'records/s',
      note: `broker CPU ${cpuPerMib(load)} ms/MiB`,
    });
  }
}

async function raw({ seconds, say, report }: BenchContext, broker: BrokerProcess): Promise<void> {
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => broker.connect()));
  const shapes = [
    {
      name: 'raw produce, 16 KB batches',
      topic: 'bench-raw-large',
      recordsPerBatch: 16,
      // As a client sends that has something for every partition of the one broker.
      partitionsPerRequest: PARTITIONS,
      inFlight: 5,
    },
    {
      name: 'raw produce, 1 KB batches',
      topic: 'bench-raw-small',
      recordsPerBatch: 1,
      partitionsPerRequest: 1,
      inFlight: 32,
    },
  ];
  for (const { name, topic, recordsPerBatch, partitionsPerRequest, inFlight } of shapes) {
    await broker.createTopic(topic, PARTITIONS);
    const plans = Array.from({ length: PARTITIONS }, (_, first): ProducePlan => {
      const partitions = Array.from({ length: partitionsPerRequest }, (_one, n) => (first + n) % PARTITIONS);
      return { topic, partitions, recordsPerBatch, recordBytes: RECORD_BYTES };
    });
    say(`${name}, ${seconds} s`);
    const load = await withCpu(broker, () => produceFor(connections, plans, inFlight, seconds));
    const note = `${CONNECTIONS} connections, ${inFlight} in flight each, ${partitionsPerRequest} batches a request, ${DURABLE}`;
    reportLoad(report, name, load, note);
    say(`${name}, at half of that rate`);
    const paced = await produceAtRate(connections, plans, load.requests / load.seconds / 2, seconds);
    for (const share of [0.5, 0.99]) {
      report({
        what: `${name}, p${share * 100}`,
        value: percentile(paced.latencies, share),
        unit: 'ms',
        note: `at half of that rate; ${percentile(load.latencies, share).toFixed(1)} ms at full rate`,
      });
    }
  }
  say('raw fetch of everything');
  const fetched = await withCpu(broker, () => fetchAll(connections, shapes[0]!.topic, PARTITIONS));
  reportLoad(report, 'raw fetch', fetched, `${CONNECTIONS} connections, what was produced in 16 KB batches`);
}

function reportLoad(
  report: BenchContext['report'],
  what: string,
  load: Load & { cpuSeconds: number },
  note: string,
): void {
  report({ what, value: mib(load.bytes) / load.seconds, unit: 'MiB/s', note });
  report({ what, value: load.records / load.seconds, unit: 'records/s' });
  report({ what, value: Number(cpuPerMib(load)), unit: 'ms CPU/MiB', note: 'of the broker' });
}

async function withCpu<T extends object>(
  broker: BrokerProcess,
  work: () => Promise<T>,
): Promise<T & { cpuSeconds: number }> {
  const before = cpuSeconds(broker.pid);
  const result = await work();
  return { ...result, cpuSeconds: cpuSeconds(broker.pid) - before };
}

function cpuPerMib(load: { bytes: number; cpuSeconds: number }): string {
  return ((load.cpuSeconds * 1_000) / mib(load.bytes)).toPrecision(3);
}
