import type { ReadLease } from './read-buffers.ts';

/** Whole batches in the pieces that memory has them in: what is only passed on need not be put together. */
export interface Pieces {
  readonly length: number;
  readonly chunks: readonly Buffer[];
}

export const NO_PIECES: Pieces = { length: 0, chunks: [] };

export function piecesOf(chunks: readonly Buffer[]): Pieces {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  return { length, chunks };
}

export function joinedPieces({ chunks, length }: Pieces): Buffer {
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length);
}

/** From here on a batch is cheaper sent from where it is, as a piece of its own, than copied next to its neighbours. */
const OWN_PIECE_BYTES_MIN = 4 * 1024;
const GATHERED_BYTES_MAX = 256 * 1024;

/** Neighbours that are small become one piece, in borrowed memory. */
export function gathered(batches: readonly Buffer[], lease: ReadLease): Pieces {
  const chunks: Buffer[] = [];
  let length = 0;
  for (let i = 0; i < batches.length;) {
    let bytes = batches[i]!.length;
    let end = i + 1;
    if (bytes < OWN_PIECE_BYTES_MIN) {
      for (; end < batches.length; end += 1) {
        const next = batches[end]!.length;
        if (next >= OWN_PIECE_BYTES_MIN || bytes + next > GATHERED_BYTES_MAX) break;
        bytes += next;
      }
    }
    chunks.push(end === i + 1 ? batches[i]! : copied(batches, i, end, lease.take(bytes)));
    length += bytes;
    i = end;
  }
  return { length, chunks };
}

function copied(batches: readonly Buffer[], from: number, to: number, target: Buffer): Buffer {
  let at = 0;
  for (let i = from; i < to; i += 1) {
    target.set(batches[i]!, at);
    at += batches[i]!.length;
  }
  return target;
}
