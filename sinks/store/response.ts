/** Answers as ClickHouse's HTTP interface gives them: headers, compression, errors. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { brotliCompress, deflate, gzip, zstdCompress } from 'node:zlib';

import type { Result } from './engine.ts';
import { codeOf, httpStatus } from './errors.ts';

const COMPRESSORS: Readonly<Record<string, (bytes: Uint8Array) => Promise<Buffer>>> = {
  zstd: promisify(zstdCompress) as (bytes: Uint8Array) => Promise<Buffer>,
  gzip: (bytes) => promisify(gzip)(bytes, { level: 3 }),
  deflate: promisify(deflate) as (bytes: Uint8Array) => Promise<Buffer>,
  br: promisify(brotliCompress) as (bytes: Uint8Array) => Promise<Buffer>,
};

const CONTENT_TYPES: ReadonlyArray<[RegExp, string]> = [
  [/^JSON(?!.*EachRow)/i, 'application/json; charset=UTF-8'],
  [/^JSON.*EachRow|^NDJSON/i, 'application/x-ndjson; charset=UTF-8'],
  [/^CSV/i, 'text/csv; charset=UTF-8; header=absent'],
  [/^(TSV|TabSeparated)/i, 'text/tab-separated-values; charset=UTF-8'],
  [/^(Native|RowBinary|Parquet|Arrow|MsgPack)/i, 'application/octet-stream'],
];

export interface Answer {
  readonly format: string;
  readonly timezone: string;
  readonly queryId: string;
  readonly wrote: boolean;
}

export async function sendResult(
  message: IncomingMessage,
  response: ServerResponse,
  result: Result,
  answer: Answer,
  compress: boolean,
): Promise<void> {
  const rows = String(result.rowsRead);
  const bytes = String(result.bytesRead);
  const summary = {
    read_rows: rows,
    read_bytes: bytes,
    written_rows: answer.wrote ? rows : '0',
    written_bytes: answer.wrote ? bytes : '0',
    total_rows_to_read: '0',
    result_rows: rows,
    result_bytes: bytes,
    elapsed_ns: String(Math.round(result.elapsed * 1e9)),
  };
  response.setHeader('X-ClickHouse-Query-Id', answer.queryId);
  response.setHeader('X-ClickHouse-Timezone', answer.timezone);
  response.setHeader('X-ClickHouse-Format', answer.format);
  response.setHeader('X-ClickHouse-Summary', JSON.stringify(summary));
  const type = CONTENT_TYPES.find(([pattern]) => pattern.test(answer.format))?.[1];
  response.setHeader('Content-Type', type ?? 'text/plain; charset=UTF-8');
  await send(message, response, 200, result.bytes, compress);
}

/** `Code: N. DB::Exception: … (NAME) (version V)`, with the status that a server gives for this code. */
export async function sendError(
  message: IncomingMessage,
  response: ServerResponse,
  text: string,
  version: string,
  queryId: string,
  compress: boolean,
): Promise<void> {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const code = codeOf(text);
  response.setHeader('X-ClickHouse-Exception-Code', String(code));
  response.setHeader('X-ClickHouse-Query-Id', queryId);
  response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
  if (httpStatus(code) === 503) response.setHeader('Retry-After', '1');
  const body = text.startsWith('Code: ') ? text : `Code: ${code}. DB::Exception: ${text}. (LOGICAL_ERROR)`;
  await send(message, response, httpStatus(code), Buffer.from(`${body} (version ${version})\n`), compress);
}

export async function send(
  message: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: Uint8Array,
  compress: boolean,
): Promise<void> {
  const encoding = compress ? acceptedEncoding(message) : undefined;
  const bytes = encoding === undefined ? body : await COMPRESSORS[encoding]!(body);
  if (encoding !== undefined) response.setHeader('Content-Encoding', encoding);
  response.setHeader('Content-Length', bytes.length);
  // What was refused before its body was read would leave the rest of it in front of the next request.
  if (!message.complete) response.setHeader('Connection', 'close');
  response.writeHead(status);
  await new Promise<void>((done) => {
    response.once('close', done);
    response.end(message.method === 'HEAD' ? undefined : bytes, done);
  });
}

function acceptedEncoding(message: IncomingMessage): string | undefined {
  const accepted = String(message.headers['accept-encoding'] ?? '')
    .split(',')
    .filter((part) => !/;\s*q=0(\.0*)?\s*$/.test(part))
    .map((part) => part.split(';')[0]!.trim().toLowerCase());
  return Object.keys(COMPRESSORS).find((name) => accepted.includes(name));
}
