/** `npm run bench soak`: our broker for a long time at 70% of what it can, with every kind of reader beside it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

import { type BrokerProcess, startBroker } from '../broker-process.ts';
import { Ledger } from '../ledger.ts';
import { machine } from '../machine.ts';
import { produceFreely, produceSteadily, TailReader } from '../paced-load.ts';
import { Probe } from '../probe.ts';
import { Workplace } from '../workplace.ts';
import type { Pass } from './catch-up-process.ts';
import { LogReader } from './log-reader.ts';
import { soakReport, soakSvg } from './report.ts';
import { type Sample, Sampler } from './sampler.ts';
import { Updates } from './updates.ts';

const HELP = `Runs our broker at 70% of its maximum with readers at the end, a slow one, and one that starts again and again, with
retention and compaction at work; prints how fast memory and latencies grow, and fails when a record is missing.

Usage: npm run bench soak -- [options]

  --minutes N     of measuring (default 30)
  --maximum N     seconds for the maximum at the start (default 20)
  --share N       of the maximum (default 0.7)
  --dir PATH      on the disk to measure (default: the temporary directory)
  --out FILE      what is drawn (default build/soak.svg); every sample goes beside it as .json
  --profile DIR   leaves a CPU profile there
  --help`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    maximum: { type: 'string', default: '20' },
    share: { type: 'string', default: '0.7' },
    dir: { type: 'string' },
    out: { type: 'string', default: 'build/soak.svg' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const MIB = 1024 * 1024;
const TOPIC = 'soak';
const COMPACTED = 'soak-updates';
const PARTITIONS = 12;
const RECORD_BYTES = 1024;
const RECORDS_PER_BATCH = 16;
const SENDERS = 2;
const IN_FLIGHT = 5;
const READERS = 3;
/** Small, so that retention has something to do every few seconds. */
const RETENTION = { 'retention.bytes': String(32 * MIB), 'segment.bytes': String(8 * MIB) };
const COMPACTION = {
  'cleanup.policy': 'compact',
  'segment.bytes': String(MIB),
  'min.cleanable.dirty.ratio': '0.2',
};
/** The slow one gets a twentieth of what is sent, in one request every so often: retention overtakes it. */
const SLOW_SHARE = 1 / 20;
const SLOW_EVERY_MS = 200;
const SAMPLE_MS = 1_000;
const DRAIN_MS = 30_000;
const SAY_EVERY = 30;

if (values.help) console.log(HELP);
else await soak();

async function soak(): Promise<void> {
  const seconds = positive('minutes', values.minutes) * 60;
  const workplace = new Workplace(values.dir, values.profile);
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interrupted = true;
      void workplace.close().finally(() => process.exit(130));
    });
  }
  try {
    await measure(workplace, seconds);
  } catch (error) {
    // What it measured was taken away.
    if (interrupted) return new Promise(() => undefined);
    console.error('the soak failed:', error);
    process.exitCode = 1;
  } finally {
    await workplace.close();
  }
  process.exit();
}

