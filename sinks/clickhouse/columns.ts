/**
 * The columns of each INSERT in the order in which the encoders write them, with their types: the order of the
 * OpenTelemetry exporter, then where the row came from.
 */
import { type TableName, TABLES } from './layout.ts';

export type Column = readonly [name: string, type: string];

const MAP = 'Map(LowCardinality(String), String)';
const LOW = 'LowCardinality(String)';

const SOURCE: readonly Column[] = [
  ['_origin', LOW],
  ['_topic', LOW],
  ['_partition', 'Int32'],
  ['_offset', 'Int64'],
  ['_index', 'UInt32'],
];

const POINT: readonly Column[] = [
  ['ResourceAttributes', MAP],
  ['ResourceSchemaUrl', 'String'],
  ['ScopeName', 'String'],
  ['ScopeVersion', 'String'],
  ['ScopeAttributes', MAP],
  ['ScopeDroppedAttrCount', 'UInt32'],
  ['ScopeSchemaUrl', 'String'],
  ['ServiceName', LOW],
  ['MetricName', LOW],
  ['MetricDescription', 'String'],
  ['MetricUnit', 'String'],
  ['Attributes', MAP],
  ['StartTimeUnix', 'DateTime'],
  ['TimeUnix', 'DateTime'],
];

const EXEMPLARS: readonly Column[] = [
  ['Exemplars.FilteredAttributes', `Array(${MAP})`],
  ['Exemplars.TimeUnix', 'Array(DateTime)'],
  ['Exemplars.Value', 'Array(Float64)'],
  ['Exemplars.SpanId', 'Array(String)'],
  ['Exemplars.TraceId', 'Array(String)'],
];

const FLAGS: Column = ['Flags', 'UInt32'];
const COUNT: readonly Column[] = [
  ['Count', 'UInt64'],
  ['Sum', 'Float64'],
];
const EXTREMES: readonly Column[] = [
  ['Min', 'Float64'],
  ['Max', 'Float64'],
  ['AggregationTemporality', 'Int32'],
];

export const COLUMNS: Readonly<Record<TableName, readonly Column[]>> = {
  [TABLES.logs]: [
    ['Timestamp', 'DateTime64(9)'],
    ['TraceId', 'String'],
    ['SpanId', 'String'],
    ['TraceFlags', 'UInt8'],
    ['SeverityText', LOW],
    ['SeverityNumber', 'UInt8'],
    ['ServiceName', LOW],
    ['Body', 'String'],
    ['ResourceSchemaUrl', LOW],
    ['ResourceAttributes', MAP],
    ['ScopeSchemaUrl', LOW],
    ['ScopeName', 'String'],
    ['ScopeVersion', LOW],
    ['ScopeAttributes', MAP],
    ['LogAttributes', MAP],
    ['EventName', 'String'],
    ...SOURCE,
  ],
  [TABLES.gauge]: [...POINT, ['Value', 'Float64'], FLAGS, ...EXEMPLARS, ...SOURCE],
  [TABLES.sum]: [
    ...POINT,
    ['Value', 'Float64'],
    FLAGS,
    ...EXEMPLARS,
    ['AggregationTemporality', 'Int32'],
    ['IsMonotonic', 'Bool'],
    ...SOURCE,
  ],
  [TABLES.histogram]: [
    ...POINT,
    ...COUNT,
    ['BucketCounts', 'Array(UInt64)'],
    ['ExplicitBounds', 'Array(Float64)'],
    ...EXEMPLARS,
    FLAGS,
    ...EXTREMES,
    ...SOURCE,
  ],
  [TABLES.expHistogram]: [
    ...POINT,
    ...COUNT,
    ['Scale', 'Int32'],
    ['ZeroCount', 'UInt64'],
    ['PositiveOffset', 'Int32'],
    ['PositiveBucketCounts', 'Array(UInt64)'],
    ['NegativeOffset', 'Int32'],
    ['NegativeBucketCounts', 'Array(UInt64)'],
    ...EXEMPLARS,
    FLAGS,
    ...EXTREMES,
    ...SOURCE,
  ],
  [TABLES.summary]: [
    ...POINT,
    ...COUNT,
    ['ValueAtQuantiles.Quantile', 'Array(Float64)'],
    ['ValueAtQuantiles.Value', 'Array(Float64)'],
    FLAGS,
    ...SOURCE,
  ],
  [TABLES.traces]: [
    ['Timestamp', 'DateTime64(9)'],
    ['TraceId', 'String'],
    ['SpanId', 'String'],
    ['ParentSpanId', 'String'],
    ['TraceState', 'String'],
    ['SpanName', LOW],
    ['SpanKind', LOW],
    ['ServiceName', LOW],
    ['ResourceAttributes', MAP],
    ['ScopeName', 'String'],
    ['ScopeVersion', 'String'],
    ['SpanAttributes', MAP],
    ['Duration', 'UInt64'],
    ['StatusCode', LOW],
    ['StatusMessage', 'String'],
    ['Events.Timestamp', 'Array(DateTime64(9))'],
    ['Events.Name', `Array(${LOW})`],
    ['Events.Attributes', `Array(${MAP})`],
    ['Links.TraceId', 'Array(String)'],
    ['Links.SpanId', 'Array(String)'],
    ['Links.TraceState', 'Array(String)'],
    ['Links.Attributes', `Array(${MAP})`],
    ...SOURCE,
  ],
};

/**
 * What of a table does not fit the rows that we send, in words; empty when all does. LowCardinality changes nothing on
 * the wire. `actual` are the table's columns.
 */
export function misfits(table: TableName, actual: ReadonlyMap<string, string>): string[] {
  const bare = (type: string): string => type.replaceAll(/LowCardinality\((\w+)\)/g, '$1');
  return COLUMNS[table].flatMap(([name, type]) => {
    const has = actual.get(name);
    if (has !== undefined && bare(has) === bare(type)) return [];
    return [`column ${name}: got ${has ?? 'none'}, want ${type}`];
  });
}
