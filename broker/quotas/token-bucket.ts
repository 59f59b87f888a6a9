/**
 * Kafka's measure for changes that a controller makes: a bucket that fills at the rate of the quota, holds eleven
 * seconds of it, and may go below zero by one request. Time is given, never asked for.
 */
const BURST_S = 11;

export class TokenBucket {
  private tokens: number | undefined;
  private atMs = 0;

  /** Tokens at this time; a new bucket is full. */
  level(quota: number, nowMs: number): number {
    const full = quota * BURST_S;
    const passedS = Math.max(0, nowMs - this.atMs) / 1_000;
    this.tokens = Math.min(full, (this.tokens ?? full) + quota * passedS);
    this.atMs = nowMs;
    return this.tokens;
  }

  take(count: number, quota: number, nowMs: number): void {
    this.tokens = this.level(quota, nowMs) - count;
  }

  /** Until it is at zero again. */
  throttleMs(quota: number, nowMs: number): number {
    const level = this.level(quota, nowMs);
    return level < 0 ? Math.ceil((-level / quota) * 1_000) : 0;
  }
}
