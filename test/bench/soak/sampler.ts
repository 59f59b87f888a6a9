/** What is looked at each second, of the broker from outside and within, and of its clients. */
import { readdirSync } from 'node:fs';
import { stat } from 'node:fs/promises';

import { filesUnder } from '../files-under.ts';
import type { Ledger } from '../ledger.ts';
import type { TailReader } from '../paced-load.ts';
import type { Probe } from '../probe.ts';
import { cpuSeconds, mib, residentMib } from '../process-usage.ts';
import { percentile } from '../statistics.ts';
import type { LogReader } from './log-reader.ts';

export interface Sample {
  readonly second: number;
  readonly rssMib: number;
  readonly heapMib: number;
  readonly externalMib: number;
  readonly fds: number;
  readonly cpu: number;
  readonly turnP999Ms: number;
  readonly turnMaxMs: number;
  readonly sentPerSecond: number;
  readonly produceP50Ms: number;
  readonly produceP99Ms: number;
  readonly endToEndP50Ms: number;
  readonly endToEndP99Ms: number;
  readonly fetchP99Ms: number;
  readonly tailLag: number;
  readonly slowLag: number;
  readonly diskMib: number;
}

export interface Watched {
  readonly pid: number;
  readonly directory: string;
  readonly probe: Probe;
  readonly ledger: Ledger;
  readonly readers: readonly TailReader[];
  readonly slow: LogReader;
  /** Latencies since the last sample, in ms; taken away by it. */
  readonly produced: number[];
  readonly fetched: number[];
}

export class Sampler {
  private readonly watched: Watched;
  private readonly startMs = performance.now();
  private beforeMs = performance.now();
  private cpuBefore: number;
  private sentBefore: number;

  constructor(watched: Watched) {
    this.watched = watched;
    this.cpuBefore = cpuSeconds(watched.pid);
    this.sentBefore = watched.ledger.sent;
  }

  async take(): Promise<Sample> {
    const { pid, probe, ledger, readers, slow, directory } = this.watched;
    const { heapUsed, external, turns } = await probe.ask(pid);
    // All of one moment: while the disk is looked at, records are sent.
    const nowMs = performance.now();
    const elapsedS = (nowMs - this.beforeMs) / 1_000;
    const cpuNow = cpuSeconds(pid);
    const { sent } = ledger;
    const produced = this.watched.produced.splice(0);
    const fetched = this.watched.fetched.splice(0);
    const latencies = ledger.takeLatencies();
    const sample: Sample = {
      second: (nowMs - this.startMs) / 1_000,
      rssMib: residentMib(pid),
      heapMib: mib(heapUsed),
      externalMib: mib(external),
      fds: readdirSync(`/proc/${pid}/fd`).length,
      cpu: (cpuNow - this.cpuBefore) / elapsedS,
      turnP999Ms: turns.p999 * 1_000,
      turnMaxMs: turns.max * 1_000,
      sentPerSecond: (sent - this.sentBefore) / elapsedS,
      produceP50Ms: percentile(produced, 0.5),
      produceP99Ms: percentile(produced, 0.99),
      endToEndP50Ms: percentile(latencies, 0.5),
      endToEndP99Ms: percentile(latencies, 0.99),
      fetchP99Ms: percentile(fetched, 0.99),
      tailLag: readers.reduce((sum, { lag }) => sum + lag, 0),
      slowLag: slow.lag,
      diskMib: mib(await bytesIn(directory)),
    };
    this.beforeMs = nowMs;
    this.cpuBefore = cpuNow;
    this.sentBefore = sent;
    return sample;
  }
}

async function bytesIn(directory: string): Promise<number> {
  let bytes = 0;
  for (const path of filesUnder(directory)) {
    // It may have been deleted since.
    bytes += await stat(path).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}
