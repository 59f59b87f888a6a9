/**
 * Range aggregations (`rate({…}[5m])`) over stored logs: exact sliding windows (t - range, t] at every step.
 *
 * Records fall into buckets of g = gcd(step, range); a bucket b, covering ((b-1)·g, b·g] from the start, lies
 * in the windows of the steps i with b ≤ i·S and i·S ≤ b+R-1, where S = step/g and R = range/g. One statement
 * counts buckets and hands each to its windows. All in whole nanoseconds: a division of floats would move
 * records at a bucket's edge.
 */
import type { Grouping, RangeAggregation } from '../../sinks/logql/ast.ts';
import { labelName, lineOf, streamLabels, timestampNsOf } from '../../sinks/logql/labels.ts';
import { labelIn } from '../../sinks/logql/match.ts';
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

/**
 * `grouping`: that of a `sum` directly around the range, done with it; else the series are those of the stream
 * labels and of what parsers extracted.
 */
export async function rangeSeries(
  clickhouse: ClickHouseReader,
  range: RangeAggregation,
  grouping: Grouping | undefined,
  steps: Steps,
  signal?: AbortSignal,
): Promise<Series[]> {
  const by = grouping?.mode === 'by' ? [...new Set(grouping.labels)] : undefined;
  const { complete } = pipelineSql(range.query);
  const series = complete
    ? await seriesBySql(clickhouse, range, by, steps, signal)
    : await seriesByParsing(clickhouse, range, by, steps, signal);
  if (range.op === 'rate' || range.op === 'bytes_rate') {
    for (const { values } of series) {
      for (let i = 0; i < values.length; i += 1) values[i] = (values[i]! * 1000) / range.rangeMs;
    }
  }
  return series;
}

async function seriesBySql(
  clickhouse: ClickHouseReader,
  range: RangeAggregation,
  by: readonly string[] | undefined,
  steps: Steps,
  signal: AbortSignal | undefined,
): Promise<Series[]> {
  const { rows } = await clickhouse.select(windowSql(range, by, steps), signal ? { signal } : {});
  return rows.map((row) => {
    const [group, at, amounts] = row as readonly [unknown, readonly number[], readonly number[]];
    const values = emptyValues(steps);
    for (const [index, i] of at.entries()) values[i] = amounts[index]!;
    const labels = by
      ? byLabels(by, group as readonly string[])
      : resourceLabels(group as readonly string[][]);
    return { labels, values };
  });
}

/** Rows of (group values, step numbers, amounts); see the head of the file. */
export function windowSql(
  range: RangeAggregation,
  by: readonly string[] | undefined,
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
  const group = by
    ? `[${by.map((name) => `toString(${labelSql(name)})`).join(', ') || "''"}]`
    : 'arraySort(arrayMap((k, v) -> [toString(k), v], mapKeys(ResourceAttributes), mapValues(ResourceAttributes)))';
  const amount =
    range.op === 'bytes_over_time' || range.op === 'bytes_rate' ? 'sum(length(Body))' : 'count()';
  return `SELECT series, groupArray(i), groupArray(v)
FROM (
  SELECT series, i, sum(c) AS v
  FROM (
    SELECT ${group} AS series,
      intDiv(toUnixTimestamp64Nano(Timestamp) - toInt64(${startNs}) + ${rangeNs} + ${g} - 1, ${g}) - ${R} AS b,
      ${amount} AS c
    FROM otel_logs
    WHERE ${where.join(' AND ')}
    GROUP BY series, b
  )
  ARRAY JOIN range(
    toUInt32(intDiv(greatest(b, 0) + ${S} - 1, ${S})),
    toUInt32(least(${count - 1}, intDiv(b + ${R} - 1, ${S})) + 1)
  ) AS i
  GROUP BY series, i
)
GROUP BY series
ORDER BY series`;
}

function byLabels(by: readonly string[], values: readonly string[]): Record<string, string> {
  return named(by.map((name, index) => [name, values[index] ?? '']));
}

function resourceLabels(pairs: readonly string[][]): Record<string, string> {
  return named(pairs.map(([key, value]) => [labelName(key ?? ''), value ?? '']));
}

/** A label without a value is no label. */
function named(pairs: ReadonlyArray<readonly [string, string]>): Record<string, string> {
  return Object.fromEntries(pairs.filter(([, value]) => value !== ''));
}

async function seriesByParsing(
  clickhouse: ClickHouseReader,
  range: RangeAggregation,
  by: readonly string[] | undefined,
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
  return slide(found, range, by, steps);
}

/** The same windows over records in memory. */
export function slide(
  found: readonly FoundLog[],
  range: RangeAggregation,
  by: readonly string[] | undefined,
  steps: Steps,
): Series[] {
  const rangeNs = BigInt(range.rangeMs) * 1_000_000n;
  const ofBytes = range.op === 'bytes_over_time' || range.op === 'bytes_rate';
  const series = new Map<string, Series>();
  for (const one of found) {
    const labels = by
      ? named(by.map((name) => [name, labelIn(one.record, one.extracted, name)]))
      : named([...streamLabels(one.record.resource), ...one.extracted]);
    const key = labelsKey(labels);
    let into = series.get(key);
    if (!into) {
      into = { labels, values: emptyValues(steps) };
      series.set(key, into);
    }
    const amount = ofBytes ? Buffer.byteLength(lineOf(one.record)) : 1;
    const sinceStart = timestampNsOf(one.record) - steps.startNs;
    // The first step at or after the record, and the last whose window still holds it.
    const first = sinceStart <= 0n ? 0n : (sinceStart + steps.stepNs - 1n) / steps.stepNs;
    const last = sinceStart + rangeNs <= 0n ? -1n : (sinceStart + rangeNs - 1n) / steps.stepNs;
    for (let i = Number(first); i <= Number(last) && i < steps.count; i += 1) {
      const before = into.values[i]!;
      into.values[i] = (Number.isNaN(before) ? 0 : before) + amount;
    }
  }
  return [...series.values()].filter(({ values }) => values.some((value) => !Number.isNaN(value)));
}

export function emptyValues({ count }: Steps): Float64Array {
  return new Float64Array(count).fill(Number.NaN);
}

/** Equal for equal labels, whatever their order. */
export function labelsKey(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : greatestCommonDivisor(b, a % b);
}
