/**
 * Where a lag is going: a line through the last five minutes, in a word. Pure: it is told what was measured.
 *
 *     measuring       too little was seen: after a start, or when the reader was set somewhere else
 *     caught-up       nothing is unread
 *     keeping-up      the lag stays about the same
 *     catching-up     it falls; `zeroInS` tells when it is gone
 *     falling-behind  it grows
 *     stopped         something was unread for a minute, and nothing of it was read
 *     waiting         the same, but what comes next is a transaction that has not ended
 */
import { ratePerS, slopePerS, spanMs, withPoint } from './recent-points.ts';

export type TrendName =
  | 'measuring'
  | 'caught-up'
  | 'keeping-up'
  | 'catching-up'
  | 'falling-behind'
  | 'stopped'
  | 'waiting';

/** No word before this; one of our samples is 5 s from the next, and commits are often as far apart. */
const MEASURE_MS = 30_000;
const STOPPED_MS = 60_000;
/** What comes in in so much time is the noise of readers that commit now and then. */
const NOISE_S = 10;

export interface LagSample {
  readonly records: number;
  /** Offsets; over several partitions their sums. */
  readonly position: number;
  readonly end: number;
  /** Only an open transaction, and what stands behind it, is ahead. */
  readonly isHeld: boolean;
}

export interface TrendState {
  /** Steady time, records, position, end. */
  readonly points: readonly number[];
}

export interface Trend {
  readonly name: TrendName;
  /** Change of the lag, records a second; undefined while it is measured. */
  readonly slopePerS: number | undefined;
  /** Offsets a second, so that markers of transactions count. */
  readonly consumedPerS: number | undefined;
  readonly producedPerS: number | undefined;
  /** Until nothing is unread, when it goes on like this. */
  readonly zeroInS: number | undefined;
}

const WIDTH = 4;

export function step(
  before: TrendState | undefined,
  sample: LagSample,
  nowMs: number,
): { readonly state: TrendState; readonly trend: Trend } {
  const { records, position, end } = sample;
  const kept = before && goesOn(before.points, sample, nowMs) ? before.points : [];
  const points = withPoint(kept, [nowMs, records, position, end]);
  return { state: { points }, trend: trendOf(points, sample) };
}

/** A position or an end that went back is another reader, or another topic: what was seen of the old one is over. */
function goesOn(points: readonly number[], { position, end }: LagSample, nowMs: number): boolean {
  const last = points.length - WIDTH;
  return last >= 0 && points[last]! <= nowMs && points[last + 2]! <= position && points[last + 3]! <= end;
}

function trendOf(points: readonly number[], { records, isHeld }: LagSample): Trend {
  const consumedPerS = ratePerS(points, WIDTH, 2, MEASURE_MS);
  const producedPerS = ratePerS(points, WIDTH, 3, MEASURE_MS);
  const isMeasured = consumedPerS !== undefined && producedPerS !== undefined;
  const slope = isMeasured ? slopePerS(points, WIDTH, 1) : undefined;
  const trend = (name: TrendName, zeroInS?: number): Trend => ({
    name,
    slopePerS: slope,
    consumedPerS,
    producedPerS,
    zeroInS,
  });
  if (records === 0) return trend('caught-up', 0);
  const idleMs = unmovedMs(points);
  if (isHeld && idleMs >= MEASURE_MS) return trend('waiting');
  if (idleMs >= STOPPED_MS) return trend('stopped');
  if (slope === undefined || producedPerS === undefined) return trend('measuring');
  const change = (slope * spanMs(points, WIDTH)) / 1_000;
  if (Math.abs(change) <= Math.max(1, producedPerS * NOISE_S)) return trend('keeping-up');
  return slope > 0 ? trend('falling-behind') : trend('catching-up', records / -slope);
}

/** For how long something was unread and the position stood. */
function unmovedMs(points: readonly number[]): number {
  const last = points.length - WIDTH;
  let at = last;
  while (at >= 0 && points[at + 1]! > 0 && points[at + 2] === points[last + 2]) at -= WIDTH;
  return at === last ? 0 : points[last]! - points[at + WIDTH]!;
}
