/**
 * Encoder and decoder of a schema, compiled once per version into a list of steps.
 *
 * Classic versions: int16 string lengths, int32 array and byte lengths, -1 for null. Flexible versions: all of
 * them uvarint(length + 1), 0 for null, and every struct ends in its tagged fields, ascending, unknown ones skipped.
 */
import assert from 'node:assert/strict';

import { Reader } from './reader.ts';
import { type AnyField, type Chunked, type Decoded, type Encodable, type Fields, within } from './schema.ts';
import { WireError } from './wire-error.ts';
import { Writer } from './writer.ts';

type Decode = (reader: Reader) => unknown;
type Encode = (writer: Writer, value: unknown) => void;
type Struct = Record<string, unknown>;

export interface Message<Out, In> {
  readonly fields: Fields;
  /** @throws WireError */
  decode(reader: Reader, version: number): Out;
  encode(writer: Writer, version: number, value: In): void;
}

export interface Api<S extends Fields = Fields, T extends Fields = Fields> {
  readonly key: number;
  readonly name: string;
  /** What the schema covers; what is served and advertised is the handlers' business. */
  readonly versions: readonly [min: number, max: number];
  /** First flexible version; Infinity when there is none. */
  readonly flexibleFrom: number;
  readonly request: Message<Decoded<S>, Encodable<S>>;
  readonly response: Message<Decoded<T>, Encodable<T>>;
  readonly fields: { readonly request: S; readonly response: T };
}

export type RequestOf<A> = A extends { request: Message<infer Out, never> } ? Out : never;
export type ResponseOf<A> = A extends { response: Message<infer Out, never> } ? Out : never;
/** What encoding a response takes. */
export type AnswerOf<A> = A extends { response: { encode(w: Writer, v: number, value: infer In): void } }
  ? In
  : never;

export function api<const S extends Fields, const T extends Fields>(schema: {
  readonly key: number;
  readonly name: string;
  readonly versions: readonly [number, number];
  readonly flexibleFrom: number;
  readonly request: S;
  readonly response: T;
}): Api<S, T> {
  const { key, name, versions, flexibleFrom } = schema;
  return {
    key,
    name,
    versions,
    flexibleFrom,
    request: message(schema.request, flexibleFrom),
    response: message(schema.response, flexibleFrom),
    fields: { request: schema.request, response: schema.response },
  };
}

/** A message outside request and response: the keys and values of coordinator records. */
export function message<const S extends Fields>(
  fields: S,
  flexibleFrom: number,
): Message<Decoded<S>, Encodable<S>> {
  const decoders: Decode[] = [];
  const encoders: Encode[] = [];
  return {
    fields,
    decode(reader, version) {
      decoders[version] ??= structDecoder(fields, version, version >= flexibleFrom);
      return decoders[version](reader) as Decoded<S>;
    },
    encode(writer, version, value) {
      encoders[version] ??= structEncoder(fields, version, version >= flexibleFrom);
      encoders[version](writer, value);
    },
  };
}

function structDecoder(fields: Fields, version: number, flexible: boolean): Decode {
  const present: Array<{ name: string; decode: Decode }> = [];
  const absent: Array<{ name: string; fallback: () => unknown }> = [];
  const tagged = new Map<number, { name: string; decode: Decode }>();
  for (const [name, field] of Object.entries(fields)) {
    const here = within(field.versions, version);
    if (here && field.tag === undefined) {
      present.push({ name, decode: fieldDecoder(field, version, flexible, name) });
    } else {
      absent.push({ name, fallback: field.fallback });
      if (here && flexible) {
        tagged.set(field.tag!, { name, decode: fieldDecoder(field, version, flexible, name) });
      }
    }
  }
  return (reader) => {
    const value: Struct = {};
    for (const step of present) value[step.name] = step.decode(reader);
    for (const step of absent) value[step.name] = step.fallback();
    if (flexible) decodeTags(reader, tagged, value);
    return value;
  };
}

function decodeTags(
  reader: Reader,
  known: ReadonlyMap<number, { name: string; decode: Decode }>,
  into: Struct,
): void {
  const count = reader.uvarint();
  for (let i = 0; i < count; i += 1) {
    const step = known.get(reader.uvarint());
    const size = reader.uvarint();
    const end = reader.position + size;
    if (!step) {
      reader.take(size);
      continue;
    }
    into[step.name] = step.decode(reader);
    if (reader.position !== end) {
      throw new WireError(`cannot read tagged field ${step.name}: got another size than its ${size} bytes`);
    }
  }
}

function fieldDecoder(field: AnyField, version: number, flexible: boolean, name: string): Decode {
  const decode = shapeDecoder(field, version, flexible, name);
  if (field.shape.kind === 'struct' || within(field.nullable, version)) return decode;
  return (reader) => {
    const value = decode(reader);
    if (value === null) throw new WireError(`cannot read ${name}: got null, want a value`);
    return value;
  };
}

