/** What label browsers ask: names, values, streams and their volume. */
import type { LogQuery } from '../../sinks/logql/ast.ts';
import { labelName } from '../../sinks/logql/labels.ts';
import type { ClickHouseReader } from './clickhouse-reader.ts';
import { judgedSql, labelSql, timeSql } from './logql-sql.ts';
import { streamOf } from './loki-streams.ts';

/** Lists for people: beyond it nobody scrolls. */
const VALUES_MAX = 5_000;

interface Range {
  readonly startNs: bigint;
  readonly endNs: bigint;
}

function whereSql(query: LogQuery, range: Range): string {
  return [...timeSql({ ...range, ends: '[)' }), ...judgedSql(query)].join(' AND ');
}

/** Stream labels, and the level, which has a value on every line. */
export async function labelNames(
  clickhouse: ClickHouseReader,
  query: LogQuery,
  range: Range,
  signal: AbortSignal,
): Promise<string[]> {
  const { rows } = await clickhouse.select(
    `SELECT groupUniqArrayArray(${VALUES_MAX})(mapKeys(ResourceAttributes)) FROM otel_logs WHERE ${whereSql(query, range)}`,
    { signal },
  );
  const keys = (rows[0]?.[0] ?? []) as string[];
  const names = new Set([...keys.map(labelName), 'level']);
  names.delete('');
  return keys.length === 0 ? [] : [...names].sort();
}

export async function labelValues(
  clickhouse: ClickHouseReader,
  name: string,
  query: LogQuery,
  range: Range,
  signal: AbortSignal,
): Promise<string[]> {
  const { rows } = await clickhouse.select(
    `SELECT ${labelSql(name)} AS value FROM otel_logs WHERE ${whereSql(query, range)} AND value != '' GROUP BY value ORDER BY value LIMIT ${VALUES_MAX}`,
    { signal },
  );
  return rows.map(([value]) => String(value));
}

/** The label sets of the streams that any of the selectors matches. */
export async function streamSets(
  clickhouse: ClickHouseReader,
  queries: readonly LogQuery[],
  range: Range,
  signal: AbortSignal,
): Promise<Array<Record<string, string>>> {
  const selections = queries.map((query) => `(${judgedSql(query).join(' AND ') || '1 = 1'})`);
  const where = [...timeSql({ ...range, ends: '[)' }), `(${selections.join(' OR ') || '1 = 1'})`];
  const { rows } = await clickhouse.select(
    `SELECT any(ResourceAttributes) FROM otel_logs WHERE ${where.join(' AND ')}
GROUP BY cityHash64(ResourceAttributes) LIMIT ${VALUES_MAX}`,
    { signal },
  );
  return rows.map(([attributes]) => streamOf(attributes as Record<string, string>));
}

export interface Volume {
  readonly metric: Record<string, string>;
  readonly bytes: number;
  readonly lines: number;
  readonly streams: number;
}

/** Largest first. */
export async function volumes(
  clickhouse: ClickHouseReader,
  query: LogQuery,
  by: readonly string[],
  range: Range,
  signal: AbortSignal,
): Promise<Volume[]> {
  const group = `[${by.map((name) => `toString(${labelSql(name)})`).join(', ') || "''"}]`;
  const { rows } = await clickhouse.select(
    `SELECT ${group} AS labels, sum(length(Body)) AS bytes, count() AS lines, uniq(ResourceAttributes) AS streams
FROM otel_logs WHERE ${whereSql(query, range)} GROUP BY labels ORDER BY bytes DESC LIMIT ${VALUES_MAX}`,
    { signal },
  );
  return rows.map(([labels, bytes, lines, streams]) => ({
    metric: Object.fromEntries(
      by.map((name, index) => [name, (labels as string[])[index] ?? '']).filter(([, value]) => value !== ''),
    ) as Record<string, string>,
    bytes: Number(bytes),
    lines: Number(lines),
    streams: Number(streams),
  }));
}
