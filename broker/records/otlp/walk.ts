import type { Signal } from '../topics.ts';
import { OtlpError } from './error.ts';
import { type Field, isMessage, MESSAGES, type MessageName } from './schema.ts';
import { VALUE_DEPTH_MAX } from './values.ts';

/**
 * Validates an export request and counts its records without making an object per record: what the gateway does
 * with every byte it accepts. Whatever passes can be read by `readLogs`, `readMetrics` and `readSpans`.
 *
 * Every known field is checked for its wire type and its bounds, to the last nested value; unknown fields are
 * stepped over, since newer senders may know more. One table, derived from the schema, drives one loop.
 */
export interface Walk {
  /** Log records, data points or spans. */
  readonly count: number;
  readonly groups: readonly WalkedGroup[];
}

/** One Resource* submessage. */
export interface WalkedGroup {
  /** Its field in the request, tag and length included: such ranges, put one after the other, are a request. */
  readonly start: number;
  readonly end: number;
  readonly count: number;
  /** Empty where the resource does not say. */
  readonly serviceName: string;
  readonly serviceInstanceId: string;
  readonly hostName: string;
  readonly logFilePath: string;
}

const REQUESTS: Readonly<Record<Signal, MessageName>> = {
  logs: 'ExportLogsServiceRequest',
  metrics: 'ExportMetricsServiceRequest',
  spans: 'ExportTraceServiceRequest',
};

/** @throws OtlpError with the byte at which the request stops being one */
export function walkRequest(signal: Signal, bytes: Uint8Array): Walk {
  const walker = new Walker(bytes);
  const groups: WalkedGroup[] = [];
  const groupMessage = CHILD[(INDEX.get(REQUESTS[signal])! << SHIFT) | 1]!;
  while (walker.at < bytes.length) {
    const start = walker.at;
    if (walker.tag(bytes.length) !== GROUP_TAG) {
      walker.at = start;
      walker.field(INDEX.get(REQUESTS[signal])!, bytes.length, 0);
      continue;
    }
    const end = walker.lengthEnd(bytes.length);
    const bodyStart = walker.at;
    const before = walker.count;
    walker.message(groupMessage, end, 0);
    groups.push({ start, end, count: walker.count - before, ...identify(bytes, bodyStart, end) });
  }
  return { count: walker.count, groups };
}

/** Records in the bytes of one message, which is validated on the way. @throws OtlpError */
export function countRecords(message: MessageName, bytes: Uint8Array, start: number, end: number): number {
  const walker = new Walker(bytes);
  walker.at = start;
  walker.message(INDEX.get(message)!, end, 0);
  return walker.count;
}

// What a field's bytes must be, by `message index << SHIFT | field number`.

const SHIFT = 5;
const FIELDS_MAX = 1 << SHIFT;
const GROUP_TAG = (1 << 3) | 2;

const UNKNOWN = 0;
const VARINT = 1;
const FIXED64 = 2;
const FIXED32 = 3;
const BYTES = 4;
const MESSAGE = 5;
/** Repeated numbers may come packed: a length, then the values. */
const PACKED_VARINT = 6;
const PACKED_FIXED64 = 7;

const INDEX = new Map<MessageName, number>([...MESSAGES.keys()].map((name, index) => [name, index]));
/** A message without fields: all that it holds is unknown. */
const NOTHING = MESSAGES.size;
const KIND = new Uint8Array((MESSAGES.size + 1) << SHIFT);
const CHILD = new Uint8Array((MESSAGES.size + 1) << SHIFT);
/** 1 for the messages that count as a record. */
const RECORD = new Uint8Array(MESSAGES.size + 1);
const ANY_VALUE = INDEX.get('AnyValue')!;
const KEY_VALUE = INDEX.get('KeyValue')!;

for (const [name, fields] of MESSAGES) {
  for (const field of fields.values()) {
    if (field.no >= FIELDS_MAX) throw new Error(`cannot table ${name}: got field ${field.no}`);
    const entry = (INDEX.get(name)! << SHIFT) | field.no;
    KIND[entry] = kindOf(field);
    if (isMessage(field.type)) CHILD[entry] = INDEX.get(field.type)!;
  }
}
for (const name of [
  'LogRecord',
  'Span',
  'NumberDataPoint',
  'HistogramDataPoint',
  'ExponentialHistogramDataPoint',
  'SummaryDataPoint',
] as const) {
  RECORD[INDEX.get(name)!] = 1;
}

function kindOf({ type, repeated }: Field): number {
  if (isMessage(type)) return MESSAGE;
  switch (type) {
    case 'string':
    case 'bytes':
    case 'id':
      return BYTES;
    case 'double':
    case 'fixed64':
    case 'sfixed64':
      return repeated ? PACKED_FIXED64 : FIXED64;
    case 'fixed32':
      return FIXED32;
    default:
      return repeated ? PACKED_VARINT : VARINT;
  }
}

