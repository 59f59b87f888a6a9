/**
 * Range aggregations (`rate({…}[5m])`) over stored logs: exact sliding windows (t - range, t] at every step.
 *
 * Records fall into buckets of g = gcd(step, range); a bucket b, covering ((b-1)·g, b·g] from the start, lies
 * in the windows of the steps i with b ≤ i·S and i·S ≤ b+R-1, where S = step/g and R = range/g. One statement
 * counts buckets and hands each to its windows. All in whole nanoseconds: a division of floats would move
 * records at a bucket's edge.
 */
import type { RangeAggregation } from '../../sinks/logql/ast.ts';
import { resourceLabels, streamLabels, timestampNsOf } from '../../sinks/logql/labels.ts';
import { labelIn } from '../../sinks/logql/match.ts';
import { labelsKey } from '../../sinks/alerts/labels.ts';
import type { ClickHouseReader } from './clickhouse-reader.ts';
import { type FoundLog, findLogs } from './log-rows.ts';
import { labelSql, pipelineSql, timeSql } from './logql-sql.ts';
import { QueryError } from './query-error.ts';

export interface Steps {
  readonly startNs: bigint;
  readonly stepNs: bigint;
  /** Points: start, start + step, …; at least one. */
  readonly count: number;
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** One a step; NaN where there is none. */
  readonly values: Float64Array;
}

/** Lines that a metric query may read back when SQL cannot judge its pipeline. */
const PARSED_LINES_MAX = 200_000;

/** What makes a series of its own: the labels of a `sum` directly around the range, which is done with it … */
export type Partition =
  | { readonly by: readonly string[] }
  /** … or stream labels, what parsers extracted, and those of these names. */
  | { readonly streamsAnd: readonly string[] };

/** Counts or bytes by series; of rates before they are divided by the seconds of the range. */
export async function rangeSeries(
  clickhouse: ClickHouseReader,
  range: RangeAggregation,
  partition: Partition,
  steps: Steps,
  signal?: AbortSignal,
): Promise<Series[]> {
  const { complete } = pipelineSql(range.query);
  return complete
    ? seriesBySql(clickhouse, range, partition, steps, signal)
    : seriesByParsing(clickhouse, range, partition, steps, signal);
}

/** Amounts of a rate as that rate; others stay as they are. */
export function rated(range: RangeAggregation, series: Series[]): Series[] {
  if (range.op !== 'rate' && range.op !== 'bytes_rate') return series;
  return series.map(({ labels, values }) => ({
    labels,
    values: values.map((value) => (value * 1000) / range.rangeMs),
  }));
}

async function seriesBySql(
  clickhouse: ClickHouseReader,
  range: RangeAggregation,
  partition: Partition,
  steps: Steps,
  signal: AbortSignal | undefined,
): Promise<Series[]> {
  const { rows } = await clickhouse.select(windowSql(range, partition, steps), signal ? { signal } : {});
  const series = new Map<string, Series>();
  for (const row of rows) {
    const [names, attributes, at, amounts] = row as readonly [
      readonly string[],
      Readonly<Record<string, string>>,
      readonly number[],
      readonly number[],
    ];
    const labels = named([
      ...('by' in partition ? [] : resourceLabels(attributes)),
      ...namesOf(partition).map((name, index) => [name, names[index] ?? ''] as const),
    ]);
    // Resources that differ in what is no label are one series.
    const { values } = seriesOf(series, labels, steps);
    for (const [index, i] of at.entries()) addTo(values, i, amounts[index]!);
  }
  return [...series.values()];
}

function namesOf(partition: Partition): readonly string[] {
  return [...new Set('by' in partition ? partition.by : partition.streamsAnd)];
}

function seriesOf(series: Map<string, Series>, labels: Series['labels'], steps: Steps): Series {
  const key = labelsKey(labels);
  let found = series.get(key);
  if (!found) {
    found = { labels, values: emptyValues(steps) };
    series.set(key, found);
  }
  return found;
}

function addTo(values: Float64Array, i: number, amount: number): void {
  const before = values[i]!;
  values[i] = (Number.isNaN(before) ? 0 : before) + amount;
}

