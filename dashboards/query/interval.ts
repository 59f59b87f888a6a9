/**
 * The length of a panel's time buckets, as Grafana chooses it: range divided by pixels, rounded to a length
 * that people read easily.
 */
export interface Interval {
  readonly intervalMs: number;
  /** As Grafana writes it: `10s`, `5m`, `1d`. */
  readonly text: string;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Below the first number the second is taken. */
const ROUNDING: ReadonlyArray<readonly [below: number, intervalMs: number]> = [
  [10, 1],
  [15, 10],
  [35, 20],
  [75, 50],
  [150, 100],
  [350, 200],
  [750, 500],
  [1.5 * SECOND, SECOND],
  [3.5 * SECOND, 2 * SECOND],
  [7.5 * SECOND, 5 * SECOND],
  [12.5 * SECOND, 10 * SECOND],
  [17.5 * SECOND, 15 * SECOND],
  [25 * SECOND, 20 * SECOND],
  [45 * SECOND, 30 * SECOND],
  [1.5 * MINUTE, MINUTE],
  [3.5 * MINUTE, 2 * MINUTE],
  [7.5 * MINUTE, 5 * MINUTE],
  [12.5 * MINUTE, 10 * MINUTE],
  [17.5 * MINUTE, 15 * MINUTE],
  [25 * MINUTE, 20 * MINUTE],
  [45 * MINUTE, 30 * MINUTE],
  [1.5 * HOUR, HOUR],
  [2.5 * HOUR, 2 * HOUR],
  [4.5 * HOUR, 3 * HOUR],
  [9 * HOUR, 6 * HOUR],
  [DAY, 12 * HOUR],
  [7 * DAY, DAY],
  [21 * DAY, 7 * DAY],
  [42 * DAY, 30 * DAY],
];

/** `minInterval` as a panel has it: `10s`, `>10s`, `1m`. */
export function calculateInterval(rangeMs: number, maxDataPoints: number, minInterval?: string): Interval {
  const wanted = rangeMs / Math.max(1, maxDataPoints);
  const rounded = ROUNDING.find(([below]) => wanted < below)?.[1] ?? 365 * DAY;
  const least = minInterval === undefined ? 1 : (parseInterval(minInterval.replace(/^>/, '')) ?? 1);
  const intervalMs = Math.max(rounded, least);
  return { intervalMs, text: intervalText(intervalMs) };
}

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND,
  m: MINUTE,
  h: HOUR,
  d: DAY,
  w: 7 * DAY,
  M: 30 * DAY,
  y: 365 * DAY,
};

/** `5m` in ms; undefined when it is no interval. */
export function parseInterval(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|[smhdwMy])\s*$/.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * (UNITS[match[2]!] ?? Number.NaN);
}

/** In the largest unit that holds it: 90 s are `1m`, as Grafana has it. */
function intervalText(intervalMs: number): string {
  for (const unit of ['y', 'd', 'h', 'm', 's'] as const) {
    const count = Math.floor(intervalMs / UNITS[unit]!);
    if (count >= 1) return `${count}${unit}`;
  }
  return `${Math.floor(intervalMs)}ms`;
}
