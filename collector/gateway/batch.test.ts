import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { RECORD_BYTES_MAX } from '../../broker/records/headers.ts';
import type { AnyValue, Attributes } from '../../broker/records/otlp/model.ts';
import { readLogs } from '../../broker/records/otlp/read-logs.ts';
import { readMetrics } from '../../broker/records/otlp/read-metrics.ts';
import { walkRequest } from '../../broker/records/otlp/walk.ts';
import { encodeLogs } from '../../broker/records/otlp/write-logs.ts';
import { encodeMetrics } from '../../broker/records/otlp/write-metrics.ts';
import { metricsRequest, spansRequest } from '../../test/support/otlp-arbitrary.ts';
import { oracleEncode } from '../../test/support/otlp-oracle.ts';
import { type Batch, batchOf, type Sender } from './batch.ts';
import { TRUNCATED_ATTRIBUTE } from './split.ts';

const AGENT: Sender = { source: 'agent-1:/var/log/app.log', sequence: '7' };

describe('keys', () => {
  const cases: ReadonlyArray<[string, Attributes, string | null]> = [
    [
      'service and instance',
      { 'service.name': 'shop', 'service.instance.id': '1', 'host.name': 'h' },
      'shop/1',
    ],
    ['service and host', { 'service.name': 'shop', 'host.name': 'h' }, 'shop/h'],
    ['service, host and file', { 'service.name': 'a', 'host.name': 'h', 'log.file.path': '/x' }, 'a/h//x'],
    ['host', { 'host.name': 'h' }, 'h'],
    ['nothing', { other: 'x' }, null],
  ];
  test.each(cases)('%s', (_, attributes, key) => {
    const [record] = logsBatch(encodeLogs({ resource: { attributes }, records: [{ body: 'x' }] })).records;
    expect(record!.key?.toString() ?? null).toBe(key);
  });

  test('a batch of an agent has one key, its source, whatever its resources are', () => {
    const bytes = encodeLogs(group('a', 'x'), group('b', 'y'));
    const { records } = logsBatch(bytes, AGENT);
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({
      key: Buffer.from(AGENT.source),
      headers: {
        'millrace.source': AGENT.source,
        'millrace.sequence': '7',
        'millrace.part': '0/1',
        'millrace.count': '2',
      },
    });
    expect(records[0]!.value.equals(bytes)).toBe(true);
  });
});

test('submessages of one key travel together, in order, byte for byte', () => {
  const groups = [group('a', '1'), group('b', '2'), group('a', '3')];
  const { records } = logsBatch(encodeLogs(...groups));
  expect(records.map(({ key }) => key?.toString())).toEqual(['a/1', 'b/1']);
  expect(records[0]!.value.equals(encodeLogs(groups[0]!, groups[2]!))).toBe(true);
  expect(records[1]!.value.equals(encodeLogs(groups[1]!))).toBe(true);
  expect(records.map(({ count }) => count)).toEqual([2, 1]);
});

test('resources without records are not sent on', () => {
  expect(logsBatch(encodeLogs({ resource: { attributes: { a: 1 } }, records: [] })).records).toHaveLength(0);
});

describe('size', () => {
  test('no record exceeds the bound, nothing is lost, order holds', () => {
    const bytes = encodeLogs(
      ...Array.from({ length: 40 }, (_, index) => group('a', `${index}:${'x'.repeat(100_000)}`)),
    );
    const { records } = logsBatch(bytes);
    expect(Buffer.concat(records.map(({ value }) => value)).equals(bytes)).toBe(true);
    for (const { value } of records) expect(value.length).toBeLessThanOrEqual(RECORD_BYTES_MAX);
  });

  test('a resource that is too large is split between its records, the envelope repeated', () => {
    const records = Array.from({ length: 3_000 }, (_, index) => ({
      body: `${index}:${'x'.repeat(800)}`,
      attributes: { index },
    }));
    const resource = { attributes: { 'service.name': 'a' }, schemaUrl: 'r' };
    const bytes = encodeLogs({ resource, scope: { name: 's', schemaUrl: 'u' }, records });
    const batch = logsBatch(bytes, AGENT);
    expect(batch.records.length).toBe(3);
    for (const { value } of batch.records) expect(value.length).toBeLessThanOrEqual(RECORD_BYTES_MAX);
    const read = batch.records.flatMap(({ value }) => readLogs(value));
    expect(read).toEqual(readLogs(bytes));
    expect(batch.records.map(({ headers }) => headers['millrace.part'])).toEqual(['0/3', '1/3', '2/3']);
    expect(
      batch.records.map(({ headers, value }) => [headers['millrace.count'], readLogs(value).length]),
    ).toEqual(batch.records.map(({ count }) => [String(count), count]));
  });

  test('what follows a split resource with the same key comes after its parts', () => {
    const large = { resource: { attributes: { 'host.name': 'h' } }, records: many(1_200) };
    const small = (body: string) => ({ resource: { attributes: { 'host.name': 'h' } }, records: [{ body }] });
    const { records } = logsBatch(encodeLogs(small('first'), large, small('last')));
    const bodies = records.flatMap(({ value }) => readLogs(value)).map(({ body }) => body);
    expect(bodies.at(0)).toBe('first');
    expect(bodies.at(-1)).toBe('last');
    expect(bodies).toHaveLength(1_202);
  });

  test('random requests survive any bound, or say what was left out', () => {
    fc.assert(
      fc.property(metricsRequest, fc.integer({ min: 200, max: 2_000 }), (request, bytesMax) => {
        const bytes = oracleEncode('ExportMetrics', request);
        const walk = walkRequest('metrics', bytes);
        const { records, rejected } = batchOf('metrics', bytes, walk, undefined, bytesMax);
        let count = 0;
        for (const record of records) {
          expect(record.value.length).toBeLessThanOrEqual(bytesMax);
          expect(walkRequest('metrics', record.value).count).toBe(record.count);
          count += record.count;
        }
        expect(count + rejected).toBe(walk.count);
      }),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(spansRequest, fc.integer({ min: 200, max: 2_000 }), (request, bytesMax) => {
        const bytes = oracleEncode('ExportTrace', request);
        const walk = walkRequest('spans', bytes);
        const { records, rejected } = batchOf('spans', bytes, walk, undefined, bytesMax);
        const count = records.reduce((sum, one) => sum + walkRequest('spans', one.value).count, 0);
        expect(count + rejected).toBe(walk.count);
      }),
      { numRuns: 200 },
    );
  });
});

