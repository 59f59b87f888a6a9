/** What of a partition is in the tables already: the questions behind a doubt. */
import type { TableName } from '../clickhouse/layout.ts';
import type { ClickHouse } from '../clickhouse/port.ts';
import type { RowBatch, Source } from '../clickhouse/row-batch.ts';

/** Marks our inserts in `system.processes`; `Settings['log_comment']` is the one mark that every ClickHouse keeps. */
export const INSERT_MARK = 'millrace-sink';

/**
 * The first offset above all rows of each partition, 0 without rows; `from` is the lowest offset of interest. All
 * partitions are of one topic. The minmax index on `_offset` keeps it to the newest granules.
 */
export async function boundsOf(
  clickhouse: ClickHouse,
  database: string,
  tables: readonly TableName[],
  sources: readonly Source[],
  from: number,
): Promise<Map<number, number>> {
  const { origin, topic } = sources[0]!;
  const bounds = new Map(sources.map(({ partition }) => [partition, 0]));
  const partitions = sources.map(({ partition }) => partition).join(', ');
  for (const table of tables) {
    const rows = await clickhouse.rows<{ p: number | string; highest: number | string }>(
      `SELECT _partition AS p, max(_offset) AS highest FROM \`${database}\`.${table}
       WHERE _origin = {origin:String} AND _topic = {topic:String} AND _partition IN (${partitions})
         AND _offset >= {from:Int64}
       GROUP BY _partition`,
      { origin, topic, from },
    );
    for (const row of rows) {
      const partition = Number(row.p);
      bounds.set(partition, Math.max(bounds.get(partition) ?? 0, Number(row.highest) + 1));
    }
  }
  return bounds;
}

/**
 * Which rows of [from, to) of a batch the table has: a test by row. Rows are looked for by where they came from, on
 * any day: a record that was dated anew may have got another day the last time.
 */
export async function rowsPresent(
  clickhouse: ClickHouse,
  database: string,
  batch: RowBatch,
  sources: readonly Source[],
  from: number,
  to: number,
): Promise<(row: number) => boolean> {
  const ranges = new Map<number, { low: number; high: number }>();
  for (let row = from; row < to; row += 1) {
    const offset = batch.offsetOf(row);
    const range = ranges.get(batch.sourceOf(row));
    if (!range) ranges.set(batch.sourceOf(row), { low: offset, high: offset });
    else if (offset < range.low) range.low = offset;
    else if (offset > range.high) range.high = offset;
  }
  const present = new Map<number, Map<number, Set<number>>>();
  for (const [place, { low, high }] of ranges) {
    const { origin, topic, partition } = sources[place]!;
    const rows = await clickhouse.rows<{ o: number | string; i: number }>(
      `SELECT _offset AS o, _index AS i FROM \`${database}\`.${batch.table}
       WHERE _origin = {origin:String} AND _topic = {topic:String} AND _partition = {partition:Int32}
         AND _offset >= {low:Int64} AND _offset <= {high:Int64}`,
      { origin, topic, partition, low, high },
    );
    const offsets = new Map<number, Set<number>>();
    for (const { o, i } of rows) {
      const offset = Number(o);
      const indexes = offsets.get(offset);
      if (indexes) indexes.add(i);
      else offsets.set(offset, new Set([i]));
    }
    present.set(place, offsets);
  }
  return (row) =>
    present.get(batch.sourceOf(row))?.get(batch.offsetOf(row))?.has(batch.indexOf(row)) ?? false;
}

/**
 * How many inserts of sinks that began more than `forMs` ago still run, and asks the server to end them when `kill`.
 * An insert of an owner that is gone must be over before the new owner looks, or its rows would come after the look.
 */
export async function olderInserts(clickhouse: ClickHouse, forMs: number, kill: boolean): Promise<number> {
  const which = `position(Settings['log_comment'], '${INSERT_MARK}') > 0 AND elapsed * 1000 > ${Math.ceil(forMs)}
    AND query LIKE 'INSERT INTO%'`;
  const [row] = await clickhouse.rows<{ n: number | string }>(
    `SELECT count() AS n FROM system.processes WHERE ${which}`,
  );
  const count = Number(row?.n ?? 0);
  if (kill && count > 0) await clickhouse.command(`KILL QUERY WHERE ${which} ASYNC`);
  return count;
}
