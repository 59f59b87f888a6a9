import type { FastifyInstance } from 'fastify';
import { createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { silentLog } from '../../broker/host/log.ts';
import { attributeText } from '../../broker/records/otlp/attribute-text.ts';
import type { LogRecord } from '../../broker/records/otlp/model.ts';
import { openClickHouse } from '../../sinks/clickhouse/client.ts';
import { migrate } from '../../sinks/clickhouse/migrate.ts';
import { labelsKey } from '../../sinks/alerts/labels.ts';
import type { RangeAggregation } from '../../sinks/logql/ast.ts';
import { lineOf, timestampNsOf } from '../../sinks/logql/labels.ts';
import { compileFilter } from '../../sinks/logql/match.ts';
import { parseLogs, parseMetric } from '../../sinks/logql/parse.ts';
import { type TestStore, startTestStore } from '../../test/support/store.ts';
import { webConfig } from '../config.ts';
import { type ClickHouseReader, openClickHouseReader } from './clickhouse-reader.ts';
import { type FoundLog, findLogs } from './log-rows.ts';
import { type Steps, rangeSeries, rated, slide } from './log-windows.ts';
import { lokiRoutes } from './loki-routes.ts';
import { evaluateMetric } from './metric-query.ts';
import { createServer } from './server.ts';

/** On a five-minute border, so that records fall on both sides of it. */
const T0 = 1_767_225_600_000_000_000n;
const SECOND = 1_000_000_000n;
const ROWS = 400;

const BODIES = [
  'plain line',
  'it\'s \\ quoted \\\' and "so"',
  'first\nsecond',
  'Ünïcode ✓ grün',
  '{"status":500,"user":{"name":"ann"},"took":"1.5s"}',
  'status=200 took=20ms msg="all well" size=3kb',
  'a.b*c [x] (y)',
  '',
];

let store: TestStore;
let reader: ClickHouseReader;
let app: FastifyInstance;
const records: LogRecord[] = makeRecords();

beforeAll(async () => {
  store = await startTestStore();
  const writer = openClickHouse({ url: store.url, username: 'millrace', password: store.password });
  await migrate(writer, { database: 'otel', retentionDays: 0 }, silentLog);
  await writer.close();
  const client = createClient({ url: store.url, username: 'millrace', password: store.password });
  await client.insert({ table: 'otel.otel_logs', values: records.map(rowOf), format: 'JSONEachRow' });
  await client.close();
  const config = webConfig.parse({ clickhouse: { url: store.url } });
  reader = openClickHouseReader(config.clickhouse, config.limits);
  app = createServer(store.host, { localNamesOnly: false });
  lokiRoutes(app, { clickhouse: reader, host: store.host, version: '0.0.0', linesMax: 5_000 });
});

afterAll(async () => {
  await app.close();
  await reader.close();
  await store.close();
});

/** Times rise, stand still and sit on the borders of seconds; every service and level occurs. */
function makeRecords(): LogRecord[] {
  let seed = 7;
  const next = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  let time = T0 - 120n * SECOND;
  return Array.from({ length: ROWS }, (_, index) => {
    const pause = next(4);
    if (pause === 1) time += BigInt(next(2_000)) * 1_000_000n + 1n;
    else if (pause > 1) time = ((time + SECOND) / SECOND) * SECOND;
    const resource: Record<string, string> = { 'service.name': `svc-${next(3)}`, 'host.name': 'h1' };
    if (next(3) === 0) resource['k8s.pod-name'] = `pod ${next(2)}`;
    if (next(5) === 0) resource['level'] = 'from resource';
    const attributes: Record<string, string> = { 'log.file.record_offset': String(index) };
    if (next(3) === 0) attributes['http.status_code'] = ['200', '404', '1.5e3', 'x'][next(4)]!;
    if (next(4) === 0) attributes['scope_name'] = 'hidden';
    const severity = [0, 0, 1, 5, 9, 12, 13, 17, 24, 30][next(10)]!;
    return {
      timeUnixNano: time,
      observedTimeUnixNano: 0n,
      severityNumber: severity,
      severityText: severity === 0 ? ['', 'WARNING', 'crit', 'odd'][next(4)]! : '',
      body: BODIES[next(BODIES.length)]!,
      attributes,
      droppedAttributesCount: 0,
      flags: 0,
      traceId: next(2) === 0 ? 'abc123' : '',
      spanId: '',
      eventName: '',
      resource: { attributes: resource, schemaUrl: '' },
      scope: {
        name: next(2) === 0 ? 'lib' : '',
        version: '',
        attributes: {},
        droppedAttributesCount: 0,
        schemaUrl: '',
      },
    };
  });
}

function rowOf(record: LogRecord, index: number): Record<string, unknown> {
  return {
    Timestamp: `${record.timeUnixNano / SECOND}.${String(record.timeUnixNano % SECOND).padStart(9, '0')}`,
    TraceId: record.traceId,
    SeverityText: record.severityText,
    SeverityNumber: record.severityNumber,
    ServiceName: record.resource.attributes['service.name'],
    Body: record.body,
    ResourceAttributes: record.resource.attributes,
    ScopeName: record.scope.name,
    LogAttributes: record.attributes,
    _origin: 'o',
    _topic: 'otlp_logs',
    _partition: 0,
    // Two rows a record: the index decides between them.
    _offset: Math.floor(index / 2),
    _index: index % 2,
  };
}

const START = T0 - 120n * SECOND;
const END = records.at(-1)!.timeUnixNano + 1n;

const offsetOf = (record: LogRecord): number => Number(record.attributes['log.file.record_offset']);

/** All others find something, so that the comparison says something. */
const FINDS_NOTHING = ['{scope_name="hidden"}', '{nothing=~".+"}', '{} |~ "first.second"'];

describe('a query over stored lines finds what the same query finds on the stream', () => {
  test.each([
    '{}',
    '{service_name="svc-1"}',
    '{service_name=~"svc-[02]"}',
    '{service_name!~".*-1", host_name="h1"}',
    '{k8s_pod_name="pod 1"}',
    '{k8s_pod_name=""}',
    '{level="warn"}',
    '{level=~"fatal|critical|from resource"}',
    '{detected_level!="unknown"}',
    '{severity_number="17"}',
    '{severity_number=""}',
    '{severity_text=~".+"}',
    '{trace_id="abc123"}',
    '{scope_name="lib"}',
    '{scope_name="hidden"}',
    '{http_status_code="404"}',
    '{nothing=~".*"}',
    '{nothing=~".+"}',
    '{} |= "quoted"',
    '{} |= "it\'s \\\\ quoted \\\\\' and"',
    '{} |= `"so"`',
    '{} != "line" != "status"',
    '{} |= "plain" or "grün"',
    '{} |~ "first.second"',
    '{} |~ "(?s)first.second"',
    '{} |~ "^second" or "✓"',
    '{} !~ "a\\\\.b\\\\*c" |= "a"',
    '{} |~ "(?i)PLAIN"',
    '{} | level="info"',
    '{} | http_status_code=~"2.." or trace_id="abc123"',
    '{} | http_status_code > 300',
    '{} | json | status=500',
    '{} | json | user_name="ann" | took > 1s',
    '{} |= "status" | logfmt | took < 1s and size >= 3kb',
    '{service_name="svc-1"} | json | __error__!=""',
  ])('%s', async (text) => {
    const query = parseLogs(text);
    const matches = compileFilter(query);
    const want = records.filter(matches).map(offsetOf);
    const range = { startNs: START, endNs: END, ends: '[)' as const };
    const found = await findLogs(reader, { query, range, direction: 'forward', limit: 1_000 });
    expect(found.map(({ record }) => offsetOf(record))).toEqual(want);
    expect(want.length > 0).toBe(!FINDS_NOTHING.includes(text));
  });
});

test.each(['forward', 'backward'] as const)('%s: order, limit and pages', async (direction) => {
  const range = { startNs: START, endNs: END, ends: '[)' as const };
  const ordered = direction === 'forward' ? records : records.toReversed();
  for (const limit of [1, 7, 399, 1_000]) {
    const found = await findLogs(reader, { query: parseLogs('{}'), range, direction, limit });
    expect(found.map(({ record }) => offsetOf(record))).toEqual(ordered.slice(0, limit).map(offsetOf));
  }
});

test('pages follow each other without a gap or a repeat', async () => {
  const range = { startNs: START, endNs: END, ends: '[)' as const };
  const judgedHere = '{} | http_status_code > 0 or trace_id = ""';
  for (const [text, direction] of [
    ['{}', 'forward'],
    ['{}', 'backward'],
    [judgedHere, 'forward'],
    [judgedHere, 'backward'],
  ] as const) {
    const query = parseLogs(text);
    const want = records.filter(compileFilter(query)).map(offsetOf);
    const found = await findLogs(reader, { query, range, direction, limit: 1_000, pageRowsMax: 60 });
    const offsets = found.map(({ record }) => offsetOf(record));
    expect(offsets).toEqual(direction === 'forward' ? want : want.toReversed());
  }
});

test('start is inclusive, end exclusive', async () => {
  const [at, after] = [records[50]!.timeUnixNano, records[300]!.timeUnixNano];
  const range = { startNs: at, endNs: after, ends: '[)' as const };
  const found = await findLogs(reader, { query: parseLogs('{}'), range, direction: 'forward', limit: 1_000 });
  const want = records.filter((record) => record.timeUnixNano >= at && record.timeUnixNano < after);
  expect(found.map(({ record }) => offsetOf(record))).toEqual(want.map(offsetOf));
});

/** Windows by their definition. */
function bruteForce(
  range: RangeAggregation,
  by: readonly string[],
  steps: Steps,
): Map<string, Array<number | null>> {
  const matches = compileFilter(range.query);
  const found = new Map<string, Array<number | null>>();
  const matched = records.filter(matches);
  for (let i = 0; i < steps.count; i += 1) {
    const t = steps.startNs + BigInt(i) * steps.stepNs;
    const low = t - BigInt(range.rangeMs) * 1_000_000n;
    for (const record of matched) {
      const at = timestampNsOf(record);
      if (at <= low || at > t) continue;
      const labels = Object.fromEntries(
        by.map((name) => [name, attributeText(record.resource.attributes[name.replace('_', '.')] ?? null)]),
      );
      const key = labelsKey(labels);
      const values = found.get(key) ?? Array.from({ length: steps.count }, () => null);
      const amount = range.op.startsWith('bytes') ? Buffer.byteLength(lineOf(record)) : 1;
      values[i] = (values[i] ?? 0) + amount;
      found.set(key, values);
    }
  }
  if (!range.op.endsWith('rate')) return found;
  return new Map(
    [...found].map(([key, values]) => [
      key,
      values.map((value) => (value === null ? null : (value * 1000) / range.rangeMs)),
    ]),
  );
}

const asMap = (series: ReadonlyArray<{ labels: Record<string, string> | object; values: Float64Array }>) =>
  new Map(
    series.map(({ labels, values }) => [
      labelsKey(labels as Record<string, string>),
      [...values].map((value) => (Number.isNaN(value) ? null : value)),
    ]),
  );

describe('sliding windows equal their definition', () => {
  test.each([
    { expr: 'count_over_time({}[1m])', step: 15n * SECOND, shift: 0n },
    { expr: 'count_over_time({}[10s])', step: 60n * SECOND, shift: 0n },
    { expr: 'rate({service_name="svc-1"}[30s])', step: 30n * SECOND, shift: 1n },
    { expr: 'bytes_over_time({} |= "line"[45s])', step: 20n * SECOND, shift: -123_456_789n },
    { expr: 'bytes_rate({}[7s])', step: 3n * SECOND, shift: 999_999_999n },
    { expr: 'count_over_time({}[1500ms])', step: 700_000_000n, shift: 5n },
    { expr: 'count_over_time({level="warn"}[1h])', step: 60n * SECOND, shift: 0n },
    { expr: 'count_over_time({}[1s])', step: 1n * SECOND, shift: 0n },
  ])('$expr every $step ns from $shift', async ({ expr, step, shift }) => {
    const range = parseMetric(expr) as RangeAggregation;
    for (const by of [[], ['service_name']]) {
      const steps = { startNs: T0 - 130n * SECOND + shift, stepNs: step, count: 60 };
      const want = bruteForce(range, by, steps);
      const series = rated(range, await rangeSeries(reader, range, { by }, steps));
      expect(asMap(series)).toEqual(want);
      const matches = compileFilter(range.query);
      const inMemory: FoundLog[] = records
        .filter(matches)
        .map((record) => ({ record, extracted: new Map(), lineBytes: Buffer.byteLength(lineOf(record)) }));
      // Rates are divided after the sliding.
      const amounts = {
        ...range,
        op: range.op.startsWith('bytes') ? 'bytes_over_time' : 'count_over_time',
      } as const;
      expect(asMap(slide(inMemory, amounts, { by }, steps))).toEqual(bruteForce(amounts, by, steps));
    }
  });
});

test('without a grouping the series are the stream labels', async () => {
  const steps = { startNs: END, stepNs: SECOND, count: 1 };
  const series = await evaluateMetric(reader, parseMetric('count_over_time({}[1h])'), steps);
  const streams = new Set(
    records.map(({ resource }) => labelsKey(resource.attributes as Record<string, string>)),
  );
  expect(series).toHaveLength(streams.size);
  expect((series as Array<{ labels: object }>)[0]!.labels).toMatchObject({ host_name: 'h1' });
});

/** Text of a metric query over everything, at one time → label of the sample → value. */
async function instant(query: string): Promise<Record<string, string>> {
  const url = `/loki/api/v1/query?query=${encodeURIComponent(query)}&time=${END}`;
  const answer = await app.inject({ url });
  expect([answer.statusCode, answer.body]).toEqual([200, expect.anything()]);
  const { data } = answer.json<{ data: { result: Array<{ metric: object; value: [number, string] }> } }>();
  return Object.fromEntries(data.result.map(({ metric, value }) => [Object.values(metric).join(), value[1]]));
}

test('aggregations and arithmetic', async () => {
  const counts = [0, 1, 2].map(
    (service) => records.filter((r) => r.resource.attributes['service.name'] === `svc-${service}`).length,
  );
  const [a, b, c] = counts as [number, number, number];
  expect(await instant('sum by (service_name) (count_over_time({}[1h]))')).toEqual({
    'svc-0': String(a),
    'svc-1': String(b),
    'svc-2': String(c),
  });
  expect(await instant('sum(count_over_time({}[1h]))')).toEqual({ '': String(ROWS) });
  const each = 'sum by (service_name) (count_over_time({}[1h]))';
  expect(await instant(`max(${each})`)).toEqual({ '': String(Math.max(a, b, c)) });
  expect(await instant(`min(${each})`)).toEqual({ '': String(Math.min(a, b, c)) });
  expect(await instant(`count(${each})`)).toEqual({ '': '3' });
  expect(await instant(`avg(${each}) * 3`)).toEqual({ '': String((ROWS / 3) * 3) });
  expect(Object.values(await instant(`topk(1, ${each})`))).toEqual([String(Math.max(a, b, c))]);
  expect(await instant(`${each} / ${each}`)).toEqual({ 'svc-0': '1', 'svc-1': '1', 'svc-2': '1' });
  expect(Object.keys(await instant(`${each} > ${Math.min(a, b, c)}`))).toHaveLength(2);
  const errors = records.filter((r) => lineOf(r).includes('"status":500')).length;
  expect(await instant('sum by (status) (count_over_time({} | json | status=500[1h]))')).toEqual({
    '500': String(errors),
  });
});

test("Grafana's health check", async () => {
  expect(await instant('vector(1)+vector(1)')).toEqual({ '': '2' });
});

const query = (parameters: Record<string, string>): string =>
  `?${new URLSearchParams({ start: String(START), end: String(END), ...parameters }).toString()}`;

test('query_range gives streams, newest first, metadata folded into the labels', async () => {
  const url = `/loki/api/v1/query_range${query({ query: '{service_name="svc-1"}', limit: '3' })}`;
  const { data, status } = (await app.inject({ url })).json<{
    status: string;
    data: { resultType: string; result: Array<{ stream: Record<string, string>; values: string[][] }> };
  }>();
  expect([status, data.resultType]).toEqual(['success', 'streams']);
  const want = records
    .filter((r) => r.resource.attributes['service.name'] === 'svc-1')
    .slice(-3)
    .toReversed();
  expect(data.result.map(({ stream, values }) => [stream['log_file_record_offset'], ...values[0]!])).toEqual(
    want.map((record) => [String(offsetOf(record)), String(record.timeUnixNano), record.body]),
  );
});

test('categorised labels keep a stream together', async () => {
  const response = await app.inject({
    url: `/loki/api/v1/query_range${query({ query: '{} | json', limit: '5000', direction: 'forward' })}`,
    headers: { 'x-loki-response-encoding-flags': 'categorize-labels' },
  });
  const { data } = response.json<{
    data: {
      encodingFlags: string[];
      result: Array<{
        stream: Record<string, string>;
        values: Array<[string, string, Record<string, object>]>;
      }>;
    };
  }>();
  expect(data.encodingFlags).toEqual(['categorize-labels']);
  expect(data.result.flatMap(({ values }) => values)).toHaveLength(ROWS);
  const parsed = data.result.flatMap(({ values }) => values).find(([, line]) => line.startsWith('{'));
  expect(parsed?.[2]['parsed']).toEqual({ status: '500', user_name: 'ann', took: '1.5s' });
  const [stream] = data.result;
  expect(stream?.stream['log_file_record_offset']).toBeUndefined();
  expect(stream?.values[0]?.[2]['structuredMetadata']).toHaveProperty('log_file_record_offset');
});

test('a metric over a range is a matrix of numbers in seconds', async () => {
  const url = `/loki/api/v1/query_range${query({ query: 'sum(count_over_time({}[1h]))', start: String(END), end: String(END + 60n * SECOND), step: '30000ms' })}`;
  const { data } = (await app.inject({ method: 'GET', url })).json<{
    data: { resultType: string; result: unknown };
  }>();
  const at = Number(END / 1_000_000n) / 1000;
  expect(data.resultType).toBe('matrix');
  expect(data.result).toEqual([
    { metric: {}, values: [0, 30, 60].map((more) => [Number((at + more).toFixed(3)), String(ROWS)]) },
  ]);
});

test('label names, values and streams', async () => {
  const get = async (path: string, parameters: Record<string, string> = {}) =>
    (await app.inject({ url: `/loki/api/v1/${path}${query(parameters)}` })).json<{ data: unknown }>().data;
  expect(await get('labels')).toEqual(['host_name', 'k8s_pod_name', 'level', 'service_name']);
  expect(await get('label/service_name/values')).toEqual(['svc-0', 'svc-1', 'svc-2']);
  expect(await get('label/k8s_pod_name/values', { query: '{service_name="svc-0"}' })).toEqual([
    'pod 0',
    'pod 1',
  ]);
  expect(await get('series', { 'match[]': '{k8s_pod_name="pod 1", level="from resource"}' })).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ host_name: 'h1', k8s_pod_name: 'pod 1', level: 'from resource' }),
    ]),
  );
});

