/**
 * How long the event loop's turns take: from one check phase to the next, without the wait for events between them.
 * While a turn runs nothing else does, so the longest ones are the stalls that everybody sees.
 */
import { performance } from 'node:perf_hooks';

/** Eight buckets for each doubling, from a microsecond to over a second: a bucket's width is a tenth of its value. */
const BUCKETS_PER_DOUBLING = 8;
const DOUBLINGS = 21;

export interface TurnSummary {
  readonly turns: number;
  /** In seconds; 0 where there was no turn. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export class TurnTimes {
  private readonly buckets = new Uint32Array(BUCKETS_PER_DOUBLING * DOUBLINGS);
  private turns = 0;
  private maxMs = 0;

  add(ms: number): void {
    const index = Math.ceil(Math.log2(ms * 1_000) * BUCKETS_PER_DOUBLING);
    this.buckets[Math.min(this.buckets.length - 1, Math.max(0, index))]! += 1;
    this.turns += 1;
    if (ms > this.maxMs) this.maxMs = ms;
  }

  /** What came since the last call. */
  collect(): TurnSummary {
    const { turns } = this;
    const summary = {
      turns,
      p50: this.percentile(0.5),
      p99: this.percentile(0.99),
      p999: this.percentile(0.999),
      max: this.maxMs / 1_000,
    };
    this.buckets.fill(0);
    this.turns = 0;
    this.maxMs = 0;
    return summary;
  }

  /** The upper end of the bucket in question, but never more than the longest turn. */
  private percentile(share: number): number {
    if (this.turns === 0) return 0;
    let left = Math.ceil(this.turns * share);
    for (let index = 0; index < this.buckets.length - 1; index += 1) {
      left -= this.buckets[index]!;
      if (left <= 0) return Math.min(2 ** (index / BUCKETS_PER_DOUBLING) / 1e6, this.maxMs / 1_000);
    }
    // In the last bucket is all that is longer.
    return this.maxMs / 1_000;
  }
}

/** What this process has spent on turns so far, in ms: all time but that of waiting for events. */
export function timeInTurnsMs(): number {
  return performance.now() - performance.nodeTiming.idleTime;
}

/**
 * Measures every turn of this process from now on, at well under a microsecond each. The callback that is due in each
 * check phase keeps neither the process nor the loop awake.
 */
export function measureTurns(spentMs = timeInTurnsMs): TurnTimes {
  const times = new TurnTimes();
  let beforeMs = spentMs();
  const turn = (): void => {
    const nowMs = spentMs();
    times.add(nowMs - beforeMs);
    beforeMs = nowMs;
    setImmediate(turn).unref();
  };
  setImmediate(turn).unref();
  return times;
}
