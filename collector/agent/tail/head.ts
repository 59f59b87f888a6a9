import { createHash } from 'node:crypto';

import type { FileHandle } from '../../../broker/host/files.ts';

/** How much of a file's beginning identifies it, bytes. */
export const HEAD_BYTES_MAX = 1_024;

/** The beginning of a file, as a checkpoint keeps it. */
export interface HeadDigest {
  /** Bytes that were there; a longer file with these at its beginning is the same file, grown. */
  readonly length: number;
  /** SHA-256 of them, hex, 128 bits of it. */
  readonly hash: string;
}

export function digestOf(head: Uint8Array): HeadDigest {
  return { length: head.length, hash: createHash('sha256').update(head).digest('hex').slice(0, 32) };
}

/** Up to `HEAD_BYTES_MAX` bytes of a file's beginning. */
export async function readHead(file: FileHandle): Promise<Buffer> {
  const head = Buffer.allocUnsafe(HEAD_BYTES_MAX);
  return head.subarray(0, await file.read(head, 0));
}

/** Whether a file that begins with `head` can be the one that the digest was taken of. */
export function matches(head: Uint8Array, digest: HeadDigest): boolean {
  return head.length >= digest.length && digestOf(head.subarray(0, digest.length)).hash === digest.hash;
}

/** Whether `head` begins with what `before` was. */
export function continues(head: Buffer, before: Buffer): boolean {
  return head.length >= before.length && head.subarray(0, before.length).equals(before);
}

/** Rotation tools leave compressed copies beside the logs: gzip, zstd, bzip2, xz by their first bytes. */
export function isCompressed(head: Uint8Array): boolean {
  const magics = [
    [0x1f, 0x8b],
    [0x28, 0xb5, 0x2f, 0xfd],
    [0x42, 0x5a, 0x68],
    [0xfd, 0x37, 0x7a, 0x58, 0x5a],
  ];
  return magics.some((magic) => magic.every((byte, index) => head[index] === byte));
}
