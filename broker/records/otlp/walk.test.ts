import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { logsRequest, metricsRequest, spansRequest } from '../../../test/support/otlp-arbitrary.ts';
import { oracleEncode } from '../../../test/support/otlp-oracle.ts';
import type { Signal } from '../topics.ts';
import { OtlpError } from './error.ts';
import type { AnyValue } from './model.ts';
import { readLogs } from './read-logs.ts';
import { readMetrics } from './read-metrics.ts';
import { readSpans } from './read-spans.ts';
import { walkRequest } from './walk.ts';
import { encodeLogs } from './write-logs.ts';

const SIGNALS = [
  ['logs', logsRequest, 'ExportLogs'],
  ['metrics', metricsRequest, 'ExportMetrics'],
  ['spans', spansRequest, 'ExportTrace'],
] as const;

describe.each(SIGNALS)('%s', (signal, request, type) => {
  test('counts what the reader reads; groups cover the request', () => {
    fc.assert(
      fc.property(request, (message) => {
        const bytes = oracleEncode(type, message);
        const { count, groups } = walkRequest(signal, bytes);
        expect(count).toBe(recordsIn(signal, bytes));
        expect(groups.reduce((sum, group) => sum + group.count, 0)).toBe(count);
        const pieces = groups.map(({ start, end }) => bytes.subarray(start, end));
        expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
        groups.forEach((group, index) => expect(recordsIn(signal, pieces[index]!)).toBe(group.count));
      }),
      { numRuns: 200 },
    );
  });

  test('what it accepts, the reader reads', () => {
    let accepted = 0;
    const check = (bytes: Buffer): void => {
      try {
        walkRequest(signal, bytes);
      } catch (error) {
        if (error instanceof OtlpError) return;
        throw error;
      }
      accepted += 1;
      recordsIn(signal, bytes);
    };
    fc.assert(
      fc.property(
        request,
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }),
        (message, flips) => {
          const bytes = oracleEncode(type, message);
          for (const [place, byte] of flips) if (bytes.length > 0) bytes[place % bytes.length] = byte;
          check(bytes);
        },
      ),
      { numRuns: 1_500 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => check(Buffer.from(bytes))),
      { numRuns: 1_500 },
    );
    expect(accepted).toBeGreaterThan(100);
  });
});

test('says who sent each group', () => {
  const bytes = encodeLogs(
    {
      resource: {
        attributes: {
          'service.name': 'shop',
          'service.instance.id': 'shop-1',
          'host.name': 'h',
          'log.file.path': '/a',
        },
      },
      records: [{ body: 'x' }],
    },
    { resource: { attributes: { 'service.namex': 'no', 'service.name': 7 } }, records: [] },
    { records: [{ body: 'y' }, { body: 'z' }] },
  );
  const nobody = { serviceName: '', serviceInstanceId: '', hostName: '', logFilePath: '' };
  const { groups } = walkRequest('logs', bytes);
  expect(groups.map(({ start: _start, end: _end, ...rest }) => rest)).toEqual([
    { count: 1, serviceName: 'shop', serviceInstanceId: 'shop-1', hostName: 'h', logFilePath: '/a' },
    { count: 0, ...nobody },
    { count: 2, ...nobody },
  ]);
});

test('a tag in more bytes than it needs is the same tag', () => {
  const plain = encodeLogs({ records: [{ body: 'x' }] });
  const bytes = Buffer.concat([Buffer.from([0x8a, 0x00]), plain.subarray(1)]);
  expect(readLogs(bytes)).toHaveLength(1);
  expect(walkRequest('logs', bytes).groups).toMatchObject([{ start: 0, end: bytes.length, count: 1 }]);
});

