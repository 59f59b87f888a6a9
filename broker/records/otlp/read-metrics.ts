import type { Cursor } from './cursor.ts';
import type {
  Buckets,
  Exemplar,
  ExponentialHistogramDataPoint,
  HistogramDataPoint,
  Metric,
  MetricData,
  NumberDataPoint,
  Resource,
  Scope,
  SummaryDataPoint,
} from './model.ts';
import { readEnvelope } from './read-envelope.ts';
import { internedText, newAttributes, readKeyValue } from './values.ts';

/**
 * The metrics of an ExportMetricsServiceRequest (or MetricsData), in the order of the wire. A data point's
 * index in the Kafka record counts all points of all metrics in that order.
 * @throws OtlpError when the bytes are not one; what the gateway accepted always is
 */
export function readMetrics(value: Buffer): Metric[] {
  const metrics: Metric[] = [];
  readEnvelope(value, (cursor, resource, scope) => metrics.push(readMetric(cursor, resource, scope)));
  return metrics;
}

function readMetric(cursor: Cursor, resource: Resource, scope: Scope): Metric {
  const outer = cursor.enter();
  let name = '';
  let description = '';
  let unit = '';
  let data: MetricData = { type: 'empty', points: [] };
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    switch (tag) {
      case (1 << 3) | 2:
        name = internedText(cursor);
        break;
      case (2 << 3) | 2:
        description = internedText(cursor);
        break;
      case (3 << 3) | 2:
        unit = internedText(cursor);
        break;
      case (5 << 3) | 2:
        data = { type: 'gauge', points: readData(cursor, readNumberPoint).points };
        break;
      case (7 << 3) | 2:
        data = { type: 'sum', ...readData(cursor, readNumberPoint) };
        break;
      case (9 << 3) | 2: {
        const { points, aggregationTemporality } = readData(cursor, readHistogramPoint);
        data = { type: 'histogram', points, aggregationTemporality };
        break;
      }
      case (10 << 3) | 2: {
        const { points, aggregationTemporality } = readData(cursor, readExponentialPoint);
        data = { type: 'exponentialHistogram', points, aggregationTemporality };
        break;
      }
      case (11 << 3) | 2:
        data = { type: 'summary', points: readData(cursor, readSummaryPoint).points };
        break;
      default:
        cursor.skip(tag);
    }
  }
  cursor.leave(outer);
  return { name, description, unit, data, resource, scope };
}

// Gauge, Sum, Histogram, ExponentialHistogram and Summary: points = 1, temporality = 2, is_monotonic = 3.
function readData<Point>(
  cursor: Cursor,
  readPoint: (cursor: Cursor) => Point,
): { points: Point[]; aggregationTemporality: number; isMonotonic: boolean } {
  const outer = cursor.enter();
  const points: Point[] = [];
  let aggregationTemporality = 0;
  let isMonotonic = false;
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === ((1 << 3) | 2)) points.push(readPoint(cursor));
    else if (tag === 2 << 3) aggregationTemporality = cursor.int32();
    else if (tag === 3 << 3) isMonotonic = cursor.bool();
    else cursor.skip(tag);
  }
  cursor.leave(outer);
  return { points, aggregationTemporality, isMonotonic };
}

function readNumberPoint(cursor: Cursor): NumberDataPoint {
  const outer = cursor.enter();
  const attributes = newAttributes();
  const exemplars: Exemplar[] = [];
  let startTimeUnixNano = 0n;
  let timeUnixNano = 0n;
  let value: number | bigint = 0;
  let flags = 0;
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    switch (tag) {
      case (2 << 3) | 1:
        startTimeUnixNano = cursor.fixed64();
        break;
      case (3 << 3) | 1:
        timeUnixNano = cursor.fixed64();
        break;
      case (4 << 3) | 1:
        value = cursor.double();
        break;
      case (5 << 3) | 2:
        exemplars.push(readExemplar(cursor));
        break;
      case (6 << 3) | 1:
        value = cursor.sfixed64();
        break;
      case (7 << 3) | 2:
        readKeyValue(cursor, attributes);
        break;
      case 8 << 3:
        flags = cursor.uint32();
        break;
      default:
        cursor.skip(tag);
    }
  }
  cursor.leave(outer);
  return { attributes, startTimeUnixNano, timeUnixNano, flags, value, exemplars };
}

