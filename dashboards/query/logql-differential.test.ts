// One LogQL: random queries over random records give the same answer as SQL over the stored rows, as the pipeline that
// live tail runs, and as the windows that alert rules count in. The rows are made by the sink's own encoder.
import { afterAll, beforeAll, expect, test } from 'vitest';

import { silentLog } from '../../broker/host/log.ts';
import type { AnyValue, Attributes, LogRecord } from '../../broker/records/otlp/model.ts';
import { readLogs } from '../../broker/records/otlp/read-logs.ts';
import { encodeLogs, type LogRecordToWrite } from '../../broker/records/otlp/write-logs.ts';
import { SIGNAL_TOPICS } from '../../broker/records/topics.ts';
import { labelsKey, newLabels } from '../../sinks/alerts/labels.ts';
import { planExpression } from '../../sinks/alerts/plan.ts';
import { openClickHouse } from '../../sinks/clickhouse/client.ts';
import { COLUMNS } from '../../sinks/clickhouse/columns.ts';
import { ENCODERS } from '../../sinks/clickhouse/encode.ts';
import { migrate } from '../../sinks/clickhouse/migrate.ts';
import { RowBatches } from '../../sinks/clickhouse/row-batch.ts';
import { timeRule } from '../../sinks/clickhouse/row-time.ts';
import { rangesOf } from '../../sinks/logql/ast.ts';
import { formatQuery } from '../../sinks/logql/format.ts';
import { labelsOf, lineBytesOf, lineOf, streamLabels, timestampNsOf } from '../../sinks/logql/labels.ts';
import { compilePipeline } from '../../sinks/logql/match.ts';
import { parseLogs, parseMetric, parseQuery } from '../../sinks/logql/parse.ts';
import { seededRandom } from '../../test/support/seeded-random.ts';
import { type TestStore, startTestStore } from '../../test/support/store.ts';
import { webConfig } from '../config.ts';
import { type ClickHouseReader, openClickHouseReader } from './clickhouse-reader.ts';
import { findLogs } from './log-rows.ts';
import { type Steps } from './log-windows.ts';
import { pipelineSql } from './logql-sql.ts';
import { evaluateMetric } from './metric-query.ts';

// Others, and more of them: MILLRACE_SEED=7 MILLRACE_LOGQL_RUNS=5000 npx vitest run dashboards/query/logql-differential.test.ts
const SEED = Number(process.env['MILLRACE_SEED'] ?? 1);
const RUNS = Number(process.env['MILLRACE_LOGQL_RUNS'] ?? 40);
const TIMEOUT_MS = 20_000 + RUNS * 1_000;

/** On a five-minute border. */
const T0_MS = Date.UTC(2026, 10, 22, 12);
const RECORDS = 300;
const SPAN_MS = 60_000;

let random = seededRandom(SEED);
const below = (bound: number): number => Math.floor(random() * bound);
const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
const chance = (probability: number): boolean => random() < probability;

let store: TestStore;
let reader: ClickHouseReader;
let records: LogRecord[];
const counts = { kept: 0, redated: 0, expired: 0 };

beforeAll(async () => {
  store = await startTestStore();
  const clickhouse = openClickHouse({ url: store.url, username: 'millrace', password: store.password });
  await migrate(clickhouse, { database: 'otel', retentionDays: 0 }, silentLog);
  const values = requests();
  records = values.flatMap((value) => readLogs(value));
  const batches = new RowBatches();
  const source = batches.source({ origin: 'c/t', topic: SIGNAL_TOPICS.logs, partition: 0 });
  batches.begin();
  for (const [offset, value] of values.entries()) {
    const place = { source, offset, appendMs: T0_MS };
    ENCODERS.get(SIGNAL_TOPICS.logs)!(value, place, timeRule(T0_MS + SPAN_MS, 0), batches, counts);
  }
  for (const batch of batches.all) {
    await clickhouse.insert({
      table: `otel.${batch.table}`,
      columns: COLUMNS[batch.table].map(([name]) => `\`${name}\``),
      body: batch.slice(0, batch.rows),
      queryId: `differential-${batch.day}`,
      mark: 'test',
    });
  }
  await clickhouse.close();
  const config = webConfig.parse({ clickhouse: { url: store.url } });
  reader = openClickHouseReader(config.clickhouse, config.limits);
});

afterAll(async () => {
  await reader?.close();
  await store?.close();
});