async function measure(workplace: Workplace, seconds: number): Promise<void> {
  const probe = new Probe(workplace.directory());
  const broker = await startBroker(workplace, probe);
  await broker.createTopic(TOPIC, PARTITIONS, RETENTION);
  await broker.createTopic(COMPACTED, 1, COMPACTION);
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  const plans = partitions.map((first) => ({
    topic: TOPIC,
    // As a client sends that has something for every partition of the one broker.
    partitions: partitions.map((n) => (first + n) % PARTITIONS),
    recordsPerBatch: RECORDS_PER_BATCH,
    recordBytes: RECORD_BYTES,
  }));
  const ledger = new Ledger(PARTITIONS);
  const produced: number[] = [];
  const fetched: number[] = [];
  const senders = await Promise.all(Array.from({ length: SENDERS }, () => broker.connect()));
  const readers = await Promise.all(
    Array.from({ length: READERS }, async (_, n) => {
      const own = partitions.filter((partition) => partition % READERS === n);
      return new TailReader(await broker.connect(), TOPIC, own, ledger, (ms) => void fetched.push(ms));
    }),
  );
  const maximumSeconds = positive('maximum', values.maximum);
  say(`the maximum, ${maximumSeconds} s`);
  const maximum = await produceFreely(senders, plans, IN_FLIGHT, maximumSeconds, ledger);
  const requestsPerSecond = maximum * positive('share', values.share);
  const recordsPerSecond = requestsPerSecond * PARTITIONS * RECORDS_PER_BATCH;
  const mibPerSecond = (recordsPerSecond * RECORD_BYTES) / MIB;
  say(`${mibPerSecond.toFixed(1)} MiB/s from now on, for ${seconds} s`);

  let running = true;
  const updates = new Updates(`localhost:${broker.port}`, COMPACTED);
  await updates.start();
  const slow = new LogReader(await broker.connect(), TOPIC);
  const slowly = readSlowly(slow, partitions, mibPerSecond * MIB, () => running);
  const { passes, ended } = catchUp(workplace, broker);
  ledger.takeLatencies();
  fetched.length = 0;
  await probe.ask(broker.pid);
  const { pid, directory } = broker;
  const sampler = new Sampler({ pid, directory, probe, ledger, readers, slow, produced, fetched });
  const sending = produceSteadily(
    senders,
    plans,
    requestsPerSecond,
    ledger,
    () => running,
    (ms) => void produced.push(ms),
  );
  const samples: Sample[] = [];
  const failed = Promise.race([sending, slowly, ended, ...readers.map(({ ended }) => ended)]);
  const start = performance.now();
  for (let n = 1; n * SAMPLE_MS <= seconds * 1_000; n += 1) {
    // Whoever ends early has failed.
    await Promise.race([sleep(start + n * SAMPLE_MS - performance.now()), failed]);
    samples.push(await sampler.take());
    if (n % SAY_EVERY === 0) say(progress(samples.at(-1)!, seconds));
  }
  running = false;
  await Promise.all([sending, slowly, updates.stop()]);
  const deadline = performance.now() + DRAIN_MS;
  while (ledger.read < ledger.sent && performance.now() < deadline) await sleep(10);
  await Promise.all(readers.map((reader) => reader.stop()));
  const compacted = await updates.verify();
  const result = {
    ...machine(),
    mibPerSecond,
    maximumMibPerSecond: (maximum * PARTITIONS * RECORDS_PER_BATCH * RECORD_BYTES) / MIB,
    sent: ledger.sent,
    read: ledger.read,
    unmatched: ledger.unmatched,
    slow: { records: slow.records, missed: slow.missed },
    updates: { sent: updates.sent, ...compacted },
    passes,
  };
  write(samples, result);
  console.log(soakReport(samples, result));
  if (ledger.read !== ledger.sent || ledger.unmatched > 0) {
    throw new Error(
      `records are missing: ${ledger.sent} sent, ${ledger.read} read, ${ledger.unmatched} batches unmatched`,
    );
  }
}

async function readSlowly(
  slow: LogReader,
  partitions: readonly number[],
  bytesPerSecond: number,
  running: () => boolean,
): Promise<void> {
  await slow.rewind(partitions);
  const bytes = Math.max(1, Math.round(bytesPerSecond * SLOW_SHARE * (SLOW_EVERY_MS / 1_000)));
  while (running()) {
    await slow.step(bytes);
    await sleep(SLOW_EVERY_MS);
  }
}

/** A process of its own, so that its work does not hold up the readers whose latency is measured. */
function catchUp(
  workplace: Workplace,
  { port }: BrokerProcess,
): { readonly passes: Pass[]; readonly ended: Promise<never> } {
  const path = join(import.meta.dirname, 'catch-up-process.ts');
  const args = [path, String(port), TOPIC, String(PARTITIONS)];
  const { child, ...running } = workplace.program(process.execPath, args);
  const passes: Pass[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => void passes.push(JSON.parse(line) as Pass));
  const ended = running.ended.then((): never => {
    throw new Error(`the reader that catches up has ended:\n${running.output()}`);
  });
  // It is ended with all the others.
  ended.catch(() => undefined);
  return { passes, ended };
}

function write(samples: readonly Sample[], result: object): void {
  mkdirSync(dirname(values.out), { recursive: true });
  writeFileSync(values.out, soakSvg(samples));
  writeFileSync(
    values.out.replace(/\.svg$/, '') + '.json',
    `${JSON.stringify({ ...result, samples }, null, 1)}\n`,
  );
}

function progress(
  { second, rssMib, produceP99Ms, endToEndP99Ms, turnP999Ms }: Sample,
  seconds: number,
): string {
  const figures = `produce p99 ${produceP99Ms.toFixed(1)} ms, seen p99 ${endToEndP99Ms.toFixed(1)} ms`;
  const left = Math.max(0, Math.round(seconds - second));
  return `${figures}, turns p99.9 ${turnP999Ms.toFixed(1)} ms, ${Math.round(rssMib)} MiB; ${left} s left`;
}

function say(text: string): void {
  console.error(`soak: ${text}`);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`cannot use --${name}: got ${text}, want a positive number`);
  return value;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, Math.max(0, ms)));
}
