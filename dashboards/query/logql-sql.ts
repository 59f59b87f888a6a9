/**
 * LogQL as conditions and expressions over the table `otel_logs`, with the meaning that `sinks/logql` gives it
 * on records: what a live tail shows is what a query over the past finds.
 *
 * Everything a user wrote goes into the statement as an escaped literal; regular expressions are RE2 on both
 * sides.
 */
import type { LabelFilter, LogQuery, Matcher, MatchOperator, Stage } from '../../sinks/logql/ast.ts';
import { formatQuery } from '../../sinks/logql/format.ts';
import { LEVEL_SQL } from '../grafana/level-sql.ts';
import { QueryError } from './query-error.ts';
import { sqlLiteral } from './sql-text.ts';

export interface PipelineSql {
  /** Conditions, to be joined by AND. */
  readonly where: readonly string[];
  /** False when stages remain that SQL cannot judge: rows then pass through the pipeline in this process. */
  readonly complete: boolean;
}

export function pipelineSql(query: LogQuery): PipelineSql {
  const where = query.matchers.map(matcherSql);
  let parsed = false;
  let complete = true;
  for (const stage of query.stages) {
    if (stage.type === 'parser') {
      parsed = true;
      complete = false;
      continue;
    }
    const sql = stageSql(stage, parsed);
    if (sql === undefined) complete = false;
    else where.push(sql);
  }
  return { where, complete };
}

/** The conditions of a query that SQL must judge alone. Throws, naming it, for a stage that it cannot. */
export function judgedSql(query: LogQuery): readonly string[] {
  const { where, complete } = pipelineSql(query);
  if (complete) return where;
  const stage = query.stages.find(
    (one) =>
      one.type === 'parser' || (one.type === 'labelFilter' && labelFilterSql(one.filter) === undefined),
  );
  const text = stage
    ? formatQuery({ ...query, matchers: [], stages: [stage] }).slice('{} '.length)
    : 'a stage';
  throw new QueryError(
    400,
    `cannot look for labels and volumes: got ${text}, want a selector, line filters and comparisons with text`,
  );
}

/** The value of a label, '' where the row has none: stream labels first, then metadata. */
export function labelSql(name: string): string {
  if (name !== 'service_name') return attributesSql(name);
  // The column is there only for names that are text.
  const other = `ResourceAttributes['service.name']`;
  return `multiIf(ServiceName != '', ServiceName, ${other} != '', ${other}, ${attributesSql(name)})`;
}

function attributesSql(name: string): string {
  const stream = attributeSql('ResourceAttributes', name);
  const metadata = Object.hasOwn(FIXED, name) ? FIXED[name]! : attributeSql('LogAttributes', name);
  return `if(${stream} != '', ${stream}, ${metadata})`;
}

/** Names that mean the same on every row; a log attribute of that name is hidden by them. */
const FIXED: Readonly<Record<string, string>> = {
  level: LEVEL_SQL,
  detected_level: LEVEL_SQL,
  severity_text: 'SeverityText',
  severity_number: "if(SeverityNumber = 0, '', toString(SeverityNumber))",
  trace_id: 'TraceId',
  span_id: 'SpanId',
  scope_name: 'ScopeName',
};

/**
 * All attribute keys that read as this label name: each `_` may stand for any character that labels lack. A map's
 * keys are in the order of their bytes.
 */
function attributeSql(map: string, name: string): string {
  const direct = `${map}[${sqlLiteral(name)}]`;
  const digit = /^key_([0-9].*)$/.exec(name)?.[1];
  if (!name.includes('_')) return direct;
  const pattern = (text: string): string => text.replaceAll('_', '[^a-zA-Z0-9]');
  const keys = `^(${pattern(name)}${digit === undefined ? '' : `|${pattern(digit)}`})$`;
  return `if(${direct} != '', ${direct}, arrayFirst((v, k) -> v != '' AND match(k, ${sqlLiteral(keys)}), mapValues(${map}), mapKeys(${map})))`;
}

