import { snappyCompress } from '@platformatic/wasm-utils';

import { GrowingBuffer } from './growing-buffer.ts';

/**
 * Snappy as Kafka clients write it: the raw format (librdkafka, Go clients) or raw blocks in the framing of
 * xerial's Java library.
 *
 *     xerial: 82 'SNAPPY' 00 | version i32 | compatible version i32 | ( length i32 | raw block )*
 *
 * Decompression is our own: the WASM module traps on bad input and then leaks what it had allocated.
 */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;
/** What the Java client uses; its reader takes any size. */
const XERIAL_BLOCK_BYTES = 32_768;

/** Xerial framing, which every Kafka client reads (some Java readers read nothing else). */
export function compressSnappy(data: Buffer): Buffer {
  const header = Buffer.alloc(XERIAL_HEADER_BYTES);
  XERIAL.copy(header);
  header.writeInt32BE(1, 8);
  header.writeInt32BE(1, 12);
  const parts: Buffer[] = [header];
  for (let at = 0; at < data.length; at += XERIAL_BLOCK_BYTES) {
    const block = snappyCompress(data.subarray(at, at + XERIAL_BLOCK_BYTES));
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

export function decompressSnappy(data: Buffer, bytesMax: number): Buffer {
  const xerial = data.length >= XERIAL_HEADER_BYTES && data.compare(XERIAL, 0, 8, 0, 8) === 0;
  const out = new GrowingBuffer(data.length * 4, bytesMax);
  if (!xerial) {
    decodeRaw(data, 0, data.length, out);
    return out.result();
  }
  let at = XERIAL_HEADER_BYTES;
  while (at < data.length) {
    if (at + 4 > data.length) throw new Error(`cannot decompress snappy: got a cut block length at ${at}`);
    const length = data.readInt32BE(at);
    at += 4;
    if (length < 0 || at + length > data.length) {
      throw new Error(`cannot decompress snappy: got a block of ${length} bytes, want ${data.length - at}`);
    }
    decodeRaw(data, at, at + length, out);
    at += length;
  }
  return out.result();
}

function decodeRaw(data: Buffer, start: number, end: number, out: GrowingBuffer): void {
  let at = start;
  let expected = 0;
  for (let shift = 0; ; shift += 7) {
    if (at >= end || shift > 28) throw new Error('cannot decompress snappy: got a bad length');
    const byte = data[at++]!;
    expected += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  out.reserve(expected);
  const floor = out.length;
  while (at < end) {
    const tag = data[at++]!;
    const kind = tag & 3;
    if (kind === 0) {
      let length = tag >>> 2;
      if (length >= 60) {
        const width = length - 59;
        if (at + width > end) throw new Error(`cannot decompress snappy: got a cut literal at ${at}`);
        length = data.readUIntLE(at, width);
        at += width;
      }
      length += 1;
      if (at + length > end) throw new Error(`cannot decompress snappy: got a cut literal at ${at}`);
      out.take(data, at, at + length);
      at += length;
      continue;
    }
    const width = kind === 3 ? 4 : kind;
    if (at + width > end) throw new Error(`cannot decompress snappy: got a cut copy at ${at}`);
    if (kind === 1) out.repeat(((tag >>> 5) << 8) | data[at]!, ((tag >>> 2) & 7) + 4, floor);
    else out.repeat(kind === 2 ? data.readUInt16LE(at) : data.readUInt32LE(at), (tag >>> 2) + 1, floor);
    at += width;
  }
  if (out.length - floor !== expected) {
    throw new Error(`cannot decompress snappy: got ${out.length - floor} bytes, want ${expected}`);
  }
}