class Walker {
  readonly bytes: Uint8Array;
  at = 0;
  count = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Checks the message that starts here and ends at `end`. `depth` counts nested values. */
  message(index: number, end: number, depth: number): void {
    this.count += RECORD[index]!;
    const { bytes } = this;
    let at = this.at;
    while (at < end) {
      const tag = bytes[at]!;
      // Fast path: tags of one byte, lengths of one or two, values of one byte, and attributes as nearly all are.
      if (tag < 0x80 && tag >= 8) {
        const entry = (index << SHIFT) | (tag >>> 3);
        const kind = KIND[entry]!;
        const wire = tag & 7;
        if (wire === 2) {
          let length = bytes[at + 1]!;
          let start = at + 2;
          if (length >= 0x80 && bytes[start]! < 0x80) {
            length = (length & 0x7f) | (bytes[start]! << 7);
            start += 1;
          } else if (length >= 0x80) length = end;
          const fieldEnd = start + length;
          if (fieldEnd <= end) {
            if (kind === BYTES) {
              at = fieldEnd;
              continue;
            }
            if (kind === MESSAGE) {
              const child = CHILD[entry]!;
              const isPlain =
                child === KEY_VALUE
                  ? depth < VALUE_DEPTH_MAX && isPlainAttribute(bytes, start, fieldEnd)
                  : child === ANY_VALUE && depth < VALUE_DEPTH_MAX && isPlainValue(bytes, start, fieldEnd);
              if (isPlain) {
                at = fieldEnd;
                continue;
              }
              if (child !== ANY_VALUE || depth < VALUE_DEPTH_MAX) {
                this.at = start;
                this.message(child, fieldEnd, child === ANY_VALUE ? depth + 1 : depth);
                at = fieldEnd;
                continue;
              }
            }
          }
        } else if (wire === 1 && kind === FIXED64 && at + 9 <= end) {
          at += 9;
          continue;
        } else if (wire === 0 && kind === VARINT && bytes[at + 1]! < 0x80 && at + 2 <= end) {
          at += 2;
          continue;
        } else if (wire === 5 && kind === FIXED32 && at + 5 <= end) {
          at += 5;
          continue;
        }
      }
      // Slow path: everything else, and whatever is wrong.
      this.at = at;
      this.field(index, end, depth);
      at = this.at;
    }
    this.at = at;
  }

  tag(end: number): number {
    const start = this.at;
    let tag = this.bytes[start]!;
    if (tag < 0x80) this.at = start + 1;
    else tag = this.varint(end);
    if (tag < 8) throw new OtlpError('field number 0', '1 or more', start);
    return tag;
  }

  field(index: number, end: number, depth: number): void {
    const start = this.at;
    const tag = this.tag(end);
    const no = tag >>> 3;
    const wire = tag & 7;
    const entry = (index << SHIFT) | no;
    const kind = no < FIELDS_MAX ? KIND[entry]! : UNKNOWN;
    if (wire === 2) {
      const fieldEnd = this.lengthEnd(end);
      if (kind === MESSAGE) {
        const child = CHILD[entry]!;
        const childDepth = child === ANY_VALUE ? depth + 1 : depth;
        if (childDepth > VALUE_DEPTH_MAX) {
          throw new OtlpError('a value nested deeper', `at most ${VALUE_DEPTH_MAX} levels`, start);
        }
        this.message(child, fieldEnd, childDepth);
      } else if (kind === BYTES || kind === UNKNOWN) {
        this.at = fieldEnd;
      } else if (kind === PACKED_FIXED64 && ((fieldEnd - this.at) & 7) === 0) {
        this.at = fieldEnd;
      } else if (kind === PACKED_VARINT) {
        while (this.at < fieldEnd) this.varint(fieldEnd);
      } else {
        throw this.wrongType(start, wire);
      }
    } else if (wire === 0) {
      if (kind !== VARINT && kind !== PACKED_VARINT && kind !== UNKNOWN) throw this.wrongType(start, wire);
      this.varint(end);
    } else if (wire === 1) {
      if (kind !== FIXED64 && kind !== PACKED_FIXED64 && kind !== UNKNOWN) throw this.wrongType(start, wire);
      this.fixed(8, end);
    } else if (wire === 5) {
      if (kind !== FIXED32 && kind !== UNKNOWN) throw this.wrongType(start, wire);
      this.fixed(4, end);
    } else {
      throw new OtlpError(`wire type ${wire}`, '0, 1, 2 or 5', start);
    }
  }

  /** Where what the length here announces ends. */
  lengthEnd(end: number): number {
    const start = this.at;
    let length = start < end ? this.bytes[start]! : 0x80;
    if (length < 0x80) this.at = start + 1;
    else length = this.varint(end);
    if (length > end - this.at) {
      throw new OtlpError(`a length of ${length}`, `at most the ${end - this.at} bytes that are left`, start);
    }
    return this.at + length;
  }

  /** The low 32 bits. */
  private varint(end: number): number {
    const start = this.at;
    let at = start;
    let value = 0;
    for (let shift = 0; shift < 70 && at < end; shift += 7) {
      const byte = this.bytes[at++]!;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.at = at;
        return value >>> 0;
      }
    }
    throw new OtlpError(
      'an unfinished or overlong number',
      'a varint of at most 10 bytes inside its message',
      start,
    );
  }

  private fixed(length: number, end: number): void {
    if (length > end - this.at) {
      throw new OtlpError(`${end - this.at} bytes`, `the ${length} of a fixed value`, this.at);
    }
    this.at += length;
  }

  private wrongType(at: number, wire: number): OtlpError {
    return new OtlpError(`wire type ${wire}`, 'the one that the field has in OTLP', at);
  }
}

