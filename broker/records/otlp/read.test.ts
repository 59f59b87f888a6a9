import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { logsRequest, metricsRequest, spansRequest } from '../../../test/support/otlp-arbitrary.ts';
import {
  type OracleField,
  type OracleMessage,
  oracleDecode,
  oracleEncode,
} from '../../../test/support/otlp-oracle.ts';
import { OtlpError } from './error.ts';
import { readLogs } from './read-logs.ts';
import { readMetrics } from './read-metrics.ts';
import { readSpans } from './read-spans.ts';

describe('agrees with protobufjs', () => {
  test('logs', () => {
    fc.assert(
      fc.property(logsRequest, (request) => {
        const bytes = oracleEncode('ExportLogs', request);
        expect(readLogs(bytes)).toEqual(expectedRecords(oracleDecode('ExportLogs', bytes), LOGS, logRecord));
      }),
      { numRuns: 300 },
    );
  });

  test('metrics', () => {
    fc.assert(
      fc.property(metricsRequest, (request) => {
        const bytes = oracleEncode('ExportMetrics', request);
        const decoded = oracleDecode('ExportMetrics', bytes);
        expect(readMetrics(bytes)).toEqual(expectedRecords(decoded, METRICS, metric));
      }),
      { numRuns: 300 },
    );
  });

  test('spans', () => {
    fc.assert(
      fc.property(spansRequest, (request) => {
        const bytes = oracleEncode('ExportTrace', request);
        expect(readSpans(bytes)).toEqual(expectedRecords(oracleDecode('ExportTrace', bytes), SPANS, span));
      }),
      { numRuns: 300 },
    );
  });
});

describe('reads what the oracle cannot write', () => {
  test('fields after the records: resource and scope apply all the same', () => {
    const record = field(2, field(3, Buffer.from('INFO')));
    const scope = field(1, field(1, Buffer.from('library')));
    const service = field(
      1,
      Buffer.concat([field(1, Buffer.from('service.name')), field(2, field(1, Buffer.from('shop')))]),
    );
    const scoped = field(2, Buffer.concat([record, scope]));
    const [read] = readLogs(field(1, Buffer.concat([scoped, field(1, service)])));
    expect(read?.severityText).toBe('INFO');
    expect(read?.scope.name).toBe('library');
    expect(read?.resource.attributes).toEqual({ 'service.name': 'shop' });
  });

  test('a body that is not UTF-8 keeps its bytes', () => {
    const bytes = Buffer.from([0x61, 0xff, 0xfe, 0x62]);
    const [read] = readLogs(logWithBody(field(1, bytes)));
    expect(read?.body).toEqual(bytes);
  });

  test('a body that holds a real replacement character stays text', () => {
    const [read] = readLogs(logWithBody(field(1, Buffer.from('a\ufffdb'))));
    expect(read?.body).toBe('a\ufffdb');
  });

  test('unknown fields are stepped over', () => {
    const unknown = Buffer.concat([field(99, Buffer.from('later')), Buffer.from([0xa0, 0x06, 0x05])]);
    const [read] = readLogs(logWithBody(Buffer.concat([unknown, field(1, Buffer.from('line')), unknown])));
    expect(read?.body).toBe('line');
  });

  test('attribute names are only names', () => {
    const entry = field(
      1,
      Buffer.concat([field(1, Buffer.from('__proto__')), field(2, field(1, Buffer.from('x')))]),
    );
    const [read] = readLogs(logWithBody(field(6, entry)));
    expect(Object.entries(read?.body as object)).toEqual([['__proto__', 'x']]);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    expect('toString' in read!.attributes).toBe(false);
  });
});

describe('refuses', () => {
  const cases: ReadonlyArray<[string, Buffer, string]> = [
    ['a length beyond the end', Buffer.from([0x0a, 0x05, 0x00]), 'at byte 1: got a length of 5'],
    ['a length beyond its parent', Buffer.from([0x0a, 0x02, 0x12, 0x05, 0, 0, 0, 0, 0]), 'got a length of 5'],
    ['an unfinished number', Buffer.from([0x0a, 0x80]), 'unfinished or overlong'],
    ['an overlong number', Buffer.from([0x08, ...Array.from({ length: 11 }, () => 0x80)]), 'overlong'],
    ['field number 0', Buffer.from([0x02, 0x00]), 'field number 0'],
    ['a group', Buffer.from([0x0b, 0x0c]), 'wire type 3'],
    ['a cut fixed value', logRecordBytes(Buffer.from([0x09, 1, 2, 3])), 'got 3 bytes'],
    ['values nested too deep', logWithBody(nested(65)), 'nested deeper'],
  ];
  test.each(cases)('%s', (_, bytes, message) => {
    expect(() => readLogs(bytes)).toThrow(OtlpError);
    expect(() => readLogs(bytes)).toThrow(message);
  });

  test('nothing that is nested as deep as allowed', () => {
    expect(() => readLogs(logWithBody(nested(63)))).not.toThrow();
  });

  test('100,000 levels without a stack overflow', () => {
    expect(() => readLogs(logWithBody(nested(100_000)))).toThrow(OtlpError);
  });
});

