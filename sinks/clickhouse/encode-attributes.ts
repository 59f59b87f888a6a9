/**
 * OTLP attributes into a ClickHouse Map, from bytes to bytes: keys sorted, of equal keys the last one counts. Strings
 * are copied unopened; other values become the text that the OpenTelemetry exporter would write.
 */
import { Cursor } from '../../broker/records/otlp/cursor.ts';
import { attributeText, numberText } from '../../broker/records/otlp/attribute-text.ts';
import type { Attributes } from '../../broker/records/otlp/model.ts';
import { readValue } from '../../broker/records/otlp/values.ts';
import type { RowWriter } from './row-writer.ts';

const KEY = (1 << 3) | 2;
const VALUE = (2 << 3) | 2;
const STRING_VALUE = (1 << 3) | 2;
const BOOL_VALUE = 2 << 3;
const INT_VALUE = 3 << 3;
const DOUBLE_VALUE = (4 << 3) | 1;

/** Key and value places of the attributes of one record; used again for the next. */
export class AttributeSlots {
  count = 0;
  keyStart = new Int32Array(64);
  keyEnd = new Int32Array(64);
  /** Of the AnyValue's content; both 0 when there is none. */
  valueStart = new Int32Array(64);
  valueEnd = new Int32Array(64);
  order = new Int32Array(64);

  clear(): void {
    this.count = 0;
  }

  grow(): void {
    const twice = (from: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> => {
      const to = new Int32Array(from.length * 2);
      to.set(from);
      return to;
    };
    this.keyStart = twice(this.keyStart);
    this.keyEnd = twice(this.keyEnd);
    this.valueStart = twice(this.valueStart);
    this.valueEnd = twice(this.valueEnd);
    this.order = twice(this.order);
  }
}

/** Notes the KeyValue that the cursor stands before. */
export function noteKeyValue(cursor: Cursor, slots: AttributeSlots): void {
  if (slots.count === slots.keyStart.length) slots.grow();
  const at = slots.count;
  slots.count += 1;
  slots.keyStart[at] = slots.keyEnd[at] = slots.valueStart[at] = slots.valueEnd[at] = 0;
  const outer = cursor.enter();
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === KEY) {
      const end = cursor.lengthEnd();
      slots.keyStart[at] = cursor.at;
      slots.keyEnd[at] = end;
      cursor.at = end;
    } else if (tag === VALUE) {
      const end = cursor.lengthEnd();
      slots.valueStart[at] = cursor.at;
      slots.valueEnd[at] = end;
      cursor.at = end;
    } else {
      cursor.skip(tag);
    }
  }
  cursor.leave(outer);
}

/** Writes the noted attributes as a Map; `extra` is one more pair, of our own. */
export function writeNoted(
  cursor: Cursor,
  slots: AttributeSlots,
  out: RowWriter,
  extra?: readonly [string, string],
): void {
  const count = sortKeys(cursor.bytes, slots);
  out.varint(count + (extra ? 1 : 0));
  const { order, keyStart, keyEnd, valueStart, valueEnd } = slots;
  for (let place = 0; place < count; place += 1) {
    const at = order[place]!;
    out.string(cursor.bytes, keyStart[at]!, keyEnd[at]!);
    writeValue(cursor, valueStart[at]!, valueEnd[at]!, out);
  }
  if (extra) {
    out.text(extra[0]);
    out.text(extra[1]);
  }
}

/** The AnyValue whose content is [start, end) as a String; the cursor is left where it was. */
export function writeValue(cursor: Cursor, start: number, end: number, out: RowWriter): void {
  if (start === end) {
    out.u8(0);
    return;
  }
  const at = cursor.at;
  const outer = cursor.end;
  cursor.at = start;
  cursor.end = end;
  const tag = cursor.tag();
  if (tag === STRING_VALUE) {
    const valueEnd = cursor.lengthEnd();
    if (valueEnd === end) out.string(cursor.bytes, cursor.at, end);
    else writeAnyValue(cursor, start, end, out);
  } else if (tag === INT_VALUE) {
    const value = cursor.int64();
    if (cursor.at === end) out.text(String(value));
    else writeAnyValue(cursor, start, end, out);
  } else if (tag === BOOL_VALUE) {
    const value = cursor.bool();
    if (cursor.at === end) out.text(value ? 'true' : 'false');
    else writeAnyValue(cursor, start, end, out);
  } else if (tag === DOUBLE_VALUE) {
    const value = cursor.double();
    if (cursor.at === end) out.text(numberText(value));
    else writeAnyValue(cursor, start, end, out);
  } else {
    writeAnyValue(cursor, start, end, out);
  }
  cursor.at = at;
  cursor.end = outer;
}

/** Everything else: bytes, lists and maps, and values with more than one field. */
function writeAnyValue(cursor: Cursor, start: number, end: number, out: RowWriter): void {
  const framed = new Cursor(lengthPrefixed(cursor.bytes, start, end));
  out.text(attributeText(readValue(framed)));
}

/** `readValue` reads a submessage with its length before it. */
function lengthPrefixed(bytes: Buffer, start: number, end: number): Buffer {
  const length = end - start;
  const prefix: number[] = [];
  let rest = length;
  while (rest >= 0x80) {
    prefix.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  prefix.push(rest);
  return Buffer.concat([Buffer.from(prefix), bytes.subarray(start, end)]);
}

/** Fills `order` with the places in the order of their keys, without all but the last of equal keys; returns how many. */
function sortKeys(bytes: Buffer, slots: AttributeSlots): number {
  const { order, keyStart, keyEnd } = slots;
  let count = 0;
  // Insertion: senders mostly sort already, and records have a handful of attributes.
  for (let at = 0; at < slots.count; at += 1) {
    let place = count;
    let comparison = 1;
    while (place > 0) {
      const other = order[place - 1]!;
      comparison = compareBytes(bytes, keyStart[at]!, keyEnd[at]!, keyStart[other]!, keyEnd[other]!);
      if (comparison >= 0) break;
      place -= 1;
    }
    if (place > 0 && comparison === 0) {
      order[place - 1] = at;
      continue;
    }
    for (let move = count; move > place; move -= 1) order[move] = order[move - 1]!;
    order[place] = at;
    count += 1;
  }
  return count;
}

function compareBytes(bytes: Buffer, a: number, aEnd: number, b: number, bEnd: number): number {
  let left = a;
  let right = b;
  while (left < aEnd && right < bEnd) {
    const difference = bytes[left]! - bytes[right]!;
    if (difference !== 0) return difference;
    left += 1;
    right += 1;
  }
  return aEnd - a - (bEnd - b);
}

/** The same for attributes that were read into objects (metrics, spans). */
export function writeAttributes(
  attributes: Attributes,
  out: RowWriter,
  extra?: readonly [string, string],
): void {
  const keys = Object.keys(attributes).sort();
  out.varint(keys.length + (extra ? 1 : 0));
  for (const key of keys) {
    out.text(key);
    out.text(attributeText(attributes[key] ?? null));
  }
  if (extra) {
    out.text(extra[0]);
    out.text(extra[1]);
  }
}