/** Stands for three bytes that no UTF-8 text has, put in its place once the request is encoded. */
const INVALID = '\u0001\u0002\u0003';
const INVALID_BYTES = Buffer.from([0xff, 0xc3, 0xf0]);

const BODIES: readonly AnyValue[] = [
  '',
  'payment failed for order 17',
  'Payment ok\tin 20ms',
  'first line\nsecond line',
  `it's \\ quoted \\' "so" \`ticks\``,
  'Größe ✓ 😀 �� naïve',
  '{"status":500,"user":{"name":"ann","id":12345678901234567890},"took":"1.5s","level":"odd","ok":true}',
  '{"status":200,"user":{"name":"bob"},"took":"20ms","size":"3kb","empty":"","list":[1]}',
  '{"broken":',
  'status=200 took=20ms msg="all well" size=3kb user.name=cid',
  'status=500 took=1.5s msg="unfinished',
  'a.b*c [x] (y) $z ^w',
  `bytes ${INVALID} inside`,
  `at the end ${INVALID}`,
  null,
  42,
  -0.5,
  true,
  Buffer.from('bytes that are text'),
  Buffer.from([0x61, 0xe2, 0x82, 0x62, 0xed, 0xa0, 0x80, 0xf0, 0x41]),
  ['list', 1, { deep: '<&>' }],
  { status: 404, nested: { a: 'b' } },
];

function requests(): Buffer[] {
  const found: Buffer[] = [];
  for (let made = 0; made < RECORDS;) {
    const count = Math.min(1 + below(12), RECORDS - made);
    const list = Array.from({ length: count }, (_one, index) => newRecord(made + index));
    const scope = chance(0.5) ? { name: pick(['lib', 'pool', '']) } : undefined;
    const value = encodeLogs({
      resource: { attributes: resourceAttributes() },
      ...(scope ? { scope } : {}),
      records: list,
    });
    for (let at = value.indexOf(INVALID); at !== -1; at = value.indexOf(INVALID))
      INVALID_BYTES.copy(value, at);
    found.push(value);
    made += count;
  }
  return found;
}

/** Some of these, in any order: keys that mean the same label, keys without a value, and odd ones. */
function attributes(of: ReadonlyArray<readonly [string, readonly AnyValue[]]>, share: number): Attributes {
  const chosen = of.filter(() => chance(share)).map(([key, values]) => [key, pick(values)] as const);
  return Object.fromEntries(chosen.sort(() => random() - 0.5)) as Attributes;
}

function resourceAttributes(): Attributes {
  return {
    ...(chance(0.8) ? { 'service.name': pick<AnyValue>(['checkout', 'cart', 'cart', '', 7]) } : {}),
    ...attributes(
      [
        ['service_name', ['spelt', '']],
        ['service-name', ['dashed']],
        ['host.name', ['h1', 'h2', '']],
        ['k8s.pod.name', ['pod 1', 'pod 2', 'Pod\n3']],
        ['k8s_pod_name', ['spelt', '']],
        ['k8s-pod.name', ['dashed']],
        ['level', ['error', 'from resource']],
        ['9lives', ['cat']],
        ['grün😀', ['x', 'y']],
        ['', ['no name']],
        ['http.status_code', [200]],
        ['__proto__', ['p']],
      ],
      0.25,
    ),
  };
}

function newRecord(id: number): LogRecordToWrite {
  // On the borders of seconds, between them, and now and then at the same time as another one.
  const timeMs = chance(0.4) ? below(SPAN_MS / 1_000) * 1_000 : below(SPAN_MS);
  const timeNs = BigInt(T0_MS + timeMs) * 1_000_000n + BigInt(chance(0.5) ? 0 : below(1_000_000));
  const body = pick(BODIES);
  const severityText = pick(['', '', 'WARNING', 'crit', 'Info', 'odd']);
  return {
    ...(chance(0.9) ? { timeUnixNano: timeNs } : { observedTimeUnixNano: timeNs }),
    severityNumber: pick([0, 0, 1, 5, 9, 12, 13, 17, 17, 21, 24, 30]),
    severityText,
    ...(body instanceof Uint8Array && chance(0.5) ? { text: body } : { body }),
    ...(chance(0.3) ? { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8) } : {}),
    attributes: {
      ...attributes(
        [
          ['http.status_code', [200, 404, '500', 1.5, 'x', '']],
          ['http_status_code', ['404', '']],
          ['http-status-code', ['302']],
          ['user', ['ann', 'Bob', Buffer.from([1, 255]), `u${INVALID}v`, true]],
          ['took', ['1.5s', '20ms', '250', 'soon']],
          ['size', ['3kb', '1.5MiB', '700']],
          ['scope_name', ['hidden']],
          ['service.name', ['from the record']],
          ['level', ['hidden']],
          ['status', ['from the record']],
          ['tags', [['a', 'b'], { k: 'v' }]],
          ['constructor', ['c']],
          ['env', ['prod', 'dev', '']],
        ],
        0.3,
      ),
      id,
    },
  };
}

