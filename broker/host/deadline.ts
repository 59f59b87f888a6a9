import type { Cancel, Host } from './host.ts';

/** Clients ask for times of 2^31 ms, which a timer takes for none; it fires early and is set anew. */
const TIMER_MAX_MS = 60 * 60 * 1000;

/**
 * One timer for a deadline that is set often and mostly moves away (heartbeats): a timer that is early enough stays. So
 * `onTime` may find nothing due; it sets the deadline anew.
 */
export class Deadline {
  readonly #host: Pick<Host, 'clock' | 'timers'>;
  readonly #onTime: () => void;
  #timer: { readonly atMs: number; readonly cancel: Cancel } | undefined;

  constructor(host: Pick<Host, 'clock' | 'timers'>, onTime: () => void) {
    this.#host = host;
    this.#onTime = onTime;
  }

  /** Steady time, ms; undefined: there is none. */
  set(atMs: number | undefined): void {
    if (this.#timer && atMs !== undefined && this.#timer.atMs <= atMs) return;
    this.cancel();
    if (atMs === undefined) return;
    // Whole milliseconds, never early: a timer before its deadline would find nothing due and spin.
    const delayMs = Math.max(0, Math.ceil(atMs - this.#host.clock.monotonicMs()));
    const cancel = this.#host.timers.after(Math.min(delayMs, TIMER_MAX_MS), () => {
      this.#timer = undefined;
      this.#onTime();
    });
    this.#timer = { atMs, cancel };
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