describe('a single log record that is too large', () => {
  const cut = (body: AnyValue, attributes: Attributes = {}) => {
    const bytes = encodeLogs({
      resource: { attributes: { 'service.name': 'a' } },
      records: [
        { body: 'before' },
        { timeUnixNano: 5n, severityText: 'INFO', body, attributes },
        { body: 'after' },
      ],
    });
    const batch = logsBatch(bytes);
    for (const { value } of batch.records) expect(value.length).toBeLessThanOrEqual(RECORD_BYTES_MAX);
    const records = batch.records.flatMap(({ value }) => readLogs(value));
    return { batch, records, record: records[1]! };
  };

  test('is cut between characters, marked and counted; its neighbours are whole', () => {
    const body = 'ä'.repeat(700_000);
    const { batch, records, record } = cut(body, { user: 7 });
    expect(batch).toMatchObject({ truncated: 1, rejected: 0 });
    expect(records.map((one) => one.body).filter((one) => one === 'before' || one === 'after')).toHaveLength(
      2,
    );
    expect(body.startsWith(record.body as string)).toBe(true);
    expect((record.body as string).length).toBeGreaterThan(440_000);
    expect(record).toMatchObject({ timeUnixNano: 5n, severityText: 'INFO' });
    expect(record.attributes['user']).toBe(7);
    expect(record.attributes[TRUNCATED_ATTRIBUTE]).toBeGreaterThan(1_400_000);
  });

  test('bytes stay bytes', () => {
    const { record } = cut(Buffer.alloc(1_000_000, 0xff));
    expect(record.body).toBeInstanceOf(Uint8Array);
    expect((record.body as Uint8Array).length).toBeGreaterThan(890_000);
  });

  test('a structure becomes the beginning of its text', () => {
    const { record } = cut({ list: Array.from({ length: 300_000 }, () => 'xyz') });
    expect(record.body).toMatch(/^\{"list":\["xyz","xyz"/);
  });

  test('attributes fill at most half', () => {
    const { record } = cut('y'.repeat(600_000), { small: 1, a: 'x'.repeat(300_000), b: 'x'.repeat(300_000) });
    expect(Object.keys(record.attributes)).toEqual(['small', 'a', TRUNCATED_ATTRIBUTE]);
    expect((record.body as string).length).toBeGreaterThan(590_000);
  });
});

test('a single metric that is too large is rejected and counted, its neighbours pass', () => {
  const points = Array.from({ length: 20_000 }, (_, index) => ({
    timeUnixNano: 1n,
    value: index,
    attributes: { key: `value-${index}-${'x'.repeat(30)}` },
  }));
  const bytes = encodeMetrics({
    metrics: [
      { type: 'gauge', name: 'small', points: points.slice(0, 2) },
      { type: 'gauge', name: 'large', points },
      { type: 'gauge', name: 'last', points: points.slice(0, 1) },
    ],
  });
  const batch = batchOf('metrics', bytes, walkRequest('metrics', bytes), undefined);
  expect(batch.rejected).toBe(20_000);
  expect(batch.records.flatMap(({ value }) => readMetrics(value)).map(({ name }) => name)).toEqual([
    'small',
    'last',
  ]);
});

function logsBatch(bytes: Buffer, sender?: Sender): Batch {
  return batchOf('logs', bytes, walkRequest('logs', bytes), sender);
}

function group(service: string, body: string) {
  return {
    resource: { attributes: { 'service.name': service, 'service.instance.id': '1' } },
    records: [{ body }],
  };
}

function many(count: number) {
  return Array.from({ length: count }, (_, index) => ({ body: `${index}:${'x'.repeat(1_000)}` }));
}