test('index/stats and index/volume', async () => {
  const stats = await app.inject({ url: `/loki/api/v1/index/stats${query({ query: '{}' })}` });
  const bytes = records.reduce((sum, record) => sum + Buffer.byteLength(lineOf(record)), 0);
  expect(stats.json()).toMatchObject({ entries: ROWS, bytes });
  const volume = await app.inject({
    url: `/loki/api/v1/index/volume${query({ query: '{host_name="h1"}' })}`,
  });
  expect(volume.json()).toMatchObject({
    data: {
      resultType: 'vector',
      result: [{ metric: { host_name: 'h1' }, value: [expect.any(Number), String(bytes)] }],
    },
  });
});

test.each([
  ['query_range', { query: '{' }, 400, 'cannot parse query'],
  ['query_range', {}, 400, 'got no query'],
  ['query_range', { query: '{}', start: 'yesterday' }, 400, 'cannot read start'],
  ['query_range', { query: '{}', limit: '1000000' }, 400, 'cannot read limit'],
  ['query_range', { query: 'rate({}[1m])', step: '1ms' }, 400, 'points, want at most'],
  ['query', { query: '{}' }, 400, 'cannot run a log query at an instant'],
  ['index/stats', { query: '{} |= "a" | json | b="c"' }, 400, 'got | json, want a selector'],
  ['labels', { query: '{} | status >= 500' }, 400, 'got | status >= 500, want a selector'],
  ['series', { match: '{} | logfmt' }, 400, 'got | logfmt, want a selector'],
])('%s %j is refused with %s', async (path, parameters, status, message) => {
  const answer = await app.inject({ url: `/loki/api/v1/${path}${query(parameters)}` });
  expect(answer.statusCode).toBe(status);
  expect(answer.json<{ message: string }>().message).toContain(message);
});

test('what the engine refuses comes through in its words', async () => {
  await expect(reader.select('SELECT nothing FROM otel_logs')).rejects.toMatchObject({
    status: 400,
    message: expect.stringContaining('UNKNOWN_IDENTIFIER') as string,
  });
  await expect(reader.select('SELECT number FROM numbers(200000)')).rejects.toMatchObject({
    status: 400,
    message: expect.stringContaining('TOO_MANY_ROWS_OR_BYTES') as string,
  });
  await expect(reader.select('DROP TABLE otel_logs')).rejects.toMatchObject({ status: 400 });
});
