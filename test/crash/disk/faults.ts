/** Disks that refuse, stall or fill up under load, what that looks like from outside, and whether all is still there. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { pause } from './kill-loop.ts';
import { hasProgram, SmallDisk } from './power-disk.ts';
import { Probe } from './probe.ts';
import { type Report, reportOf } from './report.ts';
import { World, type WorldPlan } from './world.ts';

const FAULT_MS = 3_000;
/** A write is refused, and the service is back, within these. */
export const REFUSED_WITHIN_MS = 1_000;
export const RESUMED_WITHIN_MS = 5_000;
const SMALL_DISK_MIB = 96;
const SETTINGS = { walFileBytes: 256 * 1024, segmentBytes: 256 * 1024, logRetentionCheckIntervalMs: 300 };

export interface Injection {
  readonly name: string;
  /** For strace: which calls, and what becomes of them. */
  readonly inject: string;
  /** Whether writes must be refused meanwhile; a stall only delays them. */
  readonly refuses: boolean;
}

export const INJECTIONS: readonly Injection[] = [
  { name: 'fdatasync fails once', inject: 'fdatasync:error=EIO:when=1', refuses: true },
  { name: 'fdatasync fails', inject: 'fdatasync:error=EIO', refuses: true },
  { name: 'writes find no space', inject: 'pwritev,pwrite64:error=ENOSPC', refuses: true },
  { name: 'writes fail', inject: 'pwritev,pwrite64:error=EIO', refuses: true },
  { name: 'writes take no byte', inject: 'pwritev,pwrite64:retval=0', refuses: true },
  { name: 'syncs of directories fail', inject: 'fsync:error=EIO', refuses: false },
  { name: 'renames fail', inject: 'rename:error=EIO', refuses: false },
  { name: 'fdatasync stalls for 0.7 s each time', inject: 'fdatasync:delay_exit=700000', refuses: false },
];

export interface FaultOptions {
  readonly injections?: readonly Injection[];
  readonly onFault?: (fault: FaultReport) => void;
}

export interface FaultReport {
  readonly name: string;
  /** From the fault to the first refusal; undefined: nothing was refused. */
  readonly refusedAfterMs: number | undefined;
  /** The longest that a refused write waited for its answer. */
  readonly slowestRefusalMs: number;
  readonly refusals: number;
  /** From the end of the fault to a write that succeeded; undefined: none did. */
  readonly resumedAfterMs: number | undefined;
  readonly slowestWriteMs: number;
  readonly reads: number;
  readonly readErrors: number;
  readonly startMs?: number;
}

/** Why faults cannot be injected here. */
export function straceProblem(): string | undefined {
  if (!hasProgram('strace')) return 'strace is not installed';
  const tried = spawnSync('strace', ['-o', '/dev/null', '-e', 'inject=fsync:error=EIO', 'true']);
  return tried.status === 0 ? undefined : `strace cannot trace here: ${tried.stderr.toString().trim()}`;
}

/** Each of the faults in turn on one broker under load; then everything is accounted for. */
export async function runInjections(
  plan: Omit<WorldPlan, 'settings'>,
  { injections = INJECTIONS, onFault = () => {} }: FaultOptions = {},
): Promise<{ faults: FaultReport[]; report: Report }> {
  // One thread for all calls, since strace counts the calls of each by itself.
  const world = await World.start({ ...plan, settings: SETTINGS, environment: { UV_THREADPOOL_SIZE: '1' } });
  return observe(world, async (probe) => {
    const faults: FaultReport[] = [];
    const add = (fault: FaultReport): void => {
      faults.push(fault);
      onFault(fault);
    };
    for (const injection of injections) add(await inject(world, probe, injection));
    add(await cutShort(world, probe));
    return faults;
  });
}

/** The disk is filled up by others, and once by records alone. */
export async function runFullDisk(
  plan: Omit<WorldPlan, 'settings' | 'dataDir'>,
  { onFault = () => {} }: Pick<FaultOptions, 'onFault'> = {},
): Promise<{ faults: FaultReport[]; report: Report }> {
  const disk = new SmallDisk(SMALL_DISK_MIB);
  try {
    const world = await World.start({ ...plan, settings: SETTINGS, dataDir: join(disk.path, 'broker') });
    return await observe(world, async (probe) => {
      const foreign = join(disk.path, 'foreign');
      const filledMs = performance.now();
      await fillFor(foreign, FAULT_MS);
      const healedMs = performance.now();
      rmSync(foreign);
      const full = await measure('a full disk', probe, filledMs, healedMs);
      onFault(full);

      const againMs = performance.now();
      await fillFor(foreign, FAULT_MS / 2);
      await world.broker.kill();
      fill(foreign);
      const startMs = await world.restart();
      fill(foreign);
      await pause(FAULT_MS / 2);
      await world.follow();
      const freedMs = performance.now();
      rmSync(foreign);
      const started = await measure('a start with 0 bytes free', probe, againMs, freedMs);
      const last = startMs === undefined ? started : { ...started, startMs };
      onFault(last);
      return [full, last];
    });
  } finally {
    disk.remove();
  }
}

