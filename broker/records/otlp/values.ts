import { isUtf8 } from 'node:buffer';

import type { Cursor } from './cursor.ts';
import { OtlpError } from './error.ts';
import { interned } from './interned.ts';
import type { AnyValue, Attributes } from './model.ts';

/**
 * How deep values may nest. Real ones stay below 10; every level costs a stack frame here and in whoever walks
 * the value afterwards, and a message of 21 kB is enough to overflow a parser without a limit.
 */
export const VALUE_DEPTH_MAX = 64;

const KEY_VALUE_KEY = (1 << 3) | 2;
const KEY_VALUE_VALUE = (2 << 3) | 2;

// Objects of this class have no inherited names, and unlike Object.create(null) they keep V8's fast shapes.
const Bare = function Attributes() {} as unknown as new () => Attributes;
Bare.prototype = Object.create(null) as Attributes;

export function newAttributes(): Attributes {
  return new Bare();
}

/** Reads one KeyValue submessage into `attributes`. */
export function readKeyValue(cursor: Cursor, attributes: Attributes, depth = 0): void {
  const outer = cursor.enter();
  let key = '';
  let value: AnyValue = null;
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === KEY_VALUE_KEY) key = internedText(cursor);
    else if (tag === KEY_VALUE_VALUE) value = readValue(cursor, depth, depth === 0);
    else cursor.skip(tag);
  }
  attributes[key] = value;
  cursor.leave(outer);
}

/** Reads one AnyValue submessage. `asText`: text that is not UTF-8 becomes text with replacement characters. */
export function readValue(cursor: Cursor, depth = 0, asText = false): AnyValue {
  if (depth >= VALUE_DEPTH_MAX) {
    throw new OtlpError('a value nested deeper', `at most ${VALUE_DEPTH_MAX} levels`, cursor.at);
  }
  const outer = cursor.enter();
  let value: AnyValue = null;
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    switch (tag) {
      case (1 << 3) | 2:
        value = textOrBytes(cursor);
        if (asText && typeof value !== 'string') value = replacedText(value);
        break;
      case 2 << 3:
        value = cursor.bool();
        break;
      case 3 << 3:
        value = cursor.int64();
        break;
      case (4 << 3) | 1:
        value = cursor.double();
        break;
      case (5 << 3) | 2:
        value = readArray(cursor, depth);
        break;
      case (6 << 3) | 2:
        value = readKeyValueList(cursor, depth);
        break;
      case (7 << 3) | 2:
        value = cursor.view();
        break;
      default:
        cursor.skip(tag);
    }
  }
  cursor.leave(outer);
  return value;
}

export function internedText(cursor: Cursor): string {
  const end = cursor.lengthEnd();
  const start = cursor.at;
  cursor.at = end;
  return interned(cursor.bytes, start, end);
}

function readArray(cursor: Cursor, depth: number): AnyValue[] {
  const outer = cursor.enter();
  const values: AnyValue[] = [];
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === ((1 << 3) | 2)) values.push(readValue(cursor, depth + 1));
    else cursor.skip(tag);
  }
  cursor.leave(outer);
  return values;
}

function readKeyValueList(cursor: Cursor, depth: number): Attributes {
  const outer = cursor.enter();
  const values = newAttributes();
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === ((1 << 3) | 2)) readKeyValue(cursor, values, depth + 1);
    else cursor.skip(tag);
  }
  cursor.leave(outer);
  return values;
}

const REPLACEMENT = '\ufffd';

/** Bytes as text; each run of those that are not UTF-8 becomes one replacement character, as ClickHouse shows them. */
export function replacedText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  return isUtf8(bytes) ? text : text.replace(/\ufffd+/g, REPLACEMENT);
}

function textOrBytes(cursor: Cursor): string | Uint8Array {
  const end = cursor.lengthEnd();
  const start = cursor.at;
  cursor.at = end;
  if (end === start) return '';
  const text = cursor.bytes.toString('utf8', start, end);
  // Only a decoded replacement character can mean that the bytes were not UTF-8.
  if (!text.includes(REPLACEMENT)) return text;
  const bytes = cursor.bytes.subarray(start, end);
  return isUtf8(bytes) ? text : bytes;
}
