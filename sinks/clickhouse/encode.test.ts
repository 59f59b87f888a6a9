import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { silentLog } from '../../broker/host/log.ts';
import { attributeText } from '../../broker/records/otlp/attribute-text.ts';
import { OtlpError } from '../../broker/records/otlp/error.ts';
import type { AnyValue, Attributes } from '../../broker/records/otlp/model.ts';
import { readLogs } from '../../broker/records/otlp/read-logs.ts';
import { SIGNAL_TOPICS } from '../../broker/records/topics.ts';
import { logsRequest } from '../../test/support/otlp-arbitrary.ts';
import { oracleEncode, type OracleType } from '../../test/support/otlp-oracle.ts';
import { startTestStore, type TestStore } from '../../test/support/store.ts';
import { openClickHouse } from './client.ts';
import { COLUMNS, misfits } from './columns.ts';
import { type Encoded, ENCODERS } from './encode.ts';
import { TABLES } from './layout.ts';
import { migrate } from './migrate.ts';
import type { ClickHouse } from './port.ts';
import { RowBatches } from './row-batch.ts';
import { ORIGINAL_TIME, timeRule } from './row-time.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 12);
const TIME_NS = 1_795_341_600_123_456_789n; // 2026-11-22 10:00:00.123456789
const SOURCE = { origin: 'cluster/topic', topic: 'otlp_logs', partition: 3 };

let store: TestStore;
let clickhouse: ClickHouse;

beforeAll(async () => {
  store = await startTestStore();
  clickhouse = openClickHouse({ url: store.url, username: 'millrace', password: store.password });
  await migrate(clickhouse, { database: 'otel', retentionDays: 0 }, silentLog);
});

afterAll(async () => {
  await clickhouse?.close();
  await store?.close();
});

/** The oracle's bytes of `message` as rows; `appendMs` is when the broker got it. */
function encode(
  type: OracleType,
  topic: string,
  message: object,
  { retentionDays = 7, offset = 41, appendMs = NOW_MS - 1000 } = {},
): { batches: RowBatches; counts: Encoded } {
  const batches = new RowBatches();
  const counts = { kept: 0, redated: 0, expired: 0 };
  const source = batches.source({ ...SOURCE, topic });
  const rule = timeRule(NOW_MS, retentionDays);
  batches.begin();
  ENCODERS.get(topic)!(oracleEncode(type, message), { source, offset, appendMs }, rule, batches, counts);
  return { batches, counts };
}

const encodeLogs = (message: object, options = {}) =>
  encode('ExportLogs', SIGNAL_TOPICS.logs, message, options);

async function insert(batches: RowBatches): Promise<void> {
  for (const batch of batches.all) {
    await clickhouse.insert({
      table: `otel.${batch.table}`,
      columns: COLUMNS[batch.table].map(([name]) => `\`${name}\``),
      body: batch.slice(0, batch.rows),
      queryId: `test-${batch.table}-${batch.day}`,
      mark: 'test',
    });
  }
}

/** All rows of a table without the columns that are computed, then none. */
async function take(table: string): Promise<Array<Record<string, unknown>>> {
  const rows = await clickhouse.rows<Record<string, unknown>>(
    `SELECT * FROM otel.${table} ORDER BY _partition, _offset, _index SETTINGS output_format_json_quote_64bit_integers = 0`,
  );
  await clickhouse.command(`TRUNCATE TABLE otel.${table}`);
  return rows;
}

const id = (text: string) => Buffer.from(text, 'hex');
const string = (stringValue: string) => ({ stringValue });
const attribute = (key: string, value: object) => ({ key, value });

const RESOURCE = {
  resource: {
    attributes: [attribute('service.name', string('shop')), attribute('host.name', string('h1'))],
  },
  schemaUrl: 'https://schema/r',
};
const SCOPE = {
  scope: {
    name: 'lib',
    version: '1.2',
    attributes: [attribute('s', { boolValue: true })],
    droppedAttributesCount: 4,
  },
  schemaUrl: 'https://schema/s',
};
const FROM = { _origin: 'cluster/topic', _partition: 3, _offset: 41 };

