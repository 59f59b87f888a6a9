/** Data points from OTLP to RowBinary of the five metric tables, one row a point. */
import type { Exemplar, Metric, MetricData } from '../../broker/records/otlp/model.ts';
import { readMetrics } from '../../broker/records/otlp/read-metrics.ts';
import type { Encoded, RecordPlace } from './encode.ts';
import { writeAttributes } from './encode-attributes.ts';
import { writeSource } from './encode-source.ts';
import { type TableName, TABLES } from './layout.ts';
import type { RowBatches } from './row-batch.ts';
import { ORIGINAL_TIME, place, placed, type TimeRule } from './row-time.ts';
import { RowWriter } from './row-writer.ts';

type Point = MetricData['points'][number];

const TABLE_OF: Readonly<Record<Exclude<MetricData['type'], 'empty'>, TableName>> = {
  gauge: TABLES.gauge,
  sum: TABLES.sum,
  histogram: TABLES.histogram,
  exponentialHistogram: TABLES.expHistogram,
  summary: TABLES.summary,
};

/** The columns that all points of a metric share. */
const shared = { before: new RowWriter(1024) };

export function encodeMetrics(
  value: Buffer,
  record: RecordPlace,
  rule: TimeRule,
  batches: RowBatches,
  counts: Encoded,
): void {
  let index = -1;
  for (const metric of readMetrics(value)) {
    const { data } = metric;
    if (data.type === 'empty') continue;
    writeShared(metric);
    for (const point of data.points) {
      index += 1;
      const low = Number(point.timeUnixNano & 0xffff_ffffn);
      const high = Number(point.timeUnixNano >> 32n);
      const outcome = place(low, high, 0, 0, record.appendMs, rule);
      counts[outcome] += 1;
      if (outcome === 'expired') continue;
      const batch = batches.of(TABLE_OF[data.type], placed.day);
      const out = batch.writer;
      out.raw(shared.before.bytes, 0, shared.before.at);
      const original = [ORIGINAL_TIME, String(point.timeUnixNano)] as const;
      writeAttributes(point.attributes, out, outcome === 'redated' ? original : undefined);
      out.u32(seconds(point.startTimeUnixNano));
      out.u32(seconds((BigInt(placed.high) << 32n) | BigInt(placed.low)));
      writeOwn(data, point, out);
      writeSource(out, batches, record.source, record.offset, index);
      batch.endRow(record.source, record.offset, index);
    }
  }
}

function writeShared({ resource, scope, name, description, unit }: Metric): void {
  const out = shared.before;
  out.at = 0;
  writeAttributes(resource.attributes, out);
  out.text(resource.schemaUrl);
  out.text(scope.name);
  out.text(scope.version);
  writeAttributes(scope.attributes, out);
  out.u32(scope.droppedAttributesCount);
  out.text(scope.schemaUrl);
  const service = resource.attributes['service.name'];
  out.text(typeof service === 'string' ? service : '');
  out.text(name);
  out.text(description);
  out.text(unit);
}

function writeOwn(data: MetricData, point: Point, out: RowWriter): void {
  // The type of the points follows from the metric's, which the compiler cannot see through the union.
  if ('value' in point) {
    out.f64(Number(point.value));
    out.u32(point.flags);
    writeExemplars(point.exemplars, out);
    if (data.type !== 'sum') return;
    out.i32(data.aggregationTemporality);
    out.u8(data.isMonotonic ? 1 : 0);
  } else if ('quantileValues' in point) {
    out.u64(point.count);
    out.f64(point.sum);
    writeDoubles(
      point.quantileValues.map(({ quantile }) => quantile),
      out,
    );
    writeDoubles(
      point.quantileValues.map(({ value }) => value),
      out,
    );
    out.u32(point.flags);
  } else {
    out.u64(point.count);
    out.f64(point.sum ?? 0);
    if ('scale' in point) {
      out.i32(point.scale);
      out.u64(point.zeroCount);
      out.i32(point.positive.offset);
      writeCounts(point.positive.bucketCounts, out);
      out.i32(point.negative.offset);
      writeCounts(point.negative.bucketCounts, out);
    } else {
      writeCounts(point.bucketCounts, out);
      writeDoubles(point.explicitBounds, out);
    }
    writeExemplars(point.exemplars, out);
    out.u32(point.flags);
    out.f64(point.min ?? 0);
    out.f64(point.max ?? 0);
    out.i32('aggregationTemporality' in data ? data.aggregationTemporality : 0);
  }
}

/** A Nested column is one array a field. */
function writeExemplars(exemplars: readonly Exemplar[], out: RowWriter): void {
  const each = (write: (exemplar: Exemplar) => void): void => {
    out.varint(exemplars.length);
    for (const exemplar of exemplars) write(exemplar);
  };
  each(({ filteredAttributes }) => writeAttributes(filteredAttributes, out));
  each(({ timeUnixNano }) => out.u32(seconds(timeUnixNano)));
  each(({ value }) => out.f64(Number(value)));
  each(({ spanId }) => out.text(spanId));
  each(({ traceId }) => out.text(traceId));
}

function writeCounts(counts: readonly bigint[], out: RowWriter): void {
  out.varint(counts.length);
  for (const count of counts) out.u64(count);
}

function writeDoubles(values: readonly number[], out: RowWriter): void {
  out.varint(values.length);
  for (const value of values) out.f64(value);
}

/** DateTime ends in 2106; what a sender's clock says beyond is cut to it. */
function seconds(ns: bigint): number {
  const value = ns / 1_000_000_000n;
  return value > 0xffff_ffffn ? 0xffff_ffff : Number(value);
}