const NAMES = (
  'service_name service_name host_name k8s_pod_name level level detected_level env http_status_code user took size ' +
  'scope_name severity_text severity_number trace_id span_id key_9lives gr_n_ missing tags constructor __proto__ status _'
).split(' ');

const quote = (value: string): string => JSON.stringify(value).replaceAll('\u007f', '\\u007f');
const escapeRegex = (value: string): string => value.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');

/** A value that some record has, or nothing, or what none has. */
function valueOf(name: string): string {
  const found = labelsOf(pick(records))[name] ?? '';
  return found !== ''
    ? found
    : pick(['', '', 'nothing', pick(records.map((one) => labelsOf(one)[name] ?? ''))]);
}

function wholePattern(name: string): string {
  const value = valueOf(name);
  const literal = escapeRegex(value);
  return pick([
    literal,
    `${escapeRegex(value.slice(0, 2))}.*`,
    `.*${escapeRegex(value.slice(-1))}`,
    `${literal}|${escapeRegex(valueOf(name))}`,
    `(?i)${escapeRegex(value.toUpperCase())}`,
    '.*',
    '.+',
    '',
    '[a-z]+',
    '.{3}',
    '\\d+',
    '[^x]*',
  ]);
}

function matcher(name: string): string {
  const op = pick(['=', '!=', '=~', '!~']);
  return `${name}${op}${quote(op.endsWith('~') ? wholePattern(name) : valueOf(name))}`;
}

function selector(): string {
  return `{${Array.from({ length: below(3) }, () => matcher(pick(NAMES))).join(', ')}}`;
}

function needle(): string {
  const line = Array.from(lineOf(pick(records)));
  const start = below(line.length + 1);
  return line.slice(start, start + 1 + below(6)).join('');
}

function lineFilter(): string {
  const op = pick(['|=', '|=', '!=', '|~', '!~']);
  const one = (): string => {
    if (op === '|=' || op === '!=') return needle();
    return pick([
      escapeRegex(needle()),
      '^second',
      'line$',
      '(?m)^second',
      'first.second',
      '(?s)first.second',
      'inside|end',
      'bytes . inside',
      '(?i)PAYMENT',
      '\\d{2,}',
      '[äöü]',
      '^.?$',
      'e.d',
      '\\bok\\b',
      '^$',
    ]);
  };
  return `${op} ${Array.from({ length: 1 + below(3) }, () => quote(one())).join(' or ')}`;
}

function labelFilter(): string {
  const one = (): string => {
    if (chance(0.6)) return matcher(pick(NAMES));
    const op = pick(['==', '!=', '>', '>=', '<', '<=']);
    return pick([
      `http_status_code ${op} 300`,
      `severity_number ${op} 12`,
      `took ${op} 1s`,
      `size ${op} 2KB`,
      `status ${op} 300`,
    ]);
  };
  const first = one();
  if (chance(0.5)) return `| ${first}`;
  return chance(0.5) ? `| ${first} ${pick(['and', 'or'])} ${one()}` : `| (${first} or ${one()}) and ${one()}`;
}

function logQuery(): string {
  const stages = Array.from({ length: below(3) }, () => (chance(0.6) ? lineFilter() : labelFilter()));
  if (chance(0.2)) stages.push(pick(['| json', '| logfmt']), ...(chance(0.7) ? [labelFilter()] : []));
  return [selector(), ...stages].join(' ');
}

const RANGES = ['1s', '1500ms', '3s', '5s', '7s', '20s', '1m'];

function rangeQuery(): string {
  const op = pick(['count_over_time', 'rate', 'bytes_over_time', 'bytes_rate']);
  return `${op}(${logQuery()} [${pick(RANGES)}])`;
}

