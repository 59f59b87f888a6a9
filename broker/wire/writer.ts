import assert from 'node:assert/strict';

/** Above this a byte field becomes a chunk of its own instead of being copied. */
const COPY_BYTES_MAX = 1024;
const FIRST_CHUNK_BYTES = 512;
const CHUNK_BYTES_MAX = 64 * 1024;

/**
 * Grows a list of chunks. Large byte fields (`records`) are referenced, not copied, so they may not change
 * before the chunks are sent.
 */
export class Writer {
  private readonly chunks: Buffer[] = [];
  private current = Buffer.allocUnsafe(FIRST_CHUNK_BYTES);
  private start = 0;
  private position = 0;
  private flushed = 0;

  /** Bytes written so far. */
  get size(): number {
    return this.flushed + this.position - this.start;
  }

  /** Everything written; the writer is done. */
  finish(): Buffer[] {
    this.flush();
    return this.chunks;
  }

  /** As `finish`, in one piece. */
  toBuffer(): Buffer {
    const chunks = this.finish();
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  }

  int8(value: number): void {
    const at = this.room(1);
    this.current.writeInt8(value, at);
  }

  bool(value: boolean): void {
    const at = this.room(1);
    this.current[at] = value ? 1 : 0;
  }

  int16(value: number): void {
    const at = this.room(2);
    this.current.writeInt16BE(value, at);
  }

  uint16(value: number): void {
    const at = this.room(2);
    this.current.writeUInt16BE(value, at);
  }

  int32(value: number): void {
    const at = this.room(4);
    this.current.writeInt32BE(value, at);
  }

  int64(value: number): void {
    assert(Number.isSafeInteger(value), `cannot write an int64: got ${value}, want a safe integer`);
    const at = this.room(8);
    const high = Math.floor(value / 2 ** 32);
    this.current.writeInt32BE(high, at);
    this.current.writeUInt32BE(value - high * 2 ** 32, at + 4);
  }

  float64(value: number): void {
    const at = this.room(8);
    this.current.writeDoubleBE(value, at);
  }

  uvarint(value: number): void {
    let at = this.room(5);
    let rest = value;
    while (rest > 0x7f) {
      this.current[at] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 128);
      at += 1;
    }
    this.current[at] = rest;
    this.position = at + 1;
  }

  uuid(value: string): void {
    const hex = value.replaceAll('-', '');
    assert(hex.length === 32, `cannot write a uuid: got ${value}`);
    const at = this.room(16);
    const written = this.current.write(hex, at, 'hex');
    assert(written === 16, `cannot write a uuid: got ${value}`);
  }

  /** The characters alone; the caller wrote the length. */
  utf8(value: string, byteLength: number): void {
    const at = this.room(byteLength);
    this.current.write(value, at, 'utf8');
  }

  /** The bytes alone; the caller wrote the length. */
  bytes(value: Uint8Array): void {
    if (value.length <= COPY_BYTES_MAX) {
      const at = this.room(value.length);
      this.current.set(value, at);
      return;
    }
    this.flush();
    this.chunks.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    this.flushed += value.length;
  }

  private room(length: number): number {
    if (this.position + length > this.current.length) {
      this.flush();
      const size = Math.min(CHUNK_BYTES_MAX, this.current.length * 2);
      this.current = Buffer.allocUnsafe(Math.max(size, length));
      this.start = 0;
      this.position = 0;
    }
    const at = this.position;
    this.position = at + length;
    return at;
  }

  private flush(): void {
    if (this.position === this.start) return;
    this.chunks.push(this.current.subarray(this.start, this.position));
    this.flushed += this.position - this.start;
    this.start = this.position;
  }
}
