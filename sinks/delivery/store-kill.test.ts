import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { nodeHost } from '../../broker/host/node-host.ts';
import { encodeLogs } from '../../broker/records/otlp/write-logs.ts';
import { SIGNAL_TOPICS } from '../../broker/records/topics.ts';
import { eventually } from '../../test/support/eventually.ts';
import { FakeKafka } from '../../test/support/fake-kafka.ts';
import { openClickHouse } from '../clickhouse/client.ts';
import { sinkConfig } from '../config.ts';
import { start } from '../main.ts';
import { writerPassword } from '../store/credentials.ts';
import { storeEnvironment } from '../store/environment.ts';

const KILLS = 1;
const ROWS_A_RECORD = 50;

let dataDir: string;
let child: ChildProcess | undefined;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'millrace-store-'));
});

afterAll(async () => {
  child?.kill('SIGKILL');
  await rm(dataDir, { recursive: true, force: true });
});

async function startStore(port: number): Promise<number> {
  const script = `
    const { start } = await import('./sinks/store/main.ts');
    const { storeConfig } = await import('./sinks/store/config.ts');
    const { nodeHost } = await import('./broker/host/node-host.ts');
    const part = await start(storeConfig.parse(${JSON.stringify({ dataDir, port })}), nodeHost());
    process.send(part.addresses.clickhouse.port);`;
  child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...storeEnvironment() },
  });
  const [taken] = (await once(child, 'message')) as [number];
  return taken;
}

test('kill -9 of the store in the middle of inserts: every row once', async () => {
  const port = await startStore(0);
  const url = `http://127.0.0.1:${port}`;
  const kafka = new FakeKafka();
  for (const topic of Object.values(SIGNAL_TOPICS)) kafka.createTopic(topic, 2);
  const config = sinkConfig.parse({
    kafka: { brokers: ['unused:1'] },
    clickhouse: { url },
    batch: { rowsMax: 500, lingerMs: 20 },
  });
  const clickhouse = openClickHouse({ url, username: 'millrace', password: await writerPassword(dataDir) });
  const host = nodeHost();
  const sink = await start(config, host, { kafka: kafka.client(), clickhouse });
  let appended = 0;
  const append = (records: number): void => {
    for (let record = 0; record < records; record += 1, appended += 1) {
      const nowNs = BigInt(Date.now()) * 1_000_000n;
      // Two days in every record, so that one of them is two inserts.
      const rows = Array.from({ length: ROWS_A_RECORD }, (_, index) => ({
        timeUnixNano: nowNs - (index % 2 === 0 ? 0n : 86_400_000_000_000n),
        body: `${appended}/${index}`,
      }));
      kafka.append(SIGNAL_TOPICS.logs, appended % 2, encodeLogs({ records: rows }));
    }
  };
  const inserted = (): number => {
    const family = host.metrics.snapshot().find(({ name }) => name === 'millrace_sink_inserted_rows_total');
    return family?.series.reduce((sum, { value }) => sum + value, 0) ?? 0;
  };
  for (let kill = 0; kill < KILLS; kill += 1) {
    const before = inserted();
    append(60);
    await eventually(() => expect(inserted()).toBeGreaterThan(before));
    child!.kill('SIGKILL');
    await once(child!, 'exit');
    await startStore(port);
  }
  append(20);
  await eventually(
    () => {
      expect(kafka.committed.get(`${SIGNAL_TOPICS.logs}/0`)).toBe(appended / 2);
      expect(kafka.committed.get(`${SIGNAL_TOPICS.logs}/1`)).toBe(appended / 2);
    },
    { timeoutMs: 30_000 },
  );
  const audit =
    'SELECT count() AS n, uniqExact(_topic, _partition, _offset, _index) AS once FROM otel.otel_logs';
  const rows = appended * ROWS_A_RECORD;
  expect(await clickhouse.rows(audit)).toEqual([{ n: rows, once: rows }]);
  await sink.stop(2_000);
}, 60_000);
