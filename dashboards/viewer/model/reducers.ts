/** One number from a column: the `calcs` of stats, legends and the reduce transformation. */

export interface Reducer {
  id: string;
  name: string;
  /** Values are in order; null, undefined and NaN count as missing. */
  reduce: (values: readonly unknown[]) => number | null;
}

export function reducerOf(id: string): Reducer | undefined {
  const known = REDUCERS.get(id);
  if (known) return known;
  const percentile = /^p(\d{1,2})$/.exec(id);
  if (!percentile) return undefined;
  const share = Number(percentile[1]) / 100;
  return {
    id,
    name: `${Number(percentile[1])}th %`,
    reduce: (values) => {
      const sorted = numbers(values).sort((a, b) => a - b);
      return sorted[Math.round((sorted.length - 1) * share)] ?? null;
    },
  };
}

/** The reduced value, or null for an unknown reducer or no values. */
export function reduceValues(id: string, values: readonly unknown[]): number | null {
  return reducerOf(id)?.reduce(values) ?? null;
}

function toNumber(value: unknown): number | null {
  if (typeof value === 'number') return Number.isNaN(value) ? null : value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return null;
}

function numbers(values: readonly unknown[]): number[] {
  const result: number[] = [];
  for (const value of values) {
    const number = toNumber(value);
    if (number !== null) result.push(number);
  }
  return result;
}

function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : sum(values) / values.length;
}

function variance(values: readonly number[]): number {
  const middle = mean(values);
  if (middle === null) return 0;
  let total = 0;
  for (const value of values) total += (value - middle) ** 2;
  return total / values.length;
}

function smallest(values: readonly number[]): number | null {
  let result: number | null = null;
  for (const value of values) if (result === null || value < result) result = value;
  return result;
}

function largest(values: readonly number[]): number | null {
  let result: number | null = null;
  for (const value of values) if (result === null || value > result) result = value;
  return result;
}

/** The rise of a counter: falls count as resets, where the counter starts again at zero. */
function counterRise(values: readonly number[]): number {
  let total = 0;
  for (let index = 1; index < values.length; index++) {
    const now = values[index] ?? 0;
    const before = values[index - 1] ?? 0;
    total += now >= before ? now - before : now;
  }
  return total;
}

const LIST: Reducer[] = [
  { id: 'lastNotNull', name: 'Last *', reduce: (values) => numbers(values).at(-1) ?? null },
  { id: 'last', name: 'Last', reduce: (values) => toNumber(values.at(-1)) },
  { id: 'firstNotNull', name: 'First *', reduce: (values) => numbers(values)[0] ?? null },
  { id: 'first', name: 'First', reduce: (values) => toNumber(values[0]) },
  { id: 'min', name: 'Min', reduce: (values) => smallest(numbers(values)) },
  { id: 'max', name: 'Max', reduce: (values) => largest(numbers(values)) },
  { id: 'mean', name: 'Mean', reduce: (values) => mean(numbers(values)) },
  {
    id: 'median',
    name: 'Median',
    reduce: (values) => {
      const sorted = numbers(values).sort((a, b) => a - b);
      const half = sorted.length / 2;
      if (sorted.length === 0) return null;
      if (sorted.length % 2 === 1) return sorted[Math.floor(half)] ?? null;
      return ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2;
    },
  },
  { id: 'sum', name: 'Total', reduce: (values) => sum(numbers(values)) },
  { id: 'count', name: 'Count', reduce: (values) => numbers(values).length },
  { id: 'countAll', name: 'Count all', reduce: (values) => values.length },
  {
    id: 'range',
    name: 'Range',
    reduce: (values) => {
      const known = numbers(values);
      const low = smallest(known);
      const high = largest(known);
      return low === null || high === null ? null : high - low;
    },
  },
  { id: 'delta', name: 'Delta', reduce: (values) => counterRise(numbers(values)) },
  {
    id: 'diff',
    name: 'Difference',
    reduce: (values) => {
      const known = numbers(values);
      const first = known[0];
      const last = known.at(-1);
      return first === undefined || last === undefined ? null : last - first;
    },
  },
  {
    id: 'diffperc',
    name: 'Difference percent',
    reduce: (values) => {
      const known = numbers(values);
      const first = known[0];
      const last = known.at(-1);
      return first === undefined || last === undefined || first === 0 ? null : ((last - first) / first) * 100;
    },
  },
  { id: 'variance', name: 'Variance', reduce: (values) => variance(numbers(values)) },
  { id: 'stdDev', name: 'StdDev', reduce: (values) => Math.sqrt(variance(numbers(values))) },
  { id: 'distinctCount', name: 'Distinct Count', reduce: (values) => new Set(values).size },
  {
    id: 'changeCount',
    name: 'Change Count',
    reduce: (values) => {
      const known = numbers(values);
      return known.filter((value, index) => index > 0 && value !== known[index - 1]).length;
    },
  },
];

const REDUCERS: ReadonlyMap<string, Reducer> = new Map(LIST.map((reducer) => [reducer.id, reducer]));
