import { readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { basename, join } from 'node:path';

import type { TurnSummary } from '../../deploy/process/turn-times.ts';

/** What a process tells of itself; bytes. */
export interface Probed {
  readonly sequence: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
  readonly turns: TurnSummary;
  readonly turnsOnProcessor: TurnSummary;
}

const PRELOAD = join(import.meta.dirname, 'probe-preload.ts');
const TURNS = join(import.meta.dirname, '../../deploy/process/turn-times.ts');
/** Longer than any turn should be. */
const TIMEOUT_MS = 10_000;
const POLL_MS = 5;

/** Asks a process that was started with `preload` and `env` for what it knows of itself. */
export class Probe {
  readonly preload: string;
  readonly env: Readonly<Record<string, string>>;
  private readonly path: string;
  private sequence = 0;

  /**
   * `directory`: where the answers are written, and the modules as JavaScript: a process that has to strip types itself
   * starts later and is larger.
   */
  constructor(directory: string) {
    const asJavaScript = (path: string): string => join(directory, `${basename(path, '.ts')}.mjs`);
    const strip = (path: string): string => stripTypeScriptTypes(readFileSync(path, 'utf8'));
    this.preload = asJavaScript(PRELOAD);
    writeFileSync(asJavaScript(TURNS), strip(TURNS));
    writeFileSync(
      this.preload,
      strip(PRELOAD).replaceAll(/'[^']*\/turn-times\.ts'/g, `'${asJavaScript(TURNS)}'`),
    );
    this.path = join(directory, 'probe.json');
    this.env = { MILLRACE_BENCH_PROBE: this.path };
  }

  async ask(pid: number): Promise<Probed> {
    this.sequence += 1;
    process.kill(pid, 'SIGUSR2');
    const deadline = performance.now() + TIMEOUT_MS;
    for (;;) {
      const probed = this.read();
      if (probed?.sequence === this.sequence) return probed;
      if (performance.now() > deadline) throw new Error(`cannot probe ${pid}: no answer in ${TIMEOUT_MS} ms`);
      await new Promise((resolve) => void setTimeout(resolve, POLL_MS));
    }
  }

  private read(): Probed | undefined {
    try {
      return JSON.parse(readFileSync(this.path, 'utf8')) as Probed;
    } catch {
      // Not there yet.
      return undefined;
    }
  }
}
