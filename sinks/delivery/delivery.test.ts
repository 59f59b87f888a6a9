import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { Part } from '../../broker/host/part.ts';
import { encodeLogs } from '../../broker/records/otlp/write-logs.ts';
import { DEAD_LETTER_TOPIC, SIGNAL_TOPICS } from '../../broker/records/topics.ts';
import { eventually } from '../../test/support/eventually.ts';
import {
  type FakeAnswer,
  type FakeClickHouse,
  startFakeClickHouse,
} from '../../test/support/fake-clickhouse.ts';
import { FakeKafka } from '../../test/support/fake-kafka.ts';
import { fastHost } from '../../test/support/fast-host.ts';
import { openClickHouse } from '../clickhouse/client.ts';
import { TABLES } from '../clickhouse/layout.ts';
import type { ClickHouse } from '../clickhouse/port.ts';
import { sinkConfig } from '../config.ts';
import { start } from '../main.ts';

const LOGS = SIGNAL_TOPICS.logs;
const RECORDS = 24;
const NEVER = new Promise<never>(() => undefined);

let server: FakeClickHouse;
let kafka: FakeKafka;
let running: Process[] = [];

beforeAll(async () => {
  server = await startFakeClickHouse();
});

afterAll(() => server?.close());

beforeEach(() => {
  kafka = new FakeKafka();
  kafka.createTopic(LOGS, 2);
  kafka.createTopic(SIGNAL_TOPICS.metrics, 1);
  kafka.createTopic(SIGNAL_TOPICS.spans, 1);
  for (const table of Object.values(TABLES)) server.rows(table).length = 0;
  server.script.length = 0;
  server.broken = undefined;
  server.refuses = () => false;
  server.afterInsert = () => undefined;
});

afterEach(async () => {
  for (const one of running) await one.kill();
  running = [];
});

/** A sink, and a way to end it as kill -9 does: nothing that it does afterwards has an effect. */
interface Process {
  readonly part: Part;
  readonly host: ReturnType<typeof fastHost>;
  kill(): Promise<void>;
}

async function startSink(settings: object = {}): Promise<Process> {
  const config = sinkConfig.parse({
    kafka: { brokers: ['unused:1'] },
    clickhouse: { url: server.url },
    batch: { rowsMax: 10, lingerMs: 50 },
    retentionDays: 0,
    ...settings,
  });
  let dead = false;
  const clickhouse = openClickHouse({ url: server.url, username: 'default', password: '' }, 100);
  const unlessDead = <T>(call: () => Promise<T>): Promise<T> =>
    dead
      ? NEVER
      : call().then(
          (value) => (dead ? NEVER : value),
          (error: unknown) => (dead ? NEVER : Promise.reject(error as Error)),
        );
  const killable: ClickHouse = {
    ping: () => unlessDead(() => clickhouse.ping()),
    command: (sql, params) => unlessDead(() => clickhouse.command(sql, params)),
    rows: (sql, params) => unlessDead(() => clickhouse.rows(sql, params)),
    insert: (insert) => unlessDead(() => clickhouse.insert(insert)),
    close: () => clickhouse.close(),
  };
  const host = fastHost();
  const part = await start(config, host, { kafka: kafka.client(), clickhouse: killable });
  const made: Process = {
    part,
    host,
    async kill() {
      if (dead) return;
      dead = true;
      kafka.crash();
      await clickhouse.close();
    },
  };
  running.push(made);
  return made;
}

function logRequest(name: string, rows = 2): Buffer {
  const timeUnixNano = BigInt(Date.now()) * 1_000_000n;
  const records = Array.from({ length: rows }, (_, index) => ({ timeUnixNano, body: `${name}/${index}` }));
  return encodeLogs({ resource: { attributes: { 'service.name': 'test' } }, records });
}

function append(count = RECORDS): void {
  for (let record = 0; record < count; record += 1) {
    const partition = record % 2;
    kafka.append(LOGS, partition, logRequest(`p${partition}-${record}`));
  }
}

/** Everything in the table once, with its place, and everything committed. */
async function expectDelivered(count = RECORDS): Promise<void> {
  await eventually(
    () => {
      expect(kafka.committed.get(`${LOGS}/0`)).toBe(count / 2);
      expect(kafka.committed.get(`${LOGS}/1`)).toBe(count / 2);
    },
    { everyMs: 5 },
  );
  const bodies = server.rows(TABLES.logs).map((row) => row['Body'] as string);
  const wanted = Array.from({ length: count }, (_, record) =>
    [0, 1].map((index) => `p${record % 2}-${record}/${index}`),
  ).flat();
  expect(bodies.sort()).toEqual(wanted.sort());
}

