import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { eventually } from '../../test/support/eventually.ts';

interface Received {
  readonly service: unknown;
  readonly body: string;
  readonly severity: number;
}

const here = fileURLToPath(new URL('.', import.meta.url));
const nodeModules = join(here, '../../node_modules');
const root = mkdtempSync(join(tmpdir(), 'millrace-node-agent-'));

/** The Node that runs these tests, and an older one where the system has it. */
const olderNode = findOlderNode();
if (!olderNode) console.warn('skipped: the Node agent on Node 20, no node but this one on the PATH');
const NODES = [process.execPath, ...(olderNode ? [olderNode] : [])].map((path) => ({
  path,
  version: execFileSync(path, ['--version'], { encoding: 'utf8' }).trim(),
}));

const PINO = `log.info('first'); log.error({ err: new Error('boom') }, 'second');`;
const CONSOLE = `console.log('third %d', 3); console.error('fourth');`;
const EXPECTED = [
  { body: 'first', severity: 9 },
  { body: 'second', severity: 17 },
  { body: 'third 3', severity: 9 },
  { body: 'fourth', severity: 17 },
];

let server: Server;
let received: Received[] = [];
/** Answers with this status while set. */
let refuseWith: number | undefined;
let refusals = 0;

beforeAll(async () => {
  mkdirSync(join(root, 'node_modules/@millrace'), { recursive: true });
  symlinkSync(here, join(root, 'node_modules/@millrace/agent'));
  symlinkSync(join(nodeModules, 'pino'), join(root, 'node_modules/pino'));
  writeFileSync(join(root, 'package.json'), '{"name":"shop"}');
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (refuseWith !== undefined) refusals += 1;
      else received.push(...recordsIn(Buffer.concat(chunks).toString('utf8')));
      response.writeHead(refuseWith ?? 200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
});

afterEach(() => {
  received = [];
  refuseWith = undefined;
  refusals = 0;
});

afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(root, { recursive: true });
});