test('random and mutated bytes give records or an OtlpError, nothing else', () => {
  const readers = [readLogs, readMetrics, readSpans];
  const check = (bytes: Buffer): void => {
    for (const read of readers)
      expect(outcome(read, bytes) ?? 'cannot read OTLP').toContain('cannot read OTLP');
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => check(Buffer.from(bytes))),
    { numRuns: 2_000 },
  );
  fc.assert(
    fc.property(metricsRequest, fc.nat(), fc.nat({ max: 255 }), (request, place, byte) => {
      const bytes = oracleEncode('ExportMetrics', request);
      if (bytes.length > 0) bytes[place % bytes.length] = byte;
      check(bytes);
    }),
    { numRuns: 1_000 },
  );
});

/** Undefined, or the sentence for the sender; throws what is neither. */
function outcome(read: (bytes: Buffer) => unknown, bytes: Buffer): string | undefined {
  try {
    read(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof OtlpError) return error.message;
    throw error;
  }
}

// Bytes by hand

function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}

function logRecordBytes(record: Buffer): Buffer {
  return field(1, field(2, field(2, record)));
}

function logWithBody(value: Buffer): Buffer {
  return logRecordBytes(field(5, value));
}

function nested(levels: number): Buffer {
  // Built from the inside out, so that deep cases cost no recursion here; lengths grow by a few bytes a level.
  const chunks: Buffer[] = [];
  let length = 0;
  for (let level = 0; level < levels; level += 1) {
    const inner = Buffer.concat([varint(10), varint(length)]);
    const outer = Buffer.concat([varint(42), varint(inner.length + length), inner]);
    chunks.push(outer);
    length += outer.length;
  }
  return Buffer.concat(chunks.toReversed());
}

// What protobufjs decoded, in our model's form

const LOGS = ['resourceLogs', 'scopeLogs', 'logRecords'] as const;
const METRICS = ['resourceMetrics', 'scopeMetrics', 'metrics'] as const;
const SPANS = ['resourceSpans', 'scopeSpans', 'spans'] as const;

function expectedRecords(
  request: OracleMessage,
  [groups, scopes, records]: readonly [string, string, string],
  convert: (record: OracleMessage) => object,
): object[] {
  return list(request[groups]).flatMap((group) => {
    const resource = {
      attributes: attributes(sub(group['resource'])['attributes']),
      schemaUrl: group['schemaUrl'] ?? '',
    };
    return list(group[scopes]).flatMap((scoped) => {
      const { name = '', version = '', droppedAttributesCount = 0, ...rest } = sub(scoped['scope']);
      const scope = {
        name,
        version,
        droppedAttributesCount,
        attributes: attributes(rest['attributes']),
        schemaUrl: scoped['schemaUrl'] ?? '',
      };
      return list(scoped[records]).map((record) => ({ ...convert(record), resource, scope }));
    });
  });
}

function logRecord(record: OracleMessage): object {
  return {
    timeUnixNano: big(record['timeUnixNano']),
    observedTimeUnixNano: big(record['observedTimeUnixNano']),
    severityNumber: record['severityNumber'] ?? 0,
    severityText: record['severityText'] ?? '',
    body: value(record['body']),
    attributes: attributes(record['attributes']),
    droppedAttributesCount: record['droppedAttributesCount'] ?? 0,
    flags: record['flags'] ?? 0,
    traceId: hex(record['traceId']),
    spanId: hex(record['spanId']),
    eventName: record['eventName'] ?? '',
  };
}

function metric(one: OracleMessage): object {
  const { name = '', description = '', unit = '' } = one;
  return { name, description, unit, data: metricData(one) };
}

function metricData(one: OracleMessage): object {
  const temporality = (data: OracleMessage): object => ({
    aggregationTemporality: data['aggregationTemporality'] ?? 0,
  });
  if (one['gauge']) return { type: 'gauge', points: points(one['gauge'], numberPoint) };
  if (one['sum']) {
    const sum = sub(one['sum']);
    return {
      type: 'sum',
      points: points(sum, numberPoint),
      ...temporality(sum),
      isMonotonic: sum['isMonotonic'] ?? false,
    };
  }
  if (one['histogram']) {
    const data = sub(one['histogram']);
    return { type: 'histogram', points: points(data, histogramPoint), ...temporality(data) };
  }
  if (one['exponentialHistogram']) {
    const data = sub(one['exponentialHistogram']);
    return { type: 'exponentialHistogram', points: points(data, exponentialPoint), ...temporality(data) };
  }
  if (one['summary']) return { type: 'summary', points: points(one['summary'], summaryPoint) };
  return { type: 'empty', points: [] };
}

