import { lz4Compress } from '@platformatic/wasm-utils';

import { GrowingBuffer } from './growing-buffer.ts';

/**
 * LZ4 frames, the only form in record batches of format v2.
 *
 *     04 22 4d 18 | FLG | BD | [content size u64] | [dictionary id u32] | header checksum
 *     ( size u32, top bit = stored | block | [block checksum u32] )* | 00 00 00 00 | [content checksum u32]
 *
 * Checksums are not looked at: the batch around it has its CRC32C. Decompression is our own, for the reason
 * given in snappy.ts.
 */
const MAGIC = 0x184d2204;

export function compressLz4(data: Buffer): Buffer {
  return lz4Compress(data);
}

export function decompressLz4(data: Buffer, bytesMax: number): Buffer {
  const out = new GrowingBuffer(data.length * 4, bytesMax);
  let at = 0;
  while (at < data.length) at = decodeFrame(data, at, out);
  return out.result();
}

function decodeFrame(data: Buffer, start: number, out: GrowingBuffer): number {
  if (start + 7 > data.length || data.readUInt32LE(start) !== MAGIC) {
    throw new Error(`cannot decompress lz4: got no frame header at ${start}`);
  }
  const flags = data[start + 4]!;
  const independent = (flags & 0x20) !== 0;
  const blockChecksum = (flags & 0x10) !== 0;
  const contentSize = (flags & 0x08) !== 0;
  const contentChecksum = (flags & 0x04) !== 0;
  if (flags >>> 6 !== 1 || (flags & 0x01) !== 0) {
    throw new Error(`cannot decompress lz4: got flags ${flags}, want version 1 without a dictionary`);
  }
  let at = start + 7 + (contentSize ? 8 : 0);
  const frameFloor = out.length;
  for (;;) {
    if (at + 4 > data.length) throw new Error(`cannot decompress lz4: got a cut frame at ${at}`);
    const word = data.readUInt32LE(at);
    at += 4;
    if (word === 0) break;
    const size = word & 0x7fffffff;
    if (at + size > data.length) throw new Error(`cannot decompress lz4: got a cut block at ${at}`);
    if (word > 0x7fffffff) out.take(data, at, at + size);
    else decodeBlock(data, at, at + size, out, independent ? out.length : frameFloor);
    at += size + (blockChecksum ? 4 : 0);
  }
  at += contentChecksum ? 4 : 0;
  if (at > data.length) throw new Error('cannot decompress lz4: got a cut checksum');
  return at;
}

function decodeBlock(data: Buffer, start: number, end: number, out: GrowingBuffer, floor: number): void {
  let at = start;
  while (at < end) {
    const token = data[at++]!;
    let literals = token >>> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255) {
        if (at >= end) throw new Error(`cannot decompress lz4: got a cut length at ${at}`);
        literals += more = data[at++]!;
      }
    }
    if (at + literals > end) throw new Error(`cannot decompress lz4: got a cut literal at ${at}`);
    out.take(data, at, at + literals);
    at += literals;
    // The last sequence of a block has literals only.
    if (at >= end) return;
    if (at + 2 > end) throw new Error(`cannot decompress lz4: got a cut copy at ${at}`);
    const distance = data[at]! | (data[at + 1]! << 8);
    at += 2;
    let count = (token & 15) + 4;
    if (count === 19) {
      let more = 255;
      while (more === 255) {
        if (at >= end) throw new Error(`cannot decompress lz4: got a cut length at ${at}`);
        count += more = data[at++]!;
      }
    }
    out.repeat(distance, count, floor);
  }
}
