/**
 * The macros of Grafana's ClickHouse data source, its back-end half: what the plugin expands after template
 * variables. Comments go first; quoted text is left alone; an unknown `$__x` stays as it is.
 *
 * Absent: the statement macros ($__columns, $__rateColumns, …, $__lttb), which rewrite the whole query.
 */
import { parseInterval } from './interval.ts';
import { QueryError } from './query-error.ts';
import { closingParenthesis, splitArguments, sqlPieces } from './sql-text.ts';

export interface TimeContext {
  /** ms since 1970. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly intervalMs: number;
  readonly intervalText: string;
}

type Macro = (time: TimeContext, args: readonly string[]) => string;

const seconds = (ms: number): number => Math.floor(ms / 1000);
const moment = (ms: number): string => `toDateTime(${seconds(ms)})`;
const momentMs = (ms: number): string => `fromUnixTimestamp64Milli(${Math.floor(ms)})`;
const day = (ms: number): string => `toDate('${new Date(ms).toISOString().slice(0, 10)}')`;
const intervalSeconds = (time: TimeContext): number => Math.max(1, Math.floor(time.intervalMs / 1000));

const timeFilter: Macro = (time, [column]) =>
  `${column} >= ${moment(time.fromMs)} AND ${column} <= ${moment(time.toMs)}`;
const dateFilter: Macro = (time, [column]) =>
  `${column} >= ${day(time.fromMs)} AND ${column} <= ${day(time.toMs)}`;
const dateTimeFilter: Macro = (time, [date, column]) =>
  `(${dateFilter(time, [date!])} AND ${timeFilter(time, [column!])})`;

/** Name, number of arguments, expansion. */
const MACROS: Readonly<Record<string, readonly [count: number, macro: Macro]>> = {
  timeFilter: [1, timeFilter],
  timeFilter_ms: [
    1,
    (time, [column]) => `${column} >= ${momentMs(time.fromMs)} AND ${column} <= ${momentMs(time.toMs)}`,
  ],
  dateFilter: [1, dateFilter],
  dateTimeFilter: [2, dateTimeFilter],
  dt: [2, dateTimeFilter],
  fromTime: [0, (time) => moment(time.fromMs)],
  toTime: [0, (time) => moment(time.toMs)],
  fromTime_ms: [0, (time) => momentMs(time.fromMs)],
  toTime_ms: [0, (time) => momentMs(time.toMs)],
  timeFrom: [1, (time, [column]) => `${column} >= ${moment(time.fromMs)}`],
  timeTo: [1, (time, [column]) => `${column} <= ${moment(time.toMs)}`],
  timeInterval: [
    1,
    (time, [column]) => `toStartOfInterval(toDateTime(${column}), INTERVAL ${intervalSeconds(time)} second)`,
  ],
  timeInterval_ms: [
    1,
    (time, [column]) =>
      `toStartOfInterval(toDateTime64(${column}, 3), INTERVAL ${Math.max(1, Math.floor(time.intervalMs))} millisecond)`,
  ],
  timeGroup: [2, timeGroup],
  interval_s: [0, (time) => String(intervalSeconds(time))],
  interval_ms: [0, (time) => String(Math.floor(time.intervalMs))],
  interval: [0, (time) => time.intervalText],
};

const REFUSED = new Set(['columns', 'rateColumns', 'perSecondColumns', 'increaseColumns', 'lttb']);

export function expandMacros(sql: string, time: TimeContext): string {
  // Macro arguments may hold quoted text, so expansion works on the statement, told by `pieces` where code is.
  const pieces = sqlPieces(sql).filter(({ kind }) => kind !== 'comment');
  const text = pieces.map((piece) => piece.text).join('');
  const protectedUntil = new Map<number, number>();
  let offset = 0;
  for (const { kind, text: piece } of pieces) {
    if (kind !== 'code') protectedUntil.set(offset, offset + piece.length);
    offset += piece.length;
  }
  let expanded = '';
  let at = 0;
  while (at < text.length) {
    const end = protectedUntil.get(at);
    if (end !== undefined) {
      expanded += text.slice(at, end);
      at = end;
      continue;
    }
    const found = text.startsWith('$__', at) ? expandAt(text, at, time) : undefined;
    if (found) {
      expanded += found.text;
      at = found.end;
    } else {
      expanded += text[at];
      at += 1;
    }
  }
  return expanded;
}

const NAME = /\$__(\w+)/y;

function expandAt(sql: string, at: number, time: TimeContext): { text: string; end: number } | undefined {
  NAME.lastIndex = at;
  const match = NAME.exec(sql);
  const name = match?.[1] ?? '';
  if (REFUSED.has(name)) {
    throw new QueryError(400, `cannot expand $__${name}: statement macros are not supported`);
  }
  const macro = Object.hasOwn(MACROS, name) ? MACROS[name] : undefined;
  if (!match || !macro) return undefined;
  const [count, expand] = macro;
  let end = at + match[0].length;
  let args: string[] = [];
  if (sql[end] === '(') {
    const close = closingParenthesis(sql, end);
    if (close === -1) throw new QueryError(400, `cannot expand $__${name}: its parenthesis never closes`);
    args = splitArguments(sql.slice(end + 1, close)).map((arg) => expandMacros(arg, time));
    end = close + 1;
  }
  if (args.length !== count) {
    throw new QueryError(400, `cannot expand $__${name}: got ${args.length} arguments, want ${count}`);
  }
  return { text: expand(time, args), end };
}

function timeGroup(_time: TimeContext, [column, period]: readonly string[]): string {
  const ms = parseInterval((period ?? '').replaceAll("'", ''));
  if (ms === undefined || ms < 1000) {
    throw new QueryError(400, `cannot expand $__timeGroup: got interval ${period}, want one such as 5m`);
  }
  return `toStartOfInterval(toDateTime(${column}), INTERVAL ${Math.floor(ms / 1000)} second)`;
}