function shapeDecoder(field: AnyField, version: number, flexible: boolean, name: string): Decode {
  const { shape } = field;
  switch (shape.kind) {
    case 'bool':
      return (reader) => reader.bool();
    case 'int8':
      return (reader) => reader.int8();
    case 'int16':
      return (reader) => reader.int16();
    case 'uint16':
      return (reader) => reader.uint16();
    case 'int32':
      return (reader) => reader.int32();
    case 'int64':
      return (reader) => reader.int64();
    case 'float64':
      return (reader) => reader.float64();
    case 'uuid':
      return (reader) => reader.uuid();
    case 'string':
      return flexible
        ? (reader) => reader.string(reader.uvarint() - 1)
        : (reader) => reader.string(reader.int16());
    case 'bytes':
    case 'records':
      return flexible
        ? (reader) => reader.slice(reader.uvarint() - 1)
        : (reader) => reader.slice(reader.int32());
    case 'struct': {
      const decode = structDecoder(shape.fields, version, flexible);
      if (!within(field.nullable, version)) return decode;
      return (reader) => (reader.int8() < 0 ? null : decode(reader));
    }
    case 'array': {
      const element = elementDecoder(shape.element, version, flexible, name);
      return (reader) => {
        const length = reader.count(flexible ? reader.uvarint() - 1 : reader.int32());
        if (length === null) return null;
        const values: unknown[] = [];
        for (let i = 0; i < length; i += 1) values.push(element(reader));
        return values;
      };
    }
  }
}

function elementDecoder(
  element: AnyField | Fields,
  version: number,
  flexible: boolean,
  name: string,
): Decode {
  return isField(element)
    ? fieldDecoder(element, version, flexible, name)
    : structDecoder(element, version, flexible);
}

function structEncoder(fields: Fields, version: number, flexible: boolean): Encode {
  const steps: Array<{ name: string; encode: Encode; fallback: () => unknown }> = [];
  const tagged: Array<{ name: string; tag: number; encode: Encode; field: AnyField }> = [];
  for (const [name, field] of Object.entries(fields)) {
    if (!within(field.versions, version)) continue;
    const encode = fieldEncoder(field, version, flexible, name);
    if (field.tag === undefined) steps.push({ name, encode, fallback: field.fallback });
    else if (flexible) tagged.push({ name, tag: field.tag, encode, field });
  }
  tagged.sort((a, b) => a.tag - b.tag);
  return (writer, value) => {
    const struct = value as Struct;
    for (const { name, encode, fallback } of steps) {
      const given = struct[name];
      encode(writer, given === undefined ? fallback() : given);
    }
    if (!flexible) return;
    const written = tagged.filter(({ name, field }) => !isDefault(struct[name], field));
    writer.uvarint(written.length);
    for (const { name, tag, encode } of written) {
      const inner = new Writer();
      encode(inner, struct[name]);
      writer.uvarint(tag);
      writer.uvarint(inner.size);
      for (const chunk of inner.finish()) writer.bytes(chunk);
    }
  };
}

/** Tagged fields at their default are left out. */
function isDefault(value: unknown, field: AnyField): boolean {
  if (value === undefined) return true;
  if (field.shape.kind === 'array') return Array.isArray(value) && value.length === 0;
  return value === field.fallback();
}

function fieldEncoder(field: AnyField, version: number, flexible: boolean, name: string): Encode {
  const encode = shapeEncoder(field, version, flexible, name);
  if (field.nullable === undefined || within(field.nullable, version)) return encode;
  return (writer, value) => {
    assert(value !== null, `cannot write ${name} in version ${version}: got null, want a value`);
    encode(writer, value);
  };
}

function shapeEncoder(field: AnyField, version: number, flexible: boolean, name: string): Encode {
  const { shape } = field;
  switch (shape.kind) {
    case 'bool':
      return (writer, value) => writer.bool(value as boolean);
    case 'int8':
      return (writer, value) => writer.int8(value as number);
    case 'int16':
      return (writer, value) => writer.int16(value as number);
    case 'uint16':
      return (writer, value) => writer.uint16(value as number);
    case 'int32':
      return (writer, value) => writer.int32(value as number);
    case 'int64':
      return (writer, value) => writer.int64(value as number);
    case 'float64':
      return (writer, value) => writer.float64(value as number);
    case 'uuid':
      return (writer, value) => writer.uuid(value as string);
    case 'string':
      return (writer, value) => encodeString(writer, value as string | null, flexible, name);
    case 'bytes':
    case 'records':
      return (writer, value) => {
        const given = value as Uint8Array | Chunked | null;
        if (flexible) writer.uvarint(given === null ? 0 : given.length + 1);
        else writer.int32(given === null ? -1 : given.length);
        if (given === null) return;
        if (given instanceof Uint8Array) writer.bytes(given);
        else for (const chunk of given.chunks) writer.bytes(chunk);
      };
    case 'struct': {
      const encode = structEncoder(shape.fields, version, flexible);
      if (!within(field.nullable, version)) return encode;
      return (writer, value) => {
        writer.int8(value === null ? -1 : 1);
        if (value !== null) encode(writer, value);
      };
    }
    case 'array': {
      const element = isField(shape.element)
        ? fieldEncoder(shape.element, version, flexible, name)
        : structEncoder(shape.element, version, flexible);
      return (writer, value) => {
        const given = value as readonly unknown[] | null;
        if (flexible) writer.uvarint(given === null ? 0 : given.length + 1);
        else writer.int32(given === null ? -1 : given.length);
        if (given !== null) for (const one of given) element(writer, one);
      };
    }
  }
}

/** Longest string of the classic encoding. */
const STRING_BYTES_MAX = 32_767;

function encodeString(writer: Writer, value: string | null, flexible: boolean, name: string): void {
  if (value === null) {
    if (flexible) writer.uvarint(0);
    else writer.int16(-1);
    return;
  }
  const length = Buffer.byteLength(value);
  if (flexible) {
    writer.uvarint(length + 1);
  } else {
    assert(length <= STRING_BYTES_MAX, `cannot write ${name}: got ${length} bytes, want ${STRING_BYTES_MAX}`);
    writer.int16(length);
  }
  writer.utf8(value, length);
}

function isField(element: AnyField | Fields): element is AnyField {
  return 'shape' in element && typeof element.fallback === 'function';
}
