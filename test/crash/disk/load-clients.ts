/** The clients that load the broker, each in a process of its own: which there are here, and why others are missing. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

import { buildGoClients } from '../../clients/go/build.ts';
import { librdkafkaProblem, PYTHON } from '../../clients/python/librdkafka.ts';

const STOP_TIMEOUT_MS = 40_000;
const ERRORS_MAX = 4_000;

export interface LoadPlan {
  readonly address: string;
  readonly journals: string;
  readonly run: string;
  readonly seed: number;
  /** Of each producer. */
  readonly recordsPerSecond: number;
  readonly partitions: number;
  readonly topics: readonly string[];
  /** Behind the names of its producers: a process that came after another has producers of its own. */
  readonly suffix: string;
}

export interface LoadClient {
  readonly name: string;
  readonly command: readonly string[];
  readonly transactionalId: string;
}

/**
 * franz-go and librdkafka: the two whose idempotence and transactions hold under lost connections and answers, written
 * independently of each other, several requests in flight. @platformatic/kafka stands in for one that is missing.
 */
export function loadClients(wanted?: readonly string[]): {
  readonly clients: readonly LoadClient[];
  readonly skipped: readonly string[];
} {
  const clients: LoadClient[] = [];
  const skipped: string[] = [];
  const isWanted = (name: string): boolean => wanted?.includes(name) ?? true;
  if (isWanted('franz-go')) {
    const { binary, problem } = buildGoClients();
    if (binary === undefined) skipped.push(`franz-go: ${problem}`);
    else {
      clients.push({
        name: 'franz-go',
        command: [binary, 'disk-load'],
        transactionalId: 'franz-txn',
      });
    }
  }
  if (isWanted('librdkafka')) {
    const problem = librdkafkaProblem();
    if (problem !== undefined) skipped.push(`librdkafka: ${problem}`);
    else {
      const program = join(import.meta.dirname, '../../clients/python/disk_load.py');
      clients.push({
        name: 'librdkafka',
        command: [PYTHON, program],
        transactionalId: 'librdkafka-txn',
      });
    }
  }
  if (wanted?.includes('platformatic') ?? skipped.length > 0) {
    clients.push({
      name: 'platformatic',
      command: [process.execPath, join(import.meta.dirname, 'node-load.ts')],
      transactionalId: 'platformatic-txn',
    });
  }
  return { clients, skipped };
}

/** One client at work. */
export class LoadProcess {
  readonly name: string;
  readonly transactionalId: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | string>;
  #errors = '';
  #stopping = false;
  /** Why it ended, when nobody asked it to. */
  failure: string | undefined;

  constructor({ name, command, transactionalId }: LoadClient, plan: LoadPlan) {
    this.name = name;
    this.transactionalId = transactionalId + plan.suffix;
    const { address, journals, run, seed, recordsPerSecond, partitions, topics } = plan;
    const args = [address, journals, run, seed, recordsPerSecond, partitions, ...topics].map(String);
    const env = { ...process.env, LOAD_SUFFIX: plan.suffix };
    this.#child = spawn(command[0]!, [...command.slice(1), ...args], {
      stdio: ['pipe', 'ignore', 'pipe'],
      env,
    });
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-ERRORS_MAX);
    });
    const kill = (): void => void this.#child.kill('SIGKILL');
    process.once('exit', kill);
    this.#ended = new Promise((resolve) => {
      const end = (how: number | string): void => {
        process.off('exit', kill);
        if (!this.#stopping || how !== 0) this.failure = `${name} ended with ${how}: ${this.#errors}`;
        resolve(how);
      };
      this.#child.once('error', (error) => end(String(error)));
      this.#child.once('close', (code, signal) => end(code ?? signal ?? 'nothing'));
    });
  }

  get ended(): Promise<unknown> {
    return this.#ended;
  }

  /** Ends its input, and waits until what is under way has its end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#child.stdin!.end();
    const late = setTimeout(() => void this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.#ended;
    clearTimeout(late);
  }
}
