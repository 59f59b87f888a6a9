import * as zlib from 'node:zlib';

import { compressLz4, decompressLz4 } from './lz4.ts';
import { compressSnappy, decompressSnappy } from './snappy.ts';

/**
 * The compression codecs of record batches (format v2), by the number in bits 0-2 of the attributes.
 *
 * Every decompression takes its bound: a batch of 1 MB may not become 1 GB of memory. Bad input throws.
 */
export interface Codec {
  readonly id: number;
  readonly name: CodecName;
  compress(data: Buffer): Buffer;
  /** @throws Error on bad input and when the result would exceed `bytesMax` */
  decompress(data: Buffer, bytesMax: number): Buffer;
}

export type CodecName = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

/** Bound for the records of one batch where nothing better is known: 64 times Kafka's default batch. */
export const DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024;

/** The index is the codec's number. */
export const CODECS: readonly Codec[] = [
  { id: 0, name: 'none', compress: (data) => data, decompress: (data) => data },
  {
    id: 1,
    name: 'gzip',
    compress: (data) => zlib.gzipSync(data),
    decompress: (data, bytesMax) => zlib.gunzipSync(data, { maxOutputLength: bytesMax }),
  },
  { id: 2, name: 'snappy', compress: compressSnappy, decompress: decompressSnappy },
  { id: 3, name: 'lz4', compress: compressLz4, decompress: decompressLz4 },
  {
    id: 4,
    name: 'zstd',
    compress: (data) => zlib.zstdCompressSync(data),
    decompress: (data, bytesMax) => zlib.zstdDecompressSync(data, { maxOutputLength: bytesMax }),
  },
];

/** @throws Error for the numbers 5 to 7, which no Kafka release has given a meaning */
export function codecOf(attributes: number): Codec {
  const codec = CODECS[attributes & 7];
  if (!codec) throw new Error(`cannot find codec: got number ${attributes & 7}, want 0 to 4`);
  return codec;
}
