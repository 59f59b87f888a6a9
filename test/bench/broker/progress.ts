/** How far a long piece of work is, and how long it will still take, judged by the share that is done: pure. */
export class Progress {
  private readonly total: number;
  private readonly startMs: number;
  private done = 0;

  /** `total`: of all weights that will be passed to `finish`. */
  constructor(total: number, startMs: number) {
    this.total = total;
    this.startMs = startMs;
  }

  finish(weight: number): void {
    this.done += weight;
  }

  /** `3 of 40 min, 37 min left`; nothing is promised before anything is done. */
  text(nowMs: number): string {
    const elapsedMs = nowMs - this.startMs;
    if (this.done === 0) return '';
    const leftMs = (elapsedMs / this.done) * Math.max(0, this.total - this.done);
    return `${Math.round((this.done / this.total) * 100)}%, ${duration(leftMs)} left`;
  }
}

export function duration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return seconds < 100 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
