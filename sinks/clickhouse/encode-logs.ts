/**
 * Log records from OTLP bytes to RowBinary of `otel_logs`, without an object or a string per record. A record is
 * walked once to note where its fields are, since the time decides the batch before the first column is written.
 */
import type { Cursor } from '../../broker/records/otlp/cursor.ts';
import type { Encoded, RecordPlace } from './encode.ts';
import { AttributeSlots, noteKeyValue, writeNoted, writeValue } from './encode-attributes.ts';
import { copy, Envelope, walkEnvelope } from './encode-envelope.ts';
import { TABLES } from './layout.ts';
import { writeSource } from './encode-source.ts';
import type { RowBatches } from './row-batch.ts';
import { ORIGINAL_TIME, place, placed, type TimeRule } from './row-time.ts';
import type { RowWriter } from './row-writer.ts';

const envelope = new Envelope();
const attributes = new AttributeSlots();

/** Where the fields of the record in hand are; strings as start and end. */
const field = {
  timeLow: 0,
  timeHigh: 0,
  observedLow: 0,
  observedHigh: 0,
  severityNumber: 0,
  flags: 0,
  severityText: 0,
  severityTextEnd: 0,
  body: 0,
  bodyEnd: 0,
  traceId: 0,
  traceIdEnd: 0,
  spanId: 0,
  spanIdEnd: 0,
  eventName: 0,
  eventNameEnd: 0,
};

export function encodeLogs(
  value: Buffer,
  record: RecordPlace,
  rule: TimeRule,
  batches: RowBatches,
  counts: Encoded,
): void {
  let index = -1;
  walkEnvelope(value, envelope, (cursor) => {
    index += 1;
    noteFields(cursor);
    const outcome = place(
      field.timeLow,
      field.timeHigh,
      field.observedLow,
      field.observedHigh,
      record.appendMs,
      rule,
    );
    counts[outcome] += 1;
    if (outcome === 'expired') return;
    const batch = batches.of(TABLES.logs, placed.day);
    writeRow(cursor, batch.writer, outcome === 'redated');
    writeSource(batch.writer, batches, record.source, record.offset, index);
    batch.endRow(record.source, record.offset, index);
  });
}

function writeRow(cursor: Cursor, out: RowWriter, redated: boolean): void {
  const { bytes } = cursor;
  out.u32(placed.low);
  out.u32(placed.high);
  out.hex(bytes, field.traceId, field.traceIdEnd);
  out.hex(bytes, field.spanId, field.spanIdEnd);
  out.u8(field.flags);
  out.string(bytes, field.severityText, field.severityTextEnd);
  out.u8(field.severityNumber);
  copy(envelope.serviceName, out);
  writeBody(cursor, out);
  copy(envelope.resourceSchemaUrl, out);
  copy(envelope.resourceAttributes, out);
  copy(envelope.scopeSchemaUrl, out);
  copy(envelope.scopeName, out);
  copy(envelope.scopeVersion, out);
  copy(envelope.scopeAttributes, out);
  writeNoted(cursor, attributes, out, redated ? originalTime() : undefined);
  out.string(bytes, field.eventName, field.eventNameEnd);
}

function originalTime(): [string, string] {
  return [ORIGINAL_TIME, String((BigInt(field.timeHigh) << 32n) | BigInt(field.timeLow))];
}

const STRING_VALUE = (1 << 3) | 2;
const BYTES_VALUE = (7 << 3) | 2;

/** Text and bytes go in as they are; anything else as the text of an attribute. */
function writeBody(cursor: Cursor, out: RowWriter): void {
  const { body, bodyEnd } = field;
  const { at, end } = cursor;
  if (body !== bodyEnd) {
    cursor.at = body;
    cursor.end = bodyEnd;
    const tag = cursor.tag();
    if (tag === STRING_VALUE || tag === BYTES_VALUE) {
      const valueEnd = cursor.lengthEnd();
      if (valueEnd === bodyEnd) {
        out.string(cursor.bytes, cursor.at, bodyEnd);
        cursor.at = at;
        cursor.end = end;
        return;
      }
    }
    cursor.at = at;
    cursor.end = end;
  }
  writeValue(cursor, body, bodyEnd, out);
}

function noteFields(cursor: Cursor): void {
  const outer = cursor.enter();
  field.timeLow = field.timeHigh = field.observedLow = field.observedHigh = 0;
  field.severityNumber = field.flags = 0;
  field.severityText = field.severityTextEnd = field.body = field.bodyEnd = 0;
  field.traceId = field.traceIdEnd = field.spanId = field.spanIdEnd = 0;
  field.eventName = field.eventNameEnd = 0;
  attributes.clear();
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    switch (tag) {
      case (1 << 3) | 1:
        field.timeLow = cursor.fixed32();
        field.timeHigh = cursor.fixed32();
        break;
      case 2 << 3:
        field.severityNumber = cursor.int32();
        break;
      case (3 << 3) | 2:
        field.severityTextEnd = cursor.lengthEnd();
        field.severityText = cursor.at;
        cursor.at = field.severityTextEnd;
        break;
      case (5 << 3) | 2:
        field.bodyEnd = cursor.lengthEnd();
        field.body = cursor.at;
        cursor.at = field.bodyEnd;
        break;
      case (6 << 3) | 2:
        noteKeyValue(cursor, attributes);
        break;
      case (8 << 3) | 5:
        field.flags = cursor.fixed32();
        break;
      case (9 << 3) | 2:
        field.traceIdEnd = cursor.lengthEnd();
        field.traceId = cursor.at;
        cursor.at = field.traceIdEnd;
        break;
      case (10 << 3) | 2:
        field.spanIdEnd = cursor.lengthEnd();
        field.spanId = cursor.at;
        cursor.at = field.spanIdEnd;
        break;
      case (11 << 3) | 1:
        field.observedLow = cursor.fixed32();
        field.observedHigh = cursor.fixed32();
        break;
      case (12 << 3) | 2:
        field.eventNameEnd = cursor.lengthEnd();
        field.eventName = cursor.at;
        cursor.at = field.eventNameEnd;
        break;
      default:
        cursor.skip(tag);
    }
  }
  cursor.leave(outer);
}
