/**
 * `npm run test:crash`: the log on a simulated disk, at length. README.md beside it says what is run.
 */
import { parseArgs } from 'node:util';

import { runDamage } from './damage/run-damage.ts';
import { runSeeds } from './seeds.ts';

const HELP = `Usage: npm run test:crash -- [parts] [options]

Parts, all when none is given:
  damage    every bit of every kind of file flipped, and every file cut at every byte
  seeds     random histories with cuts, full disks, failed writes and syncs

Options:
  --seeds <n>    how many seeds (20000)
  --from <n>     the first of them (1)
  --twice <n>    so many are run twice, and must go the same way (200)
  --threads <n>  of seeds (as many as there are processors)
  --step <n>     of damage: only each n-th bit and byte (1)
  --help`;

const PARTS = ['damage', 'seeds'] as const;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '20000' },
    from: { type: 'string', default: '1' },
    twice: { type: 'string', default: '200' },
    threads: { type: 'string' },
    step: { type: 'string', default: '1' },
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
if (chosen.includes('damage')) {
  const step = Number(values.step);
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