/** Rows of (values of the names, resource attributes, step numbers, amounts); see the head of the file. */
export function windowSql(
  range: RangeAggregation,
  partition: Partition,
  { startNs, stepNs, count }: Steps,
): string {
  const rangeNs = BigInt(range.rangeMs) * 1_000_000n;
  const endNs = startNs + stepNs * BigInt(count - 1);
  const g = greatestCommonDivisor(stepNs, rangeNs);
  const [S, R] = [stepNs / g, rangeNs / g];
  const where = [
    ...timeSql({ startNs: startNs - rangeNs, endNs, ends: '(]' }),
    ...pipelineSql(range.query).where,
  ];
  const names = `[${
    namesOf(partition)
      .map((name) => `toString(${labelSql(name)})`)
      .join(', ') || "''"
  }]`;
  const resource = 'by' in partition ? 'map()' : 'ResourceAttributes';
  const amount =
    range.op === 'bytes_over_time' || range.op === 'bytes_rate' ? 'sum(length(Body))' : 'count()';
  return `SELECT names, resource, groupArray(i), groupArray(v)
FROM (
  SELECT names, resource, i, sum(c) AS v
  FROM (
    SELECT ${names} AS names, ${resource} AS resource,
      intDiv(toUnixTimestamp64Nano(Timestamp) - toInt64(${startNs}) + ${rangeNs} + ${g} - 1, ${g}) - ${R} AS b,
      ${amount} AS c
    FROM otel_logs
    WHERE ${where.join(' AND ')}
    GROUP BY names, resource, b
  )
  ARRAY JOIN range(
    toUInt32(intDiv(greatest(b, 0) + ${S} - 1, ${S})),
    toUInt32(least(${count - 1}, intDiv(b + ${R} - 1, ${S})) + 1)
  ) AS i
  GROUP BY names, resource, i
)
GROUP BY names, resource
ORDER BY names, resource`;
}

/** A label without a value is no label. */
function named(pairs: ReadonlyArray<readonly [string, string]>): Record<string, string> {
  return Object.fromEntries(pairs.filter(([, value]) => value !== ''));
}

async function seriesByParsing(
  clickhouse: ClickHouseReader,
  range: RangeAggregation,
  partition: Partition,
  steps: Steps,
  signal: AbortSignal | undefined,
): Promise<Series[]> {
  const rangeNs = BigInt(range.rangeMs) * 1_000_000n;
  const endNs = steps.startNs + steps.stepNs * BigInt(steps.count - 1);
  const found = await findLogs(clickhouse, {
    query: range.query,
    range: { startNs: steps.startNs - rangeNs, endNs, ends: '(]' },
    direction: 'forward',
    limit: PARSED_LINES_MAX + 1,
    signal,
  });
  if (found.length > PARSED_LINES_MAX) {
    throw new QueryError(
      400,
      `cannot finish the query: got over ${PARSED_LINES_MAX} lines to parse, want a narrower time range or a filter before the parser`,
    );
  }
  return slide(found, range, partition, steps);
}

/** The same windows over records in memory. */
export function slide(
  found: readonly FoundLog[],
  range: RangeAggregation,
  partition: Partition,
  steps: Steps,
): Series[] {
  const rangeNs = BigInt(range.rangeMs) * 1_000_000n;
  const ofBytes = range.op === 'bytes_over_time' || range.op === 'bytes_rate';
  const names = namesOf(partition);
  const series = new Map<string, Series>();
  for (const one of found) {
    const labels = named([
      ...('by' in partition ? [] : [...streamLabels(one.record.resource), ...one.extracted]),
      ...names.map((name) => [name, labelIn(one.record, one.extracted, name)] as const),
    ]);
    const { values } = seriesOf(series, labels, steps);
    const amount = ofBytes ? one.lineBytes : 1;
    const sinceStart = timestampNsOf(one.record) - steps.startNs;
    // The first step at or after the record, and the last whose window still holds it.
    const first = sinceStart <= 0n ? 0n : (sinceStart + steps.stepNs - 1n) / steps.stepNs;
    const last = sinceStart + rangeNs <= 0n ? -1n : (sinceStart + rangeNs - 1n) / steps.stepNs;
    for (let i = Number(first); i <= Number(last) && i < steps.count; i += 1) addTo(values, i, amount);
  }
  return [...series.values()].filter(({ values }) => values.some((value) => !Number.isNaN(value)));
}

export function emptyValues({ count }: Steps): Float64Array {
  return new Float64Array(count).fill(Number.NaN);
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : greatestCommonDivisor(b, a % b);
}
