// kill -9 of the agent at random moments, while lines are written and files rotated, also with nobody running:
// every line arrives, and no line under two numbers, so that repeats can be told.
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { eventually } from '../../test/support/eventually.ts';
import { seededRandom } from '../../test/support/seeded-random.ts';
import { linesIn } from '../../test/support/tailing.ts';

/** More: MILLRACE_KILLS=100. The same again: MILLRACE_SEED, as far as processes can be the same. */
const KILLS = Number(process.env['MILLRACE_KILLS'] ?? 4);
const SEED = Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 1e9));
const AGENT = `
  import { nodeHost } from '${new URL('../../broker/host/node-host.ts', import.meta.url).href}';
  import { agentConfig } from '${new URL('config.ts', import.meta.url).href}';
  import { start } from '${new URL('main.ts', import.meta.url).href}';
  await start(agentConfig.parse(JSON.parse(process.argv[1])), nodeHost());
  console.log('started');
`;

let root: string;
let server: Server;
/** By line: the places `source:offset` under which it came. */
let arrived: Map<string, Set<string>>;
let agent: ChildProcess | undefined;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'millrace-agent-kill-'));
  arrived = new Map();
  server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const source = String(incoming.headers['millrace-source']);
      for (const { text, offset } of linesIn(Buffer.concat(chunks))) {
        const places = arrived.get(text) ?? new Set();
        arrived.set(text, places.add(`${source}:${offset}`));
      }
      response.end();
    });
    incoming.on('error', () => {});
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
});

afterEach(() => {
  agent?.kill('SIGKILL');
  server.closeAllConnections();
  server.close();
  rmSync(root, { recursive: true });
});

/** Resolves when it follows files. */
async function startAgent(): Promise<void> {
  const config = {
    dataDir: join(root, '.agent'),
    collector: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    files: [{ path: join(root, 'app.log') }],
    hostMetrics: { enabled: false },
    tail: { pollIntervalMs: 10 },
    batch: { recordsMax: 50 },
  };
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', AGENT, JSON.stringify(config)],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  agent = child;
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => void (said += chunk.toString()));
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`the agent ended with ${code}: ${said}`)));
  });
}

async function killAgent(): Promise<void> {
  const child = agent!;
  const gone = new Promise((resolve) => void child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

test(
  'kills: no line is lost, and none comes under two numbers',
  { timeout: 20_000 + KILLS * 3_000 },
  async () => {
    const random = seededRandom(SEED);
    const path = join(root, 'app.log');
    const written: string[] = [];
    const write = (rotating = true): void => {
      let lines = '';
      for (let i = Math.floor(random() * 40); i >= 0; i--) {
        written.push(`line ${written.length}`);
        lines += `${written.at(-1)}\n`;
      }
      // Sometimes a line comes in two halves.
      const cut = random() < 0.3 ? Math.floor(random() * lines.length) : lines.length;
      appendFileSync(path, lines.slice(0, cut));
      if (cut < lines.length) appendFileSync(path, lines.slice(cut));
      if (rotating && random() < 0.1) rotate(path);
    };
    // What was rotated away before the agent first saw the file is not its business.
    write(false);
    await startAgent();
    await eventually(() => expect(arrived.size).toBe(written.length));
    for (let kill = 0; kill < KILLS; kill++) {
      const writes = 1 + Math.floor(random() * 40);
      for (let i = 0; i < writes; i++) {
        write();
        await new Promise((resolve) => setImmediate(resolve));
        // Let it come to sending and to its checkpoints: some kills right away, some later.
        const caughtUp = random() < 0.2 ? written.length / 2 : 0;
        await eventually(() => expect(arrived.size).toBeGreaterThan(caughtUp));
      }
      await killAgent();
      for (let i = 0; i < 3; i++) write();
      await startAgent();
    }
    await eventually(() => expect(arrived.size).toBe(written.length));
    expect(
      written.filter((line) => arrived.get(line)?.size !== 1),
      `seed ${SEED}`,
    ).toEqual([]);
  },
);

/** As logrotate does, without a copy. None is removed: an agent that never runs for long cannot keep up. */
function rotate(path: string): void {
  let last = 0;
  while (existsSync(`${path}.${last + 1}`)) last += 1;
  for (let n = last; n > 0; n--) renameSync(`${path}.${n}`, `${path}.${n + 1}`);
  renameSync(path, `${path}.1`);
  appendFileSync(path, '');
}
