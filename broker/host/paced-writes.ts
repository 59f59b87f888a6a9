import type * as net from 'node:net';

import type { TurnShare } from './turn-share.ts';

/** What is handed over in one go; cut smaller, it costs the reader more wake-ups than it saves. */
const PIECE_BYTES_MAX = 2 * 1024 * 1024;
/** What leaves at once, whoever else sends a lot: their number is that of the requests. */
const SMALL_BYTES = 16 * 1024;

interface Piece {
  readonly chunks: readonly Uint8Array[];
  readonly bytes: number;
  readonly done: (() => void) | undefined;
}

/**
 * What is written to one socket, handed to the system in pieces, of which all sockets together get so many bytes a turn.
 * The system copies what it takes before it returns: many megabytes, where a fast reader makes room meanwhile.
 */
export class PacedWrites {
  readonly #socket: net.Socket;
  readonly #share: TurnShare;
  readonly #drain: () => void;
  #pieces: Piece[] = [];
  /** A piece waits for its turn, or for the system to take it. */
  #isBusy = false;
  #isEnding = false;

  /** `drain`: called when all that was queued is taken. */
  constructor(socket: net.Socket, share: TurnShare, drain: () => void) {
    this.#socket = socket;
    this.#share = share;
    this.#drain = drain;
    socket.on('drain', () => {
      if (!this.#isBusy) drain();
    });
  }

  /** As `Socket.write`. */
  write(chunks: readonly Uint8Array[], done: (() => void) | undefined): boolean {
    if (this.#socket.destroyed) {
      done?.();
      return true;
    }
    const bytes = bytesOf(chunks);
    const isSoon = bytes <= SMALL_BYTES || (bytes <= PIECE_BYTES_MAX && this.#share.isLeft);
    if (isSoon && !this.#isBusy) return this.#handOver({ chunks, bytes, done }, done);
    this.#pieces.push(...piecesOf(chunks, done));
    if (!this.#isBusy) this.#next();
    return false;
  }

  end(): void {
    this.#isEnding = true;
    if (!this.#isBusy) this.#socket.end();
  }

  #next(): void {
    const piece = this.#pieces.shift();
    this.#isBusy = piece !== undefined;
    if (!piece) {
      if (this.#isEnding) this.#socket.end();
      this.#drain();
      return;
    }
    const send = (): void =>
      void this.#handOver(piece, () => {
        piece.done?.();
        this.#next();
      });
    if (this.#share.isLeft) send();
    else this.#share.wait(send);
  }

  #handOver({ chunks, bytes }: Piece, taken: (() => void) | undefined): boolean {
    const socket = this.#socket;
    const last = chunks.length - 1;
    if (socket.destroyed || last < 0) {
      taken?.();
      return true;
    }
    this.#share.spend(bytes);
    socket.cork();
    for (let i = 0; i < last; i += 1) socket.write(chunks[i]!);
    const below = socket.write(chunks[last]!, taken);
    socket.uncork();
    return below;
  }
}

/** All but the last one full; the last one says when all are taken. */
function piecesOf(chunks: readonly Uint8Array[], done: (() => void) | undefined): Piece[] {
  const pieces: Piece[] = [];
  let some: Uint8Array[] = [];
  let bytes = 0;
  for (const chunk of chunks) {
    let at = 0;
    while (chunk.length - at > PIECE_BYTES_MAX - bytes) {
      const end = at + PIECE_BYTES_MAX - bytes;
      some.push(chunk.subarray(at, end));
      pieces.push({ chunks: some, bytes: PIECE_BYTES_MAX, done: undefined });
      some = [];
      bytes = 0;
      at = end;
    }
    some.push(chunk.subarray(at));
    bytes += chunk.length - at;
  }
  pieces.push({ chunks: some, bytes, done });
  return pieces;
}

function bytesOf(chunks: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const { length } of chunks) bytes += length;
  return bytes;
}