function points(data: OracleField, convert: (point: OracleMessage) => object): object[] {
  return list(sub(data)['dataPoints']).map((point) => ({
    attributes: attributes(point['attributes']),
    startTimeUnixNano: big(point['startTimeUnixNano']),
    timeUnixNano: big(point['timeUnixNano']),
    flags: point['flags'] ?? 0,
    ...convert(point),
  }));
}

function numberPoint(point: OracleMessage): object {
  return { value: number(point), exemplars: exemplars(point) };
}

function histogramPoint(point: OracleMessage): object {
  return {
    ...statistics(point),
    bucketCounts: bigs(point['bucketCounts']),
    explicitBounds: point['explicitBounds'] ?? [],
  };
}

function exponentialPoint(point: OracleMessage): object {
  return {
    ...statistics(point),
    scale: point['scale'] ?? 0,
    zeroCount: big(point['zeroCount']),
    zeroThreshold: point['zeroThreshold'] ?? 0,
    positive: buckets(point['positive']),
    negative: buckets(point['negative']),
  };
}

function summaryPoint(point: OracleMessage): object {
  return {
    count: big(point['count']),
    sum: point['sum'] ?? 0,
    quantileValues: list(point['quantileValues']).map(({ quantile = 0, value: at = 0 }) => ({
      quantile,
      value: at,
    })),
  };
}

function statistics(point: OracleMessage): object {
  const { sum, min, max } = point;
  return { count: big(point['count']), sum, min, max, exemplars: exemplars(point) };
}

function buckets(message: OracleField | undefined): object {
  const { offset = 0, bucketCounts } = sub(message);
  return { offset, bucketCounts: bigs(bucketCounts) };
}

function exemplars(point: OracleMessage): object[] {
  return list(point['exemplars']).map((one) => ({
    filteredAttributes: attributes(one['filteredAttributes']),
    timeUnixNano: big(one['timeUnixNano']),
    value: number(one),
    spanId: hex(one['spanId']),
    traceId: hex(one['traceId']),
  }));
}

function span(one: OracleMessage): object {
  const status = sub(one['status']);
  return {
    traceId: hex(one['traceId']),
    spanId: hex(one['spanId']),
    parentSpanId: hex(one['parentSpanId']),
    traceState: one['traceState'] ?? '',
    flags: one['flags'] ?? 0,
    name: one['name'] ?? '',
    kind: one['kind'] ?? 0,
    startTimeUnixNano: big(one['startTimeUnixNano']),
    endTimeUnixNano: big(one['endTimeUnixNano']),
    attributes: attributes(one['attributes']),
    events: list(one['events']).map((event) => ({
      timeUnixNano: big(event['timeUnixNano']),
      name: event['name'] ?? '',
      attributes: attributes(event['attributes']),
    })),
    links: list(one['links']).map((link) => ({
      traceId: hex(link['traceId']),
      spanId: hex(link['spanId']),
      traceState: link['traceState'] ?? '',
      attributes: attributes(link['attributes']),
    })),
    statusCode: status['code'] ?? 0,
    statusMessage: status['message'] ?? '',
  };
}

function attributes(list_: OracleField | undefined): object {
  const made: Array<[string, unknown]> = list(list_).map((entry) => [
    (entry['key'] ?? '') as string,
    value(entry['value']),
  ]);
  // Not Object.fromEntries into a plain object: `__proto__` must stay a key.
  const result = Object.create(null) as Record<string, unknown>;
  for (const [key, one] of made) result[key] = one;
  return result;
}

function value(message: OracleField | undefined): unknown {
  const one = sub(message);
  if ('intValue' in one) return safe(BigInt(one['intValue'] as string));
  if ('arrayValue' in one) return list(sub(one['arrayValue'])['values']).map(value);
  if ('kvlistValue' in one) return attributes(sub(one['kvlistValue'])['values']);
  return one['stringValue'] ?? one['boolValue'] ?? one['doubleValue'] ?? one['bytesValue'] ?? null;
}

function number(one: OracleMessage): unknown {
  return 'asInt' in one ? safe(BigInt(one['asInt'] as string)) : (one['asDouble'] ?? 0);
}

function safe(integer: bigint): number | bigint {
  return integer >= -9007199254740991n && integer <= 9007199254740991n ? Number(integer) : integer;
}

function big(one: OracleField | undefined): bigint {
  return BigInt((one ?? '0') as string);
}

function bigs(many: OracleField | undefined): bigint[] {
  return ((many ?? []) as string[]).map(BigInt);
}

function hex(bytes: OracleField | undefined): string {
  return ((bytes ?? Buffer.alloc(0)) as Buffer).toString('hex');
}

function sub(message: OracleField | undefined): OracleMessage {
  return (message ?? {}) as OracleMessage;
}

function list(messages: OracleField | undefined): OracleMessage[] {
  return (messages ?? []) as OracleMessage[];
}
