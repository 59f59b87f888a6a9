/** Query results in the shape that panels read: Grafana's data frames, as plain JSON. */
import type { Rows } from './clickhouse-reader.ts';
import { QueryError } from './query-error.ts';

export interface Frame {
  readonly refId: string;
  readonly fields: readonly Field[];
}

export interface Field {
  readonly name: string;
  readonly type: 'time' | 'number' | 'string' | 'boolean' | 'other';
  readonly labels?: Readonly<Record<string, string>>;
  /** Times are ms since 1970. */
  readonly values: unknown[];
  /** What times have below a millisecond, in ns, where a column is that exact. */
  readonly nanos?: number[];
}

/** A wide frame has a cell for every series and time, also where there is no row: more would fill memory. */
const CELLS_MAX = 4_000_000;

/** A query of format 0: one time column, a field for each numeric column and set of string values. */
export function timeSeriesFrame(refId: string, result: Rows): Frame {
  const fields = result.columns.map(({ name, type }) => ({ name, type: fieldType(type) }));
  const timeAt = fields.findIndex(({ type }) => type === 'time');
  const labelsAt = indices(fields, (type) => type === 'string' || type === 'other');
  const valuesAt = indices(fields, (type) => type === 'number' || type === 'boolean');
  if (timeAt === -1 || labelsAt.length === 0) return tableFrame(refId, result, timeAt);

  const times = [...new Set(result.rows.map((row) => timeOf(row[timeAt])))]
    .filter((time) => time !== null)
    .sort((a, b) => a - b);
  const position = new Map(times.map((time, index) => [time, index]));
  const series = new Map<string, { labels: Record<string, string>; columns: unknown[][] }>();
  for (const row of result.rows) {
    const at = position.get(timeOf(row[timeAt]) ?? Number.NaN);
    if (at === undefined) continue;
    const labels = Object.fromEntries(labelsAt.map((index) => [fields[index]!.name, labelOf(row[index])]));
    const key = JSON.stringify(labels);
    let one = series.get(key);
    if (!one) {
      if ((series.size + 1) * valuesAt.length * times.length > CELLS_MAX) {
        throw new QueryError(
          400,
          `cannot draw query ${refId}: got over ${series.size} series at ${times.length} times, want fewer labels or a longer interval`,
        );
      }
      one = {
        labels,
        columns: valuesAt.map(() => Array.from({ length: times.length }, () => null)),
      };
      series.set(key, one);
    }
    for (const [column, index] of valuesAt.entries()) {
      one.columns[column]![at] = valueOf(row[index], fields[index]!.type);
    }
  }
  const sorted = [...series].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
  return {
    refId,
    fields: [
      { name: fields[timeAt]!.name, type: 'time', values: times },
      ...valuesAt.flatMap((index, column) =>
        sorted.map(({ labels, columns }) => ({
          name: fields[index]!.name,
          type: fields[index]!.type,
          labels,
          values: columns[column]!,
        })),
      ),
    ],
  };
}

/** Formats 1 and 2: column by column, as they came. `sortBy` is the index of a time column to sort by. */
export function tableFrame(refId: string, { columns, rows }: Rows, sortBy = -1): Frame {
  const ordered =
    sortBy === -1 ? rows : [...rows].sort((a, b) => (timeOf(a[sortBy]) ?? 0) - (timeOf(b[sortBy]) ?? 0));
  return {
    refId,
    fields: columns.map(({ name, type }, index) => {
      const kind = fieldType(type);
      const field = { name, type: kind, values: ordered.map((row) => valueOf(row[index], kind)) };
      return EXACT_TIME.test(type)
        ? Object.assign(field, { nanos: ordered.map((row) => nanosOf(row[index])) })
        : field;
    }),
  };
}

const EXACT_TIME = /DateTime64\([4-9]/;

/** The ns below the ms of an ISO time: `…:07.123456789Z` has 456789. */
function nanosOf(value: unknown): number {
  const [, digits = ''] = /\.\d{3}(\d{1,6})/.exec(typeof value === 'string' ? value : '') ?? [];
  return Number(digits.padEnd(6, '0'));
}

/** A ClickHouse type as a field type; Nullable and LowCardinality do not matter. */
export function fieldType(type: string): Field['type'] {
  const wrapped = /^(?:Nullable|LowCardinality)\((.*)\)$/.exec(type);
  if (wrapped) return fieldType(wrapped[1]!);
  if (/^Date(Time)?(32|64)?(\(|$)/.test(type)) return 'time';
  if (/^(U?Int|Float|Decimal|BFloat)/.test(type)) return 'number';
  if (type === 'Bool') return 'boolean';
  if (/^(String|FixedString|Enum|UUID|IPv[46]|Interval)/.test(type)) return 'string';
  return 'other';
}

function indices(
  fields: ReadonlyArray<{ type: Field['type'] }>,
  keep: (type: Field['type']) => boolean,
): number[] {
  return fields.flatMap(({ type }, index) => (keep(type) ? [index] : []));
}

function valueOf(value: unknown, type: Field['type']): unknown {
  if (value === null || value === undefined) return null;
  if (type === 'time') return timeOf(value);
  // Decimals and wide integers come as text.
  if (type === 'number' && typeof value === 'string') return Number(value);
  return value;
}

function timeOf(value: unknown): number | null {
  if (typeof value === 'number') return value * 1000;
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}

function labelOf(value: unknown): string {
  return typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value);
}
