import { attributeText } from '../../broker/records/otlp/attribute-text.ts';
import { Cursor } from '../../broker/records/otlp/cursor.ts';
import { readValue } from '../../broker/records/otlp/values.ts';
import { countRecords, eachField } from '../../broker/records/otlp/walk.ts';
import { Writer } from '../../broker/records/otlp/writer.ts';
import type { Signal } from '../../broker/records/topics.ts';

/**
 * A Resource* submessage that is larger than a Kafka record may be, as several requests of at most `bytesMax`.
 *
 * The records inside (log records, metrics, spans) keep their bytes and their order; only the envelope around them
 * (resource, scope, schema URLs) is written again for each part. A single log record that is too large is cut and
 * marked; a single metric or span that is too large is rejected, as cutting would change what it says.
 */
export interface Split {
  readonly parts: ReadonlyArray<{ value: Buffer; count: number }>;
  /** Log records that were cut. */
  readonly truncated: number;
  /** Log records, data points or spans that no part holds. */
  readonly rejected: number;
}

const RECORDS_TAG = (2 << 3) | 2;
/** Tag and length of the two envelopes around a record, and of the record. */
const FRAME_BYTES = 3 * 6;

export function splitGroup(
  signal: Signal,
  bytes: Buffer,
  contentStart: number,
  contentEnd: number,
  bytesMax: number,
): Split {
  const parts: Array<{ value: Buffer; count: number }> = [];
  let truncated = 0;
  let rejected = 0;
  const head = fieldsExcept(bytes, contentStart, contentEnd);
  eachField(bytes, contentStart, contentEnd, (tag, scopeStart, scopeEnd) => {
    if (tag !== RECORDS_TAG) return;
    const scopeHead = fieldsExcept(bytes, scopeStart, scopeEnd);
    const room = bytesMax - head.length - scopeHead.length - FRAME_BYTES;
    let pending: Buffer[] = [];
    let pendingBytes = 0;
    let pendingCount = 0;
    const flush = (): void => {
      if (pending.length === 0) return;
      parts.push({ value: envelope(head, scopeHead, pending), count: pendingCount });
      pending = [];
      pendingBytes = 0;
      pendingCount = 0;
    };
    eachField(bytes, scopeStart, scopeEnd, (recordTag, start, end, fieldStart) => {
      if (recordTag !== RECORDS_TAG) return;
      const count = signal === 'metrics' ? countRecords('Metric', bytes, start, end) : 1;
      let field: Buffer | undefined = bytes.subarray(fieldStart, end);
      if (field.length > room) {
        field = signal === 'logs' ? truncatedRecord(bytes, start, end, room) : undefined;
        if (field) truncated += 1;
      }
      if (!field) {
        rejected += count;
        return;
      }
      if (pendingBytes + field.length > room) flush();
      pending.push(field);
      pendingBytes += field.length;
      pendingCount += count;
    });
    flush();
  });
  return { parts, truncated, rejected };
}

/** Everything in the message but its field 2, the repeated one. */
function fieldsExcept(bytes: Buffer, start: number, end: number): Buffer {
  const kept: Buffer[] = [];
  let from = start;
  eachField(bytes, start, end, (tag, _contentStart, contentEnd, fieldStart) => {
    if (tag !== RECORDS_TAG) return;
    kept.push(bytes.subarray(from, fieldStart));
    from = contentEnd;
  });
  kept.push(bytes.subarray(from, end));
  return Buffer.concat(kept);
}

function envelope(head: Buffer, scopeHead: Buffer, records: readonly Buffer[]): Buffer {
  const writer = new Writer();
  const group = writer.begin(1);
  writer.append(head);
  const scope = writer.begin(2);
  writer.append(scopeHead);
  for (const record of records) writer.append(record);
  writer.end(scope);
  writer.end(group);
  return writer.finish();
}

const BODY_TAG = (5 << 3) | 2;
const ATTRIBUTE_TAG = (6 << 3) | 2;
/** On a record that was cut: how many bytes it had. */
export const TRUNCATED_ATTRIBUTE = 'millrace.truncated_from_bytes';

/**
 * The record as a field of at most `room` bytes: other fields as they are, attributes in their order as long as
 * they fill no more than half, then as much of the body as there is room for. Undefined when even that fails.
 */
function truncatedRecord(bytes: Buffer, start: number, end: number, room: number): Buffer | undefined {
  const other: Buffer[] = [];
  const attributes: Buffer[] = [];
  let attributesBytes = 0;
  let body: Buffer | undefined;
  let from = start;
  eachField(bytes, start, end, (tag, contentStart, contentEnd, fieldStart) => {
    if (tag !== BODY_TAG && tag !== ATTRIBUTE_TAG) return;
    other.push(bytes.subarray(from, fieldStart));
    from = contentEnd;
    const field = bytes.subarray(fieldStart, contentEnd);
    if (tag === BODY_TAG) body = bytes.subarray(contentStart, contentEnd);
    else if (attributesBytes + field.length <= room / 2) {
      attributes.push(field);
      attributesBytes += field.length;
    }
  });
  other.push(bytes.subarray(from, end));

  const writer = new Writer();
  const record = writer.begin(2);
  for (const field of other) writer.append(field);
  for (const field of attributes) writer.append(field);
  writer.keyValue(6, TRUNCATED_ATTRIBUTE, end - start);
  const left = room - writer.length - FRAME_BYTES;
  if (left < 0) return undefined;
  if (body) writeCutBody(writer, body, left);
  writer.end(record);
  return writer.finish();
}

/** Text and bytes are cut, text between characters; a structure becomes its JSON text first. */
function writeCutBody(writer: Writer, body: Buffer, bytesMax: number): void {
  // The value's reader wants its length in front.
  const framed = new Writer();
  framed.raw(1, body);
  const cursor = new Cursor(framed.finish());
  cursor.tag();
  const value = readValue(cursor);
  const start = writer.begin(5);
  if (value instanceof Uint8Array) writer.raw(7, value.subarray(0, bytesMax));
  else {
    const text = Buffer.from(attributeText(value));
    let length = Math.min(text.length, bytesMax);
    // 10xxxxxx continues a character: step back to where one begins.
    while (length > 0 && length < text.length && (text[length]! & 0xc0) === 0x80) length -= 1;
    writer.raw(1, text.subarray(0, length));
  }
  writer.end(start);
}
