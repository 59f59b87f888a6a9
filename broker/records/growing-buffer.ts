/** Output of a decoder whose final size is not known: doubles up to a bound and refuses to go beyond. */
export class GrowingBuffer {
  bytes: Buffer;
  length = 0;
  readonly bytesMax: number;

  constructor(expectedBytes: number, bytesMax: number) {
    this.bytes = Buffer.allocUnsafe(Math.max(64, Math.min(expectedBytes, bytesMax)));
    this.bytesMax = bytesMax;
  }

  /** Makes room for `count` more bytes. Throws when that would exceed the bound. */
  reserve(count: number): void {
    const need = this.length + count;
    if (need <= this.bytes.length) return;
    if (need > this.bytesMax) {
      throw new Error(`cannot decompress: got over ${this.bytesMax} bytes, want at most that`);
    }
    const larger = Buffer.allocUnsafe(Math.min(this.bytesMax, Math.max(need, this.bytes.length * 2)));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }

  take(source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start);
    const { bytes, length } = this;
    if (end - start < 24) {
      // A call costs more than the bytes of a short literal.
      for (let from = start, to = length; from < end;) bytes[to++] = source[from++]!;
    } else {
      bytes.set(source.subarray(start, end), length);
    }
    this.length += end - start;
  }

  /** Repeats `count` bytes from `distance` back; source and target may overlap, as LZ77 wants it. */
  repeat(distance: number, count: number, floor: number): void {
    if (distance === 0 || distance > this.length - floor) {
      throw new Error(`cannot decompress: got a copy from ${distance} bytes back at ${this.length - floor}`);
    }
    this.reserve(count);
    const { bytes, length } = this;
    const from = length - distance;
    if (distance >= count && count >= 24) bytes.copyWithin(length, from, from + count);
    else for (let i = 0; i < count; i++) bytes[length + i] = bytes[from + i]!;
    this.length += count;
  }

  result(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}
