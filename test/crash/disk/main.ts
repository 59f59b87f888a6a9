/** By hand: `node test/crash/disk/main.ts --help`. */
import { parseArgs } from 'node:util';

import { runKills } from './kill-loop.ts';
import { printFault, runFullDisk, runInjections, straceProblem } from './faults.ts';
import { PowerDisk, SmallDisk } from './power-disk.ts';
import { runPowerCuts, runUnsynced } from './power-loop.ts';
import { lostIn, type LoopPlan, printReport, type Report } from './report.ts';
import type { World } from './world.ts';

const HELP = `The broker on a real disk, under load, with its process and its power taken away.

node test/crash/disk/main.ts [options]

  --kills N      kill -9, audited after each          (default 0)
  --cuts N       power cuts, audited after each; needs root, xfsprogs and ../shared/tools/powercut.sh (default 0)
  --sabotage no-sync  with --cuts: the broker's syncs do nothing, and losses must be found
  --faults       failing, stalling and full disks; needs root and strace
  --seed S       repeats a plan, though not its timing (default: any)
  --minutes M    each loop ends after that long        (default: no end)
  --rate R       records per second of each producer   (default 300)
  --clients A,B  of franz-go, librdkafka, platformatic (default: the first two, the third where one is missing)

Ends with 1 when anything acknowledged was lost, repeated, reordered or changed, or when a start needed a person;
with --sabotage when nothing was lost: a check that finds nothing then proves nothing.`;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '0' },
    cuts: { type: 'string', default: '0' },
    sabotage: { type: 'string' },
    faults: { type: 'boolean', default: false },
    seed: { type: 'string' },
    minutes: { type: 'string' },
    rate: { type: 'string', default: '300' },
    clients: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const kills = numberOf('kills', values.kills);
const cuts = numberOf('cuts', values.cuts);
if (values.help || (kills + cuts === 0 && !values.faults)) {
  console.log(HELP);
  process.exit(values.help ? 0 : 2);
}
if (
  values.sabotage !== undefined &&
  (values.sabotage !== 'no-sync' || cuts === 0 || kills > 0 || values.faults)
) {
  console.error(`cannot use --sabotage: got ${values.sabotage}, want no-sync, with --cuts alone`);
  process.exit(2);
}
const seed = values.seed === undefined ? Math.floor(Math.random() * 1e9) : numberOf('seed', values.seed);
const plan = {
  seed,
  maxMs: values.minutes === undefined ? Infinity : numberOf('minutes', values.minutes) * 60_000,
  recordsPerSecond: numberOf('rate', values.rate),
  clients: values.clients?.split(','),
};
// Processes, mounts and loop devices go with this one.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
console.log(`seed ${seed} (repeat with --seed ${seed})`);

let failed = false;
if (kills > 0) await loop('kills', kills, runKills);
if (cuts > 0) {
  const problem = PowerDisk.problem();
  if (problem === undefined) await loop('power cuts', cuts, values.sabotage ? runUnsynced : runPowerCuts);
  else {
    console.log(`power cuts: skipped, ${problem}`);
    failed = true;
  }
}
if (values.faults) await faults();
process.exit(failed ? 1 : 0);

async function faults(): Promise<void> {
  for (const [what, problem, run] of [
    ['failing calls', straceProblem(), runInjections],
    ['full disk', SmallDisk.problem(), runFullDisk],
  ] as const) {
    if (problem !== undefined) {
      console.log(`${what}: skipped, ${problem}`);
      failed = true;
      continue;
    }
    const { report } = await run(plan, { onFault: (fault) => console.log(printFault(fault)) });
    for (const line of printReport(what, report)) console.log(line);
    if (report.findings.length > 0) failed = true;
  }
}

async function loop(
  what: string,
  rounds: number,
  run: (loopPlan: LoopPlan) => Promise<Report>,
): Promise<void> {
  const startedMs = performance.now();
  let printedMs = 0;
  const onProgress = (done: number, world: World): void => {
    if (performance.now() - printedMs < 5_000) return;
    printedMs = performance.now();
    const counts = [...world.ledger.outcomes().values()];
    const sum = (key: 'ok' | 'failed' | 'unknown'): number => counts.reduce((all, one) => all + one[key], 0);
    const seconds = (performance.now() - startedMs) / 1_000;
    console.log(
      `${what}: ${done} of ${rounds}, ${seconds.toFixed(0)} s; ok ${sum('ok')}, failed ${sum('failed')}, ` +
        `unknown ${sum('unknown')}; findings ${world.findings.length}`,
    );
  };
  const report = await run({ ...plan, rounds, onProgress });
  for (const line of printReport(what, report)) console.log(line);
  if (values.sabotage) {
    const lost = lostIn(report);
    console.log(
      lost > 0 ? `without syncs: ${lost} losses found, as they must be` : 'without syncs: NO loss found',
    );
    failed = lost === 0;
  } else if (report.findings.length > 0) failed = true;
}

function numberOf(name: string, text: string): number {
  const number = Number(text);
  if (Number.isFinite(number) && number >= 0) return number;
  console.error(`cannot use --${name}: got ${text}, want a number`);
  process.exit(2);
}
