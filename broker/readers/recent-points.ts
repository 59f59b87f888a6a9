/** What was measured in the last minutes, thinned out: rows of numbers, the first of which is the steady time in ms. */
export const WINDOW_MS = 5 * 60_000;
/** Rows nearer to each other than this tell nothing new; 16 of them are a window. */
const SPACING_MS = 20_000;

/** The rows with `row` behind them; those that have left the window are gone. */
export function withPoint(points: readonly number[], row: readonly [number, ...number[]]): readonly number[] {
  const width = row.length;
  const [nowMs] = row;
  let from = 0;
  while (from < points.length && points[from]! < nowMs - WINDOW_MS) from += width;
  // The newest is always as new as can be: it is replaced until it is far enough from the one before.
  const last = points.length - width;
  const isNear = last - width >= from && points[last]! - points[last - width]! < SPACING_MS;
  return [...points.slice(from, isNear ? last : points.length), ...row];
}

export function spanMs(points: readonly number[], width: number): number {
  return points.length === 0 ? 0 : points.at(-width)! - points[0]!;
}

/** Change a second of a column, by least squares; 0 for less than two rows. */
export function slopePerS(points: readonly number[], width: number, column: number): number {
  const count = points.length / width;
  let meanMs = 0;
  let mean = 0;
  for (let at = 0; at < points.length; at += width) {
    // From the first, so that no digits are lost to the size of a time.
    meanMs += (points[at]! - points[0]!) / count;
    mean += points[at + column]! / count;
  }
  let both = 0;
  let square = 0;
  for (let at = 0; at < points.length; at += width) {
    const dt = points[at]! - points[0]! - meanMs;
    both += dt * (points[at + column]! - mean);
    square += dt * dt;
  }
  return square === 0 ? 0 : (both / square) * 1_000;
}

/** Change a second of a column between the first row and the last; undefined for too short a time. */
export function ratePerS(
  points: readonly number[],
  width: number,
  column: number,
  atLeastMs: number,
): number | undefined {
  const ms = spanMs(points, width);
  if (ms < atLeastMs || ms === 0) return undefined;
  return ((points.at(column - width)! - points[column]!) / ms) * 1_000;
}
