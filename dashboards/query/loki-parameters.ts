/** Parameters of Loki's HTTP API: times in three notations, steps, limits. */
import { parseDuration } from '../../sinks/logql/units.ts';
import { QueryError } from './query-error.ts';

export type Parameters = Readonly<Record<string, unknown>>;

/** The last of a repeated parameter, as text; undefined when absent or empty. */
export function text(parameters: Parameters, name: string): string | undefined {
  const value = parameters[name];
  const one: unknown = Array.isArray(value) ? value.at(-1) : value;
  return typeof one === 'string' && one !== '' ? one : undefined;
}

export function texts(parameters: Parameters, name: string): string[] {
  const value = parameters[name];
  const all: unknown[] = Array.isArray(value) ? value : value === undefined ? [] : [value];
  return all.filter((one) => typeof one === 'string');
}

/**
 * ns since 1970 from ns, seconds with or without a fraction, or RFC 3339. Whole numbers of more than 10 digits
 * are ns, as Loki decides it.
 */
export function parseTime(name: string, value: string): bigint {
  if (/^-?\d+$/.test(value)) {
    return value.replace('-', '').length > 10 ? BigInt(value) : BigInt(value) * 1_000_000_000n;
  }
  const decimal = /^(\d+)\.(\d+)$/.exec(value);
  if (decimal) return BigInt(decimal[1]!) * 1_000_000_000n + BigInt(decimal[2]!.slice(0, 9).padEnd(9, '0'));
  if (/^\d+(\.\d+)?e\+?\d+$/i.test(value)) return BigInt(Math.round(Number(value) * 1e3)) * 1_000_000n;
  const date = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/i.exec(value);
  const ms = date ? Date.parse(`${date[1]}${date[3]}`) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw new QueryError(400, `cannot read ${name}: got ${value}, want ns or s since 1970, or RFC 3339`);
  }
  return BigInt(ms) * 1_000_000n + BigInt((date?.[2] ?? '').padEnd(9, '0'));
}

/** `start`, `end`, `since`; the last hour when absent. */
export function timeRange(parameters: Parameters, nowNs: bigint): { startNs: bigint; endNs: bigint } {
  const end = text(parameters, 'end');
  const endNs = end === undefined ? nowNs : parseTime('end', end);
  const start = text(parameters, 'start');
  const sinceNs = parseStep('since', text(parameters, 'since') ?? '1h');
  const startNs = start === undefined ? endNs - sinceNs : parseTime('start', start);
  if (startNs > endNs) throw new QueryError(400, `cannot query: got start ${startNs} after end ${endNs}`);
  return { startNs, endNs };
}

/** ns from `15s`, `60000ms` or a number of seconds. */
export function parseStep(name: string, value: string): bigint {
  const seconds = /^\d+(\.\d+)?$/.test(value) ? Number(value) : parseDuration(value);
  if (seconds === undefined || !(seconds > 0)) {
    throw new QueryError(400, `cannot read ${name}: got ${value}, want a duration above zero such as 15s`);
  }
  return BigInt(Math.round(seconds * 1e9));
}

export function limit(parameters: Parameters, most: number): number {
  const value = text(parameters, 'limit') ?? '0';
  if (!/^\d+$/.test(value) || Number(value) > most) {
    throw new QueryError(400, `cannot read limit: got ${value}, want a number up to ${most}`);
  }
  // Grafana sends 0 with metric queries.
  return Number(value) || 100;
}