function readHistogramPoint(cursor: Cursor): HistogramDataPoint {
  const outer = cursor.enter();
  const attributes = newAttributes();
  const exemplars: Exemplar[] = [];
  const bucketCounts: bigint[] = [];
  const explicitBounds: number[] = [];
  let startTimeUnixNano = 0n;
  let timeUnixNano = 0n;
  let count = 0n;
  let sum: number | undefined;
  let min: number | undefined;
  let max: number | undefined;
  let flags = 0;
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    switch (tag) {
      case (2 << 3) | 1:
        startTimeUnixNano = cursor.fixed64();
        break;
      case (3 << 3) | 1:
        timeUnixNano = cursor.fixed64();
        break;
      case (4 << 3) | 1:
        count = cursor.fixed64();
        break;
      case (5 << 3) | 1:
        sum = cursor.double();
        break;
      case (6 << 3) | 1:
        bucketCounts.push(cursor.fixed64());
        break;
      case (6 << 3) | 2:
        readPacked(cursor, () => bucketCounts.push(cursor.fixed64()));
        break;
      case (7 << 3) | 1:
        explicitBounds.push(cursor.double());
        break;
      case (7 << 3) | 2:
        readPacked(cursor, () => explicitBounds.push(cursor.double()));
        break;
      case (8 << 3) | 2:
        exemplars.push(readExemplar(cursor));
        break;
      case (9 << 3) | 2:
        readKeyValue(cursor, attributes);
        break;
      case 10 << 3:
        flags = cursor.uint32();
        break;
      case (11 << 3) | 1:
        min = cursor.double();
        break;
      case (12 << 3) | 1:
        max = cursor.double();
        break;
      default:
        cursor.skip(tag);
    }
  }
  cursor.leave(outer);
  return {
    attributes,
    startTimeUnixNano,
    timeUnixNano,
    flags,
    count,
    sum,
    min,
    max,
    bucketCounts,
    explicitBounds,
    exemplars,
  };
}

function readExponentialPoint(cursor: Cursor): ExponentialHistogramDataPoint {
  const outer = cursor.enter();
  const attributes = newAttributes();
  const exemplars: Exemplar[] = [];
  let startTimeUnixNano = 0n;
  let timeUnixNano = 0n;
  let count = 0n;
  let sum: number | undefined;
  let min: number | undefined;
  let max: number | undefined;
  let scale = 0;
  let zeroCount = 0n;
  let zeroThreshold = 0;
  let positive: Buckets = { offset: 0, bucketCounts: [] };
  let negative: Buckets = { offset: 0, bucketCounts: [] };
  let flags = 0;
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    switch (tag) {
      case (1 << 3) | 2:
        readKeyValue(cursor, attributes);
        break;
      case (2 << 3) | 1:
        startTimeUnixNano = cursor.fixed64();
        break;
      case (3 << 3) | 1:
        timeUnixNano = cursor.fixed64();
        break;
      case (4 << 3) | 1:
        count = cursor.fixed64();
        break;
      case (5 << 3) | 1:
        sum = cursor.double();
        break;
      case 6 << 3:
        scale = cursor.sint32();
        break;
      case (7 << 3) | 1:
        zeroCount = cursor.fixed64();
        break;
      case (8 << 3) | 2:
        positive = readBuckets(cursor);
        break;
      case (9 << 3) | 2:
        negative = readBuckets(cursor);
        break;
      case 10 << 3:
        flags = cursor.uint32();
        break;
      case (11 << 3) | 2:
        exemplars.push(readExemplar(cursor));
        break;
      case (12 << 3) | 1:
        min = cursor.double();
        break;
      case (13 << 3) | 1:
        max = cursor.double();
        break;
      case (14 << 3) | 1:
        zeroThreshold = cursor.double();
        break;
      default:
        cursor.skip(tag);
    }
  }
  cursor.leave(outer);
  return {
    attributes,
    startTimeUnixNano,
    timeUnixNano,
    flags,
    count,
    sum,
    min,
    max,
    scale,
    zeroCount,
    zeroThreshold,
    positive,
    negative,
    exemplars,
  };
}

