/**
 * ClickHouse as the web server uses it: read only, bounded, one result as columns and rows.
 *
 * The port keeps routes testable without an engine; `openClickHouseReader` is the real one, over HTTP.
 */
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';

import type { WebConfig } from '../config.ts';
import { QueryError } from './query-error.ts';

export interface ClickHouseReader {
  /**
   * Runs one SELECT. 64-bit integers come as numbers, date-times as ISO 8601 strings with a `Z`, NaN and
   * infinities as null. Rejects with a `QueryError`.
   */
  select(sql: string, options?: SelectOptions): Promise<Rows>;
  /** True when it answers. Never rejects. */
  ping(): Promise<boolean>;
  close(): Promise<void>;
}

export interface SelectOptions {
  /** Values of `{name:Type}` placeholders. */
  readonly params?: Readonly<Record<string, unknown>>;
  /** Ends the query when the asker is gone. */
  readonly signal?: AbortSignal;
  /** 64-bit integers as decimal strings, for nanoseconds. */
  readonly exactIntegers?: boolean;
}

export interface Rows {
  readonly columns: ReadonlyArray<{ readonly name: string; readonly type: string }>;
  readonly rows: ReadonlyArray<readonly unknown[]>;
}

export function openClickHouseReader(
  config: WebConfig['clickhouse'],
  limits: WebConfig['limits'],
): ClickHouseReader {
  const client = createClient({
    url: config.url,
    username: config.username,
    password: config.password,
    database: config.database,
    application: 'millrace-web',
    max_open_connections: limits.concurrentQueriesMax,
    // The engine's own limit comes first and says more.
    request_timeout: (limits.executionSecondsMax + 10) * 1000,
    // Failures reach the asker as a QueryError; the client's own console lines would say it twice.
    log: { level: ClickHouseLogLevel.OFF },
    keep_alive: { enabled: true },
    use_multipart_params_auto: true,
  });
  const line = waitingLine(limits.concurrentQueriesMax, limits.waitingQueriesMax);
  return {
    select: (sql, { params, signal, exactIntegers = false } = {}) =>
      line(async () => {
        try {
          const result = await client.query({
            query: sql,
            format: 'JSONCompact',
            ...(params ? { query_params: { ...params } } : {}),
            ...(signal ? { abort_signal: signal } : {}),
            clickhouse_settings: {
              max_execution_time: limits.executionSecondsMax,
              max_result_rows: String(limits.resultRowsMax),
              max_result_bytes: String(limits.resultBytesMax),
              result_overflow_mode: 'throw',
              output_format_json_quote_64bit_integers: exactIntegers ? 1 : 0,
              output_format_json_quote_denormals: 0,
              date_time_output_format: 'iso',
            },
          });
          const { meta = [], data } = await result.json<unknown[]>();
          return { columns: meta, rows: data };
        } catch (error) {
          throw QueryError.from(error);
        }
      }),
    ping: async () => {
      try {
        return (await client.ping()).success;
      } catch {
        return false;
      }
    },
    close: () => client.close(),
  };
}

/** Runs at most `runningMax` at once, in order of arrival; refuses when `waitingMax` wait already. */
export function waitingLine(
  runningMax: number,
  waitingMax: number,
): <T>(run: () => Promise<T>) => Promise<T> {
  const waiting: Array<() => void> = [];
  let running = 0;
  return async (run) => {
    if (running >= runningMax) {
      if (waiting.length >= waitingMax) {
        throw new QueryError(503, `cannot query: got ${waiting.length} queries waiting, want fewer`);
      }
      // The one who leaves hands its place over, so `running` stays as it is.
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running += 1;
    }
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
