import type { Signal } from '../topics.ts';
import { OtlpError } from './error.ts';
import { scanJson } from './json-scan.ts';
import { type Field, isMessage, MESSAGES, type MessageName, type Scalar } from './schema.ts';
import { VALUE_DEPTH_MAX } from './values.ts';
import { Writer } from './writer.ts';

const REQUESTS: Readonly<Record<Signal, MessageName>> = {
  logs: 'ExportLogsServiceRequest',
  metrics: 'ExportMetricsServiceRequest',
  spans: 'ExportTraceServiceRequest',
};

/**
 * An OTLP/JSON export request as the protobuf bytes of the same request.
 *
 * The form is proto3's JSON with OTLP's exceptions: ids in hex, enums as numbers, names in lowerCamelCase (the
 * original snake_case is understood too). 64-bit integers come as strings or numbers; numbers keep all digits.
 * Unknown names are ignored, null counts as absent.
 * @throws OtlpError naming the place in the JSON
 */
export function requestFromJson(signal: Signal, body: Buffer): Buffer {
  const text = scanJson(body);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new OtlpError(error instanceof Error ? error.message : 'no JSON', 'one JSON object');
  }
  const writer = new Writer();
  writeMessage(writer, REQUESTS[signal], parsed, '', 0);
  return writer.finish();
}

function writeMessage(writer: Writer, name: MessageName, value: unknown, path: string, depth: number): void {
  const source = objectAt(value, path);
  const fields = FIELDS.get(name)!;
  for (const key of Object.keys(source)) {
    const field = fields.get(key);
    const member = source[key];
    if (!field || member === null || member === undefined) continue;
    const place = path === '' ? key : `${path}.${key}`;
    if (!field.repeated) writeField(writer, field, member, place, depth);
    else if (isMessage(field.type) || field.type === 'string') {
      listAt(member, place).forEach((one, index) => {
        writeField(writer, field, one, `${place}[${index}]`, depth);
      });
    } else writePacked(writer, field, listAt(member, place), place);
  }
}

function writeField(writer: Writer, field: Field, value: unknown, path: string, depth: number): void {
  if (!isMessage(field.type)) {
    writeScalar(writer, field.no, field.type, value, path);
    return;
  }
  const inner = field.type === 'AnyValue' ? depth + 1 : depth;
  if (inner > VALUE_DEPTH_MAX) {
    throw new OtlpError(
      `a value nested deeper in ${path.slice(0, 60)}…`,
      `at most ${VALUE_DEPTH_MAX} levels`,
    );
  }
  const start = writer.begin(field.no);
  writeMessage(writer, field.type, value, path, inner);
  writer.end(start);
}

function writeScalar(writer: Writer, no: number, type: Scalar, value: unknown, path: string): void {
  switch (type) {
    case 'string':
      return writer.text(no, textAt(value, path));
    case 'bytes':
      return writer.raw(no, base64At(value, path));
    case 'id':
      return writer.raw(no, hexAt(value, path));
    case 'bool':
      if (typeof value !== 'boolean') throw wrong(value, 'true or false', path);
      return writer.bool(no, value);
    case 'double':
      return writer.double(no, doubleAt(value, path));
    case 'int32':
    case 'enum':
      return writer.int64(no, int32At(value, path));
    case 'sint32':
      return writer.sint32(no, int32At(value, path));
    case 'uint32':
      return writer.uint32(no, uint32At(value, path));
    case 'fixed32':
      return writer.fixed32(no, uint32At(value, path));
    case 'int64':
      return writer.int64(no, integerAt(value, INT64_MIN, INT64_MAX, path));
    case 'uint64':
      return writer.int64(no, integerAt(value, 0n, UINT64_MAX, path));
    case 'fixed64':
      return writer.fixed64(no, integerAt(value, 0n, UINT64_MAX, path));
    case 'sfixed64':
      return writer.fixed64(no, integerAt(value, INT64_MIN, INT64_MAX, path));
  }
}

function writePacked(writer: Writer, field: Field, values: readonly unknown[], path: string): void {
  if (values.length === 0) return;
  const start = writer.begin(field.no);
  values.forEach((value, index) => {
    const place = `${path}[${index}]`;
    if (field.type === 'double') writer.doubleValue(doubleAt(value, place));
    else if (field.type === 'uint64') writer.varint64(integerAt(value, 0n, UINT64_MAX, place));
    else writer.fixed64Value(integerAt(value, 0n, UINT64_MAX, place));
  });
  writer.end(start);
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

/** Fields by both of their names. */
const FIELDS: ReadonlyMap<MessageName, ReadonlyMap<string, Field>> = new Map(
  [...MESSAGES].map(([name, fields]) => {
    const both = [...fields].flatMap(([key, field]): Array<[string, Field]> => [
      [key, field],
      [key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), field],
    ]);
    return [name, new Map(both)];
  }),
);

function objectAt(value: unknown, path: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw wrong(value, 'an object', path);
}

function listAt(value: unknown, path: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw wrong(value, 'an array', path);
}

function textAt(value: unknown, path: string): string {
  if (typeof value === 'string') return value;
  throw wrong(value, 'a string', path);
}

function base64At(value: unknown, path: string): Buffer {
  const text = textAt(value, path);
  // Both alphabets, with or without padding, as proto3's JSON reads them.
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw wrong(value, 'base64', path);
  return Buffer.from(text, 'base64');
}

function hexAt(value: unknown, path: string): Buffer {
  const text = textAt(value, path);
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) throw wrong(value, 'hex digits', path);
  return Buffer.from(text, 'hex');
}

function doubleAt(value: unknown, path: string): number {
  if (typeof value === 'number') return value;
  if (value === 'NaN') return NaN;
  if (typeof value === 'string' && value.trim() !== '') {
    const number = Number(value);
    if (!Number.isNaN(number)) return number;
  }
  throw wrong(value, 'a number', path);
}

function int32At(value: unknown, path: string): number {
  return Number(integerAt(value, -(2n ** 31n), 2n ** 31n - 1n, path));
}

function uint32At(value: unknown, path: string): number {
  return Number(integerAt(value, 0n, 2n ** 32n - 1n, path));
}

function integerAt(value: unknown, min: bigint, max: bigint, path: string): bigint {
  const integer = integerOf(value);
  if (integer === undefined || integer < min || integer > max) {
    throw wrong(value, `an integer from ${min} to ${max}`, path);
  }
  return integer;
}

function integerOf(value: unknown): bigint | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : undefined;
  if (typeof value !== 'string' || value.length > 30) return undefined;
  if (/^-?\d+$/.test(value)) return BigInt(value);
  // Exponents and a fraction of zero are integers too, where a double holds them exactly.
  const number = value.trim() === '' ? NaN : Number(value);
  return Number.isSafeInteger(number) ? BigInt(number) : undefined;
}

function wrong(value: unknown, want: string, path: string): OtlpError {
  const shown = JSON.stringify(value) ?? typeof value;
  const got = shown.length > 40 ? `${shown.slice(0, 40)}…` : shown;
  return new OtlpError(`${got} for ${path === '' ? 'the request' : path}`, want);
}