function readBuckets(cursor: Cursor): Buckets {
  const outer = cursor.enter();
  const bucketCounts: bigint[] = [];
  let offset = 0;
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === 1 << 3) offset = cursor.sint32();
    else if (tag === 2 << 3) bucketCounts.push(cursor.uint64());
    else if (tag === ((2 << 3) | 2)) readPacked(cursor, () => bucketCounts.push(cursor.uint64()));
    else cursor.skip(tag);
  }
  cursor.leave(outer);
  return { offset, bucketCounts };
}

function readSummaryPoint(cursor: Cursor): SummaryDataPoint {
  const outer = cursor.enter();
  const attributes = newAttributes();
  const quantileValues: Array<{ quantile: number; value: number }> = [];
  let startTimeUnixNano = 0n;
  let timeUnixNano = 0n;
  let count = 0n;
  let sum = 0;
  let flags = 0;
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    switch (tag) {
      case (2 << 3) | 1:
        startTimeUnixNano = cursor.fixed64();
        break;
      case (3 << 3) | 1:
        timeUnixNano = cursor.fixed64();
        break;
      case (4 << 3) | 1:
        count = cursor.fixed64();
        break;
      case (5 << 3) | 1:
        sum = cursor.double();
        break;
      case (6 << 3) | 2:
        quantileValues.push(readQuantile(cursor));
        break;
      case (7 << 3) | 2:
        readKeyValue(cursor, attributes);
        break;
      case 8 << 3:
        flags = cursor.uint32();
        break;
      default:
        cursor.skip(tag);
    }
  }
  cursor.leave(outer);
  return { attributes, startTimeUnixNano, timeUnixNano, flags, count, sum, quantileValues };
}

function readQuantile(cursor: Cursor): { quantile: number; value: number } {
  const outer = cursor.enter();
  let quantile = 0;
  let value = 0;
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === ((1 << 3) | 1)) quantile = cursor.double();
    else if (tag === ((2 << 3) | 1)) value = cursor.double();
    else cursor.skip(tag);
  }
  cursor.leave(outer);
  return { quantile, value };
}

function readExemplar(cursor: Cursor): Exemplar {
  const outer = cursor.enter();
  const filteredAttributes = newAttributes();
  let timeUnixNano = 0n;
  let value: number | bigint = 0;
  let spanId = '';
  let traceId = '';
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    switch (tag) {
      case (2 << 3) | 1:
        timeUnixNano = cursor.fixed64();
        break;
      case (3 << 3) | 1:
        value = cursor.double();
        break;
      case (4 << 3) | 2:
        spanId = cursor.hex();
        break;
      case (5 << 3) | 2:
        traceId = cursor.hex();
        break;
      case (6 << 3) | 1:
        value = cursor.sfixed64();
        break;
      case (7 << 3) | 2:
        readKeyValue(cursor, filteredAttributes);
        break;
      default:
        cursor.skip(tag);
    }
  }
  cursor.leave(outer);
  return { filteredAttributes, timeUnixNano, value, spanId, traceId };
}

// Repeated numbers come packed (one length, then the values) or one by one; readers take both.
function readPacked(cursor: Cursor, readOne: () => void): void {
  const outer = cursor.enter();
  while (cursor.at < cursor.end) readOne();
  cursor.leave(outer);
}