function grouping(): string {
  const names = Array.from({ length: below(3) }, () => pick(NAMES.filter((name) => name !== '_')));
  return pick([
    '',
    ` by (${names.join(', ')}) `,
    ` by (${names.join(', ')}) `,
    ` without (${names.join(', ')}) `,
  ]);
}

function metricQuery(depth = 0): string {
  const kind = below(depth > 2 ? 4 : 8);
  if (kind === 0) return rangeQuery();
  if (kind < 4) return `sum${grouping()}(${rangeQuery()})`;
  if (kind === 4)
    return `${pick(['sum', 'min', 'max', 'avg', 'count'])}${grouping()}(${metricQuery(depth + 1)})`;
  if (kind === 5) return `topk${grouping()}(${1 + below(3)}, ${metricQuery(depth + 1)})`;
  if (kind === 6) {
    return `${metricQuery(depth + 1)} ${pick(['>', '>=', '<', '<=', '==', '!=', '*', '/', '-', '%'])} ${pick(['0', '1', '2', '0.2', '10'])}`;
  }
  const shared = grouping();
  const sum = (): string => `sum${shared}(${rangeQuery()})`;
  return `${sum()} ${pick(['/', '+', '-', '*', '>', '<='])} ${sum()}`;
}

const idOf = (record: LogRecord): number => Number(record.attributes['id']);

test('the records have everything that the queries ask about', () => {
  const labels = records.map(labelsOf);
  expect(counts).toEqual({ kept: RECORDS, redated: 0, expired: 0 });
  expect(NAMES.filter((name) => !labels.some((one) => name in one))).toEqual(['missing', '_']);
  expect(new Set(records.map(lineOf)).size).toBeGreaterThanOrEqual(BODIES.length - 1);
});

test(
  `${RUNS} log queries find the same lines in the store as on the stream, from seed ${SEED}`,
  async () => {
    random = seededRandom(SEED + 1);
    let lines = 0;
    let bySql = 0;
    for (let run = 0; run < RUNS; run += 1) {
      const query = parseLogs(logQuery());
      const pipeline = compilePipeline(query);
      const want = records.flatMap((record) => {
        const extracted = pipeline(record);
        return extracted
          ? [[idOf(record), lineOf(record), lineBytesOf(record), { ...labelsOf(record) }, [...extracted]]]
          : [];
      });
      const startNs = BigInt(T0_MS) * 1_000_000n;
      const range = { startNs, endNs: startNs + BigInt(SPAN_MS) * 1_000_000n, ends: '[)' as const };
      const found = await findLogs(reader, { query, range, direction: 'forward', limit: RECORDS + 1 });
      const got = found.map(({ record, extracted, lineBytes }) => {
        return [idOf(record), lineOf(record), lineBytes, { ...labelsOf(record) }, [...extracted]];
      });
      got.sort(([a], [b]) => Number(a) - Number(b));
      expect({ query: formatQuery(query), lines: got }).toEqual({ query: formatQuery(query), lines: want });
      lines += want.length;
      if (pipelineSql(query).complete) bySql += 1;
    }
    // The comparison says something: queries find lines, and most are judged by SQL alone.
    expect(lines / RUNS).toBeGreaterThan(RECORDS / 20);
    expect(bySql).toBeGreaterThan(RUNS / 2);
  },
  TIMEOUT_MS,
);

type Samples = Array<[series: string, ...values: Array<number | null>]>;

/** The alert part's windows and plan over the same records, judged at the same times. */
function byRules(text: string, stepMs: number, count: number): Samples {
  const plan = planExpression(parseMetric(text), stepMs);
  for (const record of records) {
    const eventMs = Number((timestampNsOf(record) + 999_999n) / 1_000_000n);
    for (const window of plan.windows) {
      const labels = window.match(record);
      const limits = { seriesMax: 10_000, bucketsMax: 1_000_000, samplesMax: 0 };
      if (!labels) continue;
      if (!window.add(labelsKey(labels), labels, record, eventMs, limits)) throw new Error('over a limit');
    }
  }
  const series = new Map<string, Array<number | null>>();
  for (let i = 0; i < count; i += 1) {
    for (const [key, { value }] of plan.evaluate(T0_MS + i * stepMs)) {
      const values = series.get(key) ?? Array.from({ length: count }, () => null);
      values[i] = value;
      series.set(key, values);
    }
  }
  return sorted(series);
}

