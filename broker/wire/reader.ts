import { WireError } from './wire-error.ts';

/**
 * Elements that all arrays of one message may have together. The largest honest message (a fetch over some
 * 10,000 partitions) stays far below; without it 100 MiB of empty strings would become gigabytes of objects.
 */
const ELEMENTS_MAX = 1_000_000;

/** Kafka's bound for strings of either encoding. */
const STRING_BYTES_MAX = 32_767;

const EMPTY = Buffer.alloc(0);

/**
 * A cursor over one frame. Reads never pass the end and never allocate more than the bytes that are there:
 * byte fields are views into the frame, lengths are checked against what is left.
 * @throws WireError
 */
export class Reader {
  readonly bytes: Buffer;
  position: number;
  readonly end: number;
  private elements = 0;

  constructor(bytes: Buffer, position = 0, end = bytes.length) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  /** Moves past `length` bytes and returns where they began. */
  take(length: number): number {
    const at = this.position;
    if (length > this.end - at) {
      throw new WireError(`cannot read ${length} bytes: got ${this.end - at} before the end`);
    }
    this.position = at + length;
    return at;
  }

  int8(): number {
    return this.bytes.readInt8(this.take(1));
  }

  bool(): boolean {
    return this.bytes[this.take(1)] !== 0;
  }

  int16(): number {
    return this.bytes.readInt16BE(this.take(2));
  }

  uint16(): number {
    return this.bytes.readUInt16BE(this.take(2));
  }

  int32(): number {
    return this.bytes.readInt32BE(this.take(4));
  }

  /** Saturates at the safe integers: only "infinity" markers are larger. */
  int64(): number {
    const at = this.take(8);
    const value = this.bytes.readInt32BE(at) * 2 ** 32 + this.bytes.readUInt32BE(at + 4);
    if (value > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER;
    return value < Number.MIN_SAFE_INTEGER ? Number.MIN_SAFE_INTEGER : value;
  }

  float64(): number {
    return this.bytes.readDoubleBE(this.take(8));
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes[this.take(1)]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    throw new WireError('cannot read an unsigned varint: got more than 32 bits');
  }

  uuid(): string {
    const at = this.take(16);
    const hex = this.bytes.toString('hex', at, at + 16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** `length` -1 is null. */
  string(length: number): string | null {
    if (length < 0) return this.nullOf(length);
    if (length > STRING_BYTES_MAX) throw tooLong(length);
    const at = this.take(length);
    const text = this.bytes.toString('utf8', at, at + length);
    // Bytes that are no UTF-8 become three each; nobody could be sent such a string back.
    if (length * 3 > STRING_BYTES_MAX && Buffer.byteLength(text) > STRING_BYTES_MAX) throw tooLong(length);
    return text;
  }

  /** A view into the frame. */
  slice(length: number): Buffer | null {
    if (length < 0) return this.nullOf(length);
    if (length === 0) return EMPTY;
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }

  /** Checks the count of an array whose elements take at least one byte each; -1 is null. */
  count(length: number): number | null {
    if (length < 0) return this.nullOf(length);
    if (length > this.remaining) {
      throw new WireError(`cannot read an array of ${length}: got ${this.remaining} bytes before the end`);
    }
    this.elements += length;
    if (this.elements > ELEMENTS_MAX) {
      throw new WireError(`cannot read the message: got more than ${ELEMENTS_MAX} array elements`);
    }
    return length;
  }

  skipTags(): void {
    const count = this.uvarint();
    for (let i = 0; i < count; i += 1) {
      this.uvarint();
      this.take(this.uvarint());
    }
  }

  private nullOf(length: number): null {
    if (length !== -1) throw new WireError(`cannot read a length: got ${length}, want -1 or more`);
    return null;
  }
}

function tooLong(length: number): WireError {
  return new WireError(
    `cannot read a string: got ${length} bytes, want ${STRING_BYTES_MAX} of UTF-8 at most`,
  );
}
