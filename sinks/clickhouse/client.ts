/** The adapter of `@clickhouse/client` behind the port. */
import { Readable } from 'node:stream';

import { ClickHouseError, ClickHouseLogLevel, createClient } from '@clickhouse/client';

import { failureKind } from './failures.ts';
import { type ClickHouse, ClickHouseFailure } from './port.ts';

export interface ClickHouseAddress {
  readonly url: string;
  readonly username: string;
  readonly password: string;
}

/**
 * An insert of a batch takes well under a second; past this the answer is not to be expected and the sink looks what
 * became of it. Long enough for an engine that merges under load.
 */
const REQUEST_TIMEOUT_MS = 60_000;
/** One insert at a time per table and day, and a few looks beside. */
const CONNECTIONS_MAX = 8;

/**
 * Acknowledged means in the table: a server that buffers inserts by default is asked not to. One insert is one block,
 * so that it becomes one part.
 */
const INSERT_SETTINGS = {
  async_insert: 0,
  max_insert_threads: '1',
  min_insert_block_size_rows: '1048576',
  min_insert_block_size_bytes: '1073741824',
} as const;

export function openClickHouse(
  address: ClickHouseAddress,
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
): ClickHouse {
  const client = createClient({
    url: address.url,
    username: address.username,
    password: address.password,
    request_timeout: requestTimeoutMs,
    max_open_connections: CONNECTIONS_MAX,
    application: 'millrace-sink',
    // What went wrong is thrown and said once, with what is done about it; not printed a second time.
    log: { level: ClickHouseLogLevel.OFF },
  });
  return {
    async ping() {
      try {
        return (await client.ping()).success;
      } catch {
        return false;
      }
    },
    command: (sql, params) =>
      attempt(sql, async () => {
        await client.command({ query: sql, ...(params ? { query_params: params } : {}) });
      }),
    rows: <Row>(sql: string, params?: Record<string, unknown>) =>
      attempt(sql, async () => {
        const format = 'JSONEachRow';
        const result = await client.query({
          query: sql,
          format,
          ...(params ? { query_params: params } : {}),
        });
        return result.json<Row>();
      }),
    insert: ({ table, columns, body, queryId, mark }) =>
      attempt(`insert into ${table}`, async () => {
        const query = `INSERT INTO ${table} (${columns.join(', ')}) FORMAT RowBinary`;
        const values = Readable.from([body], { objectMode: false });
        const clickhouse_settings = { ...INSERT_SETTINGS, log_comment: mark };
        const { stream } = await client.exec({ query, values, query_id: queryId, clickhouse_settings });
        stream.resume();
      }),
    close: () => client.close(),
  };
}

async function attempt<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const reason = error instanceof Error ? error.message || error.name : String(error);
    const message = `cannot ${what.slice(0, 80)}: ${reason}`;
    if (!(error instanceof ClickHouseError)) throw new ClickHouseFailure('passing', 0, message, error);
    const code = Number(error.code) || 0;
    throw new ClickHouseFailure(failureKind(code), code, message, error);
  }
}
