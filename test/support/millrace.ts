/** A whole `millrace up`, as a user starts it, on free ports and a directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('../../deploy/bin/millrace.js', import.meta.url));
/** Every default port must be free at one offset. */
const STANDARD_PORTS = [9092, 4318, 8123, 3100];

export interface Millrace {
  readonly dataDir: string;
  readonly portOffset: number;
  readonly web: string;
  readonly otlp: string;
  readonly clickhouse: string;
  readonly broker: string;
  readonly pid: number;
  /** Everything it printed so far. */
  output(): string;
  /** Process ids of the parts now, by name. */
  parts(): Promise<Array<{ name: string; pid: number; state: string; restarts: number }>>;
  /** Rows of a SELECT. */
  rows<T = Record<string, unknown>>(sql: string): Promise<T[]>;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
  /** Stops if need be, and removes the directory. */
  remove(): Promise<void>;
}

export interface MillraceOptions {
  readonly args?: readonly string[];
  readonly dataDir?: string;
  readonly portOffset?: number;
  readonly env?: NodeJS.ProcessEnv;
  /** Default 60 s: the first start of a checkout builds. */
  readonly readyTimeoutMs?: number;
}

export async function startMillrace(options: MillraceOptions = {}): Promise<Millrace> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'millrace-test-')));
  const portOffset = options.portOffset ?? (await freePortOffset());
  const args = ['up', '--data-dir', dataDir, '--port-offset', String(portOffset), ...(options.args ?? [])];
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    cwd: dataDir,
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => void child.once('exit', (code) => resolve(code)));
  await ready(child, () => output, exited, options.readyTimeoutMs ?? 60_000);

  const clickhouse = `http://localhost:${8123 + portOffset}`;
  const web = `http://localhost:${3100 + portOffset}`;
  const stop = async (): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    return exited;
  };
  return {
    dataDir,
    portOffset,
    web,
    otlp: `http://localhost:${4318 + portOffset}`,
    clickhouse,
    broker: `localhost:${9092 + portOffset}`,
    pid: child.pid!,
    output: () => output,
    async parts() {
      const response = await fetch(`${web}/api/status`);
      const { parts } = (await response.json()) as { parts: Awaited<ReturnType<Millrace['parts']>> };
      return parts;
    },
    rows: async (sql) => selectRows(clickhouse, sql),
    stop,
    async remove() {
      await stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Rows of a SELECT over plain ClickHouse HTTP. */
export async function selectRows<T>(url: string, sql: string): Promise<T[]> {
  const response = await fetch(`${url}/`, {
    method: 'POST',
    body: `${sql} SETTINGS output_format_json_quote_64bit_integers=0 FORMAT JSONEachRow`,
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`cannot query: ${response.status} ${text}`);
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
}

/** Runs one command of `millrace` to its end. */
export async function millrace(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  cwd?: string,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => void (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => void (stderr += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => void child.once('close', resolve));
  return { code, stdout, stderr };
}

async function ready(
  child: ChildProcess,
  output: () => string,
  exited: Promise<number | null>,
  timeoutMs: number,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let ended: number | null | undefined;
  void exited.then((code) => {
    ended = code;
  });
  while (!output().includes(' is up: ')) {
    if (ended !== undefined) throw new Error(`millrace up ended with code ${ended}:\n${output()}`);
    if (performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`millrace up was not ready in ${timeoutMs} ms:\n${output()}`);
    }
    await new Promise((resolve) => void setTimeout(resolve, 20));
  }
}

export async function freePortOffset(): Promise<number> {
  for (;;) {
    // Below what the kernel gives to outgoing connections (32,768 and up), which would take it while a broker is down.
    const offset = 10_000 + Math.floor(Math.random() * 13_000);
    const free = await Promise.all(STANDARD_PORTS.map((port) => isFree(port + offset)));
    if (free.every(Boolean)) return offset;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => void server.close(() => resolve(true)));
  });
}
