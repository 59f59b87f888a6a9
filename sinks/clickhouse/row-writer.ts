/**
 * RowBinary into a buffer that grows: numbers little-endian, strings with a varint length before them, arrays and
 * maps with their count. One writer serves a whole batch; nothing is allocated per row.
 */
export class RowWriter {
  bytes: Buffer;
  at = 0;

  constructor(size = 64 * 1024) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  /** Room for `length` more bytes. */
  ensure(length: number): void {
    const wanted = this.at + length;
    if (wanted <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(wanted, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }

  u8(value: number): void {
    this.ensure(1);
    this.bytes[this.at++] = value & 0xff;
  }

  u32(value: number): void {
    this.ensure(4);
    this.at = this.bytes.writeUInt32LE(value >>> 0, this.at);
  }

  i32(value: number): void {
    this.u32(value);
  }

  /** A safe integer as Int64. */
  i64(value: number): void {
    this.ensure(8);
    const high = Math.floor(value / 2 ** 32);
    this.bytes.writeUInt32LE((value - high * 2 ** 32) >>> 0, this.at);
    this.bytes.writeInt32LE(high, this.at + 4);
    this.at += 8;
  }

  u64(value: bigint): void {
    this.ensure(8);
    this.at = this.bytes.writeBigUInt64LE(BigInt.asUintN(64, value), this.at);
  }

  f64(value: number): void {
    this.ensure(8);
    this.at = this.bytes.writeDoubleLE(value, this.at);
  }

  varint(value: number): void {
    this.ensure(5);
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.at++] = rest;
  }

  /** Bytes as they are, without a length. */
  raw(from: Buffer, start = 0, end = from.length): void {
    const length = end - start;
    this.ensure(length);
    const { bytes } = this;
    // Below this a loop beats the call into the runtime.
    if (length < 32) {
      let at = this.at;
      for (let source = start; source < end; source += 1) bytes[at++] = from[source]!;
    } else {
      from.copy(bytes, this.at, start, end);
    }
    this.at += length;
  }

  string(from: Buffer, start: number, end: number): void {
    this.varint(end - start);
    this.raw(from, start, end);
  }

  text(value: string): void {
    if (value === '') {
      this.u8(0);
      return;
    }
    // Most texts are short and ASCII: their length is known without counting bytes first.
    if (value.length < 64) {
      this.ensure(1 + value.length * 3);
      const written = this.bytes.write(value, this.at + 1, 'utf8');
      if (written < 0x80) {
        this.bytes[this.at] = written;
        this.at += 1 + written;
        return;
      }
    }
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.ensure(length);
    this.at += this.bytes.write(value, this.at, 'utf8');
  }

  /** The bytes' lower-case hex as a string. */
  hex(from: Buffer, start: number, end: number): void {
    const length = (end - start) * 2;
    this.varint(length);
    this.ensure(length);
    const { bytes } = this;
    let at = this.at;
    for (let source = start; source < end; source += 1) {
      const byte = from[source]!;
      bytes[at++] = HEX[byte >> 4]!;
      bytes[at++] = HEX[byte & 15]!;
    }
    this.at = at;
  }
}

const HEX = Buffer.from('0123456789abcdef');
