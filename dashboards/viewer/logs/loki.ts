/** The Loki API as the log explorer uses it. */
import { getJson } from '../shell/api.ts';
import { type LogRow, type PlainLine, rowsOf } from './log-row.ts';

export interface MatrixSeries {
  metric: Record<string, string>;
  values: [number, string][];
}

interface Answer {
  data: { resultType: string; result: unknown };
}

export type QueryResult = { kind: 'lines'; rows: LogRow[] } | { kind: 'matrix'; series: MatrixSeries[] };

export async function queryRange(
  query: string,
  options: { fromNs: string; toNs: string; limit?: number; stepMs?: number; forward?: boolean },
  signal: AbortSignal,
): Promise<QueryResult> {
  const params = new URLSearchParams({ query, start: options.fromNs, end: options.toNs });
  params.set('direction', options.forward ? 'forward' : 'backward');
  if (options.limit !== undefined) params.set('limit', String(options.limit));
  if (options.stepMs !== undefined) params.set('step', `${options.stepMs}ms`);
  const { data } = await getJson<Answer>(`/loki/api/v1/query_range?${params}`, signal);
  if (data.resultType === 'matrix') return { kind: 'matrix', series: data.result as MatrixSeries[] };
  if (data.resultType !== 'streams') throw new Error(`cannot show a result of type ${data.resultType}`);
  const streams = data.result as { stream: Record<string, string>; values: [string, string][] }[];
  const lines: PlainLine[] = streams.flatMap(({ stream, values }) =>
    values.map(([timeNs, line]) => ({ timeNs, line, labels: stream })),
  );
  return { kind: 'lines', rows: rowsOf(lines) };
}

export function msToNs(ms: number): string {
  return `${Math.round(ms)}000000`;
}
