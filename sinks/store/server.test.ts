import { Readable } from 'node:stream';
import { gzipSync, gunzipSync, zstdCompressSync, deflateSync, brotliCompressSync } from 'node:zlib';
import { readdir } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';

import { createClient, type ClickHouseClient, ClickHouseLogLevel } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startTestStore, type TestStore } from '../../test/support/store.ts';
import { eventually } from '../../test/support/eventually.ts';

let store: TestStore;
let writer: ClickHouseClient;
let reader: ClickHouseClient;

beforeAll(async () => {
  store = await startTestStore({ bodyBytesMax: 8 * 1024 * 1024 });
  writer = createClient({ url: store.url, username: 'millrace', password: store.password });
  reader = createClient({ url: store.url, log: { level: ClickHouseLogLevel.OFF } });
  await writer.command({ query: 'CREATE DATABASE otel' });
  await command('CREATE TABLE otel.victim (b String) ENGINE = MergeTree ORDER BY b');
  await command('CREATE TABLE otel.t (a String, b UInt64) ENGINE = MergeTree ORDER BY b');
});

afterAll(async () => {
  await writer?.close();
  await reader?.close();
  await store?.close();
});

const command = (query: string) => writer.command({ query });

interface Sent {
  readonly method?: string;
  readonly url?: Record<string, string>;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  readonly asWriter?: boolean;
}

