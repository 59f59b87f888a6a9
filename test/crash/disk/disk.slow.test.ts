// The real disk, shortened: kill -9 and power cuts under load with the producers of two clients, and disks that refuse,
// stall and fill up. `node test/crash/disk/main.ts` runs longer ones. MILLRACE_SEED repeats a plan, not its timing.
import { rmSync } from 'node:fs';

import { expect, test } from 'vitest';

import {
  type FaultReport,
  INJECTIONS,
  printFault,
  REFUSED_WITHIN_MS,
  RESUMED_WITHIN_MS,
  runFullDisk,
  runInjections,
  straceProblem,
} from './faults.ts';
import { runKills } from './kill-loop.ts';
import { PowerDisk, SmallDisk } from './power-disk.ts';
import { runPowerCuts, runUnsynced } from './power-loop.ts';
import { lostIn, printReport, type Report } from './report.ts';

const KILLS = Number(process.env['MILLRACE_KILLS'] ?? 12);
const CUTS = Number(process.env['MILLRACE_CUTS'] ?? 8);
/** Each ends with its first finding. */
const UNSYNCED_RUNS_MAX = 5;
const seed = Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 1e9));
const plan = { seed, recordsPerSecond: 300 };
const loop = { ...plan, maxMs: Infinity };

function skipped(what: string, problem: string | undefined): boolean {
  if (problem !== undefined) console.log(`skipped: ${what}: ${problem}`);
  return problem !== undefined;
}

function accept(what: string, report: Report): void {
  for (const line of printReport(what, report)) console.log(line);
  expect(report.producers.size, 'producers').toBeGreaterThan(1);
  for (const [name, { ok }] of report.producers) expect(ok, `acknowledged to ${name}`).toBeGreaterThan(0);
  expect(report.transactions['committed']).toBeGreaterThan(0);
  expect(report.transactions['aborted']).toBeGreaterThan(0);
}

function acceptFaults(faults: readonly FaultReport[]): void {
  for (const fault of faults) console.log(printFault(fault));
  for (const { name, slowestRefusalMs, resumedAfterMs, readErrors } of faults) {
    expect(slowestRefusalMs, `${name}: slowest refusal`).toBeLessThan(REFUSED_WITHIN_MS);
    expect(resumedAfterMs, `${name}: resumed`).toBeLessThan(RESUMED_WITHIN_MS);
    expect(readErrors, `${name}: refused reads`).toBe(0);
  }
}

test(`${KILLS} times kill -9 under load: nothing acknowledged is lost, repeated or reordered`, async () => {
  console.log(`seed ${seed} (repeat with MILLRACE_SEED=${seed})`);
  const report = await runKills({ ...loop, rounds: KILLS });
  accept('kills', report);
  expect(report.findings).toEqual([]);
});

test.skipIf(skipped('power cuts', PowerDisk.problem()))(
  `${CUTS} power cuts under load: nothing acknowledged is lost, repeated or reordered`,
  async () => {
    const report = await runPowerCuts({ ...loop, rounds: CUTS });
    accept('power cuts', report);
    expect(report.findings).toEqual([]);
  },
);

test.skipIf(skipped('power cuts without syncs', PowerDisk.problem()))(
  'power cuts of a broker whose syncs do nothing: the audit finds that acknowledged records are lost',
  async () => {
    let lost = 0;
    // A run ends with what is found first, which may be a start or a reading that cannot go on.
    for (let run = 0; run < UNSYNCED_RUNS_MAX && lost === 0; run += 1) {
      const report = await runUnsynced({ ...loop, seed: loop.seed + run, rounds: 10 });
      for (const line of printReport('power cuts without syncs', report).slice(0, 12)) console.log(line);
      lost = lostIn(report);
      if (report.kept !== undefined) rmSync(report.kept, { recursive: true, force: true });
    }
    expect(lost, 'losses found').toBeGreaterThan(0);
  },
);

test.skipIf(skipped('failing calls', straceProblem()))(
  'calls that fail, stall or fall short: refused within a second, resumed within five, nothing lost',
  async () => {
    const { faults, report } = await runInjections(plan);
    acceptFaults(faults);
    accept('failing calls', report);
    const refusing = INJECTIONS.filter(({ refuses }) => refuses).map(({ name }) => name);
    const late = faults.filter(
      ({ name, refusedAfterMs = Infinity }) => refusing.includes(name) && refusedAfterMs > REFUSED_WITHIN_MS,
    );
    expect(late).toEqual([]);
    expect(report.findings).toEqual([]);
  },
);

test.skipIf(skipped('full disk', SmallDisk.problem()))(
  'a full disk: refused within a second, resumed within five, started with 0 bytes free, nothing lost',
  async () => {
    const { faults, report } = await runFullDisk(plan);
    acceptFaults(faults);
    accept('full disk', report);
    expect(faults.filter(({ refusals }) => refusals === 0)).toEqual([]);
    expect(report.findings).toEqual([]);
  },
);
