/** Kafka's own performance tools, one after the other in one virtual machine with the settings of their scripts. */
import { createInterface } from 'node:readline';

import type { Java } from '../../support/java.ts';
import { cpuSeconds } from '../process-usage.ts';
import type { Workplace } from '../workplace.ts';
import type { Client, Done, Latency } from './cell.ts';
import { SHIPPED_JVM } from './kafka.ts';
import type { Side } from './side.ts';

const LOGGING = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=error'];
const HEAP = ['-Xmx512M'];
/** How long a consumer waits for a record that does not come. */
const SILENCE_MS = 20_000;

export interface JavaClient extends Client {
  /** One record after the other, each sent when the one before it was read back. */
  endToEnd(
    side: Side,
    topic: string,
    options: { readonly records: number; readonly recordBytes: number; readonly acks: string },
  ): Promise<Latency & { readonly mean: number }>;
}

export function startJavaClient(workplace: Workplace, java: Java): JavaClient {
  const jvm = [...HEAP, ...SHIPPED_JVM, ...LOGGING, '-cp', java.classPath('tools')];
  const { child, ...running } = workplace.program('java', [...jvm, 'millrace.Tools']);
  const answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const run = async (tool: string, ...args: readonly string[]): Promise<string> => {
    const words = [`org.apache.kafka.tools.${tool}`, ...args];
    child.stdin!.write(`${words.map((word) => Buffer.from(word).toString('base64')).join(' ')}\n`);
    const { value, done } = (await answers.next()) as IteratorResult<string, undefined>;
    if (done) throw new Error(`${tool} ended:\n${running.output()}`);
    const [code, written] = value.split(' ');
    const text = Buffer.from(written ?? '', 'base64').toString();
    if (code !== '0') throw new Error(`${tool} failed with code ${code}:\n${text}`);
    return text;
  };
  return {
    async produce(side, { topic, recordBytes, records, recordsPerSecond = -1, acks }) {
      const settings = ['--command-property', `acks=${acks}`];
      const size = ['--num-records', `${records}`, '--record-size', `${recordBytes}`];
      const rate = [
        '--throughput',
        `${recordsPerSecond < 0 ? -1 : Math.max(1, Math.round(recordsPerSecond))}`,
      ];
      const server = ['--bootstrap-server', side.bootstrap, '--topic', topic];
      return producedIn(await run('ProducerPerformance', ...server, ...size, ...rate, ...settings));
    },
    async consume(side, { topic, records }) {
      const server = ['--bootstrap-server', side.bootstrap, '--topic', topic, '--hide-header'];
      const amount = ['--num-records', `${records}`, '--timeout', `${SILENCE_MS}`];
      const text = await run('ConsumerPerformance', ...server, ...amount);
      const done = consumedIn(text);
      // It gives up after a silence, and says so.
      if (done.records !== records) {
        throw new Error(`cannot count the run: ${done.records} records read, want ${records}:\n${text}`);
      }
      return done;
    },
    async endToEnd(side, topic, { records, recordBytes, acks }) {
      return endToEndIn(
        await run('EndToEndLatency', side.bootstrap, topic, `${records}`, acks, `${recordBytes}`),
      );
    },
    cpuSeconds: () => cpuSeconds(running.pid),
  };
}

/** The last line is about all of it; those before it, about five seconds each, have no percentiles. */
export function producedIn(text: string): Done & { readonly latency: Latency } {
  const total =
    /(\d+) records sent, ([\d.]+) records\/sec .* (\d+) ms 50th, \d+ ms 95th, (\d+) ms 99th, (\d+) ms 99\.9th/.exec(
      text,
    );
  if (!total) throw new Error(`cannot read what the producer says:\n${text}`);
  const [records, perSecond, p50, p99, p999] = total.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { records, seconds: records / perSecond, latency: { p50, p99, p999 } };
}

/** Start, end, MB, MB/s, records, records/s, ms of joining, ms of fetching, MB/s and records/s of fetching. */
export function consumedIn(text: string): Done {
  const fields = text
    .trim()
    .split('\n')
    .map((line) => line.split(', '))
    .findLast((line) => line.length === 10);
  if (!fields) throw new Error(`cannot read what the consumer says:\n${text}`);
  return { records: Number(fields[4]), seconds: Number(fields[7]) / 1_000 };
}

export function endToEndIn(text: string): Latency & { readonly mean: number } {
  const mean = /Avg latency: ([\d.]+) ms/.exec(text);
  const shares = /50th = (\d+), 99th = (\d+), 99\.9th = (\d+)/.exec(text);
  if (!mean || !shares) throw new Error(`cannot read what the tool says:\n${text}`);
  return { mean: Number(mean[1]), p50: Number(shares[1]), p99: Number(shares[2]), p999: Number(shares[3]) };
}