/** The rule of rules: below a committed offset everything is in the table. */
function watchCommits(): string[] {
  const faults: string[] = [];
  kafka.beforeCommit = (offsets) => {
    for (const { topic, partition, offset } of offsets) {
      const stored = new Set(
        server
          .rows(TABLES.logs)
          .flatMap((row) => (row['_partition'] === partition ? [Number(row['_offset'])] : [])),
      );
      for (let below = 0; below < offset; below += 1) {
        if (topic === LOGS && !stored.has(below))
          faults.push(`committed ${offset} of ${partition} without ${below}`);
      }
    }
  };
  return faults;
}

const error = (
  status: number,
  code: number,
  name: string,
  applied: 'none' | 'half' | 'all' = 'none',
): FakeAnswer => ({
  type: 'error',
  status,
  code,
  name,
  applied,
});

const ANSWERS: ReadonlyArray<[string, FakeAnswer]> = [
  ['ok', { type: 'ok' }],
  ['table missing', error(404, 60, 'UNKNOWN_TABLE')],
  ['database missing', error(404, 81, 'UNKNOWN_DATABASE')],
  ['password wanted', error(401, 194, 'REQUIRED_PASSWORD')],
  ['wrong password', error(403, 516, 'AUTHENTICATION_FAILED')],
  ['no right', error(403, 497, 'ACCESS_DENIED')],
  ['read-only', error(500, 164, 'READONLY')],
  ['table read-only', error(500, 242, 'TABLE_IS_READ_ONLY')],
  ['out of memory', error(500, 241, 'MEMORY_LIMIT_EXCEEDED')],
  ['too many parts', error(500, 252, 'TOO_MANY_PARTS')],
  ['disk full', error(500, 243, 'NOT_ENOUGH_SPACE')],
  ['overloaded', error(503, 202, 'TOO_MANY_SIMULTANEOUS_QUERIES')],
  ['refused after the commit', error(500, 999, 'KEEPER_EXCEPTION', 'all')],
  ['refused half way', error(500, 999, 'KEEPER_EXCEPTION', 'half')],
  ['time-out of the server after the commit', error(408, 159, 'TIMEOUT_EXCEEDED', 'all')],
  ['reset before', { type: 'reset', applied: 'none' }],
  ['reset half way', { type: 'reset', applied: 'half' }],
  ['reset after the commit', { type: 'reset', applied: 'all' }],
  ['silence before', { type: 'hang', applied: 'none' }],
  ['silence after the commit', { type: 'hang', applied: 'all' }],
];

describe.each(ANSWERS)('insert answered: %s', (_, answer) => {
  test('and repeated', async () => {
    const faults = watchCommits();
    append();
    server.script.push(answer, { type: 'ok' }, answer);
    await startSink();
    await expectDelivered();
    expect(faults).toEqual([]);
  });

  test('and killed once rows are in the table, before the commit', async () => {
    const faults = watchCommits();
    append();
    server.script.push(answer, { type: 'ok' }, answer);
    const first = await startSink();
    let inserts = 0;
    const killed = new Promise<void>((done) => {
      server.afterInsert = () => {
        inserts += 1;
        if (inserts === 2) void first.kill().then(done);
      };
    });
    await killed;
    server.afterInsert = () => undefined;
    await startSink();
    await expectDelivered();
    expect(faults).toEqual([]);
  });

  test('and killed at the commit', async () => {
    append();
    server.script.push(answer, { type: 'ok' }, answer);
    const first = await startSink();
    await new Promise<void>((done) => {
      kafka.beforeCommit = () => {
        void first.kill().then(done);
        throw new Error('killed before the commit arrived');
      };
    });
    const faults = watchCommits();
    await startSink();
    await expectDelivered();
    expect(faults).toEqual([]);
  });
});

test('refused commits are repeated', async () => {
  append();
  kafka.refusedCommits = 3;
  await startSink();
  await expectDelivered();
  expect(kafka.refusedCommits).toBe(0);
});

test('a rebalance drains: what is in hand is stored and committed, and nothing comes twice', async () => {
  append(12);
  await startSink({ batch: { rowsMax: 1_000_000, lingerMs: 1_000_000 } });
  await eventually(() => expect(kafka.committed.size).toBe(0));
  await eventually(async () => {
    await kafka.rebalance();
    expect(kafka.committed.get(`${LOGS}/1`)).toBe(6);
  });
  await expectDelivered(12);
});

