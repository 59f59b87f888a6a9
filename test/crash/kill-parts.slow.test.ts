// kill -9 of any one part at random moments, while records stream in at 5,000 a second: it is started again, and
// everything that was acknowledged arrives. Repeats are allowed here and counted; loss is not.
import { spawn } from 'node:child_process';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { type Millrace, startMillrace } from '../support/millrace.ts';
import { partProcesses } from '../support/part-processes.ts';
import { seededRandom } from '../support/seeded-random.ts';

const KILLS = Number(process.env['MILLRACE_KILLS'] ?? 10);
const RATE = 5_000;
const PARTS = ['broker', 'store', 'collector', 'sink', 'alerts', 'web', 'agent'];
const LAUNCHER = fileURLToPath(new URL('../../deploy/bin/millrace.js', import.meta.url));
const seed = Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 1e9));
const random = seededRandom(seed);

let up: Millrace;
let directory: string;
let tailed: string;

beforeAll(async () => {
  console.log(`seed ${seed} (repeat with MILLRACE_SEED=${seed})`);
  directory = await mkdtemp(join(tmpdir(), 'millrace-kill-'));
  tailed = join(directory, 'tailed.log');
  await writeFile(tailed, '');
  up = await startMillrace({ args: ['--tail', tailed] });
});

afterAll(async () => {
  await up?.remove();
  await rm(directory, { recursive: true, force: true });
});

interface GenerateReport {
  run: string;
  sent: number;
  acknowledged: number;
  unknown: number;
}

/** Generates until told to stop; resolves with what was acknowledged. */
function generate(run: string): { stop(): Promise<GenerateReport> } {
  const args = ['generate', '--endpoint', up.otlp, '--rate', String(RATE), '--duration', '30m', '--run', run];
  const child = spawn(process.execPath, [LAUNCHER, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => void (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => void (stderr += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => void child.once('close', resolve));
  return {
    async stop() {
      child.kill('SIGINT');
      const code = await ended;
      if (code !== 0) throw new Error(`generate ended with code ${code}:\n${stderr}`);
      return JSON.parse(stdout) as GenerateReport;
    },
  };
}

/** Appends numbered lines for as long as the load runs. */
function appendLines(part: string): { stop(): Promise<number> } {
  let count = 0;
  let running = true;
  const done = (async () => {
    while (running) {
      let text = '';
      for (let line = 0; line < 10; line += 1) text += `${part} line ${count++}\n`;
      await appendFile(tailed, text);
      await new Promise((resolve) => void setTimeout(resolve, 50));
    }
  })();
  return {
    async stop() {
      running = false;
      await done;
      return count;
    },
  };
}

test.for(PARTS)(
  `${KILLS} times kill -9 of %s under ${RATE} records/s: nothing acknowledged is lost`,
  async (part) => {
    const run = `kill-${part}-${seed}`;
    const load = generate(run);
    const lines = appendLines(part);
    for (let round = 0; round < KILLS; round += 1) {
      await new Promise((resolve) => void setTimeout(resolve, 200 + random() * 1_300));
      const pid = await eventually(
        () => {
          const found = partProcesses(up.pid).get(part);
          if (found === undefined) throw new Error(`${part} is not running:\n${up.output().slice(-2_000)}`);
          return found;
        },
        { timeoutMs: 15_000 },
      );
      process.kill(pid, 'SIGKILL');
      await eventually(() => expect(partProcesses(up.pid).get(part)).not.toBe(pid), { timeoutMs: 15_000 });
    }
    await eventually(() => expect(partProcesses(up.pid).get(part)).toBeDefined(), { timeoutMs: 15_000 });
    await new Promise((resolve) => void setTimeout(resolve, 2_000));
    const report = await load.stop();
    const appended = await lines.stop();
    // A part that is killed as soon as it is back takes little, but it takes something.
    expect(report.acknowledged).toBeGreaterThan(1_000);

    const audit = await eventually(
      async () => {
        const [counts] = await up.rows<{ rows: number; distinct: number }>(
          `SELECT count() AS rows, uniqExact(LogAttributes['generate.seq']) AS distinct
         FROM otel.otel_logs WHERE LogAttributes['generate.run'] = '${run}'`,
        );
        expect(counts!.distinct).toBeGreaterThanOrEqual(report.acknowledged);
        return counts!;
      },
      { timeoutMs: 90_000, everyMs: 500 },
    );
    const [tail] = await eventually(
      async () => {
        const rows = await up.rows<{ rows: number; distinct: number }>(
          `SELECT count() AS rows, uniqExact(Body) AS distinct FROM otel.otel_logs
         WHERE ServiceName = 'tailed' AND startsWith(Body, '${part} line ')`,
        );
        expect(rows[0]!.distinct).toBe(appended);
        return rows;
      },
      { timeoutMs: 60_000, everyMs: 500 },
    );
    console.log(
      `${part}: ${KILLS} kills, ${report.acknowledged} acknowledged, ${audit.distinct} stored, ` +
        `${audit.rows - audit.distinct} repeated; tailed ${appended}, repeated ${tail!.rows - tail!.distinct}`,
    );
  },
);

test('the broker recovered its log each time: no offset is missing or doubled in the table', async () => {
  const bad = await up.rows(
    `SELECT _topic, _partition, count() AS rows, uniqExact(_offset, _index) AS distinct
     FROM otel.otel_logs GROUP BY _origin, _topic, _partition HAVING rows != distinct`,
  );
  expect(bad).toEqual([]);
});
