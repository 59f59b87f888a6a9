/**
 * Resource and scope, encoded once for all records below them: every row carries them, so a row copies the bytes.
 */
import { Cursor } from '../../broker/records/otlp/cursor.ts';
import { AttributeSlots, noteKeyValue, writeNoted } from './encode-attributes.ts';
import { RowWriter } from './row-writer.ts';

const FIRST = (1 << 3) | 2;
const SECOND = (2 << 3) | 2;
const THIRD = (3 << 3) | 2;

/** RowBinary of what all rows of a scope share. Overwritten by the next scope. */
export class Envelope {
  /** Map of the resource's attributes. */
  readonly resourceAttributes = new RowWriter(1024);
  readonly resourceSchemaUrl = new RowWriter(256);
  readonly serviceName = new RowWriter(256);
  readonly scopeName = new RowWriter(256);
  readonly scopeVersion = new RowWriter(256);
  readonly scopeAttributes = new RowWriter(1024);
  readonly scopeSchemaUrl = new RowWriter(256);
}

export function copy(from: RowWriter, to: RowWriter): void {
  to.raw(from.bytes, 0, from.at);
}

const slots = new AttributeSlots();
const SERVICE_NAME = Buffer.from('service.name');

/** Calls `record` before every record, the cursor standing at its length, in the order of the wire. */
export function walkEnvelope(value: Buffer, envelope: Envelope, record: (cursor: Cursor) => void): void {
  const cursor = new Cursor(value);
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === FIRST) walkResource(cursor, envelope, record);
    else cursor.skip(tag);
  }
}

// Fields may come in any order: what belongs to all records is read before the first of them.
function walkResource(cursor: Cursor, envelope: Envelope, record: (cursor: Cursor) => void): void {
  const outer = cursor.enter();
  const start = cursor.at;
  slots.clear();
  empty(envelope.resourceSchemaUrl);
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === FIRST) noteAttributes(cursor, FIRST);
    else if (tag === THIRD) setString(cursor, envelope.resourceSchemaUrl);
    else cursor.skip(tag);
  }
  writeServiceName(cursor, envelope.serviceName);
  envelope.resourceAttributes.at = 0;
  writeNoted(cursor, slots, envelope.resourceAttributes);
  cursor.at = start;
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === SECOND) walkScope(cursor, envelope, record);
    else cursor.skip(tag);
  }
  cursor.leave(outer);
}

function walkScope(cursor: Cursor, envelope: Envelope, record: (cursor: Cursor) => void): void {
  const outer = cursor.enter();
  const start = cursor.at;
  slots.clear();
  empty(envelope.scopeName);
  empty(envelope.scopeVersion);
  empty(envelope.scopeSchemaUrl);
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === FIRST) readScope(cursor, envelope);
    else if (tag === THIRD) setString(cursor, envelope.scopeSchemaUrl);
    else cursor.skip(tag);
  }
  envelope.scopeAttributes.at = 0;
  writeNoted(cursor, slots, envelope.scopeAttributes);
  cursor.at = start;
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === SECOND) record(cursor);
    else cursor.skip(tag);
  }
  cursor.leave(outer);
}

function readScope(cursor: Cursor, envelope: Envelope): void {
  const outer = cursor.enter();
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === FIRST) setString(cursor, envelope.scopeName);
    else if (tag === SECOND) setString(cursor, envelope.scopeVersion);
    else if (tag === THIRD) noteKeyValue(cursor, slots);
    else cursor.skip(tag);
  }
  cursor.leave(outer);
}

function noteAttributes(cursor: Cursor, field: number): void {
  const outer = cursor.enter();
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === field) noteKeyValue(cursor, slots);
    else cursor.skip(tag);
  }
  cursor.leave(outer);
}

/** `service.name` as a string, empty when it is absent or of another type. */
function writeServiceName(cursor: Cursor, out: RowWriter): void {
  empty(out);
  for (let at = 0; at < slots.count; at += 1) {
    const start = slots.keyStart[at]!;
    const end = slots.keyEnd[at]!;
    if (end - start !== SERVICE_NAME.length) continue;
    if (SERVICE_NAME.compare(cursor.bytes, start, end) !== 0) continue;
    const value = new Cursor(cursor.bytes, slots.valueStart[at]!, slots.valueEnd[at]!);
    while (value.at < value.end) {
      const tag = value.tag();
      if (tag === FIRST) setString(value, out);
      else value.skip(tag);
    }
  }
}

function setString(cursor: Cursor, out: RowWriter): void {
  const end = cursor.lengthEnd();
  out.at = 0;
  out.string(cursor.bytes, cursor.at, end);
  cursor.at = end;
}

function empty(out: RowWriter): void {
  out.at = 0;
  out.u8(0);
}