/** Raw HTTP, so that nothing of a client library stands between. */
async function http(sent: Sent): Promise<{ status: number; text: string; headers: Headers }> {
  const headers: Record<string, string> = { ...sent.headers };
  if (sent.asWriter) {
    headers['X-ClickHouse-User'] = 'millrace';
    headers['X-ClickHouse-Key'] = store.password;
  }
  const response = await fetch(`${store.url}/?${new URLSearchParams(sent.url)}`, {
    method: sent.method ?? 'POST',
    headers,
    body: sent.body === undefined ? null : new Uint8Array(Buffer.from(sent.body)),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

const get = (query: string, url: Record<string, string> = {}) =>
  http({ method: 'GET', url: { query, ...url } });

async function rowsOf(table: string): Promise<unknown[]> {
  const result = await reader.query({ query: `SELECT * FROM ${table} ORDER BY ALL`, format: 'JSONEachRow' });
  return result.json();
}

describe('the official client', () => {
  test('ping, query with parameters and settings, command', async () => {
    expect(await reader.ping()).toEqual({ success: true });
    const result = await reader.query({
      query: 'SELECT {s:String} AS s, {n:UInt64} AS n, {a:Array(String)} AS a, currentDatabase() AS d',
      query_params: { s: "it's\ta \\ b\n", n: 7, a: ["x'y", 'z'] },
      clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
      format: 'JSON',
    });
    const json = await result.json<{ s: string; n: number; a: string[]; d: string }>();
    expect(json.data).toEqual([{ s: "it's\ta \\ b\n", n: 7, a: ["x'y", 'z'], d: 'default' }]);
  });

  test('inserts rows, streams and raw bytes', async () => {
    await command('CREATE TABLE otel.client (a String, b UInt64) ENGINE = MergeTree ORDER BY b');
    await writer.insert({ table: 'otel.client', values: [{ a: 'rows', b: 1 }], format: 'JSONEachRow' });
    await writer.insert({
      table: 'otel.client',
      columns: ['b', 'a'],
      values: Readable.from([[2, 'stream']]),
      format: 'JSONCompactEachRow',
    });
    await writer.insert({
      table: 'otel.client',
      values: Readable.from(['3,"a\n\nb"\n'], { objectMode: false }),
      columns: ['b', 'a'],
      format: 'CSV',
    });
    const binary = Buffer.concat([
      Buffer.from([3]),
      Buffer.from('\0\n\n'),
      Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]),
    ]);
    const stream = await writer.exec({
      query: 'INSERT INTO otel.client FORMAT RowBinary',
      values: Readable.from([binary], { objectMode: false }),
    });
    stream.stream.resume();
    expect(await rowsOf('otel.client')).toEqual([
      { a: '\0\n\n', b: 4 },
      { a: 'a\n\nb', b: 3 },
      { a: 'rows', b: 1 },
      { a: 'stream', b: 2 },
    ]);
  });

  test('errors carry code and type', async () => {
    const failed = reader.query({ query: 'SELECT * FROM nowhere' });
    await expect(failed).rejects.toMatchObject({ code: '60', type: 'UNKNOWN_TABLE' });
  });

  test('compression both ways', async () => {
    const client = createClient({
      url: store.url,
      username: 'millrace',
      password: store.password,
      compression: { request: true, response: true },
    });
    await client.command({ query: 'CREATE TABLE otel.packed (b UInt64) ENGINE = MergeTree ORDER BY b' });
    await client.insert({ table: 'otel.packed', values: [{ b: 1 }, { b: 2 }], format: 'JSONEachRow' });
    const result = await client.query({
      query: 'SELECT count() AS n FROM otel.packed',
      format: 'JSONEachRow',
    });
    expect(await result.json()).toEqual([{ n: 2 }]);
    await client.close();
  });
});

describe('raw HTTP', () => {
  test.each([
    ['/', 'Ok.\n'],
    ['/ping', 'Ok.\n'],
    ['/?query=SELECT%201%2B1', '2\n'],
    [
      '/?query=SELECT%20number%20FROM%20numbers(2)&default_format=JSONEachRow',
      '{"number":0}\n{"number":1}\n',
    ],
    ['/?query=SELECT%20%7Bp:String%7D&param_p=a%5Ctb', 'a\\tb\n'],
    ['/?query=SELECT%20getSetting(%27max_threads%27)&max_threads=3', '3\n'],
    ['/?query=SELECT%20currentDatabase()&database=otel', 'otel\n'],
    ['/?query=SELECT%201%20AS%20x%20FORMAT%20CSVWithNames', '"x"\n1\n'],
  ])('GET %s', async (path, wanted) => {
    const response = await fetch(`${store.url}${path}`);
    expect([response.status, await response.text()]).toEqual([200, wanted]);
  });

  test('the statement in the body, and begun in the URL', async () => {
    expect((await http({ body: 'SELECT 3' })).text).toBe('3\n');
    expect((await http({ url: { query: 'SELECT' }, body: ' 4' })).text).toBe('4\n');
  });

  test('headers in and out', async () => {
    const { headers } = await http({
      url: { query_id: 'mine' },
      headers: { 'X-ClickHouse-Format': 'JSONEachRow', 'X-ClickHouse-Database': 'otel' },
      body: 'SELECT 1 AS x',
    });
    expect(headers.get('x-clickhouse-query-id')).toBe('mine');
    expect(headers.get('x-clickhouse-format')).toBe('JSONEachRow');
    expect(headers.get('x-clickhouse-timezone')).toBeTruthy();
    expect(JSON.parse(headers.get('x-clickhouse-summary')!)).toMatchObject({ result_rows: '1' });
  });

  test('multipart form', async () => {
    const form = new FormData();
    form.set('query', 'SELECT {who:String}');
    form.set('param_who', 'Jürgen');
    const response = await fetch(store.url, { method: 'POST', body: form });
    expect(await response.text()).toBe('Jürgen\n');
  });

  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const)('request body in %s', async (encoding, compress) => {
    const sent = { body: compress(Buffer.from('SELECT 5')), headers: { 'Content-Encoding': encoding } };
    expect((await http(sent)).text).toBe('5\n');
  });

  test('a response is compressed when asked for in both ways', async () => {
    const url = new URL(`${store.url}/?enable_http_compression=1&query=SELECT+6`);
    const bytes = await new Promise<{ encoding: string | undefined; body: Buffer }>((resolve, reject) => {
      httpRequest(url, { headers: { 'Accept-Encoding': 'gzip' } }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ encoding: response.headers['content-encoding'], body: Buffer.concat(chunks) }),
        );
      })
        .on('error', reject)
        .end();
    });
    expect(bytes.encoding).toBe('gzip');
    expect(gunzipSync(bytes.body).toString()).toBe('6\n');
  });

  test.each<[string, Sent, number, number]>([
    ['a syntax error', { body: 'SELEC 1' }, 400, 62],
    ['no such table', { body: 'SELECT * FROM nope' }, 404, 60],
    ['no such database', { body: 'SELECT 1', url: { database: 'nope' } }, 404, 81],
    ['an unknown setting', { body: 'SELECT 1', url: { no_such_setting: '1' } }, 400, 115],
    ['a bare identifier', { body: 'hello' }, 400, 62],
    ['two statements', { body: 'SELECT 1; SELECT 2' }, 400, 62],
    ['a NUL byte', { body: "SELECT '\0'" }, 400, 62],
    ['no UTF-8', { body: Buffer.from([0x53, 0xff]) }, 400, 62],
    ['a session', { body: 'SELECT 1', url: { session_id: 'x' } }, 501, 48],
    ['block compression', { body: 'SELECT 1', url: { compress: '1' } }, 501, 48],
    ['a bad archive', { body: 'nogzip', headers: { 'Content-Encoding': 'gzip' } }, 400, 271],
    ['an unknown encoding', { body: 'x', headers: { 'Content-Encoding': 'lzma' } }, 501, 48],
    ['a wrong password', { body: 'SELECT 1', url: { user: 'millrace', password: 'x' } }, 403, 516],
    ['too large a body', { body: 'x'.repeat(9 * 1024 * 1024) }, 413, 307],
    ['too large a statement', { body: `SELECT 1 -- ${'x'.repeat(2 * 1024 * 1024)}` }, 400, 62],
    ['a time limit', { body: 'SELECT sleep(3)', url: { max_execution_time: '1' } }, 408, 159],
  ])('%s is refused', async (_, sent, status, code) => {
    const { status: got, text, headers } = await http(sent);
    expect({ got, code: headers.get('x-clickhouse-exception-code'), text }).toMatchObject({
      got: status,
      code: String(code),
    });
    expect(text).toMatch(new RegExp(`^Code: ${code}\\. DB::Exception: [^]+\\(version .+\\)\n$`));
  });
});

