/** Of every record: acknowledged, rejected, unknown (sent, without an answer that says which) or not sent. */
export interface GenerateReport {
  readonly run: string;
  readonly seed: number;
  readonly total: number;
  /** Records of at least one attempt. */
  sent: number;
  /** Answered with 200: these must be found. */
  acknowledged: number;
  /** Named by a partial success, or in a request that was refused for good. */
  rejected: number;
  /** May have been stored, completely or not. */
  unknown: number;
  retries: number;
  seconds: number;
  /** All sequences up to this one are acknowledged; -1 when the first is not. */
  acknowledgedThrough: number;
  /** The highest acknowledged sequence of each source. */
  lastAcknowledged: Record<string, number>;
  /** First and last sequence of each batch of unknown outcome. */
  unknownRanges: Array<[number, number]>;
  /** Why requests failed, with counts. */
  failures: Record<string, number>;
}

export function newReport(run: string, seed: number, total: number): GenerateReport {
  return {
    run,
    seed,
    total,
    sent: 0,
    acknowledged: 0,
    rejected: 0,
    unknown: 0,
    retries: 0,
    seconds: 0,
    acknowledgedThrough: -1,
    lastAcknowledged: {},
    unknownRanges: [],
    failures: {},
  };
}

export function countFailure(report: GenerateReport, failure: string): void {
  report.failures[failure] = (report.failures[failure] ?? 0) + 1;
}

/** The end of the unbroken run of ranges that starts at 0, or -1. */
export function unbrokenEnd(ranges: ReadonlyArray<readonly [number, number]>): number {
  let end = -1;
  for (const [first, last] of ranges.toSorted((left, right) => left[0] - right[0])) {
    if (first > end + 1) break;
    end = last;
  }
  return end;
}