function matcherSql({ name, op, value }: Pick<Matcher, 'name' | 'op' | 'value'>): string {
  const condition = textSql(labelSql(name), op, value);
  if (name !== 'service_name' || op !== '=' || value === '') return condition;
  // The sort key's second column prunes what the expression alone could not.
  return `(ServiceName = ${sqlLiteral(value)} OR (ServiceName = '' AND ${condition}))`;
}

function textSql(text: string, op: MatchOperator, value: string): string {
  switch (op) {
    case '=':
      return `${searchedSql(text, value)} = ${sqlLiteral(value)}`;
    case '!=':
      return `${searchedSql(text, value)} != ${sqlLiteral(value)}`;
    case '=~':
      return wholeSql(text, value);
    case '!~':
      return `NOT ${wholeSql(text, value)}`;
  }
}

/** Anchored at both ends, the dot matching line ends. */
function wholeSql(text: string, pattern: string): string {
  if (pattern === '.*') return '(1 = 1)';
  if (pattern === '.+') return `(${text} != '')`;
  return `match(${validSql(text)}, ${sqlLiteral(`^(?s:${pattern})$`)})`;
}

/**
 * Bytes that are not UTF-8 as this process reads them: a replacement character for each run. RE2 would not let a dot
 * match them. The engine takes what follows an unfinished character at the end for a part of it, hence the blanks.
 */
export function validSql(text: string): string {
  const valid = `toValidUTF8(concat(${text}, '   '))`;
  return `if(isValidUTF8(${text}), ${text}, substring(${valid}, 1, length(${valid}) - 3))`;
}

/** Only text that was made valid has replacement characters that no sender wrote. */
function searchedSql(text: string, value: string): string {
  return value.includes('\ufffd') ? validSql(text) : text;
}

function stageSql(stage: Exclude<Stage, { type: 'parser' }>, parsed: boolean): string | undefined {
  // After a parser a name may mean what it took from the line.
  if (stage.type === 'labelFilter') return parsed ? undefined : labelFilterSql(stage.filter);
  const { op, values } = stage;
  const tests = values.map((value) =>
    op === '|=' || op === '!='
      ? `position(${searchedSql('Body', value)}, ${sqlLiteral(value)}) > 0`
      : // ClickHouse lets the dot match line ends unless told otherwise.
        `match(${validSql('Body')}, ${sqlLiteral(`(?-s:${value})`)})`,
  );
  const any = `(${tests.join(' OR ')})`;
  return op === '|=' || op === '|~' ? any : `NOT ${any}`;
}

function labelFilterSql(filter: LabelFilter): string | undefined {
  switch (filter.type) {
    case 'string':
      return matcherSql(filter);
    // Units and number forms are read in this process.
    case 'number':
      return undefined;
    case 'and':
    case 'or': {
      const left = labelFilterSql(filter.left);
      const right = labelFilterSql(filter.right);
      if (left === undefined || right === undefined) return undefined;
      return `(${left} ${filter.type.toUpperCase()} ${right})`;
    }
  }
}

/** A range of event time in ns. */
export interface TimeRange {
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Of logs [start, end), of windows (start, end]. */
  readonly ends: '[)' | '(]';
}

/** Bounds the sort key's first column as well: without it every part of the range's days is read. */
export function timeSql({ startNs, endNs, ends }: TimeRange): string[] {
  const at = (ns: bigint): string => `fromUnixTimestamp64Nano(toInt64(${clamp(ns)}))`;
  const [low, high] = ends === '[)' ? ['>=', '<'] : ['>', '<='];
  return [
    `toStartOfFiveMinutes(Timestamp) >= toStartOfFiveMinutes(${at(startNs)})`,
    `toStartOfFiveMinutes(Timestamp) <= toStartOfFiveMinutes(${at(endNs)})`,
    `Timestamp ${low} ${at(startNs)}`,
    `Timestamp ${high} ${at(endNs)}`,
  ];
}

// The five-minute column is a DateTime: 1970 to 2106.
const LATEST_NS = 4_294_967_295_000_000_000n;

function clamp(ns: bigint): bigint {
  return ns < 0n ? 0n : ns > LATEST_NS ? LATEST_NS : ns;
}