describe('insert data is data', () => {
  const injection = '{"b":"1"}\n\n;drop table otel.victim;\n';

  test.each<[string, Sent]>([
    [
      'in the body behind a statement in the URL',
      { url: { query: 'INSERT INTO otel.victim FORMAT JSONEachRow' }, body: injection },
    ],
    [
      'behind the statement in the body',
      { body: `INSERT INTO otel.victim FORMAT JSONEachRow\n${injection}` },
    ],
    ['in the URL', { url: { query: `INSERT INTO otel.victim FORMAT JSONEachRow ${injection}` }, body: '' }],
    ['after VALUES', { body: "INSERT INTO otel.victim VALUES ('x')\n\n;drop table otel.victim;" }],
    ['as a second statement', { body: "INSERT INTO otel.victim SELECT 'x';drop table otel.victim" }],
    [
      'in the target',
      { body: 'INSERT INTO otel.victim; DROP TABLE otel.victim; INSERT INTO otel.t FORMAT CSV\n1' },
    ],
    [
      'in the settings',
      { body: 'INSERT INTO otel.victim SETTINGS a=1; DROP TABLE otel.victim FORMAT CSV\n1' },
    ],
    [
      'in a comment',
      { body: "INSERT INTO otel.victim -- '\n ; DROP TABLE otel.victim -- '\n FORMAT CSV\n1" },
    ],
  ])('a statement %s does not run', async (_, sent) => {
    const { status } = await http({ ...sent, asWriter: true });
    expect(status).not.toBe(500);
    expect((await get('EXISTS TABLE otel.victim')).text).toBe('1\n');
  });

  test('blank lines, NUL bytes and a body larger than memory keeps arrive as they are', async () => {
    await command('CREATE TABLE otel.exact (b String) ENGINE = MergeTree ORDER BY tuple()');
    const text = `a\n\n\0;drop table otel.exact${'é'.repeat(900_000)}`;
    const binary = Buffer.from(text);
    const length = Buffer.from([
      (binary.length & 0x7f) | 0x80,
      ((binary.length >> 7) & 0x7f) | 0x80,
      binary.length >> 14,
    ]);
    for (const query of [
      'INSERT INTO otel.exact FORMAT RowBinary',
      'INSERT INTO otel.exact\n(b) FORMAT RowBinary\n',
    ]) {
      const sent = await http({ url: { query }, body: Buffer.concat([length, binary]), asWriter: true });
      expect(sent.text).toBe('');
    }
    const inBody = Buffer.concat([Buffer.from('INSERT INTO otel.exact FORMAT RowBinary\n'), length, binary]);
    expect((await http({ body: inBody, asWriter: true })).text).toBe('');
    const sql =
      'SELECT count(), countIf(length(b) = {n:UInt64}), countIf(position(b, char(0)) = 4) FROM otel.exact';
    expect((await get(sql, { param_n: String(binary.length) })).text).toBe('3\t3\t3\n');
    await eventually(async () => expect(await readdir(join(store.dataDir, 'incoming'))).toEqual([]));
  });

  test('an error in the data names the row, not our files', async () => {
    const sent = {
      url: { query: 'INSERT INTO otel.t FORMAT JSONEachRow' },
      body: '{"a":"x","b":"y"}',
      asWriter: true,
    };
    const { status, text } = await http(sent);
    expect(status).toBe(400);
    expect(text).toContain('at row 1');
    expect(text).not.toContain(store.dataDir);
  });

  test('empty data is fine', async () => {
    const sent = { url: { query: 'INSERT INTO otel.t FORMAT RowBinary' }, asWriter: true };
    expect((await http(sent)).status).toBe(200);
  });

  test('the summary counts the rows', async () => {
    const sent = {
      body: "INSERT INTO otel.t (b, a) SETTINGS max_threads = 1 VALUES (1, 'x'), (2, 'y')",
      asWriter: true,
    };
    const { headers } = await http(sent);
    expect(JSON.parse(headers.get('x-clickhouse-summary')!)).toMatchObject({ written_rows: '2' });
  });
});

