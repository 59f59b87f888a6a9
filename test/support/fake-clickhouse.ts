/**
 * A ClickHouse HTTP server in memory that misbehaves as told: it keeps the rows of the sink's inserts, answers the
 * sink's own questions about them, and takes its answer to each insert from a script.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { COLUMNS } from '../../sinks/clickhouse/columns.ts';
import type { TableName } from '../../sinks/clickhouse/layout.ts';
import { readRowBinary } from './row-binary.ts';

export type FakeAnswer =
  | { readonly type: 'ok' }
  /** An error of ClickHouse; `applied` rows may be in the table all the same: all, the first half, or none. */
  | {
      readonly type: 'error';
      readonly status: number;
      readonly code: number;
      readonly name: string;
      readonly applied: Applied;
    }
  /** The connection breaks instead of an answer. */
  | { readonly type: 'reset'; readonly applied: Applied }
  /** No answer ever. */
  | { readonly type: 'hang'; readonly applied: Applied };

export type Applied = 'none' | 'half' | 'all';

export interface FakeClickHouse {
  readonly url: string;
  /** Answers to the inserts to come, first first; afterwards all is well. */
  readonly script: FakeAnswer[];
  /** Refuses single rows, as a constraint does, with the given code. */
  refuses: (row: Record<string, unknown>) => boolean;
  refusalCode: number;
  /** Answers every statement with this while it is set. */
  broken: Extract<FakeAnswer, { type: 'error' }> | undefined;
  /** Columns that the server says a table has, in place of the right ones. */
  columnsOf: (table: string) => ReadonlyArray<readonly [string, string]>;
  /** Called when rows are in the table and before anything is answered. */
  afterInsert: () => void;
  rows(table: TableName): Array<Record<string, unknown>>;
  inserts: number;
  close(): Promise<void>;
}

export async function startFakeClickHouse(): Promise<FakeClickHouse> {
  const tables = new Map<string, Array<Record<string, unknown>>>();
  const rowsOf = (table: string): Array<Record<string, unknown>> => {
    const rows = tables.get(table) ?? [];
    tables.set(table, rows);
    return rows;
  };
  const server = createServer((message, response) => {
    void answer(message, response).catch((error: unknown) => {
      response.writeHead(500).end(`Code: 49. DB::Exception: ${String(error)}. (LOGICAL_ERROR)`);
    });
  });
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening));
  const fake: FakeClickHouse = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    script: [],
    refuses: () => false,
    refusalCode: 469,
    broken: undefined,
    columnsOf: (table) => COLUMNS[table as TableName] ?? [],
    afterInsert: () => undefined,
    rows: (table) => rowsOf(table),
    inserts: 0,
    close() {
      server.closeAllConnections();
      return new Promise((done) => void server.close(() => done()));
    },
  };
  return fake;

  async function answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const url = new URL(message.url ?? '/', 'http://fake');
    if (fake.broken) return refuse(response, fake.broken);
    if (url.pathname === '/ping') return void response.end('Ok.\n');
    const query = url.searchParams.get('query') ?? '';
    const insert = /^INSERT INTO `otel`\.(\w+) .*FORMAT RowBinary/s.exec(query);
    if (insert) return insertInto(insert[1] as TableName, body, response);
    response.end(select(body.toString(), url.searchParams));
  }

  function insertInto(table: TableName, body: Buffer, response: ServerResponse): void {
    fake.inserts += 1;
    const rows = readRowBinary(body, COLUMNS[table]);
    const refused = rows.some((row) => fake.refuses(row));
    const next: FakeAnswer = refused
      ? { type: 'error', status: 400, code: fake.refusalCode, name: 'REFUSED', applied: 'none' }
      : (fake.script.shift() ?? { type: 'ok' });
    const applied = next.type === 'ok' ? 'all' : next.applied;
    const count = applied === 'all' ? rows.length : applied === 'half' ? Math.floor(rows.length / 2) : 0;
    rowsOf(table).push(...rows.slice(0, count));
    if (count > 0) fake.afterInsert();
    if (next.type === 'ok') response.end();
    else if (next.type === 'error') refuse(response, next);
    else if (next.type === 'reset') response.destroy();
  }

  function refuse(
    response: ServerResponse,
    { status, code, name }: Extract<FakeAnswer, { type: 'error' }>,
  ): void {
    response.setHeader('X-ClickHouse-Exception-Code', String(code));
    response.writeHead(status).end(`Code: ${code}. DB::Exception: as the test wants. (${name}) (version 1)`);
  }

  /** The few questions that the sink asks. */
  function select(sql: string, params: URLSearchParams): string {
    const param = (name: string): string => params.get(`param_${name}`) ?? '';
    const from = /FROM `otel`\.(otel_\w+)/.exec(sql)?.[1];
    if (from !== undefined && sql.includes('max(_offset)')) {
      const highest = new Map<number, bigint>();
      for (const row of rowsOf(from)) {
        if (row['_origin'] !== param('origin') || row['_topic'] !== param('topic')) continue;
        const partition = row['_partition'] as number;
        const offset = row['_offset'] as bigint;
        if (offset > (highest.get(partition) ?? -1n)) highest.set(partition, offset);
      }
      return lines([...highest].map(([p, offset]) => ({ p, highest: Number(offset) })));
    }
    if (from !== undefined && sql.includes('_offset AS o')) {
      const found = rowsOf(from).filter(
        (row) =>
          row['_origin'] === param('origin') &&
          row['_topic'] === param('topic') &&
          row['_partition'] === Number(param('partition')) &&
          (row['_offset'] as bigint) >= BigInt(param('low')) &&
          (row['_offset'] as bigint) <= BigInt(param('high')),
      );
      return lines(found.map((row) => ({ o: Number(row['_offset']), i: row['_index'] })));
    }
    if (sql.includes('FROM `otel`.millrace_migrations'))
      return lines([1, 2, 3].map((version) => ({ version })));
    if (sql.includes('system.processes')) return lines([{ n: 0 }]);
    if (sql.includes('system.columns')) {
      return lines(fake.columnsOf(param('table')).map(([name, type]) => ({ name, type })));
    }
    return '';
  }
}

function lines(rows: readonly object[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}
