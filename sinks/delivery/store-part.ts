/** Stores one part: an INSERT of one table and one day, or a send of dead letters. */
import type { ProduceRecord, Producer } from '../../broker/client/port.ts';
import type { Host } from '../../broker/host/host.ts';
import { DEAD_LETTER_TOPIC } from '../../broker/records/topics.ts';
import { COLUMNS, misfits } from '../clickhouse/columns.ts';
import type { TableName } from '../clickhouse/layout.ts';
import { type ClickHouse, ClickHouseFailure } from '../clickhouse/port.ts';
import type { RowBatch, Source } from '../clickhouse/row-batch.ts';
import { deadRow } from './dead-letter.ts';
import { INSERT_MARK, rowsPresent } from './look.ts';
import type { Meter } from './meter.ts';

export type PartWork =
  | {
      readonly type: 'rows';
      readonly batch: RowBatch;
      readonly sources: readonly Source[];
      /** Rows [from, to) of the batch. */
      readonly from: number;
      readonly to: number;
    }
  | { readonly type: 'dead-letters'; readonly reason: string; readonly records: readonly ProduceRecord[] };

export interface StoreTools {
  readonly host: Host;
  readonly clickhouse: ClickHouse;
  readonly producer: Producer;
  readonly database: string;
  readonly meter: Meter;
}

/**
 * Resolves with nothing when all of it is durable, and with other parts when the table refuses some of its rows for
 * what they are: then it is cut in half until the row is found, which becomes a dead letter. Rejects when it should be
 * tried again; whether anything was stored is then unknown.
 */
export async function storePart(part: PartWork, inDoubt: boolean, tools: StoreTools): Promise<PartWork[]> {
  if (part.type === 'dead-letters') {
    await tools.producer.send(DEAD_LETTER_TOPIC, part.records);
    tools.meter.deadLettered.add(part.records.length, { reason: part.reason });
    return [];
  }
  const { batch, sources, from, to } = part;
  const { body, rows } = await missingRows(part, inDoubt, tools);
  if (rows === 0) return [];
  try {
    await insert(batch.table, body, rows, tools);
    return [];
  } catch (error) {
    if (!(error instanceof ClickHouseFailure) || error.kind !== 'data') throw error;
    await checkTable(batch.table, error, tools);
    if (to - from > 1) {
      const middle = from + Math.floor((to - from) / 2);
      return [
        { ...part, to: middle },
        { ...part, from: middle },
      ];
    }
    const dead = deadRow(batch, from, sources[batch.sourceOf(from)]!, error.message);
    return [{ type: 'dead-letters', reason: 'refused-by-table', records: [dead] }];
  }
}

async function missingRows(
  { batch, sources, from, to }: PartWork & { type: 'rows' },
  inDoubt: boolean,
  { clickhouse, database, meter }: StoreTools,
): Promise<{ body: Buffer; rows: number }> {
  if (!inDoubt) return { body: batch.slice(from, to), rows: to - from };
  const isPresent = await rowsPresent(clickhouse, database, batch, sources, from, to);
  const missing = batch.pick(from, to, (row) => !isPresent(row));
  meter.inDoubt.add(to - from - missing.rows, { table: batch.table });
  return missing;
}

async function insert(table: TableName, body: Buffer, rows: number, tools: StoreTools): Promise<void> {
  const { host, clickhouse, database, meter } = tools;
  const startedMs = host.clock.monotonicMs();
  await clickhouse.insert({
    table: `\`${database}\`.${table}`,
    columns: COLUMNS[table].map(([name]) => `\`${name}\``),
    body,
    queryId: host.random.uuid(),
    mark: INSERT_MARK,
  });
  meter.insertSeconds.observe((host.clock.monotonicMs() - startedMs) / 1000, { table });
  meter.batchRows.observe(rows, { table });
  meter.insertedRows.add(rows, { table });
  meter.insertedBytes.add(body.length, { table });
}

/**
 * Every row fails in a table that has other columns than ours: that is for somebody to mend, and no fault of the
 * rows. Throws a failure that waits.
 */
async function checkTable(table: TableName, cause: ClickHouseFailure, tools: StoreTools): Promise<void> {
  const columns = await tools.clickhouse.rows<{ name: string; type: string }>(
    'SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {table:String}',
    { database: tools.database, table },
  );
  const wrong = misfits(table, new Map(columns.map(({ name, type }) => [name, type])));
  if (wrong.length === 0) return;
  const message = `cannot insert into ${table}: ${wrong.slice(0, 3).join('; ')}`;
  throw new ClickHouseFailure('setup', cause.code, message, cause);
}
