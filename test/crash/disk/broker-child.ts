import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { stringify } from 'yaml';

import { nodeArguments, partEnvironment } from '../../../deploy/parts/environment.ts';
import { freePortOffset } from '../../support/millrace.ts';
import { RawClient } from '../../support/raw-client.ts';
import { apiVersions } from '../../../broker/wire/schemas/index.ts';

const LAUNCHER = fileURLToPath(new URL('../../../deploy/bin/millrace.js', import.meta.url));
/** On a machine that is busy with others; how long it took is in the report. */
const READY_TIMEOUT_MS = 240_000;
const OUTPUT_MAX = 1024 * 1024;
const API_VERSIONS_VERSION = 0;

export interface BrokerChildPlan {
  readonly dataDir: string;
  /** A file off the disk under test; it is written here. */
  readonly settingsFile: string;
  /** Of the broker, by our names. */
  readonly settings: object;
  /** What stands in front of the command: `strace …`. */
  readonly prefix?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** `millrace broker` as a process of its own, which may be killed and started again on the same port. */
export class BrokerChild {
  readonly port: number;
  readonly #plan: BrokerChildPlan;
  #child: ChildProcess | undefined;
  #output = '';
  /** Ends that nobody here asked for. */
  readonly unasked: string[] = [];
  #asked = false;
  #ended: Promise<void> = Promise.resolve();
  readonly #atExit = (): void => void this.#child?.kill('SIGKILL');

  private constructor(plan: BrokerChildPlan, portOffset: number) {
    this.#plan = plan;
    this.port = 9092 + portOffset;
    this.configure(plan.settings);
    // Before the disks that it uses are unmounted.
    process.prependOnceListener('exit', this.#atExit);
  }

  /** Settings for the next start. */
  configure(broker: object): void {
    const { dataDir, settingsFile } = this.#plan;
    const settings = { dataDir, portOffset: this.port - 9092, telemetry: { enabled: false }, broker };
    writeFileSync(settingsFile, stringify(settings));
  }

  static async make(plan: BrokerChildPlan): Promise<BrokerChild> {
    return new BrokerChild(plan, await freePortOffset());
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Everything it printed, over all its starts; the newest megabyte. */
  get output(): string {
    return this.#output;
  }

  /** Starts the process and does not wait for it. */
  spawn(): void {
    const command = [
      ...(this.#plan.prefix ?? []),
      process.execPath,
      ...nodeArguments('broker'),
      LAUNCHER,
      'broker',
      '--config',
      this.#plan.settingsFile,
    ];
    const child = spawn(command[0]!, command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...partEnvironment('broker'), ...this.#plan.environment },
    });
    this.#child = child;
    this.#asked = false;
    const print = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-OUTPUT_MAX);
    };
    child.stdout.on('data', print);
    child.stderr.on('data', print);
    this.#ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        if (!this.#asked) this.unasked.push(`ended with ${code ?? signal}: ${this.#output.slice(-2_000)}`);
        resolve();
      });
      child.once('error', (error) => {
        this.unasked.push(String(error));
        resolve();
      });
    });
  }

  /** How long it took from the call to an answer. @throws Error when it ends or needs too long */
  async start(): Promise<number> {
    const startedMs = performance.now();
    this.spawn();
    await this.ready();
    return performance.now() - startedMs;
  }

  /** Until it answers ApiVersions. */
  async ready(): Promise<void> {
    const deadlineMs = performance.now() + READY_TIMEOUT_MS;
    for (;;) {
      try {
        const client = await this.connect();
        await client.call(apiVersions, API_VERSIONS_VERSION, {});
        client.close();
        return;
      } catch (error) {
        if (!this.running || performance.now() > deadlineMs) {
          const state = this.running ? `was not ready in ${READY_TIMEOUT_MS} ms` : 'ended';
          throw new Error(`the broker ${state}:\n${this.#output.slice(-4_000)}`, { cause: error });
        }
      }
      await new Promise((resolve) => void setTimeout(resolve, 3));
    }
  }

  connect(): Promise<RawClient> {
    return RawClient.connect(this.port);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async kill(): Promise<void> {
    this.#asked = true;
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  async stop(): Promise<void> {
    this.#asked = true;
    this.#child?.kill('SIGTERM');
    const late = setTimeout(() => this.#child?.kill('SIGKILL'), 10_000);
    await this.#ended;
    clearTimeout(late);
    process.off('exit', this.#atExit);
  }
}
