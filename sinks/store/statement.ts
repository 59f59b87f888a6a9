/**
 * One statement, from request to result: who may run it, with which settings, and how its data gets in.
 *
 * The engine has no users. Two gates stand in for them, and a reader needs to pass both: the engine's own parser
 * must find exactly one statement that only reads (which keeps out INTO OUTFILE, SYSTEM, KILL and SET), and the
 * connection is set to `readonly = 1` (which keeps out `file()`, `url()` and other functions that reach out).
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

import type { Body } from './body.ts';
import type { StoreConfig } from './config.ts';
import { WRITER } from './credentials.ts';
import type { Connection, Result } from './engine.ts';
import { refuse, StoreError } from './errors.ts';
import { insertFromFile, insertHead, type InsertStatement, parseInsert } from './insert-statement.ts';
import type { StoreRequest } from './request.ts';
import { nextToken } from './sql-tokens.ts';

export interface Statement {
  /** UTF-8 text that the engine may see, without data. */
  readonly sql: string;
  readonly insert: (InsertStatement & { readonly dataPath: string }) | undefined;
}

/** Settings that a request cannot change: the gates, and what the sink relies on. */
const FIXED = new Set(['readonly', 'implicit_select', 'async_insert', 'allow_ddl']);

/** Writers may end statements and steer the engine beside reading and writing tables. */
const WRITER_COMMANDS = new Set(['KILL', 'SYSTEM']);

/** Takes statement and data apart; writes the data to `dataPath` unless the body is there already. */
export async function prepareStatement(query: string, body: Body, dataPath: string): Promise<Statement> {
  const prefix = query === '' ? Buffer.alloc(0) : Buffer.from(`${query}\n`);
  const head = Buffer.concat([prefix, body.head]);
  const insert = parseInsert(head.toString('latin1'));
  if (insert === undefined) {
    if (body.path !== undefined) {
      throw refuse.syntax(
        `cannot take the statement: got ${body.bytes} bytes, want at most ${body.head.length}`,
      );
    }
    return { sql: textOf(head), insert: undefined };
  }
  textOf(head.subarray(0, insert.dataStart));
  const utf8 = {
    ...insert,
    target: fromLatin1(insert.target),
    settings: fromLatin1(insert.settings),
    dataPath,
  };
  // Blanks between a statement in the URL and data in the body are neither's.
  const between = prefix.subarray(insert.dataStart).toString('latin1').trim();
  const inBody =
    insert.dataStart - prefix.length < 0 && between === '' ? 0 : insert.dataStart - prefix.length;
  if (body.path === undefined || inBody < 0) {
    const rest = head.subarray(prefix.length + inBody);
    await writeFile(dataPath, rest, { mode: 0o600 });
    if (body.path !== undefined) {
      await pipeline(
        createReadStream(body.path, { start: body.head.length }),
        createWriteStream(dataPath, { flags: 'a' }),
      );
    }
  } else if (inBody > 0) {
    await pipeline(
      createReadStream(body.path, { start: inBody }),
      createWriteStream(dataPath, { mode: 0o600 }),
    );
  } else {
    utf8.dataPath = body.path;
  }
  return { sql: insertHead(utf8), insert: utf8 };
}

/** Runs it on a fresh connection. `id` is the handle by which it can be killed. Throws `StoreError`s and the engine's. */
export async function runStatement(
  connection: Connection,
  request: StoreRequest,
  statement: Statement,
  writes: boolean,
  id: string,
  config: StoreConfig,
): Promise<Result> {
  const database = request.database ?? 'default';
  await connection.run(prelude(request, database, writes, id, config), 'Null');
  const { statementCount, queryClass } = await connection.classify(statement.sql, database);
  if (statementCount > 1) {
    throw refuse.syntax('cannot run several statements in one request: got more than one, want one');
  }
  if (writes) checkWriter(statement.sql, queryClass);
  else checkReader(queryClass);
  const format = request.format ?? 'TabSeparated';
  if (!statement.insert) return connection.run(statement.sql, format);
  return connection.run(insertFromFile(statement.insert, statement.insert.dataPath), format);
}

function checkReader(queryClass: number): void {
  // Text that is no SQL runs into the engine's own syntax error.
  if (queryClass === 0 || queryClass === 4) return;
  throw refuse.readOnly(
    `cannot run this: got a statement that changes something, want a read; writes are POST requests of the user ${WRITER} ` +
      'with the password that is in the file writer-password of the data directory',
  );
}

function checkWriter(sql: string, queryClass: number): void {
  if (queryClass !== 3) return;
  const command = nextToken(sql, 0)?.text.toUpperCase() ?? '';
  if (WRITER_COMMANDS.has(command)) return;
  throw refuse.denied(`cannot run ${command}: want a read, a write to a table, KILL or SYSTEM`);
}

/** SET and USE before the statement; `readonly` comes last, since nothing can be set after it. */
function prelude(
  request: StoreRequest,
  database: string,
  writes: boolean,
  id: string,
  config: StoreConfig,
): string {
  const settings = new Map<string, string>();
  for (const [name, value] of request.settings) if (!FIXED.has(name)) settings.set(name, value);
  const { executionTimeDefaultS, executionTimeMaxS, memoryBytesMax, resultBytesMax } = config.reader;
  bound(settings, 'max_execution_time', executionTimeDefaultS, executionTimeMaxS);
  bound(settings, 'max_result_bytes', resultBytesMax, resultBytesMax);
  if (!writes) bound(settings, 'max_memory_usage', memoryBytesMax, memoryBytesMax);
  settings.set('log_comment', `${id} ${settings.get('log_comment') ?? ''}`);
  settings.set('implicit_select', '0');
  settings.set('async_insert', '0');
  for (const [name, value] of request.params) settings.set(name, value);
  const list = [...settings].map(([name, value]) => `${name} = ${quote(value)}`).join(', ');
  const use = `USE \`${database.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
  if (database.includes('\0')) throw nulByte();
  return `SET ${list}; ${use}${writes ? '' : '; SET readonly = 1'}`;
}

/** A request may ask for less than the maximum, not for more, and not for "unlimited" (0). */
function bound(settings: Map<string, string>, name: string, byDefault: number, max: number): void {
  const asked = settings.get(name);
  const value = asked === undefined ? byDefault : Number(asked);
  settings.set(name, String(value > 0 && value <= max ? value : max));
}

function quote(value: string): string {
  if (value.includes('\0')) throw nulByte();
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** The engine takes a statement as C text: after a NUL byte it would see another one than its classifier. */
function textOf(bytes: Buffer): string {
  if (bytes.includes(0)) throw nulByte();
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refuse.syntax('cannot read the statement: got bytes that are no UTF-8 (write them as \\xHH)');
  }
}

function fromLatin1(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}

function nulByte(): StoreError {
  return refuse.syntax('cannot read the statement: got a NUL byte (write it as \\0)');
}
