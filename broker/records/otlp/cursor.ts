import { OtlpError } from './error.ts';

/** Wire types of protobuf. Groups (3 and 4) are not part of proto3 and are refused. */
export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH = 2;
export const FIXED32 = 5;

/**
 * A position in protobuf bytes: reads one field at a time, never beyond `end`.
 *
 * Loops over a message read `tag()` and switch on it; a tag they do not know goes to `skip(tag)`. The tag is
 * `field << 3 | wire type`, so a known field of another wire type counts as unknown, as in other parsers.
 */
export class Cursor {
  readonly bytes: Buffer;
  at: number;
  end: number;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  tag(): number {
    const first = this.bytes[this.at]!;
    if (first < 0x80 && first >= 8) {
      this.at += 1;
      return first;
    }
    const at = this.at;
    const tag = this.uint32();
    if (tag < 8) throw new OtlpError('field number 0', '1 or more', at);
    return tag;
  }

  /** A varint cut to its low 32 bits, as protobuf reads uint32, enums, tags and lengths. */
  uint32(): number {
    const { bytes, end } = this;
    let at = this.at;
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= end) break;
      const byte = bytes[at++]!;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.at = at;
        return value >>> 0;
      }
    }
    throw this.badVarint();
  }

  int32(): number {
    return this.uint32() | 0;
  }

  sint32(): number {
    const zigzag = this.uint32();
    return (zigzag >>> 1) ^ -(zigzag & 1);
  }

  bool(): boolean {
    return this.uint64() !== 0n;
  }

  /** A signed 64-bit varint: a number when exact, else a bigint. */
  int64(): number | bigint {
    const { bytes, end } = this;
    // Fast path: up to four bytes, 28 bits.
    let at = this.at;
    let value = 0;
    for (let shift = 0; shift < 28 && at < end; shift += 7) {
      const byte = bytes[at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.at = at;
        return value;
      }
    }
    return exact(BigInt.asIntN(64, this.uint64()));
  }

  uint64(): bigint {
    const { bytes, end } = this;
    let at = this.at;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70 && at < end; shift += 7) {
      const byte = bytes[at++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (byte < 0x80) {
        this.at = at;
        return high === 0 ? BigInt(low >>> 0) : (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
      }
    }
    throw this.badVarint();
  }

  /** Reads a length and returns where what follows ends; the cursor stands at its start. */
  lengthEnd(): number {
    const at = this.at;
    const first = this.bytes[at]!;
    let length = first;
    if (at < this.end && first < 0x80) this.at = at + 1;
    else length = this.uint32();
    const end = this.at + length;
    if (end > this.end) {
      throw new OtlpError(
        `a length of ${length}`,
        `at most the ${this.end - this.at} bytes that are left`,
        at,
      );
    }
    return end;
  }

  /** Confines the cursor to the submessage that starts here; give the result to `leave`. */
  enter(): number {
    const end = this.lengthEnd();
    const outer = this.end;
    this.end = end;
    return outer;
  }

  leave(outer: number): void {
    this.at = this.end;
    this.end = outer;
  }

  fixed64(): bigint {
    return this.bytes.readBigUInt64LE(this.take(8));
  }

  sfixed64(): number | bigint {
    return exact(this.bytes.readBigInt64LE(this.take(8)));
  }

  double(): number {
    return this.bytes.readDoubleLE(this.take(8));
  }

  fixed32(): number {
    return this.bytes.readUInt32LE(this.take(4));
  }

  /** UTF-8; bytes that are not become replacement characters. */
  text(): string {
    const end = this.lengthEnd();
    const start = this.at;
    this.at = end;
    return end === start ? '' : this.bytes.toString('utf8', start, end);
  }

  hex(): string {
    const end = this.lengthEnd();
    const start = this.at;
    this.at = end;
    return this.bytes.toString('hex', start, end);
  }

  /** A view, not a copy. */
  view(): Buffer {
    const end = this.lengthEnd();
    const view = this.bytes.subarray(this.at, end);
    this.at = end;
    return view;
  }

  /** Steps over the value of a field whose tag was just read. */
  skip(tag: number): void {
    switch (tag & 7) {
      case VARINT:
        this.uint32();
        return;
      case FIXED64:
        this.take(8);
        return;
      case LENGTH:
        this.at = this.lengthEnd();
        return;
      case FIXED32:
        this.take(4);
        return;
      default:
        throw new OtlpError(`wire type ${tag & 7}`, '0, 1, 2 or 5', this.at);
    }
  }

  private take(length: number): number {
    const start = this.at;
    if (start + length > this.end) {
      throw new OtlpError(`${this.end - start} bytes`, `the ${length} of a fixed value`, start);
    }
    this.at = start + length;
    return start;
  }

  private badVarint(): OtlpError {
    return new OtlpError(
      'an unfinished or overlong number',
      'a varint of at most 10 bytes inside its message',
      this.at,
    );
  }
}

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