/** A range aggregation by its definition; `by`: its sum by these names, else by all that tells series apart. */
function byDefinition(
  text: string,
  by: readonly string[] | undefined,
  stepMs: number,
  count: number,
): Samples {
  const [range] = rangesOf(parseMetric(text));
  const { op, query, rangeMs } = range!;
  const pipeline = compilePipeline(query);
  const series = new Map<string, Array<number | null>>();
  for (const record of records) {
    const extracted = pipeline(record);
    if (!extracted) continue;
    const all = new Map([...Object.entries(labelsOf(record)), ...extracted]);
    const own: Iterable<readonly [string, string]> = by
      ? by.map((name) => [name, all.get(name) ?? ''] as const)
      : [...streamLabels(record.resource), ...extracted];
    const key = labelsKey(newLabels(own));
    for (let i = 0; i < count; i += 1) {
      const endNs = BigInt(T0_MS + i * stepMs) * 1_000_000n;
      const at = timestampNsOf(record);
      if (at <= endNs - BigInt(rangeMs) * 1_000_000n || at > endNs) continue;
      const values = series.get(key) ?? Array.from({ length: count }, () => null);
      values[i] = (values[i] ?? 0) + (op.startsWith('bytes') ? lineBytesOf(record) : 1);
      series.set(key, values);
    }
  }
  if (!op.endsWith('rate')) return sorted(series);
  const rates = [...series].map(
    ([key, values]) =>
      [key, values.map((value) => (value === null ? null : (value * 1_000) / rangeMs))] as const,
  );
  return sorted(new Map(rates));
}

async function byQuery(text: string, stepMs: number, count: number): Promise<Samples> {
  const steps: Steps = {
    startNs: BigInt(T0_MS) * 1_000_000n,
    stepNs: BigInt(stepMs) * 1_000_000n,
    count,
  };
  const result = await evaluateMetric(reader, parseMetric(text), steps);
  if (typeof result === 'number') throw new Error(`got the number ${result}, want series`);
  const keys = result.map(({ labels }) => labelsKey(labels));
  expect(new Set(keys).size).toBe(keys.length);
  const values = result.map(({ values }) => [...values].map((value) => (Number.isNaN(value) ? null : value)));
  return sorted(new Map(keys.map((key, index) => [key, values[index]!])));
}

/** In one order, without series that have no value at all; the last digits left to the order of additions. */
function sorted(series: ReadonlyMap<string, ReadonlyArray<number | null>>): Samples {
  const round = (value: number | null): number | null =>
    value === null ? null : Number(value.toPrecision(12));
  return [...series]
    .filter(([, values]) => values.some((value) => value !== null))
    .map(([key, values]): Samples[number] => [key, ...values.map(round)])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

test(
  `${RUNS} metric queries give the same over the store as in rules, from seed ${SEED}`,
  async () => {
    random = seededRandom(SEED + 2);
    let samples = 0;
    for (let run = 0; run < RUNS; run += 1) {
      const query = formatQuery(parseQuery(metricQuery()));
      const stepMs = pick([1_000, 2_000, 5_000, 7_000]);
      const count = 2 + below(SPAN_MS / stepMs + 4);
      const of = { query, stepMs, count };
      const got = await byQuery(query, stepMs, count);
      expect({ ...of, samples: got }).toEqual({ ...of, samples: byRules(query, stepMs, count) });
      samples += got.length;
    }
    expect(samples / RUNS).toBeGreaterThan(1);
  },
  TIMEOUT_MS,
);

test(
  `${RUNS / 2} range aggregations equal their definition, from seed ${SEED}`,
  async () => {
    random = seededRandom(SEED + 3);
    for (let run = 0; run < RUNS / 2; run += 1) {
      const range = rangeQuery();
      const by = chance(0.7)
        ? [pick(NAMES), pick(NAMES)].slice(below(2)).filter((name) => name !== '_')
        : undefined;
      const query = formatQuery(parseQuery(by ? `sum by (${by.join(', ')}) (${range})` : range));
      const stepMs = pick([1_000, 2_000, 5_000, 7_000]);
      const count = 2 + below(SPAN_MS / stepMs + 4);
      const want = byDefinition(query, by, stepMs, count);
      expect({ query, samples: await byQuery(query, stepMs, count) }).toEqual({ query, samples: want });
    }
  },
  TIMEOUT_MS,
);