describe.each(NODES)('on Node $version', ({ path }) => {
  test.each([
    ['ESM', 'app.mjs', `import pino from 'pino'; const log = pino();`],
    ['CommonJS', 'app.cjs', `const log = require('pino')();`],
  ])('an %s application: all records, with severity and service name', async (_, file, start) => {
    const { code, stdout, stderr } = await run(path, file, `${start}\n${PINO}\n${CONSOLE}`);
    expect(code).toBe(0);
    expect(received.map(({ body, severity }) => ({ body, severity }))).toEqual(EXPECTED);
    expect(new Set(received.map(({ service }) => service))).toEqual(new Set(['shop']));
    expect(stdout).toContain('third 3');
    expect(stderr).toMatch(
      /^millrace agent: logs of shop \(pino, console\) go to http:\/\/127\.0\.0\.1:\d+\/v1\/logs$/m,
    );
  });

  test('process.exit right after the last log loses nothing and keeps its status', async () => {
    const source = `for (let i = 0; i < 5000; i++) console.debug('line ' + i); process.exit(7);`;
    const { code } = await run(path, 'exit.cjs', source);
    expect(code).toBe(7);
    expect(received.map(({ body }) => body)).toEqual(Array.from({ length: 5000 }, (_, i) => `line ${i}`));
  });

  test('an uncaught exception ends the process as before, and arrives', async () => {
    const { code, stderr } = await run(
      path,
      'throw.mjs',
      `console.info('before'); throw new TypeError('bad');`,
    );
    expect(code).toBe(1);
    expect(stderr).toContain('TypeError: bad');
    expect(received.map(({ body }) => body)).toEqual(['before', 'Uncaught TypeError: bad']);
  });

  test('SIGTERM without a handler still kills', async () => {
    const source = `console.log('up'); setInterval(() => {}, 1000); process.stdout.write('ready\\n');`;
    const { code, signal } = await run(path, 'forever.cjs', source, {
      killWhen: () => received.length === 1,
    });
    expect({ code, signal }).toEqual({ code: null, signal: 'SIGTERM' });
  });

  test("SIGTERM runs the application's own handler, and what it logs arrives", async () => {
    const source = `process.on('SIGTERM', () => { console.log('closing', process.listenerCount('SIGTERM')); clearInterval(t); });
      const t = setInterval(() => {}, 1000); console.log('up');`;
    const { code, signal } = await run(path, 'handler.cjs', source, {
      killWhen: () => received.length === 1,
    });
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    expect(received.map(({ body }) => body)).toEqual(['up', 'closing 1']);
  });

  test('a collector that is away: bounded memory, the drops told once, the application unaffected', async () => {
    refuseWith = 503;
    const source = `const text = 'x'.repeat(1000); let i = 0;
      const more = () => { for (let n = 0; n < 500; n++) console.log(text); if (++i < 100) setImmediate(more); else process.stderr.write('rss ' + process.memoryUsage().rss + '\\n'); };
      more();`;
    const env = {
      MILLRACE_AGENT_QUEUE_BYTES: '1000000',
      MILLRACE_AGENT_QUIET: '1',
      MILLRACE_AGENT_REPORT_INTERVAL_MS: '60000',
    };
    const { code, stderr } = await run(path, 'away.cjs', source, { env, stdout: 'ignore' });
    expect(code).toBe(0);
    expect(stderr).not.toContain('logs of');
    const dropped = [...stderr.matchAll(/dropped (\d+) log records: more than 1000000 bytes wait/g)];
    const lost = [...stderr.matchAll(/lost (\d+) log records at exit: .* answered 503/g)];
    expect(dropped).toHaveLength(1);
    // 50,000 lines of 1,100 bytes each against a bound of 1 MB: every one is accounted for.
    expect(Number(dropped[0]![1]) + Number(lost[0]![1])).toBe(50_000);
    expect(Number(/rss (\d+)/.exec(stderr)![1])).toBeLessThan(250e6);
  });

  test('nobody listens: the application ends with its own status and without delay', async () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' };
    const { code, stderr } = await run(path, 'nobody.mjs', `console.log('x'); process.exitCode = 4;`, {
      env,
    });
    expect(code).toBe(4);
    expect(stderr).toMatch(/lost 1 log records at exit: .* is not reachable: ECONNREFUSED/);
  });

  test('a collector that comes back gets everything once', async () => {
    refuseWith = 503;
    const source = `for (let i = 0; i < 10; i++) console.log('line ' + i); process.on('SIGTERM', () => process.exit());
      setInterval(() => {}, 1000); process.stdout.write('ready\\n');`;
    const running = run(path, 'back.cjs', source, { killWhen: () => received.length >= 10 });
    await eventually(() => {
      expect(refusals).toBeGreaterThan(0);
    });
    refuseWith = undefined;
    await running;
    expect(received.map(({ body }) => body)).toEqual(Array.from({ length: 10 }, (_, i) => `line ${i}`));
  });
});

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly env?: Record<string, string>;
  readonly stdout?: 'ignore' | 'pipe';
  /** Sends SIGTERM once this holds. */
  readonly killWhen?: () => boolean;
}

/** Runs an application under the agent to its end. */
async function run(path: string, file: string, source: string, options: RunOptions = {}): Promise<Ended> {
  writeFileSync(join(root, file), source);
  const { port } = server.address() as AddressInfo;
  const child = spawn(path, ['--import', '@millrace/agent', file], {
    cwd: root,
    stdio: ['ignore', options.stdout ?? 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      // The machine may be busy: what is tested is that nothing is lost, not how fast.
      MILLRACE_AGENT_EXIT_TIMEOUT_MS: '15000',
      ...options.env,
    },
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  const { killWhen } = options;
  if (killWhen) {
    try {
      await eventually(() => assert(killWhen(), 'the moment to kill did not come'));
      child.kill('SIGTERM');
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }
  return ended;
}

function recordsIn(body: string): Received[] {
  const request = JSON.parse(body) as {
    resourceLogs: Array<{
      resource: { attributes: Array<{ key: string; value: { stringValue?: string } }> };
      scopeLogs: Array<{ logRecords: Array<{ severityNumber: number; body: { stringValue: string } }> }>;
    }>;
  };
  return request.resourceLogs.flatMap(({ resource, scopeLogs }) => {
    const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue;
    return scopeLogs.flatMap(({ logRecords }) =>
      logRecords.map((record) => ({
        service,
        body: record.body.stringValue,
        severity: record.severityNumber,
      })),
    );
  });
}

function findOlderNode(): string | undefined {
  const directories = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((one) => !one.includes('node_modules'));
  for (const directory of directories) {
    const path = join(directory, 'node');
    try {
      const version = execFileSync(path, ['--version'], { encoding: 'utf8' });
      const major = Number(/^v(\d+)/.exec(version)?.[1]);
      if (major >= 20 && major < 24) return path;
    } catch {
      // No node here, or one that does not run.
    }
  }
  return undefined;
}
