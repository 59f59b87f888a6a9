/**
 * `npm run test:crash`: the log on a simulated disk, at length. README.md beside it says what is run.
 */
import { parseArgs } from 'node:util';

import { runDamage } from './damage/run-damage.ts';
import { runRecordings } from './recorded/run-recordings.ts';
import { runSeeds } from './seeds.ts';

const HELP = `Usage: npm run test:crash -- [parts] [options]

Parts, all when none is given:
  recorded  named workloads, cut at every write and sync, with every torn last write and reordered ones
  damage    every bit of every kind of file flipped, and every file cut at every byte
  seeds     random histories with cuts, full disks, failed writes and syncs

Options:
  --seeds <n>    how many seeds (20000)
  --from <n>     the first of them (1)
  --twice <n>    so many are run twice, and must go the same way (200)
  --threads <n>  of seeds (as many as there are processors)
  --step <n>     of recorded and damage: only each n-th operation, bit and byte (1)
  --depth <n>    of recorded: starts that are cut at every write and sync, within each other (2)
  --help`;

const PARTS = ['recorded', 'damage', 'seeds'] as const;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '20000' },
    from: { type: 'string', default: '1' },
    twice: { type: 'string', default: '200' },
    threads: { type: 'string' },
    step: { type: 'string', default: '1' },
    depth: { type: 'string', default: '2' },
    help: { type: 'boolean', default: false },
  },
});

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const chosen = positionals.length === 0 ? PARTS : PARTS.filter((part) => positionals.includes(part));
const unknown = positionals.filter((one) => !(PARTS as readonly string[]).includes(one));
if (values.help || unknown.length > 0) {
  say(unknown.length > 0 ? `cannot run ${unknown.join(', ')}: want ${PARTS.join(', ')}\n\n${HELP}` : HELP);
  process.exit(unknown.length > 0 ? 2 : 0);
}

let failures = 0;
const step = Number(values.step);
if (chosen.includes('recorded')) {
  const result = await runRecordings({ stride: step, depth: Number(values.depth) }, say);
  failures += result.failures.length;
  say(
    `recorded: ${result.operations} operations, ${result.states} states, failed ${result.failures.length}\n`,
  );
}
if (chosen.includes('damage')) {
  const result = await runDamage({ step, cutStep: step }, say);
  for (const failure of result.failures.slice(0, 20)) say(failure);
  failures += result.failures.length;
  say(`damage: ${result.flips} flipped bits, ${result.cuts} cut files, failed ${result.failures.length}\n`);
}
if (chosen.includes('seeds')) {
  const result = await runSeeds(
    {
      from: Number(values.from),
      seeds: Number(values.seeds),
      twice: Number(values.twice),
      ...(values.threads === undefined ? {} : { threads: Number(values.threads) }),
    },
    say,
  );
  failures += result.failed.length;
  say(`seeds: ${result.seeds}, failed ${result.failed.length}, trace ${result.trace}`);
}
process.exitCode = failures === 0 ? 0 : 1;
