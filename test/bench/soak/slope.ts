/** How fast something grows, by least squares: pure. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Change of y for one x; NaN of fewer than two different x. */
export function slope(points: readonly Point[]): number {
  const n = points.length;
  const meanX = points.reduce((sum, { x }) => sum + x, 0) / n;
  const meanY = points.reduce((sum, { y }) => sum + y, 0) / n;
  let covariance = 0;
  let variance = 0;
  for (const { x, y } of points) {
    covariance += (x - meanX) * (y - meanY);
    variance += (x - meanX) ** 2;
  }
  return variance === 0 ? Number.NaN : covariance / variance;
}

/** Without the first third: a program that has just been started still grows into its load. */
export function settled<T>(samples: readonly T[]): readonly T[] {
  return samples.slice(Math.floor(samples.length / 3));
}
