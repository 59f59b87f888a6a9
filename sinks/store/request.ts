/** What an HTTP request asks of the store: who, which statement, with which settings, in which format. */
import type { IncomingMessage } from 'node:http';

import { refuse } from './errors.ts';

export interface StoreRequest {
  readonly user: string;
  readonly password: string;
  /** From the URL; the body follows it. */
  readonly query: string;
  readonly queryId: string | undefined;
  readonly database: string | undefined;
  readonly format: string | undefined;
  /** `{name:Type}` values, as the client escaped them (TSV). */
  readonly params: ReadonlyMap<string, string>;
  readonly settings: ReadonlyMap<string, string>;
  readonly compressResponse: boolean;
}

/** URL keys that mean something to the server itself; every other key is a setting. */
const OWN_KEYS = new Set([
  'query',
  'query_id',
  'database',
  'default_format',
  'user',
  'password',
  'quota_key',
  'stacktrace',
  'buffer_size',
  // Results are complete before the first byte is sent, so it holds without asking.
  'wait_end_of_query',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'enable_http_compression',
  'http_zlib_compression_level',
  'client_protocol_version',
  'compress',
  'decompress',
  'cancel_http_readonly_queries_on_client_close',
]);

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Form fields of a multipart body come first, the URL wins over them. */
export function parseRequest(message: IncomingMessage, form: ReadonlyMap<string, string>): StoreRequest {
  const url = new URL(message.url ?? '/', 'http://store');
  const values = new Map(form);
  for (const [key, value] of url.searchParams) values.set(key, value);
  for (const key of ['session_id', 'role']) {
    if (values.has(key)) throw refuse.absent(`the embedded ClickHouse has no ${key}; leave it out`);
  }
  for (const key of ['compress', 'decompress']) {
    if ((values.get(key) ?? '0') !== '0') {
      throw refuse.absent(
        `the embedded ClickHouse has no ${key}=1 (its own block compression): use Content-Encoding and Accept-Encoding`,
      );
    }
  }
  const { user, password } = credentials(message, values);
  const params = new Map<string, string>();
  const settings = new Map<string, string>();
  for (const [key, value] of values) {
    if (OWN_KEYS.has(key)) continue;
    if (!NAME.test(key))
      throw refuse.badRequest(`cannot use ${JSON.stringify(key)}: want the name of a setting`);
    if (key.startsWith('param_')) params.set(key, value);
    else settings.set(key, value);
  }
  return {
    user,
    password,
    query: values.get('query') ?? '',
    queryId: values.get('query_id') || undefined,
    database: header(message, 'x-clickhouse-database') ?? values.get('database') ?? undefined,
    format: header(message, 'x-clickhouse-format') ?? values.get('default_format') ?? undefined,
    params,
    settings,
    compressResponse: (values.get('enable_http_compression') ?? '0') !== '0',
  };
}

/** `X-ClickHouse-User`, then Basic, then the URL; without any, `default` with no password. */
function credentials(
  message: IncomingMessage,
  values: ReadonlyMap<string, string>,
): { user: string; password: string } {
  const named = header(message, 'x-clickhouse-user');
  const key = header(message, 'x-clickhouse-key');
  if (named !== undefined || key !== undefined) return { user: named || 'default', password: key ?? '' };
  const authorization = message.headers.authorization;
  if (authorization !== undefined) {
    const match = /^Basic +(.+)$/i.exec(authorization);
    if (!match) throw refuse.password('cannot authenticate: got another scheme, want Basic');
    const decoded = Buffer.from(match[1]!, 'base64').toString();
    const colon = decoded.indexOf(':');
    if (colon === -1) throw refuse.password('cannot authenticate: got no colon in Basic credentials');
    return { user: decoded.slice(0, colon) || 'default', password: decoded.slice(colon + 1) };
  }
  return { user: values.get('user') || 'default', password: values.get('password') ?? '' };
}

function header(message: IncomingMessage, name: string): string | undefined {
  const value = message.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