describe('readers cannot', () => {
  test.each([
    ["INSERT INTO otel.t VALUES ('a', 1)", 164],
    ['DROP TABLE otel.victim', 164],
    ['CREATE TABLE otel.mine (a String) ENGINE = Memory', 164],
    ['SET max_threads = 1', 164],
    ['SYSTEM STOP MERGES', 164],
    ["KILL QUERY WHERE query_id = 'x'", 164],
    ["SELECT 1 INTO OUTFILE '/tmp/millrace-outfile'", 164],
    ["SELECT * FROM file('/etc/passwd', 'LineAsString')", 164],
    ["SELECT * FROM url('http://localhost:1/', 'LineAsString')", 164],
    ["INSERT INTO FUNCTION file('/tmp/millrace-outfile') SELECT 1", 164],
    ["INSERT INTO otel.t FROM INFILE '/etc/passwd' FORMAT LineAsString", 48],
  ])('%s', async (query, code) => {
    for (const sent of [
      { body: query },
      { method: 'GET', url: { query } },
      { body: query, url: { readonly: '0' } },
    ]) {
      const { headers, text } = await http(sent);
      expect({ code: headers.get('x-clickhouse-exception-code'), text }).toMatchObject({
        code: String(code),
      });
    }
  });

  test('lift the limits', async () => {
    const sql =
      "SELECT getSetting('max_execution_time'), getSetting('readonly'), getSetting('max_result_bytes')";
    const url = { max_execution_time: '0', readonly: '0', max_result_bytes: '0' };
    expect((await get(sql, url)).text).toBe(`300\t1\t${128 * 1024 * 1024}\n`);
  });
});

describe('writers', () => {
  test('write with POST only', async () => {
    const url = { query: 'DROP TABLE otel.victim', user: 'millrace', password: store.password };
    expect((await http({ method: 'GET', url })).status).toBe(403);
  });

  test.each([
    ["SELECT 1 INTO OUTFILE '/tmp/millrace-outfile'", 497],
    ["INSERT INTO FUNCTION file('/tmp/millrace-outfile') SELECT 1", 497],
    ["INSERT INTO otel.t FROM INFILE '/etc/passwd' FORMAT LineAsString", 48],
  ])('reach no files: %s', async (query, code) => {
    const { headers } = await http({ body: query, asWriter: true });
    expect(headers.get('x-clickhouse-exception-code')).toBe(String(code));
  });
});

describe('web pages are refused', () => {
  test.each<[string, Record<string, string>]>([
    ['with an origin', { Origin: 'https://evil.example' }],
    ['of a frame without one', { Origin: 'null' }],
    ['that only loads an image', { 'Sec-Fetch-Site': 'cross-site' }],
    ['on a name that was made to point here', { Host: 'evil.example:8123' }],
  ])('%s', async (_, headers) => {
    const status = await new Promise((resolve, reject) => {
      httpRequest(`${store.url}/?query=SELECT+1`, { headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(403);
  });
});

test('a client that goes away ends its statement', async () => {
  const gone = new AbortController();
  const sql = "SELECT count() FROM numbers(1e12) WHERE NOT ignore('endless', sleepEachRow(0))";
  const pending = fetch(`${store.url}/?query=${encodeURIComponent(sql)}`, { signal: gone.signal });
  const running = async () => {
    const query =
      "SELECT count() FROM system.processes WHERE query LIKE '%endless%' AND query NOT LIKE '%processes%'";
    // As the writer: the one slot of readers is taken.
    return (await http({ body: query, asWriter: true })).text;
  };
  await eventually(async () => expect(await running()).toBe('1\n'));
  gone.abort();
  await expect(pending).rejects.toThrow('aborted');
  await eventually(async () => expect(await running()).toBe('0\n'));
});
