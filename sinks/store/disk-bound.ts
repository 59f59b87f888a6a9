/**
 * The disk bound of the embedded tables: a forgotten instance must not fill the disk. Above the bound the oldest
 * days go first, over all tables; of the current day only the oldest parts. What goes is counted and said.
 */
import type { Host } from '../../broker/host/host.ts';
import type { Engine } from './engine.ts';

export interface StoredPart {
  readonly database: string;
  readonly table: string;
  /** The text of the partition key: a day, `2026-11-22`. */
  readonly partition: string;
  readonly name: string;
  readonly firstBlock: number;
  readonly rows: number;
  readonly bytes: number;
}

export interface Drop {
  readonly database: string;
  readonly table: string;
  /** A whole day, or one part of the current day. */
  readonly what: { readonly partition: string } | { readonly part: string };
  readonly rows: number;
  readonly bytes: number;
}

/** What to drop so that the rest is within the bound: oldest first, whole days where the day is over. */
export function dropsFor(parts: readonly StoredPart[], bytesMax: number, today: string): Drop[] {
  let over = parts.reduce((sum, part) => sum + part.bytes, 0) - bytesMax;
  const oldestFirst = parts.toSorted((a, b) =>
    a.partition === b.partition ? a.firstBlock - b.firstBlock : a.partition < b.partition ? -1 : 1,
  );
  const drops: Drop[] = [];
  const taken = new Set<string>();
  for (const { database, table, partition, name, rows, bytes } of oldestFirst) {
    if (over <= 0) break;
    if (partition >= today) {
      drops.push({ database, table, what: { part: name }, rows, bytes });
      over -= bytes;
      continue;
    }
    const key = `${database}.${table} ${partition}`;
    if (taken.has(key)) continue;
    taken.add(key);
    const day = parts.filter((one) => `${one.database}.${one.table} ${one.partition}` === key);
    const dayBytes = day.reduce((sum, one) => sum + one.bytes, 0);
    const dayRows = day.reduce((sum, one) => sum + one.rows, 0);
    drops.push({ database, table, what: { partition }, rows: dayRows, bytes: dayBytes });
    over -= dayBytes;
  }
  return drops;
}

const PARTS = `SELECT database, table, partition, name, min_block_number AS firstBlock, rows, bytes_on_disk AS bytes
  FROM system.parts WHERE active AND database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema')
  SETTINGS output_format_json_quote_64bit_integers = 0`;

export interface DiskBound {
  /** Looks once; resolves when what had to go is gone. */
  check(): Promise<void>;
  stop(): void;
  /** Resolves when no look is under way: the engine may be closed. */
  settled(): Promise<void>;
}

export function keepDiskBound(
  engine: Engine,
  { diskBytesMax, diskCheckMs }: { diskBytesMax: number; diskCheckMs: number },
  host: Host,
): DiskBound {
  const used = host.metrics.gauge('millrace_store_table_bytes', 'Bytes on disk by table.');
  const dropped = host.metrics.counter(
    'millrace_store_dropped_rows_total',
    'Rows dropped because the tables were above their disk bound.',
  );
  let checking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const connection = engine.connect();
    try {
      const { bytes } = await connection.run(PARTS, 'JSONEachRow');
      const parts = Buffer.from(bytes)
        .toString()
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as StoredPart);
      used.reset();
      const byTable = Map.groupBy(parts, ({ table }) => table);
      for (const [table, its] of byTable)
        used.set(
          its.reduce((sum, one) => sum + one.bytes, 0),
          { table },
        );
      const today = new Date(host.clock.nowMs()).toISOString().slice(0, 10);
      for (const drop of dropsFor(parts, diskBytesMax, today)) {
        const what =
          'part' in drop.what
            ? `PART ${quoted(drop.what.part)}`
            : `PARTITION ID ${quoted(partitionId(parts, drop))}`;
        await connection.run(
          `ALTER TABLE \`${drop.database}\`.\`${drop.table}\` DROP ${what}`,
          'TabSeparated',
        );
        dropped.add(drop.rows, { table: drop.table });
        host.log.warn(
          { table: drop.table, ...drop.what, rows: drop.rows, bytes: drop.bytes, diskBytesMax },
          'the tables are above their disk bound: the oldest rows were dropped',
        );
      }
    } finally {
      connection.close();
    }
  }

  const check = (): Promise<void> => {
    checking ??= look()
      .catch((error: unknown) =>
        host.log.warn({ error: String(error) }, 'cannot check the disk bound; tried again'),
      )
      .finally(() => {
        checking = undefined;
      });
    return checking;
  };
  const cancel = host.timers.every(diskCheckMs, () => void check());
  return { check, stop: cancel, settled: async () => checking };
}

/** Parts are named `<partition id>_<first block>_<last block>_<level>`. */
function partitionId(parts: readonly StoredPart[], { database, table, what }: Drop): string {
  const part = parts.find(
    (one) =>
      one.database === database &&
      one.table === table &&
      'partition' in what &&
      one.partition === what.partition,
  )!;
  return part.name.slice(0, part.name.indexOf('_'));
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
