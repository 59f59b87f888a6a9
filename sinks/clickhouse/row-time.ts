/**
 * When a row belongs. Older than the retention: expired, no row. More than a day ahead: the observed time, or the time
 * the broker appended the record, and the original is kept as an attribute. 0 means that the sender gave no time.
 *
 * Times are ns since 1970 in two halves, as the wire has them: no bigint per row.
 */
export interface TimeRule {
  /** Rows before are expired; 0 for none. ns since 1970, rounded: a day's rule needs no more. */
  readonly oldestNs: number;
  readonly newestNs: number;
}

const DAY_MS = 86_400_000;
const DAY_NS = 86_400_000_000_000;

export function timeRule(nowMs: number, retentionDays: number): TimeRule {
  return {
    oldestNs: retentionDays === 0 ? 0 : (nowMs - retentionDays * DAY_MS) * 1e6,
    newestNs: (nowMs + DAY_MS) * 1e6,
  };
}

export type Placed = 'kept' | 'redated' | 'expired';

/** Result of `place`: one object for all rows, overwritten by each call. */
export const placed = { low: 0, high: 0, day: 0 };

/** Decides on the time of a row; low and high are the halves of a fixed64. The result is in `placed`. */
export function place(
  low: number,
  high: number,
  observedLow: number,
  observedHigh: number,
  appendMs: number,
  rule: TimeRule,
): Placed {
  let outcome: Placed = 'kept';
  placed.low = low;
  placed.high = high;
  let ns = high * 2 ** 32 + low;
  if (ns === 0 || ns > rule.newestNs) {
    if (ns !== 0) outcome = 'redated';
    placed.low = observedLow;
    placed.high = observedHigh;
    ns = observedHigh * 2 ** 32 + observedLow;
    if (ns === 0 || ns > rule.newestNs) {
      const appended = BigInt(Math.trunc(appendMs)) * 1_000_000n;
      placed.low = Number(appended & 0xffff_ffffn);
      placed.high = Number(appended >> 32n);
      ns = appendMs * 1e6;
    }
  }
  if (ns < rule.oldestNs) return 'expired';
  placed.day = dayOf(ns, placed.low, placed.high);
  return outcome;
}

/** UTC days since 1970. A double is up to 256 ns off at this size, which matters only next to midnight. */
function dayOf(ns: number, low: number, high: number): number {
  const day = Math.floor(ns / DAY_NS);
  const into = ns - day * DAY_NS;
  if (into > 1024 && into < DAY_NS - 1024) return day;
  return Number(((BigInt(high) << 32n) | BigInt(low)) / BigInt(DAY_NS));
}

/** The attribute that keeps the time of a record that was dated anew, ns since 1970 in decimal. */
export const ORIGINAL_TIME = 'millrace.original_time_unix_nano';
