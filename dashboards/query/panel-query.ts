/** Answers a panel of a dashboard file: variables and macros in, frames out. SQL stays on this side. */
import type { ClickHouseReader } from './clickhouse-reader.ts';
import type { DashboardFile, PanelSource, VariableSource } from './dashboard-files.ts';
import { type Frame, tableFrame, timeSeriesFrame } from './frame.ts';
import { type VariableValue, interpolate } from './interpolation.ts';
import { calculateInterval } from './interval.ts';
import { type TimeContext, expandMacros } from './macros.ts';
import { QueryError } from './query-error.ts';

export interface PanelRequest {
  /** ms since 1970. */
  readonly from: number;
  readonly to: number;
  readonly maxDataPoints: number;
  readonly variables: Readonly<Record<string, VariableValue>>;
}

export interface PanelAnswer {
  readonly frames: readonly Frame[];
  readonly intervalMs: number;
}

export async function queryPanel(
  clickhouse: ClickHouseReader,
  dashboard: DashboardFile,
  panelId: number,
  request: PanelRequest,
  signal?: AbortSignal,
): Promise<PanelAnswer> {
  const panel = dashboard.panels.get(panelId);
  if (!panel) {
    throw new QueryError(404, `cannot find panel ${panelId} in dashboard ${dashboard.uid}`);
  }
  const time = timeContext(request, panel);
  const frames = await Promise.all(
    panel.targets
      .filter(({ hide, rawSql }) => !hide && rawSql !== '')
      .map(async ({ refId, rawSql, format }) => {
        const sql = expandSql(rawSql, dashboard.variables, request.variables, time);
        const result = await clickhouse.select(sql, signal ? { signal } : {});
        const series = format === 0 || format === 256;
        return series ? timeSeriesFrame(refId, result) : tableFrame(refId, result);
      }),
  );
  return { frames, intervalMs: time.intervalMs };
}

/** The values to choose from, for a variable of type query, custom, textbox or constant. */
export async function variableOptions(
  clickhouse: ClickHouseReader,
  dashboard: DashboardFile,
  name: string,
  request: Omit<PanelRequest, 'maxDataPoints'>,
  signal?: AbortSignal,
): Promise<Array<{ value: string; text: string }>> {
  const variable = dashboard.variables.find((one) => one.name === name);
  if (!variable) throw new QueryError(404, `cannot find variable ${name} in dashboard ${dashboard.uid}`);
  if (variable.rawSql === undefined) {
    return variable.options.filter(({ value }) => value !== '$__all').map((option) => ({ ...option }));
  }
  const time = timeContext({ ...request, maxDataPoints: 1000 }, {});
  const sql = expandSql(variable.rawSql, dashboard.variables, request.variables, time);
  const { rows } = await clickhouse.select(sql, signal ? { signal } : {});
  // Two columns are value and text, in this order; one is both.
  const options = rows.map(([value, text]) => ({
    value: textOf(value),
    text: textOf(text ?? value),
  }));
  return sortOptions(filterOptions(options, variable.regex), variable.sort);
}

/** The statement as ClickHouse gets it. */
export function expandSql(
  rawSql: string,
  sources: readonly VariableSource[],
  chosen: Readonly<Record<string, VariableValue>>,
  time: TimeContext,
): string {
  const variables: Record<string, VariableValue> = {};
  const allValues: Record<string, readonly string[]> = {};
  for (const source of sources) {
    variables[source.name] = Object.hasOwn(chosen, source.name) ? chosen[source.name]! : source.current;
    const known = source.options.map(({ value }) => value).filter((value) => value !== '$__all');
    if (source.allValue !== undefined) allValues[source.name] = [source.allValue];
    else if (source.rawSql === undefined && known.length > 0) allValues[source.name] = known;
  }
  return expandMacros(interpolate(rawSql, variables, time, allValues), time);
}

/** Range and interval of a request; throws when they make no sense. */
export function timeContext(
  { from, to, maxDataPoints }: Pick<PanelRequest, 'from' | 'to' | 'maxDataPoints'>,
  panel: Pick<PanelSource, 'interval' | 'maxDataPoints'>,
): TimeContext {
  if (!(from < to)) throw new QueryError(400, `cannot query: got from ${from} to ${to}, want from < to`);
  const points = panel.maxDataPoints ?? Math.min(Math.max(1, maxDataPoints), 11_000);
  const { intervalMs, text } = calculateInterval(to - from, points, panel.interval);
  return { fromMs: from, toMs: to, intervalMs, intervalText: text };
}

function textOf(value: unknown): string {
  return typeof value === 'string'
    ? value
    : value === null || value === undefined
      ? ''
      : JSON.stringify(value);
}

type Option = { value: string; text: string };

/** `regex` of a variable keeps what matches; groups named `value` and `text`, or the first, are taken. */
function filterOptions(options: Option[], regex: string): Option[] {
  if (regex === '') return options;
  const [, body = regex, flags = ''] = /^\/(.*)\/([a-z]*)$/s.exec(regex) ?? [];
  const pattern = new RegExp(body, flags.replaceAll('g', ''));
  return options.flatMap(({ value, text }) => {
    const match = pattern.exec(value);
    if (!match) return [];
    const taken = match.groups?.['value'] ?? match[1] ?? value;
    return [{ value: taken, text: match.groups?.['text'] ?? (match[1] === undefined ? text : taken) }];
  });
}

/** Grafana's numbers: 0 as it came, 1/2 by letter, 3/4 by number, 5/6 by letter in any case; even descends. */
function sortOptions(options: Option[], sort: number): Option[] {
  if (sort < 1 || sort > 8) return options;
  const compare: (a: string, b: string) => number =
    sort <= 2
      ? (a, b) => (a < b ? -1 : a > b ? 1 : 0)
      : sort <= 4
        ? (a, b) => leadingNumber(a) - leadingNumber(b)
        : sort <= 6
          ? (a, b) => a.toLowerCase().localeCompare(b.toLowerCase())
          : (a, b) => a.localeCompare(b, undefined, { numeric: true });
  const direction = sort % 2 === 1 ? 1 : -1;
  return [...options].sort((a, b) => direction * compare(a.text, b.text));
}

function leadingNumber(text: string): number {
  return Number(/\d+/.exec(text)?.[0] ?? -1);
}
