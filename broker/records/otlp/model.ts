/**
 * OTLP messages as objects, for whoever needs more than bytes: alerts, live tail, the sink's odd cases.
 *
 * Names are OTLP's in camelCase. Times are ns since 1970 as bigint. Ids are lower-case hex, empty when absent.
 * Absent fields have protobuf's defaults (0, '', false), as the wire cannot tell them apart.
 */

/**
 * A value of any type.
 *
 * - `int_value` is a number when it is exact (within ±(2^53 - 1)), else a bigint;
 * - `string_value` is a string when it is valid UTF-8, else its bytes, as `bytes_value` is; directly under an
 *   attribute's key it is a string always, with replacement characters;
 * - an empty value is null.
 *
 * Bytes share memory with the buffer that was read: copy what outlives it.
 */
export type AnyValue = string | boolean | number | bigint | Uint8Array | AnyValue[] | Attributes | null;

/**
 * Keys in the order of the wire; of equal keys the last one counts. What the readers make has no prototype, so
 * a key such as `__proto__` or `constructor` is an ordinary key. (Keys that are not UTF-8 get replacement
 * characters.)
 */
export interface Attributes {
  [key: string]: AnyValue;
}

export interface Resource {
  readonly attributes: Attributes;
  readonly schemaUrl: string;
}

export interface Scope {
  readonly name: string;
  readonly version: string;
  readonly attributes: Attributes;
  readonly droppedAttributesCount: number;
  readonly schemaUrl: string;
}

export interface LogRecord {
  readonly timeUnixNano: bigint;
  readonly observedTimeUnixNano: bigint;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: AnyValue;
  readonly attributes: Attributes;
  readonly droppedAttributesCount: number;
  readonly flags: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly eventName: string;
  /** Shared by all records of the same submessage. */
  readonly resource: Resource;
  readonly scope: Scope;
}

/** 0 unspecified, 1 delta, 2 cumulative. */
export type AggregationTemporality = number;

export interface Exemplar {
  readonly filteredAttributes: Attributes;
  readonly timeUnixNano: bigint;
  readonly value: number | bigint;
  readonly spanId: string;
  readonly traceId: string;
}

interface DataPoint {
  readonly attributes: Attributes;
  readonly startTimeUnixNano: bigint;
  readonly timeUnixNano: bigint;
  readonly flags: number;
}

export interface NumberDataPoint extends DataPoint {
  /** As `AnyValue`'s numbers: `as_int` is a bigint only beyond 2^53. 0 when the point carries no value. */
  readonly value: number | bigint;
  readonly exemplars: readonly Exemplar[];
}

export interface HistogramDataPoint extends DataPoint {
  readonly count: bigint;
  /** Undefined when absent: sum, min and max are optional. */
  readonly sum: number | undefined;
  readonly min: number | undefined;
  readonly max: number | undefined;
  /** One more than `explicitBounds`, or both empty. */
  readonly bucketCounts: readonly bigint[];
  readonly explicitBounds: readonly number[];
  readonly exemplars: readonly Exemplar[];
}

export interface Buckets {
  readonly offset: number;
  readonly bucketCounts: readonly bigint[];
}

export interface ExponentialHistogramDataPoint extends DataPoint {
  readonly count: bigint;
  readonly sum: number | undefined;
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly scale: number;
  readonly zeroCount: bigint;
  readonly zeroThreshold: number;
  readonly positive: Buckets;
  readonly negative: Buckets;
  readonly exemplars: readonly Exemplar[];
}

export interface SummaryDataPoint extends DataPoint {
  readonly count: bigint;
  readonly sum: number;
  readonly quantileValues: ReadonlyArray<{ readonly quantile: number; readonly value: number }>;
}

export type MetricData =
  | { readonly type: 'gauge'; readonly points: readonly NumberDataPoint[] }
  | {
      readonly type: 'sum';
      readonly points: readonly NumberDataPoint[];
      readonly aggregationTemporality: AggregationTemporality;
      readonly isMonotonic: boolean;
    }
  | {
      readonly type: 'histogram';
      readonly points: readonly HistogramDataPoint[];
      readonly aggregationTemporality: AggregationTemporality;
    }
  | {
      readonly type: 'exponentialHistogram';
      readonly points: readonly ExponentialHistogramDataPoint[];
      readonly aggregationTemporality: AggregationTemporality;
    }
  | { readonly type: 'summary'; readonly points: readonly SummaryDataPoint[] }
  | { readonly type: 'empty'; readonly points: readonly [] };

export interface Metric {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly data: MetricData;
  readonly resource: Resource;
  readonly scope: Scope;
}

export interface SpanEvent {
  readonly timeUnixNano: bigint;
  readonly name: string;
  readonly attributes: Attributes;
}

export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceState: string;
  readonly attributes: Attributes;
}

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly flags: number;
  readonly name: string;
  /** 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number;
  readonly startTimeUnixNano: bigint;
  readonly endTimeUnixNano: bigint;
  readonly attributes: Attributes;
  readonly events: readonly SpanEvent[];
  readonly links: readonly SpanLink[];
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly resource: Resource;
  readonly scope: Scope;
}
