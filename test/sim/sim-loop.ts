import type { Cancel, Clock, Timers } from '../../broker/host/host.ts';
import type { SimRandom } from './sim-random.ts';

interface Event {
  readonly atMs: number;
  readonly order: number;
  fn: (() => void) | undefined;
}

/**
 * Virtual time: a list of what is due when. `step` goes to the next due event, runs it and lets every promise
 * that follows from it settle, so that one seed gives one interleaving.
 */
export class SimLoop {
  readonly random: SimRandom;
  nowMs: number;
  #order = 0;
  #events: Event[] = [];
  #still: Promise<void> | undefined;

  constructor(random: SimRandom, startMs = 1_700_000_000_000) {
    this.random = random;
    this.nowMs = startMs;
  }

  after(delayMs: number, fn: () => void): Cancel {
    const event: Event = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, fn };
    // Kept sorted by insertion from the end: most events are due soonest or latest, and there are few.
    let i = this.#events.length;
    while (i > 0 && this.#events[i - 1]!.atMs < event.atMs) i -= 1;
    while (i > 0 && this.#events[i - 1]!.atMs === event.atMs && this.#events[i - 1]!.order < event.order)
      i -= 1;
    this.#events.splice(i, 0, event);
    return () => {
      event.fn = undefined;
    };
  }

  /** False when nothing is due any more. */
  async step(): Promise<boolean> {
    while (this.#still) {
      await this.#still;
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (;;) {
      const event = this.#events.pop();
      if (!event) return false;
      if (!event.fn) continue;
      this.nowMs = Math.max(this.nowMs, event.atMs);
      event.fn();
      await new Promise((resolve) => setImmediate(resolve));
      return true;
    }
  }

  /** Time stands still until `done` settles. */
  async standStill(done: Promise<void>): Promise<void> {
    const still = done.finally(() => {
      this.#still = undefined;
    });
    this.#still = still.catch(() => {});
    await still;
  }

  /** Steps until the promise settles; throws when nothing is left that could settle it. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const isSettled = (): boolean => settled;
    const done = (): void => {
      settled = true;
    };
    promise.then(done, done);
    await new Promise((resolve) => setImmediate(resolve));
    while (!settled) {
      // It may settle while time stands still.
      if (!(await this.step()) && !isSettled())
        throw new Error('cannot settle: nothing is due, and the promise still waits');
    }
    return await promise;
  }

  /** Steps until `durationMs` have passed. */
  async pass(durationMs: number): Promise<void> {
    let over = false;
    this.after(durationMs, () => {
      over = true;
    });
    while (!over) await this.step();
  }

  /** Drops everything that is due: the machine stopped. */
  clear(): void {
    this.#events = [];
  }

  clock(): Clock {
    return {
      nowMs: () => Math.floor(this.nowMs),
      nowNs: () => BigInt(Math.floor(this.nowMs * 1e6)),
      monotonicMs: () => this.nowMs,
    };
  }

  timers(): Timers {
    return {
      after: (delayMs, fn) => this.after(delayMs, fn),
      every: (periodMs, fn) => {
        let cancel: Cancel = () => {};
        const again = (): void => {
          cancel = this.after(periodMs, () => {
            again();
            fn();
          });
        };
        again();
        return () => cancel();
      },
      soon: (fn) => void this.after(0, fn),
      sleep: (delayMs, signal) =>
        new Promise((resolve) => {
          this.after(delayMs, resolve);
          signal?.addEventListener('abort', () => resolve());
        }),
    };
  }
}
