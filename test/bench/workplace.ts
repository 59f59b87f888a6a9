/**
 * Where benches work: temporary directories and child processes, all of which `close` takes away again, whatever
 * happened in between.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { nodeArguments, partEnvironment } from '../../deploy/parts/environment.ts';
import { PART_NAMES } from '../../deploy/parts/names.ts';

const LAUNCHER = fileURLToPath(new URL('../../deploy/bin/millrace.js', import.meta.url));
/** `up` needs ten seconds at most; after that it is killed. */
const STOP_DEADLINE_MS = 12_000;
/** The end of what a process printed says why it ended; all of it may be a lot. */
const OUTPUT_CHARACTERS_MAX = 1024 * 1024;

export interface Running {
  readonly pid: number;
  /** What it printed so far. */
  output(): string;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  /** SIGTERM, and SIGKILL if that does not help. */
  stop(): Promise<void>;
}

export class Workplace {
  private readonly base: string;
  private readonly nodeOptions: readonly string[];
  private readonly directories: string[] = [];
  private readonly running = new Set<Running>();
  private readonly children = new Set<ChildProcess>();
  private readonly closers: Array<() => unknown> = [];

  /**
   * `base`: on the disk to measure. `profiles`: where every process that is started leaves a CPU profile when it
   * ends.
   */
  constructor(base = tmpdir(), profiles?: string) {
    this.base = base;
    this.nodeOptions = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(profiles)}`];
    // The last resort, for an end that nobody waited for.
    process.once('exit', () => {
      for (const child of this.children) child.kill('SIGKILL');
      this.removeDirectories();
    });
  }

  directory(): string {
    const directory = mkdtempSync(join(this.base, 'millrace-bench-'));
    this.directories.push(directory);
    return directory;
  }

  /** Runs at `close`, last one first: for servers and sockets in this process. */
  onClose(closer: () => unknown): void {
    this.closers.push(closer);
  }

  /** A command of `millrace` as a process of its own; `preload` is a module that runs in it first. */
  millrace(args: readonly string[], env: Readonly<Record<string, string>> = {}, preload?: string): Running {
    const preloads = preload === undefined ? [] : [`--import=${pathToFileURL(preload).href}`];
    const nodeOptions = [process.env['NODE_OPTIONS'], ...this.nodeOptions, ...preloads].filter(Boolean);
    // What a part would start itself again with: so that our child is the part, not its starter.
    const part = PART_NAMES.find((name) => name === args[0]);
    const command = [...(part ? nodeArguments(part) : []), LAUNCHER, ...args];
    const environment = part ? partEnvironment(part) : {};
    return this.start(
      spawn(process.execPath, command, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, NODE_OPTIONS: nodeOptions.join(' '), ...environment, ...env },
        cwd: this.base,
      }),
    );
  }

  /** Somebody else's program; it may be written to. */
  program(command: string, args: readonly string[]): Running & { readonly child: ChildProcess } {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], cwd: this.base });
    return { ...this.start(child), child };
  }

  private start(child: ChildProcess): Running {
    this.children.add(child);
    let output = '';
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    const ended = new Promise<void>((resolve) => {
      child.once('error', () => resolve());
      child.once('exit', () => resolve());
    }).then(() => {
      this.children.delete(child);
      this.running.delete(running);
    });
    const running: Running = {
      pid: child.pid ?? 0,
      output: () => output,
      ended,
      stop: async () => {
        child.kill('SIGTERM');
        const kill = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
        await ended;
        clearTimeout(kill);
      },
    };
    this.running.add(running);
    return running;
  }

  /** Ends everything that was started here and removes the directories; may be used again afterwards. */
  async close(): Promise<void> {
    for (const closer of this.closers.splice(0).toReversed()) await closer();
    await Promise.all([...this.running].toReversed().map((one) => one.stop()));
    this.removeDirectories();
  }

  private removeDirectories(): void {
    for (const directory of this.directories.splice(0)) rmSync(directory, { recursive: true, force: true });
  }
}

/** Tries until it works. @throws the last error, with what the process printed, when it ended or the time is up */
export async function untilReady<T>(
  running: Running,
  attempt: () => Promise<T>,
  { timeoutMs = 120_000, everyMs = 10 } = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let ended = false;
  void running.ended.then(() => (ended = true));
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (ended || performance.now() > deadline) {
        const state = ended ? 'ended' : `was not ready in ${timeoutMs} ms`;
        throw new Error(`cannot measure: the process ${state}\n${running.output()}`, { cause: error });
      }
    }
    await new Promise((resolve) => void setTimeout(resolve, everyMs));
  }
}
