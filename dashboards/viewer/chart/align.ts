/** Series on one time axis, gaps and stacks, before anything is drawn. */

export interface Column {
  times: readonly number[];
  values: readonly (number | null)[];
}

export interface Aligned {
  /** Ascending, without repeats. */
  times: number[];
  /** null is a gap, undefined a time that this series does not have (a line goes through). */
  columns: (number | null | undefined)[][];
}

export function alignColumns(columns: readonly Column[]): Aligned {
  const first = columns[0]?.times ?? [];
  if (columns.every(({ times }) => times === first || sameTimes(times, first)) && isAscending(first)) {
    return { times: [...first], columns: columns.map(({ values }) => [...values]) };
  }
  const times = [...new Set(columns.flatMap((column) => [...column.times]))].sort((a, b) => a - b);
  const place = new Map(times.map((time, index) => [time, index]));
  return {
    times,
    columns: columns.map((column) => {
      const values: (number | null | undefined)[] = Array.from({ length: times.length }, () => undefined);
      for (const [index, time] of column.times.entries())
        values[place.get(time) ?? 0] = column.values[index] ?? null;
      return values;
    }),
  };
}

function sameTimes(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((time, index) => time === b[index]);
}

function isAscending(times: readonly number[]): boolean {
  return times.every((time, index) => index === 0 || time > (times[index - 1] ?? 0));
}

/**
 * Grafana's `spanNulls`: true joins over every gap, a number over gaps up to so many milliseconds.
 * Joined gaps become undefined.
 */
export function spanGaps(
  times: readonly number[],
  values: readonly (number | null | undefined)[],
  spanNulls: boolean | number,
): (number | null | undefined)[] {
  if (spanNulls === false) return [...values];
  const result = [...values];
  let lastKnown = -1;
  for (let index = 0; index <= values.length; index++) {
    if (index < values.length && (values[index] === null || values[index] === undefined)) continue;
    const inside = lastKnown >= 0 && index < values.length;
    const gapMs = (times[index] ?? 0) - (times[lastKnown] ?? 0);
    if (inside && (spanNulls === true || gapMs <= spanNulls)) result.fill(undefined, lastKnown + 1, index);
    lastKnown = index;
  }
  return result;
}

/**
 * Each time has another one step away, without a value: a bar is as wide as its times are close, and one alone
 * would fill the chart.
 */
export function withNeighbours({ times, columns }: Aligned, stepMs: number): Aligned {
  const known = new Set(times);
  const added = times.filter((time) => !known.has(time + stepMs)).map((time) => time + stepMs);
  if (added.length === 0) return { times, columns };
  const all = [...times, ...added].sort((a, b) => a - b);
  const place = new Map(times.map((time, index) => [time, index]));
  return {
    times: all,
    columns: columns.map((column) =>
      all.map((time) => {
        const index = place.get(time);
        return index === undefined ? null : column[index];
      }),
    ),
  };
}

/** Values that no line reaches, for want of a neighbour: without a point of their own they would not be seen. */
export function isolatedPoints(values: ArrayLike<number | null | undefined>): number[] {
  const found: number[] = [];
  // A line goes through undefined, not through null.
  const connects = (from: number, step: number): boolean => {
    let at = from + step;
    while (at >= 0 && at < values.length && values[at] === undefined) at += step;
    return typeof values[at] === 'number';
  };
  for (let index = 0; index < values.length; index++) {
    if (typeof values[index] === 'number' && !connects(index, -1) && !connects(index, 1)) found.push(index);
  }
  return found;
}

/** Each column on top of those before it; missing values count as nothing. `percent`: shares of the total. */
export function stackColumns(
  columns: readonly (readonly (number | null | undefined)[])[],
  percent: boolean,
): number[][] {
  const length = columns[0]?.length ?? 0;
  const total: number[] = Array.from({ length }, () => 0);
  const stacked = columns.map((column) =>
    total.map((before, index) => {
      const sum = before + (column[index] ?? 0);
      total[index] = sum;
      return sum;
    }),
  );
  if (!percent) return stacked;
  return stacked.map((column) =>
    column.map((value, index) => (total[index] ? value / (total[index] ?? 1) : 0)),
  );
}
