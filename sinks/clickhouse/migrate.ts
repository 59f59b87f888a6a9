/**
 * Brings the database to the newest schema, and its retention to the configured one. Every statement can run twice, so
 * a crash or a second sink at the same moment does no harm; the version table says what is done.
 */
import type { Log } from '../../broker/host/log.ts';
import { type TableName, TABLES } from './layout.ts';
import type { ClickHouse } from './port.ts';
import { migrations } from './schema/migrations.ts';

export interface Schema {
  readonly database: string;
  /** 0 keeps rows for ever. */
  readonly retentionDays: number;
}

const TIME_COLUMN: Readonly<Record<TableName, string>> = {
  [TABLES.logs]: 'Timestamp',
  [TABLES.gauge]: 'TimeUnix',
  [TABLES.sum]: 'TimeUnix',
  [TABLES.histogram]: 'TimeUnix',
  [TABLES.expHistogram]: 'TimeUnix',
  [TABLES.summary]: 'TimeUnix',
  [TABLES.traces]: 'Timestamp',
};
const LOOKUP = 'otel_traces_trace_id_ts';

/** Throws a `ClickHouseFailure`; safe to call again. */
export async function migrate(clickhouse: ClickHouse, schema: Schema, log: Log): Promise<void> {
  const versions = `\`${schema.database}\`.millrace_migrations`;
  await clickhouse.command(`CREATE DATABASE IF NOT EXISTS \`${schema.database}\``);
  await clickhouse.command(`CREATE TABLE IF NOT EXISTS ${versions}
    (version UInt32, name String, appliedAt DateTime64(3) DEFAULT now64(3))
    ENGINE = MergeTree() ORDER BY version SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`);
  const applied = await clickhouse.rows<{ version: number }>(`SELECT version FROM ${versions}`);
  const done = new Set(applied.map(({ version }) => Number(version)));
  for (const migration of migrations(schema.database)) {
    if (done.has(migration.version)) continue;
    for (const statement of migration.statements) await clickhouse.command(statement);
    await clickhouse.command(
      `INSERT INTO ${versions} (version, name) SELECT {version:UInt32}, {name:String}`,
      { version: migration.version, name: migration.name },
    );
    log.info(
      { version: migration.version, name: migration.name },
      'applied a migration of the ClickHouse schema',
    );
  }
  await keepFor(clickhouse, schema, log);
}

/** Sets the tables' TTL where it differs. Rows beyond a shortened retention go with the engine's next merges. */
async function keepFor(clickhouse: ClickHouse, { database, retentionDays }: Schema, log: Log): Promise<void> {
  const tables = await clickhouse.rows<{ name: string; sql: string }>(
    'SELECT name, create_table_query AS sql FROM system.tables WHERE database = {database:String}',
    { database },
  );
  const wanted: Array<[string, string]> = [...Object.entries(TIME_COLUMN), [LOOKUP, 'Start']];
  for (const [table, column] of wanted) {
    const sql = tables.find(({ name }) => name === table)?.sql ?? '';
    const time = table === LOOKUP ? column : `toDateTime(${column})`;
    const expression = `${time} + toIntervalDay(${retentionDays})`;
    const has = / TTL (.+?) SETTINGS /s.exec(sql)?.[1];
    if (retentionDays === 0 ? has === undefined : has === expression) continue;
    const change = retentionDays === 0 ? 'REMOVE TTL' : `MODIFY TTL ${expression}`;
    await clickhouse.command(`ALTER TABLE \`${database}\`.${table} ${change}`);
    log.info({ table, retentionDays }, 'set the retention of a table');
  }
}
