import type { Host } from '../../../broker/host/host.ts';
import type { LineBatch } from './line-batch.ts';
import type { Positions } from './positions.ts';
import type { TailedFile } from './tailed-file.ts';
import { Turns } from './turns.ts';

/** Batches that one file sends before others get their turn: about 4 MB. */
const BATCHES_PER_TURN = 8;

/** Sends a batch until it is acknowledged, moving its position; false when the agent stopped before. */
export type Deliver = (batch: LineBatch) => Promise<boolean>;

/** Reads files and sends what they have: one batch of a file at a time, some files at once. */
export class Readings {
  private readonly host: Host;
  private readonly positions: Positions;
  private readonly deliver: Deliver;
  private readonly turns: Turns;
  private readonly running = new Map<TailedFile, Promise<void>>();
  /** When a file's last reading started, ms (monotonic). */
  private readonly startedMs = new WeakMap<TailedFile, number>();
  /** Files that could not be read the last time, so that this is told once. */
  private readonly failing = new WeakSet<TailedFile>();
  private stopped = false;

  constructor(host: Host, positions: Positions, deliver: Deliver, filesAtOnce: number) {
    this.host = host;
    this.positions = positions;
    this.deliver = deliver;
    this.turns = new Turns(filesAtOnce);
  }

  has(file: TailedFile): boolean {
    return this.running.has(file);
  }

  /** Since the file's last reading started, ms. */
  sinceStartMs(file: TailedFile): number {
    return this.host.clock.monotonicMs() - (this.startedMs.get(file) ?? -Infinity);
  }

  /** Reads the file to its end, in the background; with `final` also a last line without an end. */
  start(file: TailedFile, final: boolean): void {
    if (this.running.has(file) || this.stopped) return;
    this.startedMs.set(file, this.host.clock.monotonicMs());
    this.run(file, () => this.readAll(file, final));
  }

  private run(file: TailedFile, read: () => Promise<void>): void {
    file.pending = false;
    const reading = read()
      .then(() => void this.failing.delete(file))
      .catch((error: unknown) => {
        file.pending = true;
        if (this.failing.has(file)) return;
        this.failing.add(file);
        this.host.log.error({ path: file.path, error: String(error) }, 'cannot read the file, trying again');
      })
      .finally(() => {
        if (this.running.get(file) === reading) this.running.delete(file);
      });
    this.running.set(file, reading);
  }

  /** Resolves when nothing is being read or sent. */
  async settled(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running.values());
  }

  /** No further batches; what is on its way goes on. What the files in `owed`, being read, have since is the last. */
  stop(owed: Iterable<TailedFile>): void {
    this.stopped = true;
    for (const file of owed) {
      const before = this.running.get(file);
      if (before) this.run(file, () => before.then(() => this.readAll(file, false)));
    }
  }

  private async readAll(file: TailedFile, final: boolean): Promise<void> {
    let more: boolean;
    do {
      await this.turns.take();
      try {
        more = await this.readTurn(file, final);
      } finally {
        this.turns.give();
      }
    } while (more && !this.stopped);
  }

  /** Some batches of one file; the next is read while one is on its way. True when there may be more. */
  private async readTurn(file: TailedFile, final: boolean): Promise<boolean> {
    let sending = Promise.resolve(true);
    try {
      for (let batches = 0; batches < BATCHES_PER_TURN; batches += 1) {
        const batch = await file.next(final);
        if (!(await sending) || !batch) return false;
        await this.positions.known(batch.position);
        sending = this.deliver(batch);
        if (this.stopped) break;
      }
      return await sending;
    } finally {
      await sending;
    }
  }
}
