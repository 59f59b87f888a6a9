import { afterAll, beforeAll, expect, test } from 'vitest';

import { encodeLogs } from '../broker/records/otlp/write-logs.ts';
import { encodeMetrics } from '../broker/records/otlp/write-metrics.ts';
import { SIGNAL_TOPICS } from '../broker/records/topics.ts';
import { nodeHost } from '../broker/host/node-host.ts';
import { eventually } from '../test/support/eventually.ts';
import { FakeKafka } from '../test/support/fake-kafka.ts';
import { oracleEncode } from '../test/support/otlp-oracle.ts';
import { startTestStore, type TestStore } from '../test/support/store.ts';
import { openClickHouse } from './clickhouse/client.ts';
import type { ClickHouse } from './clickhouse/port.ts';
import { sinkConfig } from './config.ts';
import { start } from './main.ts';

let store: TestStore;
let reader: ClickHouse;

beforeAll(async () => {
  store = await startTestStore();
  reader = openClickHouse({ url: store.url, username: 'default', password: '' });
});

afterAll(async () => {
  await reader?.close();
  await store?.close();
});

const count = async (table: string): Promise<object[]> =>
  reader.rows(
    `SELECT count() AS n, uniqExact(_topic, _partition, _offset, _index) AS once FROM otel.${table}`,
  );

test('all three signals reach the embedded ClickHouse once, over a crash of the sink between insert and commit', async () => {
  const kafka = new FakeKafka();
  for (const topic of Object.values(SIGNAL_TOPICS)) kafka.createTopic(topic, 2);
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  const yesterdayNs = nowNs - 86_400_000_000_000n;
  const resource = { attributes: { 'service.name': 'shop' } };
  for (let record = 0; record < 40; record += 1) {
    const records = [nowNs, yesterdayNs, nowNs].map((timeUnixNano, index) => ({
      timeUnixNano,
      body: `${record}/${index}`,
    }));
    kafka.append(SIGNAL_TOPICS.logs, record % 2, encodeLogs({ resource, records }));
    const points = [{ timeUnixNano: nowNs, value: record }];
    const metrics = [
      { name: 'g', type: 'gauge' as const, points },
      { name: 's', type: 'sum' as const, points, isMonotonic: true, aggregationTemporality: 2 },
    ];
    kafka.append(SIGNAL_TOPICS.metrics, record % 2, encodeMetrics({ resource, metrics }));
    const spans = [
      {
        traceId: Buffer.alloc(16, record + 1),
        startTimeUnixNano: String(nowNs),
        endTimeUnixNano: String(nowNs),
      },
    ];
    kafka.append(
      SIGNAL_TOPICS.spans,
      record % 2,
      oracleEncode('ExportTrace', { resourceSpans: [{ scopeSpans: [{ spans }] }] }),
    );
  }
  const config = sinkConfig.parse({
    kafka: { brokers: ['unused:1'] },
    clickhouse: { url: store.url },
    // Long enough for one cut to hold everything: a sink that cannot commit takes no third one.
    batch: { lingerMs: 300 },
  });
  const connect = () => openClickHouse({ url: store.url, username: 'millrace', password: store.password });

  // The first sink never gets a commit through.
  kafka.refusedCommits = Number.MAX_SAFE_INTEGER;
  const first = await start(config, nodeHost(), { kafka: kafka.client(), clickhouse: connect() });
  await eventually(async () => expect(await count('otel_logs')).toEqual([{ n: 120, once: 120 }]));
  await eventually(async () => expect(await count('otel_traces')).toEqual([{ n: 40, once: 40 }]));
  kafka.crash();
  await first.stop(100);
  expect(kafka.committed.size).toBe(0);

  kafka.refusedCommits = 0;
  const host = nodeHost();
  const second = await start(config, host, { kafka: kafka.client(), clickhouse: connect() });
  await eventually(() => expect([...kafka.committed.values()]).toEqual([20, 20, 20, 20, 20, 20]));
  expect(await count('otel_logs')).toEqual([{ n: 120, once: 120 }]);
  expect(await count('otel_metrics_gauge')).toEqual([{ n: 40, once: 40 }]);
  expect(await count('otel_metrics_sum')).toEqual([{ n: 40, once: 40 }]);
  expect(await count('otel_traces')).toEqual([{ n: 40, once: 40 }]);
  expect(await reader.rows('SELECT count() AS n FROM otel.otel_traces_trace_id_ts')).toEqual([{ n: 40 }]);
  const found = host.metrics.snapshot().find(({ name }) => name === 'millrace_sink_in_doubt_rows_total');
  expect(found!.series.reduce((sum, { value }) => sum + value, 0)).toBe(120 + 40 + 40 + 40);
  await second.stop(5_000);
});

test('waits for a ClickHouse that is not there, and stops in time while it waits', async () => {
  const warnings: string[] = [];
  const log = {
    debug() {},
    info() {},
    error() {},
    warn: (_: object, message: string) => void warnings.push(message),
  };
  const config = sinkConfig.parse({
    kafka: { brokers: ['localhost:1'] },
    clickhouse: { url: 'http://localhost:1' },
  });
  const part = await start(config, nodeHost(log));
  await eventually(() => expect(warnings).toEqual(['cannot yet: trying again until it works']));
  await part.stop(2_000);
});
