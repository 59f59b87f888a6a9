import { SeverityNumber } from '@opentelemetry/api';
import { OTLPLogExporter as JsonLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtoLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as JsonMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtoMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { nodeHost } from '../../broker/host/node-host.ts';
import type { Part } from '../../broker/host/part.ts';
import { readLogs } from '../../broker/records/otlp/read-logs.ts';
import { readMetrics } from '../../broker/records/otlp/read-metrics.ts';
import { collectorConfig } from '../../collector/config.ts';
import { start } from '../../collector/main.ts';
import { eventually } from '../support/eventually.ts';
import { oracleDecode, type OracleType } from '../support/otlp-oracle.ts';
import { startTestBroker, type TestBroker } from '../support/test-broker.ts';

// The story of the topics: an application under OpenTelemetry's own SDK sends to the collector, and somebody who
// knows nothing of Millrace reads `otlp_logs` and `otlp_metrics` with a Kafka client and a protobuf library.

let broker: TestBroker;
let collector: Part;
let url: string;

beforeAll(async () => {
  broker = await startTestBroker({});
  collector = await startCollector();
  url = `http://localhost:${collector.addresses['otlpHttp']!.port}`;
});
afterAll(async () => {
  await collector?.stop(5_000);
  await broker?.stop();
});

const FORMS = [
  ['protobuf', ProtoLogExporter, ProtoMetricExporter],
  ['JSON', JsonLogExporter, JsonMetricExporter],
] as const;

test.each(FORMS)('logs of the OpenTelemetry SDK as %s arrive unchanged', async (form, LogExporter) => {
  const provider = new LoggerProvider({
    resource: resourceFromAttributes({ 'service.name': `app-${form}`, 'service.instance.id': 'i1' }),
    processors: [new BatchLogRecordProcessor({ exporter: new LogExporter({ url: `${url}/v1/logs` }) })],
  });
  const logger = provider.getLogger('scenario', '1.2.3');
  for (let index = 0; index < 100; index += 1) {
    logger.emit({
      severityNumber: SeverityNumber.WARN,
      severityText: 'WARN',
      body: `Zeile ${index} ✓`,
      attributes: { index, ratio: 0.5, ok: true, list: ['a', 'b'], nested: { deep: { x: 1 } } },
    });
  }
  await provider.forceFlush();
  await provider.shutdown();

  const values = await eventually(async () => {
    const records = await readTopic('otlp_logs', `app-${form}/i1`);
    const count = records.reduce((sum, value) => sum + readLogs(value).length, 0);
    if (count !== 100) throw new Error(`got ${count} records, want 100`);
    return records;
  });
  const theirs = values.flatMap((value) => recordsOf('ExportLogs', value, LOGS));
  expect(theirs).toHaveLength(100);
  expect(theirs[7]).toMatchObject({
    severityNumber: 13,
    severityText: 'WARN',
    body: { stringValue: 'Zeile 7 ✓' },
    attributes: [
      { key: 'index', value: { intValue: '7' } },
      { key: 'ratio', value: { doubleValue: 0.5 } },
      { key: 'ok', value: { boolValue: true } },
      { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { stringValue: 'b' }] } } },
      {
        key: 'nested',
        value: {
          kvlistValue: {
            values: [
              { key: 'deep', value: { kvlistValue: { values: [{ key: 'x', value: { intValue: '1' } }] } } },
            ],
          },
        },
      },
    ],
  });
  const ours = values.flatMap((value) => readLogs(value));
  expect(ours.map(({ body }) => body)).toEqual(Array.from({ length: 100 }, (_, index) => `Zeile ${index} ✓`));
  expect(ours[7]).toMatchObject({
    attributes: { index: 7, ratio: 0.5, ok: true, list: ['a', 'b'], nested: { deep: { x: 1 } } },
    scope: { name: 'scenario', version: '1.2.3' },
    resource: { attributes: { 'service.name': `app-${form}` } },
  });
});

test.each(FORMS)(
  'metrics of the OpenTelemetry SDK as %s arrive unchanged',
  async (form, _logs, MetricExporter) => {
    const provider = new MeterProvider({
      resource: resourceFromAttributes({ 'service.name': `meter-${form}`, 'service.instance.id': 'i1' }),
      readers: [
        new PeriodicExportingMetricReader({
          exporter: new MetricExporter({ url: `${url}/v1/metrics` }),
          exportIntervalMillis: 60_000,
        }),
      ],
    });
    const meter = provider.getMeter('scenario');
    meter.createCounter('requests', { unit: '1' }).add(42, { route: '/a' });
    const histogram = meter.createHistogram('took');
    for (const value of [1, 7, 30]) histogram.record(value);
    meter.createObservableGauge('temperature').addCallback((result) => result.observe(-3.5));
    await provider.forceFlush();
    await provider.shutdown();

    const values = await eventually(async () => {
      const records = await readTopic('otlp_metrics', `meter-${form}/i1`);
      if (records.length === 0) throw new Error('nothing there yet');
      return records;
    });
    const theirs = recordsOf('ExportMetrics', values[0]!, METRICS);
    expect(theirs.map((metric) => (metric as { name: string }).name)).toEqual([
      'requests',
      'took',
      'temperature',
    ]);
    const ours = new Map(readMetrics(values[0]!).map((metric) => [metric.name, metric]));
    expect(ours.get('requests')).toMatchObject({
      unit: '1',
      data: {
        type: 'sum',
        isMonotonic: true,
        aggregationTemporality: 2,
        points: [{ value: 42, attributes: { route: '/a' } }],
      },
    });
    expect(ours.get('took')).toMatchObject({
      data: { type: 'histogram', points: [{ count: 3n, sum: 38, min: 1, max: 30 }] },
    });
    expect(ours.get('temperature')).toMatchObject({ data: { type: 'gauge', points: [{ value: -3.5 }] } });
  },
);

test('a collector that starts before its broker refuses, then works, without a restart', async () => {
  await broker.halt();
  const early = await startCollector();
  try {
    const ready = `http://localhost:${early.addresses['otlpHttp']!.port}/ready`;
    expect((await fetch(ready)).status).toBe(503);
    await broker.restart();
    await eventually(async () => expect((await fetch(ready)).status).toBe(200), { timeoutMs: 15_000 });
  } finally {
    await early.stop(5_000);
  }
}, 40_000);

function startCollector(): Promise<Part> {
  const config = { otlpHttp: { host: 'localhost', port: 0 }, kafka: { brokers: [broker.address] } };
  return start(collectorConfig.parse(config), nodeHost());
}

/** All values with this key, by plain kafkajs. */
async function readTopic(topic: string, key: string): Promise<Buffer[]> {
  const kafka = new Kafka({ clientId: 'reader', brokers: [broker.address], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const total = offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  if (total === 0) return [];
  const consumer = kafka.consumer({ groupId: `reader-${Math.random()}`, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const values: Buffer[] = [];
  let seen = 0;
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachMessage: ({ message }) => {
          if (message.key?.toString() === key) values.push(message.value!);
          seen += 1;
          if (seen === total) resolve();
          return Promise.resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return values;
}

const LOGS = ['resourceLogs', 'scopeLogs', 'logRecords'] as const;
const METRICS = ['resourceMetrics', 'scopeMetrics', 'metrics'] as const;

/** The records of a request that protobufjs decoded, out of their envelopes. */
function recordsOf(type: OracleType, value: Buffer, path: readonly string[]): unknown[] {
  let level: unknown[] = [oracleDecode(type, value)];
  for (const name of path) {
    level = level.flatMap((message) => (message as Record<string, unknown[]>)[name] ?? []);
  }
  return level;
}
