/**
 * Request bodies: decompressed, bounded, small ones in memory and large ones in a file at once, since that is where
 * an insert's data must go anyway.
 */
import type { IncomingMessage } from 'node:http';
import { open, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';

import { refuse } from './errors.ts';

export interface Body {
  /** The first bytes, at most `headBytesMax`: everything when `path` is undefined. */
  readonly head: Buffer;
  readonly bytes: number;
  /** The whole body, when it is longer than `head`. */
  readonly path: string | undefined;
}

/** No statement without data is longer; ClickHouse's own bound is a quarter of it. */
export const HEAD_BYTES_MAX = 1024 * 1024;

/** Reads it all; `path` is written only when the body is longer than HEAD_BYTES_MAX. */
export async function receiveBody(message: IncomingMessage, path: string, bytesMax: number): Promise<Body> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let file: FileHandle | undefined;
  try {
    for await (const chunk of decompressed(message)) {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        throw refuse.tooLarge(`cannot take the body: got over ${bytesMax} bytes, want smaller inserts`);
      }
      if (file) {
        await file.write(chunk);
      } else {
        chunks.push(chunk);
        if (bytes > HEAD_BYTES_MAX) {
          file = await open(path, 'w', 0o600);
          await file.writev(chunks);
        }
      }
    }
  } catch (error) {
    if (!isDecompression(error)) throw error;
    throw refuse.cannotDecompress(`cannot decompress the body: ${(error as Error).message}`);
  } finally {
    await file?.close();
  }
  return { head: Buffer.concat(chunks), bytes, path: file ? path : undefined };
}

function isDecompression(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^(Z_|ZSTD|ERR_BROTLI|ERR__ERROR_|ERR_PADDING)/.test(code);
}

function decompressed(message: IncomingMessage): AsyncIterable<Buffer> {
  const encoding = (message.headers['content-encoding'] ?? '').trim().toLowerCase();
  const decoder = decoders[encoding];
  if (decoder) {
    const out = decoder();
    message.on('error', (error) => out.destroy(error));
    message.on('aborted', () => out.destroy(new Error('the client went away')));
    return message.pipe(out);
  }
  // Kept open when the reader leaves early: the answer goes through the same socket.
  if (encoding === '' || encoding === 'identity') return message.iterator({ destroyOnReturn: false });
  throw refuse.absent(`cannot decompress ${encoding}: want gzip, deflate, br or zstd`);
}

const decoders: Readonly<Record<string, () => NodeJS.ReadWriteStream & Readable>> = {
  gzip: createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};