test('a log record, every column', async () => {
  const { batches } = encodeLogs({
    resourceLogs: [
      {
        ...RESOURCE,
        scopeLogs: [
          {
            ...SCOPE,
            logRecords: [
              {
                timeUnixNano: TIME_NS.toString(),
                observedTimeUnixNano: '5',
                severityNumber: 17,
                severityText: 'ERROR',
                body: string('größer\n\n;drop table x'),
                attributes: [
                  attribute('z', { intValue: '-5' }),
                  attribute('a', { doubleValue: 1.5 }),
                  attribute('list', { arrayValue: { values: [string('x'), { intValue: 1 }] } }),
                  attribute('a', string('the last counts')),
                ],
                flags: 0x101,
                traceId: id('000102030405060708090a0b0c0d0eff'),
                spanId: id('0102030405060708'),
                eventName: 'order.paid',
              },
            ],
          },
        ],
      },
    ],
  });
  await insert(batches);
  expect(await take('otel_logs')).toEqual([
    {
      Timestamp: '2026-11-22 10:00:00.123456789',
      TraceId: '000102030405060708090a0b0c0d0eff',
      SpanId: '0102030405060708',
      TraceFlags: 1,
      SeverityText: 'ERROR',
      SeverityNumber: 17,
      ServiceName: 'shop',
      Body: 'größer\n\n;drop table x',
      ResourceSchemaUrl: 'https://schema/r',
      ResourceAttributes: { 'host.name': 'h1', 'service.name': 'shop' },
      ScopeSchemaUrl: 'https://schema/s',
      ScopeName: 'lib',
      ScopeVersion: '1.2',
      ScopeAttributes: { s: 'true' },
      LogAttributes: { a: 'the last counts', list: '["x",1]', z: '-5' },
      EventName: 'order.paid',
      ...FROM,
      _topic: 'otlp_logs',
      _index: 0,
    },
  ]);
});

test('bodies: bytes as they are, other values as text, and none', async () => {
  const bodies = [
    { bytesValue: Buffer.from([0xff, 0, 0x0a]) },
    string('\0'),
    { intValue: '9007199254740993' },
    { kvlistValue: { values: [attribute('k', { boolValue: false })] } },
    undefined,
  ];
  const logRecords = bodies.map((body) => ({ timeUnixNano: TIME_NS.toString(), ...(body ? { body } : {}) }));
  await insert(encodeLogs({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] }).batches);
  const rows = await clickhouse.rows(
    'SELECT hex(Body) AS body, _index AS i FROM otel.otel_logs ORDER BY _index',
  );
  const hex = (text: string) => Buffer.from(text).toString('hex').toUpperCase();
  const wanted = ['FF000A', '00', hex('9007199254740993'), hex('{"k":false}'), ''];
  expect(rows).toEqual(wanted.map((body, i) => ({ body, i })));
  await take('otel_logs');
});

test('whatever the oracle makes of logs arrives as the object reader sees it', async () => {
  const requests = fc.sample(logsRequest, { numRuns: 150, seed: 7 });
  const wanted: object[] = [];
  const all = new RowBatches();
  const source = all.source(SOURCE);
  const rule = { oldestNs: 0, newestNs: 2 ** 62 };
  for (const [offset, request] of requests.entries()) {
    const value = oracleEncode('ExportLogs', request);
    all.begin();
    ENCODERS.get(SIGNAL_TOPICS.logs)!(value, { source, offset, appendMs: NOW_MS }, rule, all, {
      kept: 0,
      redated: 0,
      expired: 0,
    });
    for (const [index, record] of readLogs(value).entries()) {
      wanted.push({
        _offset: offset,
        _index: index,
        service: hexOf(stringOf(record.resource.attributes['service.name'])),
        severity: record.severityNumber & 0xff,
        text: hexOf(record.severityText),
        trace: record.traceId,
        span: record.spanId,
        event: hexOf(record.eventName),
        body: hexOf(record.body instanceof Uint8Array ? record.body : attributeText(record.body)),
        resource: mapOf(record.resource.attributes),
        scope: mapOf(record.scope.attributes),
        attributes: mapOf(record.attributes),
      });
    }
  }
  expect(wanted.length).toBeGreaterThan(100);
  // Days far apart make many batches; a table without partitions takes them in one insert.
  await clickhouse.command('CREATE TABLE otel.any AS otel.otel_logs ENGINE = Memory');
  const columns = COLUMNS[TABLES.logs].map(([name]) => `\`${name}\``);
  const body = Buffer.concat(all.all.map((batch) => batch.slice(0, batch.rows)));
  await clickhouse.insert({ table: 'otel.any', columns, body, queryId: 'any', mark: '' });
  const map = (name: string) =>
    `arrayMap((k, v) -> concat(hex(k), ':', hex(v)), mapKeys(${name}), mapValues(${name}))`;
  // Times of the far future are the arbitrary's favourites; what becomes of them is another test's matter.
  const logAttributes = `mapFilter((k, v) -> k != '${ORIGINAL_TIME}', LogAttributes)`;
  const rows =
    await clickhouse.rows(`SELECT _offset, _index, hex(ServiceName) AS service, SeverityNumber AS severity,
    hex(SeverityText) AS text, TraceId AS trace, SpanId AS span, hex(EventName) AS event, hex(Body) AS body,
    ${map('ResourceAttributes')} AS resource, ${map('ScopeAttributes')} AS scope, ${map(logAttributes)} AS attributes
    FROM otel.any ORDER BY _offset, _index`);
  expect(rows).toEqual(wanted);
});

