import { createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { silentLog } from '../../broker/host/log.ts';
import { openClickHouse } from '../../sinks/clickhouse/client.ts';
import { migrate } from '../../sinks/clickhouse/migrate.ts';
import { type TestStore, startTestStore } from '../../test/support/store.ts';
import { webConfig } from '../config.ts';
import { DASHBOARDS, dashboardText } from '../grafana/dashboards.ts';
import { rateSql } from '../grafana/metric-sql.ts';
import { type ClickHouseReader, openClickHouseReader } from './clickhouse-reader.ts';
import { parseDashboard } from './dashboard-files.ts';
import { timeSeriesFrame } from './frame.ts';
import { expandSql, queryPanel, timeContext, variableOptions } from './panel-query.ts';

const FROM = Date.parse('2026-01-15T12:00:00Z');
const TO = FROM + 600_000;
const SAMPLE_MS = 5_000;

/** Metrics as the pipeline and the agents report them: names and attributes are the contract with them. */
const COUNTERS: ReadonlyArray<readonly [service: string, name: string, attributes: Record<string, string>]> =
  [
    ...['otlp_logs', 'otlp_metrics', 'millrace.alerts'].flatMap((topic) => [
      ['millrace', 'kafka_topic_appended_records_total', { part: 'broker', topic }] as const,
      ['millrace', 'kafka_topic_appended_bytes_total', { part: 'broker', topic }] as const,
      ['millrace', 'kafka_topic_fetched_bytes_total', { part: 'broker', topic }] as const,
    ]),
    ['millrace', 'millrace_sink_inserted_rows_total', { part: 'sink', table: 'otel_logs' }],
    ['millrace', 'millrace_collector_service_records_total', { topic: 'otlp_logs', service: 'shop' }],
    ['millrace', 'millrace_collector_service_bytes_total', { topic: 'otlp_logs', service: 'shop' }],
    ['millrace', 'millrace_collector_accepted_records_total', { part: 'collector', signal: 'logs' }],
    ['millrace', 'millrace_collector_refused_requests_total', { part: 'collector', reason: 'too_large' }],
    ['millrace', 'process_cpu_seconds_total', { part: 'broker' }],
    ['host', 'system.cpu.time', { 'cpu.mode': 'user', 'cpu.logical_number': '0' }],
    ['host', 'system.cpu.time', { 'cpu.mode': 'idle', 'cpu.logical_number': '0' }],
    ['host', 'system.disk.io', { 'system.device': 'sda', 'disk.io.direction': 'read' }],
    ['host', 'system.network.io', { 'network.interface.name': 'eth0', 'network.io.direction': 'receive' }],
    // Not a counter, but a sum all the same.
    ['host', 'system.memory.usage', { 'system.memory.state': 'used' }],
  ];

const GAUGES: typeof COUNTERS = [
  ['millrace', 'kafka_consumergroup_lag_sum', { part: 'broker', group: 'millrace-sink', topic: 'otlp_logs' }],
  [
    'millrace',
    'kafka_consumergroup_lag_seconds',
    { part: 'broker', group: 'millrace-sink', topic: 'otlp_logs' },
  ],
  [
    'millrace',
    'kafka_consumergroup_unread_expiry_seconds',
    { part: 'broker', group: 'g', topic: 'otlp_logs' },
  ],
  ['millrace', 'kafka_consumergroup_lag_bytes', { part: 'broker', group: 'g', topic: 'otlp_logs' }],
  ['millrace', 'kafka_consumergroup_lag_change', { part: 'broker', group: 'g', topic: 'otlp_logs' }],
  ['millrace', 'kafka_topic_retention_used_ratio', { part: 'broker', topic: 'otlp_logs' }],
  ['millrace', 'kafka_topic_size_bytes', { part: 'broker', topic: 'otlp_logs' }],
  ['millrace', 'kafka_topic_records', { part: 'broker', topic: 'otlp_logs' }],
  ['millrace', 'process_resident_memory_bytes', { part: 'broker' }],
  ['millrace', 'process_resident_memory_bytes', { part: 'sink' }],
  ['millrace', 'millrace_alerts_alerts', { part: 'alerts', state: 'firing' }],
  ['host', 'system.memory.utilization', { 'system.memory.state': 'used' }],
  ['host', 'system.cpu.load_average.1m', {}],
  ['host', 'system.cpu.load_average.15m', {}],
  ['host', 'system.filesystem.utilization', { 'system.filesystem.mountpoint': '/' }],
];

let store: TestStore;
let reader: ClickHouseReader;

beforeAll(async () => {
  store = await startTestStore();
  const login = { url: store.url, username: 'millrace', password: store.password };
  const writer = openClickHouse(login);
  await migrate(writer, { database: 'otel', retentionDays: 0 }, silentLog);
  await writer.close();
  const client = createClient({ ...login, database: 'otel' });
  const samples = Array.from({ length: 120 }, (_, i) => i);
  const common = (service: string, name: string, Attributes: Record<string, string>, i: number) => ({
    ServiceName: service,
    MetricName: name,
    Attributes,
    ResourceAttributes: { 'service.name': service, 'host.name': 'h1' },
    TimeUnix: (FROM + i * SAMPLE_MS) / 1000,
  });
  const insert = (table: string, values: object[]) => client.insert({ table, values, format: 'JSONEachRow' });
  await insert(
    'otel_metrics_sum',
    COUNTERS.flatMap(([service, name, attributes]) =>
      samples.map((i) => ({
        ...common(service, name, attributes, i),
        // 10 a second; kill -9 after a third of the time: from there it counts from 0 again.
        Value: i < 40 ? 1_000_000 + i * 50 : (i - 40) * 50,
        AggregationTemporality: 2,
        IsMonotonic: true,
      })),
    ),
  );
  // A process that started with the range, 4 s before its first export; one of its series came a minute later.
  await insert(
    'otel_metrics_sum',
    [0, ...samples.slice(12)].flatMap((i) =>
      [
        { topic: 'early', Value: 40 + i * 50 },
        ...(i >= 12 ? [{ topic: 'late', Value: 50 + (i - 12) * 50 }] : []),
      ].map(({ topic, Value }) => ({
        ...common('millrace', 'fresh_total', { topic }, i),
        TimeUnix: (FROM + 5_000 + i * SAMPLE_MS) / 1000,
        StartTimeUnix: (FROM + 1_000) / 1000,
        Value,
        AggregationTemporality: 2,
        IsMonotonic: true,
      })),
    ),
  );
  await insert(
    'otel_metrics_gauge',
    GAUGES.flatMap(([service, name, attributes]) =>
      samples.map((i) => ({ ...common(service, name, attributes, i), Value: 0.5 + i / 1_000 })),
    ),
  );
  await insert(
    'otel_logs',
    samples.map((i) => ({
      // Whole microseconds below the ms: ClickHouse must hand them on, digits and all.
      Timestamp: `${(FROM + i * SAMPLE_MS) / 1000}.000${String(i).padStart(3, '0')}000`,
      ServiceName: i % 2 === 0 ? 'shop' : "o'brien\\",
      SeverityNumber: i % 3 === 0 ? 17 : 0,
      SeverityText: i % 3 === 1 ? 'Warning' : '',
      Body: i === 7 ? "100% 'Äpfel' \\ order" : `order ${i}`,
      ResourceAttributes: { 'service.name': 'shop' },
      LogAttributes: { n: String(i) },
      _partition: 0,
      _offset: i,
      _index: 0,
    })),
  );
  await client.close();
  const config = webConfig.parse({ clickhouse: { url: store.url } });
  reader = openClickHouseReader(config.clickhouse, config.limits);
});

afterAll(async () => {
  await reader.close();
  await store.close();
});

const request = { from: FROM, to: TO, maxDataPoints: 600, variables: {} };
const files = DASHBOARDS.map(({ dashboard }) => parseDashboard(dashboardText(dashboard)));
const panels = files.flatMap((file) => [...file.panels].map(([id]) => ({ dashboard: file.uid, id, file })));

describe('every panel parses and has data', () => {
  test.each(panels)('$dashboard panel $id', async ({ file, id }) => {
    const { frames } = await queryPanel(reader, file, id, request);
    expect(frames.length).toBeGreaterThan(0);
    for (const { fields } of frames) {
      expect(fields[0]?.values.length).toBeGreaterThan(0);
      expect(fields.slice(1).some(({ values }) => values.some((value) => value !== null))).toBe(true);
    }
  });

  test.each(panels)('$dashboard panel $id with every variable chosen runs', async ({ file, id }) => {
    const variables = { service: ["o'brien\\"], level: ['error', 'warn'], search: "'", host: ['h1'] };
    for (const { rawSql } of file.panels.get(id)!.targets) {
      const sql = expandSql(rawSql, file.variables, variables, timeContext(request, {}));
      const { columns } = await reader.select(sql);
      expect(columns.length).toBeGreaterThan(1);
    }
  });
});

test('variables give their values', async () => {
  const [logs, host] = ['millrace-logs', 'millrace-host'].map((uid) => files.find((one) => one.uid === uid)!);
  expect(await variableOptions(reader, logs!, 'service', request)).toEqual([
    { value: "o'brien\\", text: "o'brien\\" },
    { value: 'shop', text: 'shop' },
  ]);
  expect(await variableOptions(reader, host!, 'host', request)).toEqual([{ value: 'h1', text: 'h1' }]);
  const levels = await variableOptions(reader, logs!, 'level', request);
  expect(levels.map(({ value }) => value)).toContain('unknown');
});

const logsBoard = files.find(({ uid }) => uid === 'millrace-logs')!;

test.each([
  [{}, 120],
  [{ service: ["o'brien\\"] }, 60],
  [{ service: ['shop', "o'brien\\"], level: ['warn'] }, 40],
  [{ level: ['error', 'unknown'] }, 80],
  [{ search: 'ÄPFEL' }, 1],
  [{ search: "' OR 1=1 --" }, 0],
  [{ search: '\\' }, 1],
  [{ search: "\\' OR 1=1 --" }, 0],
  [{ service: '$__all', search: 'order' }, 120],
])('log lines with %j are %s', async (variables, count) => {
  const lines = await queryPanel(reader, logsBoard, 2, { ...request, variables });
  expect(lines.frames[0]?.fields[0]?.values).toHaveLength(count);
  const volume = await queryPanel(reader, logsBoard, 1, { ...request, variables });
  const sum = volume.frames[0]!.fields.slice(1)
    .flatMap(({ values }) => values as Array<number | null>)
    .reduce<number>((total, value) => total + (value ?? 0), 0);
  expect(sum).toBe(count);
});

test('log lines come newest first, with level and maps', async () => {
  const { frames } = await queryPanel(reader, logsBoard, 2, request);
  const field = (name: string) => frames[0]!.fields.find((one) => one.name === name)!;
  expect(field('timestamp').values.slice(0, 2)).toEqual([FROM + 119 * SAMPLE_MS, FROM + 118 * SAMPLE_MS]);
  expect(field('timestamp').nanos?.slice(0, 2)).toEqual([119_000, 118_000]);
  expect(field('level').values.slice(0, 3)).toEqual(['unknown', 'warn', 'error']);
  expect(field('attributes').values[0]).toEqual({ n: '119' });
});

test.each([5_000, 10_000, 30_000, 7_000])(
  'a rate in intervals of %i ms is level over the restart of a process',
  async (intervalMs) => {
    const time = { fromMs: FROM, toMs: TO, intervalMs, intervalText: '' };
    const selection = {
      metric: 'kafka_topic_appended_records_total',
      service: 'millrace',
      by: ['topic', "Attributes['topic']"],
    } as const;
    const frame = timeSeriesFrame('A', await reader.select(expandSql(rateSql(selection), [], {}, time)));
    expect(frame.fields.slice(1).map(({ labels }) => labels?.['topic'])).toEqual([
      'millrace.alerts',
      'otlp_logs',
      'otlp_metrics',
    ]);
    const values = frame.fields[1]!.values as number[];
    expect(values.length).toBeGreaterThan(10);
    // The sample after the restart counts from 0, so it says 0: what came before it died unseen.
    const level = values.filter((value) => Math.abs(value - 10) < 0.001);
    const lower = values.filter((value) => value < 9.999);
    expect(values.filter((value) => value < 0 || value > 10.001)).toEqual([]);
    expect(lower.length).toBeLessThanOrEqual(1);
    expect(level.length + lower.length).toBe(values.length);
  },
);

test('the first sample of a process that started within the range makes a rate already', async () => {
  const selection = {
    metric: 'fresh_total',
    service: 'millrace',
    by: ['topic', "Attributes['topic']"],
  } as const;
  const ask = async (fromMs: number) => {
    const time = { fromMs, toMs: FROM + 66_000, intervalMs: 1_000, intervalText: '' };
    const frame = timeSeriesFrame('A', await reader.select(expandSql(rateSql(selection), [], {}, time)));
    return Object.fromEntries(frame.fields.slice(1).map(({ labels, values }) => [labels?.['topic'], values]));
  };
  expect(await ask(FROM)).toEqual({ early: [10, 10], late: [null, 10] });
  // What began before the range has no first sample: nobody knows how much of it is new.
  expect(await ask(FROM + 2_000)).toEqual({ early: [10] });
});

test('CPU busy is the share of all processor time', async () => {
  const host = files.find(({ uid }) => uid === 'millrace-host')!;
  const { frames } = await queryPanel(reader, host, 1, request);
  const values = frames[0]!.fields[1]!.values as number[];
  for (const value of values) expect(value).toBeCloseTo(0.5, 6);
});
