/** Spans from OTLP to RowBinary of `otel_traces`. */
import type { Span } from '../../broker/records/otlp/model.ts';
import { readSpans } from '../../broker/records/otlp/read-spans.ts';
import type { Encoded, RecordPlace } from './encode.ts';
import { writeAttributes } from './encode-attributes.ts';
import { writeSource } from './encode-source.ts';
import { TABLES } from './layout.ts';
import type { RowBatches } from './row-batch.ts';
import { ORIGINAL_TIME, place, placed, type TimeRule } from './row-time.ts';
import type { RowWriter } from './row-writer.ts';

/** The exporter's names, by OTLP's numbers. */
const KINDS = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
const STATUSES = ['Unset', 'Ok', 'Error'];

export function encodeSpans(
  value: Buffer,
  record: RecordPlace,
  rule: TimeRule,
  batches: RowBatches,
  counts: Encoded,
): void {
  let index = -1;
  for (const span of readSpans(value)) {
    index += 1;
    const [low, high] = halves(span.startTimeUnixNano);
    const [endLow, endHigh] = halves(span.endTimeUnixNano);
    const outcome = place(low, high, endLow, endHigh, record.appendMs, rule);
    counts[outcome] += 1;
    if (outcome === 'expired') continue;
    const batch = batches.of(TABLES.traces, placed.day);
    writeRow(span, batch.writer, outcome === 'redated');
    writeSource(batch.writer, batches, record.source, record.offset, index);
    batch.endRow(record.source, record.offset, index);
  }
}

function writeRow(span: Span, out: RowWriter, redated: boolean): void {
  const { resource, scope, events, links } = span;
  out.u32(placed.low);
  out.u32(placed.high);
  out.text(span.traceId);
  out.text(span.spanId);
  out.text(span.parentSpanId);
  out.text(span.traceState);
  out.text(span.name);
  out.text(KINDS[span.kind] ?? '');
  const service = resource.attributes['service.name'];
  out.text(typeof service === 'string' ? service : '');
  writeAttributes(resource.attributes, out);
  out.text(scope.name);
  out.text(scope.version);
  const original = [ORIGINAL_TIME, String(span.startTimeUnixNano)] as const;
  writeAttributes(span.attributes, out, redated ? original : undefined);
  const duration = span.endTimeUnixNano - span.startTimeUnixNano;
  out.u64(duration > 0n ? duration : 0n);
  out.text(STATUSES[span.statusCode] ?? '');
  out.text(span.statusMessage);
  each(events, out, ({ timeUnixNano }) => out.u64(timeUnixNano));
  each(events, out, ({ name }) => out.text(name));
  each(events, out, ({ attributes }) => writeAttributes(attributes, out));
  each(links, out, ({ traceId }) => out.text(traceId));
  each(links, out, ({ spanId }) => out.text(spanId));
  each(links, out, ({ traceState }) => out.text(traceState));
  each(links, out, ({ attributes }) => writeAttributes(attributes, out));
}

/** A Nested column is one array a field. */
function each<T>(items: readonly T[], out: RowWriter, write: (item: T) => void): void {
  out.varint(items.length);
  for (const item of items) write(item);
}

function halves(ns: bigint): [number, number] {
  return [Number(ns & 0xffff_ffffn), Number(ns >> 32n)];
}