/**
 * Whether the bytes are exactly a key and a value of one plain field, in this order, with short lengths: what senders
 * write nearly always, and valid. False says nothing: the general way decides.
 */
function isPlainAttribute(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < 4 || bytes[start] !== ((1 << 3) | 2)) return false;
  const value = start + 2 + bytes[start + 1]!;
  // A length of more than a byte puts the value behind the end, or makes its own length too large.
  if (bytes[start + 1]! >= 0x80 || value + 2 > end || bytes[value] !== ((2 << 3) | 2)) return false;
  return (
    value + 2 + bytes[value + 1]! === end && bytes[value + 1]! < 0x80 && isPlainValue(bytes, value + 2, end)
  );
}

/** The same of an AnyValue: exactly one string, boolean, integer or double. */
function isPlainValue(bytes: Uint8Array, start: number, end: number): boolean {
  const size = end - start;
  if (size < 2) return false;
  const second = bytes[start + 1]!;
  switch (bytes[start]) {
    case (1 << 3) | 2:
      if (second < 0x80) return size === 2 + second;
      return (
        size > 2 && bytes[start + 2]! < 0x80 && size === 3 + ((second & 0x7f) | (bytes[start + 2]! << 7))
      );
    case 2 << 3:
    case 3 << 3:
      return (second < 0x80 && size === 2) || (size === 3 && second >= 0x80 && bytes[start + 2]! < 0x80);
    case (4 << 3) | 1:
      return size === 9;
    default:
      return false;
  }
}

// Who sent it: a second, shallow look at the resource's attributes, once a group. The bytes are valid by now.

const decoder = new TextDecoder();
const SERVICE_NAME = Buffer.from('service.name');
const SERVICE_INSTANCE_ID = Buffer.from('service.instance.id');
const HOST_NAME = Buffer.from('host.name');
const LOG_FILE_PATH = Buffer.from('log.file.path');

function identify(
  bytes: Uint8Array,
  start: number,
  end: number,
): Pick<WalkedGroup, 'serviceName' | 'serviceInstanceId' | 'hostName' | 'logFilePath'> {
  const found = { serviceName: '', serviceInstanceId: '', hostName: '', logFilePath: '' };
  eachField(bytes, start, end, (resourceTag, resourceStart, resourceEnd) => {
    if (resourceTag !== GROUP_TAG) return;
    eachField(bytes, resourceStart, resourceEnd, (tag, from, to) => {
      if (tag !== GROUP_TAG) return;
      const length = keyLength(bytes, from);
      // Lengths tell the four apart before any byte is compared.
      if (length === 12 && keyIs(bytes, from, SERVICE_NAME)) found.serviceName = valueText(bytes, from, to);
      else if (length === 19 && keyIs(bytes, from, SERVICE_INSTANCE_ID)) {
        found.serviceInstanceId = valueText(bytes, from, to);
      } else if (length === 9 && keyIs(bytes, from, HOST_NAME)) found.hostName = valueText(bytes, from, to);
      else if (length === 13 && keyIs(bytes, from, LOG_FILE_PATH)) {
        found.logFilePath = valueText(bytes, from, to);
      }
    });
  });
  return found;
}

// The key is nearly always the first field of its KeyValue; where it is not, the attribute does not identify.
function keyLength(bytes: Uint8Array, at: number): number {
  return bytes[at] === ((1 << 3) | 2) ? bytes[at + 1]! : 0;
}

function keyIs(bytes: Uint8Array, at: number, key: Buffer): boolean {
  for (let index = 0; index < key.length; index += 1) if (bytes[at + 2 + index] !== key[index]) return false;
  return true;
}

function valueText(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  eachField(bytes, start, end, (tag, from, to) => {
    if (tag !== ((2 << 3) | 2)) return;
    eachField(bytes, from, to, (valueTag, valueStart, valueEnd) => {
      if (valueTag === ((1 << 3) | 2)) text = decoder.decode(bytes.subarray(valueStart, valueEnd));
    });
  });
  return text;
}

/** Calls `fn` with the tag and the content of each length-delimited field of a valid message. */
export function eachField(
  bytes: Uint8Array,
  start: number,
  end: number,
  fn: (tag: number, contentStart: number, contentEnd: number, fieldStart: number) => void,
): void {
  const walker = new Walker(bytes);
  walker.at = start;
  while (walker.at < end) {
    const fieldStart = walker.at;
    const tag = walker.tag(end);
    if ((tag & 7) === 2) {
      const contentEnd = walker.lengthEnd(end);
      fn(tag, walker.at, contentEnd, fieldStart);
      walker.at = contentEnd;
    } else {
      walker.at = fieldStart;
      walker.field(NOTHING, end, 0);
    }
  }
}