const refused: ReadonlyArray<[string, number[], string]> = [
  ['another wire type', [0x08, 0x01], 'at byte 0: got wire type 0'],
  ['another wire type deep inside', [0x0a, 0x04, 0x12, 0x02, 0x10, 0x01], 'at byte 4: got wire type 0'],
  ['a length beyond the end', [0x0a, 0x05, 0x12], 'at byte 1: got a length of 5'],
  ['a cut length', [0x0a], 'at byte 1'],
  ['a cut number', [0x78, 0x80], 'unfinished'],
  ['a number of 11 bytes', [0x78, ...Array.from({ length: 10 }, () => 0x80), 0x01], 'overlong'],
  ['a group', [0x7b], 'wire type 3'],
  ['field number 0', [0x02, 0x00], 'field number 0'],
  ['text', [...Buffer.from('{"resourceLogs":[]}')], 'at byte'],
];

test.each(refused)('refuses %s', (_, bytes, message) => {
  expect(() => walkRequest('logs', Buffer.from(bytes))).toThrow(OtlpError);
  expect(() => walkRequest('logs', Buffer.from(bytes))).toThrow(message);
});

describe('attributes of every form, on the fast path and off it', () => {
  const text = (length: number): string => 'v'.repeat(length);
  const forms: ReadonlyArray<[string, AnyValue]> = [
    ['an empty text', ''],
    ...[1, 120, 127, 128, 130, 16_383, 16_384].map((length): [string, AnyValue] => [
      `${length} characters`,
      text(length),
    ]),
    ...[0, 127, 128, 16_384, 1e12, -1].map((number): [string, AnyValue] => [`the integer ${number}`, number]),
    ['a double', 1.5],
    ['true', true],
    ['bytes', Buffer.from('abc')],
    ['a list', ['a', 2, [true]]],
    ['a map', { inner: { a: 1, b: 'two' } }],
    ['nothing', null],
  ];
  test.each(forms)('%s', (_, value) => {
    const bytes = encodeLogs({ records: [{ body: value, attributes: { key: value, [text(130)]: value } }] });
    expect(walkRequest('logs', bytes).count).toBe(1);
    // One byte changed: what is still accepted can still be read.
    for (let at = 0; at < Math.min(bytes.length, 600); at += 1) {
      for (const change of [1, 0x80, 0xff]) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at]! + change) & 0xff;
        if (passes(() => walkRequest('logs', changed))) readLogs(changed);
      }
    }
    for (let length = 1; length < Math.min(bytes.length, 600); length += 1) {
      expect(() => walkRequest('logs', bytes.subarray(0, length))).toThrow(OtlpError);
    }
  });
});

function passes(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (!(error instanceof OtlpError)) throw error;
    return false;
  }
}

test('nested values: 64 levels pass, 65 do not, 5,000 do not overflow', () => {
  const bytes = (levels: number): Buffer => {
    let value: Buffer = Buffer.from('x');
    const wrap = (tag: number, content: Buffer): Buffer => {
      const head = [tag];
      let rest = content.length;
      for (; rest > 127; rest >>>= 7) head.push((rest & 127) | 128);
      return Buffer.concat([Buffer.from([...head, rest]), content]);
    };
    value = wrap(0x0a, value);
    for (let level = 1; level < levels; level += 1) value = wrap(0x2a, wrap(0x0a, value));
    return wrap(0x0a, wrap(0x12, wrap(0x12, wrap(0x2a, value))));
  };
  expect(walkRequest('logs', bytes(64)).count).toBe(1);
  expect(readLogs(bytes(64))).toHaveLength(1);
  expect(() => walkRequest('logs', bytes(65))).toThrow('nested deeper');
  expect(() => readLogs(bytes(65))).toThrow('nested deeper');
  expect(() => walkRequest('logs', bytes(5_000))).toThrow('nested deeper');
});

function recordsIn(signal: Signal, bytes: Buffer): number {
  if (signal === 'logs') return readLogs(bytes).length;
  if (signal === 'spans') return readSpans(bytes).length;
  return readMetrics(bytes).reduce((sum, metric) => sum + metric.data.points.length, 0);
}
