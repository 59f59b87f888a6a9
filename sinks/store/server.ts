/**
 * ClickHouse's HTTP interface in front of the embedded engine. What clients use is here; absent are sessions,
 * roles, external tables, ClickHouse's own block compression (`compress=1`), progress headers and streaming:
 * a result is complete, and bounded, before its first byte is sent, so an error always has its status.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { Host } from '../../broker/host/host.ts';
import { receiveBody } from './body.ts';
import type { StoreConfig } from './config.ts';
import { samePassword, WRITER } from './credentials.ts';
import type { Engine, Result } from './engine.ts';
import { refuse } from './errors.ts';
import { parseForm } from './form.ts';
import { checkOrigin } from './guard.ts';
import { parseRequest, type StoreRequest } from './request.ts';
import { send, sendError, sendResult } from './response.ts';
import type { Slots } from './slots.ts';
import { nextToken } from './sql-tokens.ts';
import { prepareStatement, runStatement, type Statement } from './statement.ts';

export interface StoreServerOptions {
  readonly engine: Engine;
  readonly config: StoreConfig;
  readonly host: Host;
  readonly password: string;
  /** Where bodies and inserts' data lie while a request lasts. */
  readonly incoming: string;
  readonly readers: Slots;
  readonly writers: Slots;
}

/** URLs may carry whole statements; ClickHouse's own bound. */
const URL_BYTES_MAX = 1024 * 1024;
/** A laptop's dashboards and clients need tens; each idle connection costs some kilobytes. */
const CONNECTIONS_MAX = 1024;

export function createStoreServer(options: StoreServerOptions): Server {
  const meter = createMeter(options.host);
  const server = createServer(
    { maxHeaderSize: URL_BYTES_MAX, keepAliveTimeout: 30_000, requestTimeout: 300_000, noDelay: true },
    (message, response) => void answer(message, response),
  );
  server.maxConnections = CONNECTIONS_MAX;
  return server;

  async function answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = randomUUID();
    let queryId: string = id;
    let compress = false;
    const gone = new AbortController();
    const onClose = (): void => {
      if (!response.writableFinished) gone.abort();
    };
    response.on('close', onClose);
    response.on('error', () => response.destroy());
    response.setHeader('X-ClickHouse-Server-Display-Name', 'millrace');
    try {
      checkOrigin(message, options.config);
      allowOrigin(message, response);
      const path = (message.url ?? '/').split('?')[0];
      if (message.method === 'OPTIONS') return await send(message, response, 204, Buffer.alloc(0), false);
      if (path === '/ping' || path === '/replicas_status') return await ok(message, response);
      if (path !== '/') {
        const text = Buffer.from(`There is no handle ${path}: statements go to /, and /ping answers Ok.\n`);
        return await send(message, response, 404, text, false);
      }
      const body = await receiveBody(
        message,
        join(options.incoming, `${id}.body`),
        options.config.bodyBytesMax,
      );
      const isForm = /^multipart\/form-data/i.test(message.headers['content-type'] ?? '');
      const form = isForm
        ? parseForm(message.headers['content-type']!, body.head)
        : new Map<string, string>();
      const request = parseRequest(message, form);
      queryId = request.queryId ?? id;
      compress = request.compressResponse;
      const isWriter = authenticate(request);
      const data = isForm ? { head: Buffer.alloc(0), bytes: 0, path: undefined } : body;
      const statement = await prepareStatement(request.query, data, join(options.incoming, `${id}.data`));
      if (statement.sql.trim() === '') {
        if (message.method === 'GET' || message.method === 'HEAD') return await ok(message, response);
        throw refuse.syntax('Empty query');
      }
      const writes = isWriter && message.method === 'POST';
      const result = await run(request, statement, writes, id, gone.signal);
      const format = formatOf(statement.sql) ?? request.format ?? 'TabSeparated';
      const { timezone } = options.engine;
      const about = { format, timezone, queryId, wrote: statement.insert !== undefined };
      await sendResult(message, response, result, about, compress);
    } catch (error) {
      if (gone.signal.aborted) return;
      const text = messageOf(error, options.incoming, id);
      await sendError(message, response, text, options.engine.version, queryId, compress);
    } finally {
      response.off('close', onClose);
      void rm(join(options.incoming, `${id}.body`), { force: true }).catch(() => undefined);
      void rm(join(options.incoming, `${id}.data`), { force: true }).catch(() => undefined);
    }
  }

  async function run(
    request: StoreRequest,
    statement: Statement,
    writes: boolean,
    id: string,
    gone: AbortSignal,
  ): Promise<Result> {
    const kind = statement.insert ? 'insert' : writes ? 'command' : 'query';
    const release = await (writes ? options.writers : options.readers).take(gone);
    const startedMs = options.host.clock.monotonicMs();
    const kill = (): void => void options.engine.kill(id).catch(() => undefined);
    let outcome = 'error';
    try {
      if (gone.aborted) throw refuse.stopping('the client went away');
      const connection = options.engine.connect();
      try {
        gone.addEventListener('abort', kill, { once: true });
        const result = await runStatement(connection, request, statement, writes, id, options.config);
        outcome = 'ok';
        return result;
      } finally {
        gone.removeEventListener('abort', kill);
        connection.close();
      }
    } finally {
      release();
      meter.done(kind, outcome, (options.host.clock.monotonicMs() - startedMs) / 1000);
    }
  }

  /** True for the writer; throws when a password is wrong. */
  function authenticate(request: StoreRequest): boolean {
    if (request.user === WRITER) {
      if (samePassword(request.password, options.password)) return true;
      throw refuse.password(
        `${WRITER}: Authentication failed: the password is in the file writer-password of the data directory`,
      );
    }
    const wanted = options.config.readerPassword;
    if (wanted === '' || samePassword(request.password, wanted)) return false;
    throw refuse.password(`${request.user}: Authentication failed: password is incorrect`);
  }

  function allowOrigin(message: IncomingMessage, response: ServerResponse): void {
    if (message.headers.origin === undefined) return;
    response.setHeader('Access-Control-Allow-Origin', message.headers.origin);
    response.setHeader(
      'Access-Control-Allow-Headers',
      'content-type, authorization, x-clickhouse-user, x-clickhouse-key',
    );
    response.setHeader('Vary', 'Origin');
  }
}

async function ok(message: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
  await send(message, response, 200, Buffer.from('Ok.\n'), false);
}

/** The FORMAT that the statement itself names, at its end. */
function formatOf(sql: string): string | undefined {
  let format: string | undefined;
  let previous: string | undefined;
  for (let token = nextToken(sql, 0); token !== undefined; token = nextToken(sql, token.end)) {
    if (token.kind === 'word' && previous?.toUpperCase() === 'FORMAT') format = token.text;
    previous = token.kind === 'word' ? token.text : undefined;
  }
  return format;
}

/** Our paths are no concern of a client. */
function messageOf(error: unknown, incoming: string, id: string): string {
  const text = error instanceof Error ? error.message : String(error);
  return text
    .replaceAll(join(incoming, `${id}.body`), 'the request')
    .replaceAll(join(incoming, `${id}.data`), 'the request');
}

function createMeter(host: Host): { done(kind: string, outcome: string, seconds: number): void } {
  const statements = host.metrics.counter('millrace_store_statements_total', 'Statements that ended.');
  const durations = host.metrics.histogram(
    'millrace_store_statement_duration_seconds',
    'From slot to result, by kind.',
    [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  );
  return {
    done(kind, outcome, seconds) {
      statements.add(1, { kind, outcome });
      durations.observe(seconds, { kind });
    },
  };
}
