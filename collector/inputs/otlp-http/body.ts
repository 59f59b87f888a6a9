import { promisify } from 'node:util';
import * as zlib from 'node:zlib';

import { HttpError } from './http-error.ts';

const gunzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip);
const inflate = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.inflate);
const zstdDecompress = promisify<Buffer, zlib.ZstdOptions, Buffer>(zlib.zstdDecompress);

/**
 * Decompressions at a time. Each may hold up to the body limit before its size is known, so this times the limit
 * bounds what bombs can cost; Node has four threads for the work anyway.
 */
const PARALLEL_MAX = 4;
/** Window that a zstd frame may ask for, as a power of two: 16 MiB, what level 22 uses at most in practice. */
const ZSTD_WINDOW_LOG_MAX = 24;

/** Undoes Content-Encoding, with a bound on what comes out. */
export class Decompression {
  private readonly bytesMax: number;
  private running = 0;
  private readonly waiting: Array<() => void> = [];

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** @throws HttpError 413 above the bound, 415 for other encodings, 400 for bytes that are not what they claim */
  async decode(body: Buffer, encoding: string): Promise<Buffer> {
    const decoder = DECODERS[encoding];
    if (decoder === null) return body;
    if (!decoder) {
      throw new HttpError(
        415,
        `cannot decode content-encoding: got "${encoding}", want gzip, deflate, zstd or none`,
      );
    }
    await this.turn();
    try {
      return await decoder(body, this.bytesMax);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ERR_BUFFER_TOO_LARGE') {
        throw new HttpError(
          413,
          `cannot take the body: got more than ${this.bytesMax} bytes after ${encoding}`,
        );
      }
      throw new HttpError(400, `cannot decode ${encoding}: ${message}`);
    } finally {
      this.running -= 1;
      this.waiting.shift()?.();
    }
  }

  private async turn(): Promise<void> {
    // Woken ones compete with new arrivals, so the condition is checked again.
    while (this.running >= PARALLEL_MAX) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.running += 1;
  }
}

type Decoder = (body: Buffer, bytesMax: number) => Promise<Buffer>;

/** Null: nothing to undo. */
const DECODERS: Readonly<Record<string, Decoder | null>> = {
  '': null,
  identity: null,
  gzip: (body, maxOutputLength) => gunzip(body, { maxOutputLength }),
  deflate: (body, maxOutputLength) => inflate(body, { maxOutputLength }),
  zstd: (body, maxOutputLength) =>
    zstdDecompress(body, {
      maxOutputLength,
      params: { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
    }),
};
