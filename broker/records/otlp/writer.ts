import type { AnyValue, Attributes } from './model.ts';

/** Bytes a nested message may need for its length; the one byte reserved is widened when it closes. */
const START_BYTES = 16 * 1024;

/**
 * Writes protobuf into a growing buffer, field by field in the order of the calls.
 *
 * A nested message is opened with `begin` and closed with `end`; its length is written when it closes, so the
 * bytes of a message longer than 127 move once. Nothing is written for defaults: callers leave them out.
 */
export class Writer {
  private bytes = Buffer.allocUnsafe(START_BYTES);
  private at = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.at;
  }

  /** A copy of what was written; the writer may be used again after `reset`. */
  finish(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.at));
  }

  reset(): void {
    this.at = 0;
  }

  /** Takes back what was written after this length. */
  truncate(length: number): void {
    this.at = length;
  }

  uint32(field: number, value: number): void {
    this.varint(field * 8);
    this.varint(value >>> 0);
  }

  /** Signed: negative values take ten bytes, as protobuf's int32, int64 and enums do. */
  int64(field: number, value: number | bigint): void {
    this.varint(field * 8);
    if (typeof value === 'number' && value >= 0 && value <= 0x7fffffff) this.varint(value);
    else this.varint64(BigInt.asUintN(64, BigInt(value)));
  }

  sint32(field: number, value: number): void {
    this.uint32(field, (value << 1) ^ (value >> 31));
  }

  bool(field: number, value: boolean): void {
    this.uint32(field, value ? 1 : 0);
  }

  fixed64(field: number, value: bigint): void {
    this.varint(field * 8 + 1);
    this.fixed64Value(value);
  }

  double(field: number, value: number): void {
    this.varint(field * 8 + 1);
    this.doubleValue(value);
  }

  fixed32(field: number, value: number): void {
    this.varint(field * 8 + 5);
    this.ensure(4);
    this.at = this.bytes.writeUInt32LE(value >>> 0, this.at);
  }

  text(field: number, value: string): void {
    this.varint(field * 8 + 2);
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.ensure(length);
    this.at += this.bytes.write(value, this.at, length, 'utf8');
  }

  raw(field: number, value: Uint8Array): void {
    this.varint(field * 8 + 2);
    this.varint(value.length);
    this.append(value);
  }

  hex(field: number, value: string): void {
    this.raw(field, Buffer.from(value, 'hex'));
  }

  /** As `fixed64`, from the halves of the value: no bigint on hot paths. */
  fixed64Halves(field: number, low: number, high: number): void {
    this.varint(field * 8 + 1);
    this.ensure(8);
    this.at = this.bytes.writeUInt32LE(low, this.at);
    this.at = this.bytes.writeUInt32LE(high, this.at);
  }

  /** The start of a nested message or of bytes whose length is known; exactly so many bytes follow. */
  prefix(field: number, length: number): void {
    this.varint(field * 8 + 2);
    this.varint(length);
  }

  /** A number from 0 to 2^53 - 1 as a bare varint: the value of a field whose tag was written elsewhere. */
  varint53(value: number): void {
    let rest = value;
    while (rest > 0x7fffffff) {
      this.ensure(1);
      this.bytes[this.at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.varint(rest);
  }

  /** As `append(source.subarray(start, end))`, without the view. */
  appendFrom(source: Buffer, start: number, end: number): void {
    this.ensure(end - start);
    this.at += source.copy(this.bytes, this.at, start, end);
  }

  /** Bytes as they are: fields that were encoded elsewhere. */
  append(bytes: Uint8Array): void {
    this.ensure(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** Opens a nested message (or a packed list); give the result to `end`. */
  begin(field: number): number {
    this.varint(field * 8 + 2);
    this.ensure(1);
    this.at += 1;
    return this.at;
  }

  end(start: number): void {
    const length = this.at - start;
    if (length < 0x80) {
      this.bytes[start - 1] = length;
      return;
    }
    let wide = 1;
    for (let rest = length >>> 7; rest > 0; rest >>>= 7) wide += 1;
    this.ensure(wide - 1);
    this.bytes.copyWithin(start - 1 + wide, start, this.at);
    const end = this.at + wide - 1;
    this.at = start - 1;
    this.varint(length);
    this.at = end;
  }

  keyValue(field: number, key: string, value: AnyValue): void {
    const start = this.begin(field);
    this.text(1, key);
    this.anyValue(2, value);
    this.end(start);
  }

  attributes(field: number, attributes: Attributes): void {
    for (const key of Object.keys(attributes)) this.keyValue(field, key, attributes[key] ?? null);
  }

  /** Integral numbers and bigints become `int_value`, other numbers `double_value`. */
  anyValue(field: number, value: AnyValue): void {
    const start = this.begin(field);
    if (typeof value === 'string') this.text(1, value);
    else if (typeof value === 'boolean') this.bool(2, value);
    else if (typeof value === 'bigint') this.int64(3, value);
    else if (typeof value === 'number') {
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.int64(3, value);
      else this.double(4, value);
    } else if (value instanceof Uint8Array) this.raw(7, value);
    else if (Array.isArray(value)) {
      const list = this.begin(5);
      for (const one of value) this.anyValue(1, one);
      this.end(list);
    } else if (value !== null) {
      const list = this.begin(6);
      this.attributes(1, value);
      this.end(list);
    }
    this.end(start);
  }

  /** One element of a packed list of fixed64. */
  fixed64Value(value: bigint): void {
    this.ensure(8);
    this.at = this.bytes.writeBigUInt64LE(BigInt.asUintN(64, value), this.at);
  }

  /** One element of a packed list of double. */
  doubleValue(value: number): void {
    this.ensure(8);
    this.at = this.bytes.writeDoubleLE(value, this.at);
  }

  /** One element of a packed list of uint64. */
  varint64(value: bigint): void {
    let low = Number(value & 0xffffffffn);
    let high = Number(value >> 32n);
    this.ensure(10);
    while (high > 0) {
      this.bytes[this.at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | ((high & 0x7f) << 25)) >>> 0;
      high >>>= 7;
    }
    this.varint(low);
  }

  private varint(value: number): void {
    this.ensure(5);
    let rest = value;
    while (rest > 0x7f) {
      this.bytes[this.at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.at++] = rest;
  }

  private ensure(more: number): void {
    if (this.at + more <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + more));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }
}