const stringOf = (value: AnyValue | undefined) => (typeof value === 'string' ? value : '');
const hexOf = (value: string | Uint8Array) =>
  Buffer.from(value as string)
    .toString('hex')
    .toUpperCase();

function mapOf(attributes: Attributes): string[] {
  return Object.keys(attributes)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map((key) => `${hexOf(key)}:${hexOf(attributeText(attributes[key] ?? null))}`);
}

test('metrics, every column of the five tables', async () => {
  const point = {
    attributes: [attribute('cpu', { intValue: 1 })],
    startTimeUnixNano: (TIME_NS - 60_000_000_000n).toString(),
    timeUnixNano: TIME_NS.toString(),
    flags: 1,
  };
  const exemplars = [
    {
      filteredAttributes: [attribute('f', string('1'))],
      timeUnixNano: TIME_NS.toString(),
      asDouble: 2.5,
      spanId: id('0102030405060708'),
      traceId: id('000102030405060708090a0b0c0d0e0f'),
    },
  ];
  const metric = (name: string, data: object) => ({ name, description: 'd', unit: 'By', ...data });
  const histogram = { ...point, count: '3', sum: 6.5, min: 1, max: 4, exemplars };
  const { batches, counts } = encode('ExportMetrics', SIGNAL_TOPICS.metrics, {
    resourceMetrics: [
      {
        ...RESOURCE,
        scopeMetrics: [
          {
            ...SCOPE,
            metrics: [
              metric('g', {
                gauge: {
                  dataPoints: [
                    { ...point, asInt: '7', exemplars },
                    { ...point, asDouble: 0.5 },
                  ],
                },
              }),
              metric('s', {
                sum: {
                  dataPoints: [{ ...point, asDouble: 1 }],
                  aggregationTemporality: 2,
                  isMonotonic: true,
                },
              }),
              metric('h', {
                histogram: {
                  dataPoints: [{ ...histogram, bucketCounts: ['1', '2'], explicitBounds: [2.5] }],
                  aggregationTemporality: 1,
                },
              }),
              metric('e', {
                exponentialHistogram: {
                  dataPoints: [
                    {
                      ...histogram,
                      scale: -1,
                      zeroCount: '1',
                      positive: { offset: 2, bucketCounts: ['1'] },
                      negative: { offset: -3, bucketCounts: ['0', '1'] },
                    },
                  ],
                  aggregationTemporality: 2,
                },
              }),
              metric('q', {
                summary: {
                  dataPoints: [
                    { ...point, count: '2', sum: 3, quantileValues: [{ quantile: 0.5, value: 1.5 }] },
                  ],
                },
              }),
            ],
          },
        ],
      },
    ],
  });
  expect(counts).toEqual({ kept: 6, redated: 0, expired: 0 });
  await insert(batches);
  const common = {
    ResourceAttributes: { 'host.name': 'h1', 'service.name': 'shop' },
    ResourceSchemaUrl: 'https://schema/r',
    ScopeName: 'lib',
    ScopeVersion: '1.2',
    ScopeAttributes: { s: 'true' },
    ScopeDroppedAttrCount: 4,
    ScopeSchemaUrl: 'https://schema/s',
    ServiceName: 'shop',
    MetricDescription: 'd',
    MetricUnit: 'By',
    Attributes: { cpu: '1' },
    StartTimeUnix: '2026-11-22 09:59:00',
    TimeUnix: '2026-11-22 10:00:00',
    Flags: 1,
    ...FROM,
    _topic: 'otlp_metrics',
  };
  const exemplar = {
    'Exemplars.FilteredAttributes': [{ f: '1' }],
    'Exemplars.TimeUnix': ['2026-11-22 10:00:00'],
    'Exemplars.Value': [2.5],
    'Exemplars.SpanId': ['0102030405060708'],
    'Exemplars.TraceId': ['000102030405060708090a0b0c0d0e0f'],
  };
  const none = Object.fromEntries(Object.keys(exemplar).map((name) => [name, []]));
  expect(await take(TABLES.gauge)).toEqual([
    { ...common, MetricName: 'g', Value: 7, ...exemplar, _index: 0 },
    { ...common, MetricName: 'g', Value: 0.5, ...none, _index: 1 },
  ]);
  expect(await take(TABLES.sum)).toEqual([
    {
      ...common,
      MetricName: 's',
      Value: 1,
      ...none,
      AggregationTemporality: 2,
      IsMonotonic: true,
      _index: 2,
    },
  ]);
  const counted = { ...common, Count: 3, Sum: 6.5, Min: 1, Max: 4, ...exemplar };
  expect(await take(TABLES.histogram)).toEqual([
    {
      ...counted,
      MetricName: 'h',
      BucketCounts: [1, 2],
      ExplicitBounds: [2.5],
      AggregationTemporality: 1,
      _index: 3,
    },
  ]);
  expect(await take(TABLES.expHistogram)).toEqual([
    {
      ...counted,
      MetricName: 'e',
      Scale: -1,
      ZeroCount: 1,
      PositiveOffset: 2,
      PositiveBucketCounts: [1],
      NegativeOffset: -3,
      NegativeBucketCounts: [0, 1],
      AggregationTemporality: 2,
      _index: 4,
    },
  ]);
  expect(await take(TABLES.summary)).toEqual([
    {
      ...common,
      MetricName: 'q',
      Count: 2,
      Sum: 3,
      'ValueAtQuantiles.Quantile': [0.5],
      'ValueAtQuantiles.Value': [1.5],
      _index: 5,
    },
  ]);
});

