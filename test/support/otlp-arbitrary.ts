import fc from 'fast-check';

/**
 * Random OTLP requests in the form that `oracleEncode` takes: every field present or absent, values of every kind
 * nested a few levels, 64-bit numbers over their whole range.
 */
const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const key = fc.oneof(fc.constantFrom('service.name', 'host.name', '__proto__', 'constructor', '7', ''), text);
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  fc.integer().map(String),
  fc.constantFrom('9007199254740991', '9007199254740992', '-9007199254740992', '127', '128', '268435456'),
);
const uint32 = fc.nat({ max: 0xffffffff });
const small = fc.integer({ min: 0, max: 24 });
const sint32 = fc.integer();
const double = fc.double({ noNaN: true });
const id = (length: number) =>
  fc.oneof(fc.constant(Buffer.alloc(0)), fc.uint8Array({ minLength: length, maxLength: length })).map(buffer);

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes);
}

/** All keys optional: an absent field is another shape on the wire. */
function message(fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Record<string, unknown>> {
  return fc.record(fields, { requiredKeys: [] });
}

function list<T>(of: fc.Arbitrary<T>, maxLength = 3): fc.Arbitrary<T[]> {
  return fc.array(of, { maxLength });
}

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'value' },
    fc.constant({}),
    fc.record({ stringValue: text }),
    fc.record({ boolValue: fc.boolean() }),
    fc.record({ intValue: int64 }),
    fc.record({ doubleValue: double }),
    fc.record({ bytesValue: fc.uint8Array({ maxLength: 9 }).map(buffer) }),
    fc.record({ arrayValue: fc.record({ values: list(tie('value')) }) }),
    fc.record({ kvlistValue: fc.record({ values: list(fc.record({ key, value: tie('value') })) }) }),
  ),
}));

export const anyValue: fc.Arbitrary<unknown> = value;
const attributes = list(fc.record({ key, value }), 4);
const resource = message({ attributes, droppedAttributesCount: uint32 });
const scope = message({ name: text, version: text, attributes, droppedAttributesCount: uint32 });

const logRecord = message({
  timeUnixNano: uint64,
  severityNumber: small,
  severityText: text,
  body: value,
  attributes,
  droppedAttributesCount: uint32,
  flags: uint32,
  traceId: id(16),
  spanId: id(8),
  observedTimeUnixNano: uint64,
  eventName: text,
});

const exemplar = fc
  .tuple(
    message({ timeUnixNano: uint64, spanId: id(8), traceId: id(16), filteredAttributes: attributes }),
    fc.oneof(fc.record({ asDouble: double }), fc.record({ asInt: int64 }), fc.constant({})),
  )
  .map(([fields, number]) => ({ ...fields, ...number }));

const point = { startTimeUnixNano: uint64, timeUnixNano: uint64, attributes, flags: uint32 };
const exemplars = list(exemplar, 2);
const numberPoint = fc
  .tuple(
    message({ ...point, exemplars }),
    fc.oneof(fc.record({ asDouble: double }), fc.record({ asInt: int64 }), fc.constant({})),
  )
  .map(([fields, number]) => ({ ...fields, ...number }));
const statistics = { count: uint64, sum: double, min: double, max: double, exemplars };
const histogramPoint = message({
  ...point,
  ...statistics,
  bucketCounts: list(uint64, 5),
  explicitBounds: list(double, 4),
});
const buckets = message({ offset: sint32, bucketCounts: list(uint64, 5) });
const exponentialPoint = message({
  ...point,
  ...statistics,
  scale: sint32,
  zeroCount: uint64,
  positive: buckets,
  negative: buckets,
  zeroThreshold: double,
});
const summaryPoint = message({
  ...point,
  count: uint64,
  sum: double,
  quantileValues: list(message({ quantile: double, value: double })),
});
const temporality = fc.integer({ min: 0, max: 2 });
const metric = fc
  .tuple(
    message({ name: text, description: text, unit: text, metadata: attributes }),
    fc.oneof(
      fc.record({ gauge: message({ dataPoints: list(numberPoint) }) }),
      fc.record({
        sum: message({
          dataPoints: list(numberPoint),
          aggregationTemporality: temporality,
          isMonotonic: fc.boolean(),
        }),
      }),
      fc.record({
        histogram: message({ dataPoints: list(histogramPoint), aggregationTemporality: temporality }),
      }),
      fc.record({
        exponentialHistogram: message({
          dataPoints: list(exponentialPoint),
          aggregationTemporality: temporality,
        }),
      }),
      fc.record({ summary: message({ dataPoints: list(summaryPoint) }) }),
      fc.constant({}),
    ),
  )
  .map(([fields, data]) => ({ ...fields, ...data }));

const event = message({ timeUnixNano: uint64, name: text, attributes, droppedAttributesCount: uint32 });
const link = message({ traceId: id(16), spanId: id(8), traceState: text, attributes, flags: uint32 });
const span = message({
  traceId: id(16),
  spanId: id(8),
  traceState: text,
  parentSpanId: id(8),
  name: text,
  kind: fc.integer({ min: 0, max: 5 }),
  startTimeUnixNano: uint64,
  endTimeUnixNano: uint64,
  attributes,
  droppedAttributesCount: uint32,
  events: list(event, 2),
  droppedEventsCount: uint32,
  links: list(link, 2),
  droppedLinksCount: uint32,
  status: message({ message: text, code: fc.integer({ min: 0, max: 2 }) }),
  flags: uint32,
});

function request(
  groups: string,
  scopes: string,
  records: string,
  record: fc.Arbitrary<unknown>,
): fc.Arbitrary<object> {
  const scoped = message({ scope, [records]: list(record), schemaUrl: text });
  const group = message({ resource, [scopes]: list(scoped), schemaUrl: text });
  return fc.record({ [groups]: list(group) });
}

export const logsRequest = request('resourceLogs', 'scopeLogs', 'logRecords', logRecord);
export const metricsRequest = request('resourceMetrics', 'scopeMetrics', 'metrics', metric);
export const spansRequest = request('resourceSpans', 'scopeSpans', 'spans', span);
