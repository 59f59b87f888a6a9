import { createRequire } from 'node:module';

/**
 * CRC32C (Castagnoli) over part of a buffer: native where its binary loads, else slicing-by-8 in JS.
 * The two give the same values; node:zlib's crc32 is another polynomial.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  // Below this the call into native code costs more than the bytes.
  if (native && end - start > 96) return native(bytes.subarray(start, end), seed) >>> 0;
  return crc32cInScript(bytes, start, end, seed);
}

const TABLES = makeTables();

export function crc32cInScript(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let crc = ~seed;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      TABLES[1792 + (crc & 0xff)]! ^
      TABLES[1536 + ((crc >>> 8) & 0xff)]! ^
      TABLES[1280 + ((crc >>> 16) & 0xff)]! ^
      TABLES[1024 + (crc >>> 24)]! ^
      TABLES[768 + bytes[at + 4]!]! ^
      TABLES[512 + bytes[at + 5]!]! ^
      TABLES[256 + bytes[at + 6]!]! ^
      TABLES[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ TABLES[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}

/** Eight tables of 256, one after the other: table k advances a byte past k zero bytes. */
function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256]!;
    tables[at] = (before >>> 8) ^ tables[before & 0xff]!;
  }
  return tables;
}

type NativeCrc = (bytes: Uint8Array, seed: number) => number;
const native: NativeCrc | undefined = loadNative();

/** The package picks a prebuilt binary by platform; where there is none it throws, and script will do. */
function loadNative(): NativeCrc | undefined {
  try {
    const { crc32c: fn } = createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: NativeCrc };
    return fn(Buffer.from('123456789'), 0) >>> 0 === 0xe3069283 ? fn : undefined;
  } catch {
    return undefined;
  }
}
