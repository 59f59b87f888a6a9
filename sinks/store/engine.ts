/**
 * chDB in this process: connections, statements, classification, and what ends a statement.
 *
 * The addon of the `chdb` package is used directly. Its `Session` would do for queries, but it puts off closing a
 * connection until every statement of the process has ended (one slow query would pile up the connections of all
 * that follow), and it does not give out the engine's own classifier. The version is pinned in package.json.
 *
 * A connection runs one statement at a time and keeps SET for its life, so every request has a connection of its
 * own (opening one costs about 1 ms) and nothing of one request reaches another. A connection is closed only after
 * its statement has ended: closing it earlier takes the engine of the whole process down.
 */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { StoreError } from './errors.ts';

export interface Engine {
  readonly version: string;
  readonly timezone: string;
  /** A connection of its own for one request; `close` it when its last statement has ended. */
  connect(): Connection;
  /** Asks the engine to end the statement whose `log_comment` begins with this; returns before it has ended. */
  kill(id: string): Promise<void>;
  close(): Promise<void>;
}

export interface Connection {
  /** Runs one or more statements; the result is in `format` unless the statement names one. */
  run(sql: string, format: string): Promise<Result>;
  classify(sql: string, database: string): Promise<Classification>;
  close(): void;
}

export interface Result {
  readonly bytes: Uint8Array;
  /** Seconds. */
  readonly elapsed: number;
  /** Rows of the result; for an INSERT from a file, rows inserted. */
  readonly rowsRead: number;
  readonly bytesRead: number;
}

export interface Classification {
  readonly statementCount: number;
  /** 0 reads, 1 writes tables, 3 anything else (SET, KILL, SYSTEM, INTO OUTFILE, functions that write), 4 no SQL. */
  readonly queryClass: number;
}

interface Addon {
  CreateConnection(path: string, settings?: readonly string[]): unknown;
  CloseConnection(connection: unknown): void;
  QueryAsyncConnection(connection: unknown, sql: string, format: string): Promise<Result>;
  DurableClassifyAsync(connection: unknown, sql: string, database: string): Promise<Classification>;
}

export interface EngineLimits {
  readonly memoryBytesMax: number;
  readonly markCacheBytesMax: number;
}

/** Opens (or makes) the database in `directory`. Throws when another process has it open. */
export async function openEngine(directory: string, limits: EngineLimits): Promise<Engine> {
  mkdirSync(directory, { recursive: true });
  const configFile = `${directory}.xml`;
  writeFileSync(configFile, serverConfiguration(limits));
  const addon = loadAddon();
  let control: unknown;
  try {
    control = addon.CreateConnection(directory, [`--config-file=${configFile}`]);
  } catch (error) {
    throw cannotOpen(directory, error);
  }
  if (!control) throw cannotOpen(directory, undefined);
  const facts = await addon.QueryAsyncConnection(control, 'SELECT version(), timezone()', 'TabSeparated');
  const [version = '', timezone = 'UTC'] = Buffer.from(facts.bytes).toString().trim().split('\t');
  let killing: Promise<unknown> = Promise.resolve();
  return {
    version,
    timezone,
    connect() {
      const connection = addon.CreateConnection(directory);
      if (!connection) throw new StoreError(49, 'LOGICAL_ERROR', 'cannot connect to the engine');
      return {
        run: (sql, format) => addon.QueryAsyncConnection(connection, sql, format),
        classify: (sql, database) => addon.DurableClassifyAsync(connection, sql, database),
        close: () => addon.CloseConnection(connection),
      };
    },
    kill(id) {
      // ASYNC always: a synchronous KILL waits for a statement that may need this very thread, and hangs.
      const sql = `KILL QUERY WHERE startsWith(Settings['log_comment'], '${id}') ASYNC`;
      const killed = killing.then(() => addon.QueryAsyncConnection(control, sql, 'Null'));
      killing = killed.catch(() => undefined);
      return killed.then(() => undefined);
    },
    async close() {
      await killing;
      addon.CloseConnection(control);
    },
  };
}

function loadAddon(): Addon {
  const here = createRequire(import.meta.url);
  const chdb = createRequire(here.resolve('chdb'));
  const name = `@chdb/lib-${process.platform}-${process.arch}${process.platform === 'linux' ? '-gnu' : ''}`;
  try {
    return chdb(name) as Addon;
  } catch (error) {
    throw new Error(
      `cannot load the embedded ClickHouse: got no ${name} for this machine, want it installed (npm ci), ` +
        'or the address of a ClickHouse server in the configuration',
      { cause: error },
    );
  }
}

// The engine takes these two from a configuration file only. Its defaults, 90% of the memory and a 5 GB cache,
// are made for a machine of its own.
function serverConfiguration(limits: EngineLimits): string {
  return `<clickhouse>
  <max_server_memory_usage>${limits.memoryBytesMax}</max_server_memory_usage>
  <mark_cache_size>${limits.markCacheBytesMax}</mark_cache_size>
  <background_pool_size>2</background_pool_size>
  <timezone>UTC</timezone>
</clickhouse>
`;
}

/** The engine says what is wrong on stderr only; the usual reason is found from the lock that it takes. */
function cannotOpen(directory: string, cause: unknown): Error {
  const holder = lockHolder(join(directory, 'status'));
  const got = holder
    ? `it is open in process ${holder}`
    : `${cause instanceof Error ? cause.message : 'no connection'} (the engine's reason is on stderr)`;
  return new Error(
    `cannot open the store in ${directory}: got ${got}, want a directory that this user can write and no other process has open`,
    { cause },
  );
}

/** The process that holds a lock on the file, from the kernel's list; undefined where there is no such list. */
function lockHolder(path: string): string | undefined {
  try {
    const { ino } = statSync(path);
    const line = readFileSync('/proc/locks', 'utf8')
      .split('\n')
      .find((lock) => lock.split(/\s+/)[5]?.endsWith(`:${ino}`));
    return line?.split(/\s+/)[4];
  } catch {
    return undefined;
  }
}
