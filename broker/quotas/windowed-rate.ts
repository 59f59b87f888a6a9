/**
 * How much happened per second of late: sums of the last 11 whole seconds, as Kafka measures what its quotas bound.
 * Ten seconds of a rate may thus come at once. Time is given, never asked for.
 */
const WINDOW_MS = 1_000;
const WINDOWS = 11;
/** What a rate is measured over, seconds; with the second that has begun. */
export const RATE_WINDOW_S = WINDOWS - 1;

export class WindowedRate {
  private readonly sums = new Float64Array(WINDOWS);
  /** Number of the newest window. */
  private newest = -Infinity;

  record(value: number, nowMs: number): void {
    this.advance(nowMs);
    this.sums[this.newest % WINDOWS]! += value;
  }

  perSecond(nowMs: number): number {
    this.advance(nowMs);
    let sum = 0;
    for (const one of this.sums) sum += one;
    return sum / (RATE_WINDOW_S + (nowMs % WINDOW_MS) / 1_000);
  }

  private advance(nowMs: number): void {
    const window = Math.floor(nowMs / WINDOW_MS);
    if (window <= this.newest) return;
    const from = Math.max(this.newest + 1, window - WINDOWS + 1);
    for (let i = from; i <= window; i += 1) this.sums[i % WINDOWS] = 0;
    this.newest = window;
  }
}

/** How long to say nothing until the rate is that of the quota again: Kafka's formula. */
export function throttleMs(perSecond: number, quota: number): number {
  if (perSecond <= quota) return 0;
  return Math.ceil(((perSecond - quota) / quota) * RATE_WINDOW_S * 1_000);
}