test('a span, every column, and the lookup of its trace', async () => {
  const { batches } = encode('ExportTrace', SIGNAL_TOPICS.spans, {
    resourceSpans: [
      {
        ...RESOURCE,
        scopeSpans: [
          {
            ...SCOPE,
            spans: [
              {
                traceId: id('000102030405060708090a0b0c0d0e0f'),
                spanId: id('0102030405060708'),
                parentSpanId: id('0807060504030201'),
                traceState: 'a=b',
                name: 'GET /',
                kind: 2,
                startTimeUnixNano: TIME_NS.toString(),
                endTimeUnixNano: (TIME_NS + 1_500n).toString(),
                attributes: [attribute('http.status', { intValue: 200 })],
                events: [
                  { timeUnixNano: TIME_NS.toString(), name: 'e', attributes: [attribute('x', string('y'))] },
                ],
                links: [
                  {
                    traceId: id('0f'.repeat(16)),
                    spanId: id('0e'.repeat(8)),
                    traceState: 'l',
                    attributes: [],
                  },
                ],
                status: { code: 2, message: 'no' },
              },
            ],
          },
        ],
      },
    ],
  });
  await insert(batches);
  expect(await take(TABLES.traces)).toEqual([
    {
      Timestamp: '2026-11-22 10:00:00.123456789',
      TraceId: '000102030405060708090a0b0c0d0e0f',
      SpanId: '0102030405060708',
      ParentSpanId: '0807060504030201',
      TraceState: 'a=b',
      SpanName: 'GET /',
      SpanKind: 'Server',
      ServiceName: 'shop',
      ResourceAttributes: { 'host.name': 'h1', 'service.name': 'shop' },
      ScopeName: 'lib',
      ScopeVersion: '1.2',
      SpanAttributes: { 'http.status': '200' },
      Duration: 1500,
      StatusCode: 'Error',
      StatusMessage: 'no',
      'Events.Timestamp': ['2026-11-22 10:00:00.123456789'],
      'Events.Name': ['e'],
      'Events.Attributes': [{ x: 'y' }],
      'Links.TraceId': ['0f'.repeat(16)],
      'Links.SpanId': ['0e'.repeat(8)],
      'Links.TraceState': ['l'],
      'Links.Attributes': [{}],
      ...FROM,
      _topic: 'otlp_spans',
      _index: 0,
    },
  ]);
  expect(await clickhouse.rows('SELECT * FROM otel.otel_traces_trace_id_ts')).toEqual([
    { TraceId: '000102030405060708090a0b0c0d0e0f', Start: '2026-11-22 10:00:00', End: '2026-11-22 10:00:00' },
  ]);
});

