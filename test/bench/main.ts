/** `npm run bench`: measures on this machine and prints one table. Nothing here is asserted anywhere. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { BENCHES } from './benches.ts';
import { machine } from './machine.ts';
import { benchTable, type Row } from './table.ts';
import { Workplace } from './workplace.ts';

/** Programs of their own: what stands behind their name is for them. */
const PROGRAMS: Readonly<Record<string, { readonly file: string; readonly about: string }>> = {
  broker: { file: 'broker/main.ts', about: 'our broker and Apache Kafka in turns, about 45 minutes' },
  soak: { file: 'soak/main.ts', about: 'our broker at 70% for half an hour: does anything grow' },
  storage: { file: 'storage-layout.ts', about: 'layouts of the log compared' },
};

const HELP = `Measures this checkout on this machine and prints one table.

Usage: npm run bench -- [names…] [options]

${BENCHES.map(({ name, about }) => `  ${name.padEnd(14)}${about}`).join('\n')}

With options and a table of their own (npm run bench NAME -- --help):
${Object.entries(PROGRAMS)
  .map(([name, { about }]) => `  ${name.padEnd(14)}${about}`)
  .join('\n')}

  --seconds N    length of each measured phase (default 10)
  --dir PATH     on the disk to measure (default: the temporary directory)
  --json FILE    also writes the figures there
  --profile DIR  leaves a CPU profile of every process there (which costs some speed)
  --help`;

const program = PROGRAMS[process.argv[2] ?? ''];
const { values, positionals } = parseArgs({
  args: program ? [] : process.argv.slice(2),
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '10' },
    dir: { type: 'string' },
    json: { type: 'string' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (program) await runProgram(program.file);
else if (values.help) console.log(HELP);
else await measureAll();

async function measureAll(): Promise<void> {
  const seconds = Number(values.seconds);
  if (!(seconds > 0)) throw new Error(`cannot use --seconds: got ${values.seconds}, want a positive number`);
  const known = BENCHES.map(({ name }) => name);
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(
      `cannot run ${unknown.join(', ')}: want ${[...known, ...Object.keys(PROGRAMS)].join(', ')}`,
    );
  }
  const workplace = new Workplace(values.dir, values.profile);
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
    void workplace.close().finally(() => process.exit(130));
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt);
  const rows: Row[] = [];
  for (const { name, run } of BENCHES) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    const say = (text: string): void => console.error(`${name}: ${text}`);
    try {
      await run({ seconds, workplace, say, report: (figure) => void rows.push({ bench: name, ...figure }) });
    } catch (error) {
      // What it measured was taken away: the interrupt ends this process once all of it is.
      if (interrupted) return new Promise(() => undefined);
      // The others are still worth their figures.
      console.error(`${name} failed:`, error);
      process.exitCode = 1;
    } finally {
      await workplace.close();
    }
  }
  console.log(benchTable(rows));
  if (values.json)
    writeFileSync(values.json, `${JSON.stringify({ ...machine(), seconds, rows }, null, 2)}\n`);
  // Clients of ours and others may keep timers; everything that matters has ended.
  process.exit();
}

async function runProgram(file: string): Promise<void> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', path, ...process.argv.slice(3)],
    { stdio: 'inherit' },
  );
  process.exitCode = await new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}
