import { afterAll, beforeAll, expect, test } from 'vitest';

import { silentLog } from '../../broker/host/log.ts';
import { startTestStore, type TestStore } from '../../test/support/store.ts';
import { openClickHouse } from './client.ts';
import { SOURCE_COLUMNS, TABLES } from './layout.ts';
import { migrate } from './migrate.ts';
import type { ClickHouse } from './port.ts';

let store: TestStore;
let clickhouse: ClickHouse;

beforeAll(async () => {
  store = await startTestStore();
  clickhouse = openClickHouse({ url: store.url, username: 'millrace', password: store.password });
  await migrate(clickhouse, { database: 'otel', retentionDays: 7 }, silentLog);
});

afterAll(async () => {
  await clickhouse?.close();
  await store?.close();
});

const tables = () =>
  clickhouse.rows<{ name: string; sql: string }>(
    "SELECT name, create_table_query AS sql FROM system.tables WHERE database = 'otel'",
  );

test('makes every table, with source columns, both fsync settings and the retention', async () => {
  const made = new Map((await tables()).map(({ name, sql }) => [name, sql]));
  for (const table of Object.values(TABLES)) {
    const sql = made.get(table) ?? '';
    for (const column of SOURCE_COLUMNS) expect(sql).toContain(`\`${column}\` `);
    expect(sql).toContain('fsync_after_insert = 1, fsync_part_directory = 1');
    expect(sql).toMatch(/TTL toDateTime\(Time(stamp|Unix)\) \+ toIntervalDay\(7\)/);
    expect(sql).toContain('INDEX idx_offset ');
  }
  expect(made.get('otel_traces_trace_id_ts')).toContain('TTL Start + toIntervalDay(7)');
  expect(made.has('otel_traces_trace_id_ts_mv')).toBe(true);
});

test('does nothing the second time', async () => {
  const before = await tables();
  await migrate(clickhouse, { database: 'otel', retentionDays: 7 }, silentLog);
  expect(await tables()).toEqual(before);
  const versions =
    'SELECT version, count() AS n FROM otel.millrace_migrations GROUP BY version ORDER BY version';
  expect(await clickhouse.rows(versions)).toEqual([1, 2, 3].map((version) => ({ version, n: 1 })));
});

test('follows a changed retention, and lifts it at 0', async () => {
  const ttl = async () =>
    / TTL (.+?) SETTINGS/.exec((await tables()).find(({ name }) => name === TABLES.logs)!.sql)?.[1];
  await migrate(clickhouse, { database: 'otel', retentionDays: 3 }, silentLog);
  expect(await ttl()).toBe('toDateTime(Timestamp) + toIntervalDay(3)');
  await migrate(clickhouse, { database: 'otel', retentionDays: 0 }, silentLog);
  expect(await ttl()).toBeUndefined();
});

test('the compatibility column can be filtered by', async () => {
  await clickhouse.command(
    "INSERT INTO otel.otel_logs (Timestamp, ServiceName) SELECT now64(9) - number * 60, 'a' FROM numbers(10)",
  );
  const rows = await clickhouse.rows<{ n: number }>(
    'SELECT count() AS n FROM otel.otel_logs WHERE TimestampTime >= now() - 86400',
  );
  expect(rows).toEqual([{ n: 10 }]);
});
