import type { Attributes } from './model.ts';
import { type ResourceToWrite, type ScopeToWrite, writeGroup } from './write-logs.ts';
import { Writer } from './writer.ts';

interface PointToWrite {
  readonly attributes?: Attributes;
  readonly startTimeUnixNano?: bigint;
  readonly timeUnixNano: bigint;
  readonly flags?: number;
}

export interface NumberPointToWrite extends PointToWrite {
  /** A number is written as `as_double`, a bigint as `as_int`. */
  readonly value: number | bigint;
}

export interface HistogramPointToWrite extends PointToWrite {
  readonly sum?: number;
  /** Counts per bucket, one more than bounds; the total is computed. */
  readonly bucketCounts: readonly number[];
  readonly explicitBounds: readonly number[];
}

/** Sums and histograms are cumulative, as all that our parts count is. */
export type MetricToWrite = {
  readonly name: string;
  readonly description?: string;
  readonly unit?: string;
} & (
  | { readonly type: 'gauge'; readonly points: readonly NumberPointToWrite[] }
  | { readonly type: 'sum'; readonly isMonotonic: boolean; readonly points: readonly NumberPointToWrite[] }
  | { readonly type: 'histogram'; readonly points: readonly HistogramPointToWrite[] }
);

export interface MetricsToWrite {
  readonly resource?: ResourceToWrite;
  readonly scope?: ScopeToWrite;
  readonly metrics: readonly MetricToWrite[];
}

const CUMULATIVE = 2;

/** One ExportMetricsServiceRequest with a ResourceMetrics for each element. */
export function encodeMetrics(...groups: readonly MetricsToWrite[]): Buffer {
  const writer = new Writer();
  for (const { resource, scope, metrics } of groups) {
    writeGroup(writer, resource, scope, () => {
      for (const metric of metrics) writeMetric(writer, metric);
    });
  }
  return writer.finish();
}

function writeMetric(writer: Writer, metric: MetricToWrite): void {
  const start = writer.begin(2);
  writer.text(1, metric.name);
  if (metric.description) writer.text(2, metric.description);
  if (metric.unit) writer.text(3, metric.unit);
  if (metric.type === 'gauge') {
    const data = writer.begin(5);
    for (const point of metric.points) writeNumberPoint(writer, point);
    writer.end(data);
  } else if (metric.type === 'sum') {
    const data = writer.begin(7);
    for (const point of metric.points) writeNumberPoint(writer, point);
    writer.int64(2, CUMULATIVE);
    if (metric.isMonotonic) writer.bool(3, true);
    writer.end(data);
  } else {
    const data = writer.begin(9);
    for (const point of metric.points) writeHistogramPoint(writer, point);
    writer.int64(2, CUMULATIVE);
    writer.end(data);
  }
  writer.end(start);
}

function writeNumberPoint(writer: Writer, point: NumberPointToWrite): void {
  const start = writer.begin(1);
  if (point.startTimeUnixNano) writer.fixed64(2, point.startTimeUnixNano);
  writer.fixed64(3, point.timeUnixNano);
  if (typeof point.value === 'number') writer.double(4, point.value);
  else writer.fixed64(6, point.value);
  if (point.attributes) writer.attributes(7, point.attributes);
  if (point.flags) writer.uint32(8, point.flags);
  writer.end(start);
}

function writeHistogramPoint(writer: Writer, point: HistogramPointToWrite): void {
  const start = writer.begin(1);
  if (point.startTimeUnixNano) writer.fixed64(2, point.startTimeUnixNano);
  writer.fixed64(3, point.timeUnixNano);
  let count = 0;
  for (const one of point.bucketCounts) count += one;
  writer.fixed64(4, BigInt(count));
  if (point.sum !== undefined) writer.double(5, point.sum);
  if (point.bucketCounts.length > 0) {
    const packed = writer.begin(6);
    for (const one of point.bucketCounts) writer.fixed64Value(BigInt(one));
    writer.end(packed);
  }
  if (point.explicitBounds.length > 0) {
    const packed = writer.begin(7);
    for (const one of point.explicitBounds) writer.doubleValue(one);
    writer.end(packed);
  }
  if (point.attributes) writer.attributes(9, point.attributes);
  if (point.flags) writer.uint32(10, point.flags);
  writer.end(start);
}
