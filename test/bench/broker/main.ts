/** `npm run bench broker`: our broker and Apache Kafka, in turns, on this machine. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { prepareJava } from '../../support/java.ts';
import { machine } from '../machine.ts';
import { Workplace } from '../workplace.ts';
import { CELLS } from './cells.ts';
import { cellProblem, measureCell, startOnce } from './compare.ts';
import { Progress } from './progress.ts';
import { comparison } from './report.ts';
import { Samples, type Summary } from './samples.ts';
import type { Side, SideName } from './side.ts';

const HELP = `Compares our broker with Apache Kafka on this machine: same clients, in turns; prints ratios with their spread.

Usage: npm run bench broker -- [options]

  --cells a,b     only these (default: all)
  --pairs N       runs of each side that are compared (default 5)
  --seconds N     about how long each timed run takes (default 5)
  --only SIDE     ours or kafka, alone
  --dir PATH      on the disk to measure (default: the temporary directory)
  --json FILE     also writes every value there
  --profile DIR   leaves CPU profiles of our processes there (which costs some speed)
  --help

Cells:
${CELLS.map(({ name, about }) => `  ${name.padEnd(22)}${about}`).join('\n')}

Needs java (17), javac and mvn for Kafka and its tools, and kcat for librdkafka; what is missing is said and left out.`;

const { values } = parseArgs({
  options: {
    cells: { type: 'string' },
    pairs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    only: { type: 'string' },
    dir: { type: 'string' },
    json: { type: 'string' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) console.log(HELP);
else await compareAll();

async function compareAll(): Promise<void> {
  const pairs = positive('pairs', values.pairs);
  const seconds = positive('seconds', values.seconds);
  const cells = chosenCells();
  const java = prepareJava();
  const sides = chosenSides(java);
  const workplace = new Workplace(values.dir, values.profile);
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interrupted = true;
      void workplace.close().finally(() => process.exit(130));
    });
  }
  const startMs = performance.now();
  const progress = new Progress(cells.length, startMs);
  const say = (text: string): void =>
    console.error(`${((performance.now() - startMs) / 1_000).toFixed(0).padStart(4)} s  ${text}`);
  const summaries: Summary[] = [];
  const failures: Array<{ cell: string; reason: string }> = [];
  const starts = new Samples('all');
  let started = 0;
  const onStart = (running: readonly Side[]): void => {
    for (const { name, startSeconds, startMib } of running) {
      starts.add(name, 'start', started, startSeconds);
      starts.add(name, 'memory after the start', started, startMib);
    }
    started += 1;
  };
  const options = { workplace, java, sides, pairs, seconds, progress, say, onStart };
  say('starts each once');
  await startOnce(options);
  for (const cell of cells) {
    const problem = cellProblem(cell, java);
    if (problem === undefined) {
      try {
        const measured = await measureCell(cell, options);
        summaries.push(...measured);
        // Whatever comes later, this stands.
        console.error(`\n${comparison(measured)}\n`);
      } catch (error) {
        // What it measured was taken away: the interrupt ends this process once all of it is.
        if (interrupted) return new Promise(() => undefined);
        // The others are still worth their figures; a run with errors is none.
        console.error(`${cell.name} failed:`, error);
        failures.push({ cell: cell.name, reason: error instanceof Error ? error.message : String(error) });
        process.exitCode = 1;
      }
    } else console.error(`skipped ${cell.name}: ${problem}`);
    progress.finish(1);
    keep({ pairs, seconds, summaries: [...summaries, ...starts.summaries()], failures });
  }
  console.log(comparison([...summaries, ...starts.summaries()]));
  for (const { cell, reason } of failures) console.log(`${cell} failed: ${reason.split('\n')[0]}`);
  console.error(`${Math.round((performance.now() - startMs) / 1_000)} s`);
  // Clients of others may keep timers; everything that matters has ended.
  process.exit();
}

/** After every cell: a long run that is interrupted has still measured what it has. */
function keep(figures: object): void {
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ ...machine(), ...figures }, null, 2)}\n`);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`cannot use --${name}: got ${text}, want a positive number`);
  return value;
}

function chosenCells(): typeof CELLS {
  const names = values.cells?.split(',') ?? CELLS.map(({ name }) => name);
  const unknown = names.filter((name) => !CELLS.some((cell) => cell.name === name));
  if (unknown.length > 0) {
    const known = CELLS.map(({ name }) => name).join(', ');
    throw new Error(`cannot run ${unknown.join(', ')}: want ${known}`);
  }
  return CELLS.filter(({ name }) => names.includes(name));
}

function chosenSides(java: ReturnType<typeof prepareJava>): SideName[] {
  const only = values.only;
  if (only !== undefined && only !== 'ours' && only !== 'kafka') {
    throw new Error(`cannot use --only: got ${only}, want ours or kafka`);
  }
  if (typeof java === 'string') {
    console.error(`Apache Kafka is left out: ${java}`);
    return ['ours'];
  }
  return only ? [only] : ['ours', 'kafka'];
}