test('a stop drains, and the next start goes on', async () => {
  append(12);
  const first = await startSink({ batch: { rowsMax: 1_000_000, lingerMs: 1_000_000 } });
  const consumed = () => metric(first, 'millrace_sink_consumed_records_total');
  await eventually(() => expect(consumed()).toBe(12));
  await first.part.stop(5_000);
  await expectDelivered(12);
});

test('a store that is away holds everything up, loses nothing, and is found again', async () => {
  server.broken = {
    type: 'error',
    status: 503,
    code: 202,
    name: 'TOO_MANY_SIMULTANEOUS_QUERIES',
    applied: 'none',
  };
  append();
  await startSink();
  await eventually(() => expect(kafka.committed.size).toBe(0));
  server.broken = undefined;
  await expectDelivered();
});

test('a malformed record becomes a dead letter, with its place, and the others go on', async () => {
  append(12);
  kafka.append(LOGS, 0, Buffer.from([0x0a, 0x7f]));
  kafka.append(LOGS, 1, logRequest('p1-last'));
  await startSink();
  await eventually(() => expect(kafka.committed.get(`${LOGS}/0`)).toBe(7));
  const [dead] = kafka.records(DEAD_LETTER_TOPIC);
  expect(dead!.value).toEqual(Buffer.from([0x0a, 0x7f]));
  const headers = Object.fromEntries(
    Object.entries(dead!.headers).map(([name, value]) => [name, value.toString()]),
  );
  expect(headers).toMatchObject({
    'millrace.dlq.topic': LOGS,
    'millrace.dlq.partition': '0',
    'millrace.dlq.offset': '6',
    'millrace.dlq.reason': expect.stringContaining('cannot read OTLP') as string,
  });
});

test('a row that the table refuses is found by halving; all others are stored once', async () => {
  append();
  server.refuses = (row) => row['Body'] === 'p1-7/1';
  const sink = await startSink();
  await eventually(() => expect(kafka.committed.get(`${LOGS}/1`)).toBe(RECORDS / 2));
  const bodies = server.rows(TABLES.logs).map((row) => row['Body']);
  expect(bodies.length).toBe(RECORDS * 2 - 1);
  expect(new Set(bodies).size).toBe(RECORDS * 2 - 1);
  const dead = kafka.records(DEAD_LETTER_TOPIC);
  expect(dead.map(({ headers }) => String(headers['millrace.dlq.index']))).toEqual(['1']);
  expect(metric(sink, 'millrace_sink_dead_lettered_records_total')).toBe(1);
});

test('a table with other columns than ours waits for somebody to mend it', async () => {
  append();
  server.refuses = () => true;
  server.columnsOf = () => [['Timestamp', 'DateTime']];
  const sink = await startSink();
  await eventually(() => expect(metric(sink, 'millrace_sink_retries_total')).toBeGreaterThan(3));
  expect(kafka.records(DEAD_LETTER_TOPIC)).toEqual([]);
  expect(kafka.committed.size).toBe(0);
  server.refuses = () => false;
  await expectDelivered();
});

test('a topic that was made anew begins again at 0 under another origin', async () => {
  append(12);
  await startSink();
  await expectDelivered(12);
  kafka.createTopic(LOGS, 2, 'second-life');
  kafka.committed.clear();
  const client = kafka.rebalance();
  kafka.append(LOGS, 0, logRequest('second'));
  await client;
  await eventually(() => expect(kafka.committed.get(`${LOGS}/0`)).toBe(1));
  const origins = new Set(server.rows(TABLES.logs).map((row) => row['_origin']));
  expect(origins).toEqual(new Set([`cluster/${LOGS}-id`, 'cluster/second-life']));
});

test('memory is bounded: what does not fit stays in the broker', async () => {
  const big = 'x'.repeat(60_000);
  for (let record = 0; record < 100; record += 1) kafka.append(LOGS, 0, logRequest(`${record}-${big}`, 1));
  const hang: FakeAnswer = { type: 'hang', applied: 'none' };
  server.script.push(hang, hang, hang, hang, hang, hang);
  const sink = await startSink({ inFlightBytesMax: 1024 * 1024 });
  let peak = 0;
  await eventually(() => {
    peak = Math.max(peak, metric(sink, 'millrace_sink_in_flight_bytes'));
    expect(kafka.committed.get(`${LOGS}/0`)).toBe(100);
  });
  expect(peak).toBeGreaterThan(500_000);
  // One fetch beyond the bound: it is checked before a batch is taken in.
  expect(peak).toBeLessThan(1024 * 1024 + 700_000);
});

function metric({ host }: Process, name: string): number {
  const family = host.metrics.snapshot().find((one) => one.name === name);
  return (family?.series ?? []).reduce((sum, { value }) => sum + value, 0);
}
