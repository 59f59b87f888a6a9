import type { FieldConfig } from '../model/dashboard.ts';
import { reduceValues } from '../model/reducers.ts';

/** SVG paths of a small line and the area under it; gaps are left out. */
export function sparkline(
  times: readonly number[],
  values: readonly unknown[],
  width: number,
  height: number,
  { min, max }: FieldConfig = {},
): { line: string; area: string } | undefined {
  const first = times[0];
  const last = times.at(-1);
  const low = Math.min(min ?? Infinity, reduceValues('min', values) ?? 0);
  // A fixed maximum far above the data would flatten the line: the shape matters here, not the scale.
  const high = Math.max(reduceValues('max', values) ?? 1, max === low ? low + 1 : -Infinity);
  if (first === undefined || last === undefined || last <= first) return undefined;
  const points: string[] = [];
  let fromX = 0;
  let toX = 0;
  for (const [index, value] of values.entries()) {
    if (typeof value !== 'number' || Number.isNaN(value)) continue;
    const x = (((times[index] ?? first) - first) / (last - first)) * width;
    const y = high === low ? height / 2 : height - 2 - ((value - low) / (high - low)) * (height - 4);
    if (points.length === 0) fromX = x;
    toX = x;
    points.push(`${x.toFixed(1)} ${y.toFixed(1)}`);
  }
  if (points.length < 2) return undefined;
  const line = `M${points.join('L')}`;
  return { line, area: `${line}L${toX.toFixed(1)} ${height}L${fromX.toFixed(1)} ${height}Z` };
}