test('time: none, too old, too far ahead, and one batch a day to the nanosecond', async () => {
  const midnight = BigInt(Date.UTC(2026, 10, 22)) * 1_000_000n;
  const ahead = (BigInt(NOW_MS) + 90_000_000n) * 1_000_000n;
  const old = (BigInt(NOW_MS) - 8n * 86_400_000n) * 1_000_000n;
  const logRecords = [
    { observedTimeUnixNano: TIME_NS.toString() },
    {},
    { timeUnixNano: old.toString() },
    { timeUnixNano: ahead.toString(), observedTimeUnixNano: TIME_NS.toString() },
    { timeUnixNano: ahead.toString(), observedTimeUnixNano: ahead.toString() },
    { timeUnixNano: (midnight - 1n).toString() },
    { timeUnixNano: midnight.toString() },
    { timeUnixNano: '18446744073709551615' },
  ];
  const { batches, counts } = encodeLogs({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] });
  expect(counts).toEqual({ kept: 4, redated: 3, expired: 1 });
  expect(batches.all.map(({ day, rows }) => [day, rows])).toEqual([
    [20_779, 6],
    [20_778, 1],
  ]);
  await insert(batches);
  const rows = await clickhouse.rows(
    'SELECT _index AS i, toString(Timestamp) AS t, LogAttributes AS a FROM otel.otel_logs ORDER BY i',
  );
  const original = (ns: bigint) => ({ 'millrace.original_time_unix_nano': String(ns) });
  const append = '2026-11-22 11:59:59.000000000';
  expect(rows).toEqual([
    { i: 0, t: '2026-11-22 10:00:00.123456789', a: {} },
    { i: 1, t: append, a: {} },
    { i: 3, t: '2026-11-22 10:00:00.123456789', a: original(ahead) },
    { i: 4, t: append, a: original(ahead) },
    { i: 5, t: '2026-11-21 23:59:59.999999999', a: {} },
    { i: 6, t: '2026-11-22 00:00:00.000000000', a: {} },
    { i: 7, t: append, a: original(18446744073709551615n) },
  ]);
  const parts =
    "SELECT count() AS n FROM system.parts WHERE active AND database = 'otel' AND table = 'otel_logs'";
  expect(await clickhouse.rows(parts)).toEqual([{ n: 2 }]);
  await take('otel_logs');
});

test('a record that breaks off leaves no row behind', () => {
  const good = oracleEncode('ExportLogs', {
    resourceLogs: [{ scopeLogs: [{ logRecords: [{ timeUnixNano: TIME_NS.toString() }] }] }],
  });
  const batches = new RowBatches();
  const source = batches.source(SOURCE);
  const counts = { kept: 0, redated: 0, expired: 0 };
  const rule = timeRule(NOW_MS, 7);
  const add = (value: Buffer, offset: number) => {
    batches.begin();
    ENCODERS.get(SIGNAL_TOPICS.logs)!(value, { source, offset, appendMs: NOW_MS }, rule, batches, counts);
  };
  add(good, 1);
  const before = Buffer.from(batches.all[0]!.slice(0, 1));
  expect(() => add(Buffer.concat([good, Buffer.from([0x0a, 0x7f, 0x01])]), 2)).toThrow(OtlpError);
  batches.rollback();
  add(good, 3);
  expect(batches.all[0]!.rows).toBe(2);
  expect(batches.all[0]!.slice(0, 1)).toEqual(before);
  expect([batches.all[0]!.offsetOf(0), batches.all[0]!.offsetOf(1)]).toEqual([1, 3]);
});

test('our tables fit our rows, and a misfit is named', async () => {
  for (const table of Object.values(TABLES)) {
    const columns = await clickhouse.rows<{ name: string; type: string }>(
      "SELECT name, type FROM system.columns WHERE database = 'otel' AND table = {table:String}",
      { table },
    );
    const actual = new Map(columns.map(({ name, type }) => [name, type]));
    expect(misfits(table, actual)).toEqual([]);
    actual.delete('_offset');
    expect(misfits(table, actual)).toEqual(['column _offset: got none, want Int64']);
  }
});
