/** Tick texts and bounds of chart axes. */
import { isBinaryUnit, unitText } from '../model/units.ts';
import { formatClock, formatDay } from '../model/time-range.ts';

/** Texts of value ticks: as few decimals as the tick needs. */
export function tickText(
  unit: string | undefined,
  value: number,
  decimals: number | null | undefined,
): string {
  const text = unitText(unit, value, decimals);
  return decimals === undefined || decimals === null
    ? text.replace(/(\.\d*?)0+(?=\D|$)/, '$1').replace(/\.(?=\D|$)/, '')
    : text;
}

/** Time ticks, 24-hour; the day where it changes or where ticks are days apart. */
export function timeTicks(splits: readonly number[], stepMs: number, utc: boolean): string[] {
  let dayBefore = splits[0] === undefined ? '' : formatDay(splits[0], utc);
  return splits.map((ms) => {
    const day = formatDay(ms, utc);
    const newDay = day !== dayBefore;
    dayBefore = day;
    const clock = formatClock(ms, utc, stepMs < 1000);
    if (stepMs >= 86_400_000 || newDay) return day.slice(5);
    return stepMs >= 60_000 ? clock.slice(0, 5) : clock;
  });
}

/** Steps between value ticks: round in the unit shown, so powers of two for KiB. */
export function tickSteps(unit: string | undefined): number[] {
  const steps: number[] = [];
  if (isBinaryUnit(unit)) {
    for (let power = 0; power <= 60; power++) steps.push(2 ** power);
    return steps;
  }
  if (unit === 's' || unit === 'ms') {
    const scale = unit === 's' ? 1 : 1000;
    for (let power = -9; power < 0; power++) for (const m of [1, 2, 5]) steps.push(m * 10 ** power * scale);
    for (const s of [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200]) {
      steps.push(s * scale);
    }
    for (const d of [1, 2, 5, 7, 14, 30, 90, 365, 730, 1825]) steps.push(d * 86400 * scale);
    return steps;
  }
  for (let power = -9; power <= 18; power++) for (const m of [1, 2, 2.5, 5]) steps.push(m * 10 ** power);
  return steps;
}

export interface Bounds {
  min?: number | null | undefined;
  max?: number | null | undefined;
  softMin?: number | null | undefined;
  softMax?: number | null | undefined;
}

/** The value axis: hard bounds win, soft ones widen, data gets some air, zero is kept where it is near. */
export function valueRange(
  dataMin: number | null,
  dataMax: number | null,
  { min, max, softMin, softMax }: Bounds,
  fromZero: boolean,
): [number, number] {
  let low = dataMin ?? 0;
  let high = dataMax ?? 1;
  if (softMin !== null && softMin !== undefined) low = Math.min(low, softMin);
  if (softMax !== null && softMax !== undefined) high = Math.max(high, softMax);
  if (fromZero) {
    low = Math.min(low, 0);
    high = Math.max(high, 0);
  }
  if (min !== null && min !== undefined) low = min;
  if (max !== null && max !== undefined) high = max;
  const span = high - low;
  const air = span > 0 ? span * 0.08 : Math.abs(high) * 0.5 || 1;
  const hardMin = min !== null && min !== undefined;
  const hardMax = max !== null && max !== undefined;
  if (!hardMax && high !== 0) high += air;
  if (!hardMax && high <= low) high = low + air;
  if (!hardMin && low !== 0) {
    const lower = low - air;
    // Data that is never negative should not get a negative axis, and one near zero should show zero.
    low = low > 0 && (lower <= 0 || low < span * 0.3) ? 0 : lower;
  }
  if (hardMin && hardMax && high <= low) high = low + 1;
  return [low, high];
}