async function observe(
  world: World,
  act: (probe: Probe) => Promise<FaultReport[]>,
): Promise<{ faults: FaultReport[]; report: Report }> {
  const startedMs = performance.now();
  try {
    const probe = await Probe.start(world.broker);
    await pause(1_000);
    const faults = await act(probe);
    await probe.stop();
    await world.finish();
    return { faults, report: reportOf(world, { faults: faults.length }, startedMs) };
  } finally {
    await world.close();
  }
}

async function inject(world: World, probe: Probe, { name, inject: what }: Injection): Promise<FaultReport> {
  const calls = what.slice(0, what.indexOf(':'));
  const args = ['-f', '-p', String(world.broker.pid), '-o', '/dev/null', '-e', `trace=${calls}`];
  const child = spawn('strace', [...args, '-e', `inject=${what}`], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<void>((resolve) => void child.once('close', () => resolve()));
  await new Promise<void>((resolve) => {
    child.stderr.once('data', () => resolve());
    void ended.then(resolve);
  });
  const injectedMs = performance.now();
  await pause(FAULT_MS);
  child.kill('SIGTERM');
  await ended;
  return measure(name, probe, injectedMs, what.includes('when=1') ? injectedMs : performance.now());
}

/** A bound on the size of files: a write across it is a short one, at whatever byte that is. */
async function cutShort(world: World, probe: Probe): Promise<FaultReport> {
  const { broker, dataDir } = world;
  const files = readdirSync(join(dataDir, 'broker', 'wal')).sort();
  const bytes = statSync(join(dataDir, 'broker', 'wal', files.at(-1)!)).size;
  // The soft limit only: the hard one can only be lowered again.
  const limit = (size: string): void => {
    const { status, stderr } = spawnSync('prlimit', ['--pid', String(broker.pid), `--fsize=${size}:`]);
    if (status !== 0) throw new Error(`cannot bound the size of files: ${stderr.toString()}`);
  };
  const cutMs = performance.now();
  limit(String(bytes + 1_001));
  await pause(FAULT_MS);
  limit('unlimited');
  return measure('writes are cut short', probe, cutMs, performance.now());
}

async function measure(name: string, probe: Probe, faultMs: number, healedMs: number): Promise<FaultReport> {
  await probe.until((one) => one.succeededAfter(healedMs) !== undefined, 2 * RESUMED_WITHIN_MS);
  const resumed = probe.succeededAfter(healedMs);
  const refused = probe.refusedAfter(faultMs);
  const writes = probe.writes.filter(({ answeredMs }) => answeredMs >= faultMs);
  const reads = probe.reads.filter(({ answeredMs }) => answeredMs >= faultMs);
  const refusals = writes.filter(({ errorCode }) => errorCode !== 0 && errorCode !== undefined);
  const slowest = (answers: typeof writes): number =>
    answers.reduce((most, { sentMs, answeredMs }) => Math.max(most, answeredMs - sentMs), 0);
  return {
    name,
    refusedAfterMs: refused && refused.answeredMs - faultMs,
    slowestRefusalMs: slowest(refusals),
    refusals: refusals.length,
    resumedAfterMs: resumed && resumed.answeredMs - healedMs,
    slowestWriteMs: slowest(writes),
    reads: reads.length,
    readErrors: reads.filter(({ errorCode }) => errorCode !== 0 && errorCode !== undefined).length,
  };
}

export function printFault(fault: FaultReport): string {
  const ms = (value: number | undefined): string =>
    value === undefined ? 'never' : `${value.toFixed(0)} ms`;
  const start = fault.startMs === undefined ? '' : `; started in ${ms(fault.startMs)}`;
  return (
    `${fault.name}: refused after ${ms(fault.refusedAfterMs)} (${fault.refusals} times, each within ` +
    `${ms(fault.slowestRefusalMs)}), resumed after ${ms(fault.resumedAfterMs)}; slowest write ${ms(fault.slowestWriteMs)}; ` +
    `${fault.reads} reads, ${fault.readErrors} refused${start}`
  );
}

/** Until not one byte is left, again and again. */
async function fillFor(path: string, ms: number): Promise<void> {
  const deadlineMs = performance.now() + ms;
  while (performance.now() < deadlineMs) {
    fill(path);
    await pause(50);
  }
}

function fill(path: string): void {
  const file = openSync(path, 'a');
  for (let bytes = 1024 * 1024; bytes >= 1;) {
    try {
      if (writeSync(file, Buffer.alloc(bytes, 'f')) < bytes) bytes = Math.floor(bytes / 4);
    } catch {
      bytes = Math.floor(bytes / 4);
    }
  }
  closeSync(file);
}
