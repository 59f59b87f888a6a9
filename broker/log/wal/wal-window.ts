import type { FileHandle } from '../../host/files.ts';

/** What is read at once. */
const WINDOW_BYTES = 1024 * 1024;

/** A piece of a file that moves along it, in memory that is used again. */
export class WalWindow {
  /** The file from `origin` on. */
  bytes: Buffer = Buffer.alloc(0);
  origin = 0;
  /** To here the file is looked at: less than was wanted where it ends before. */
  end: number;
  readonly #handle: FileHandle;
  readonly #windowBytes: number;
  #memory: Buffer = Buffer.alloc(0);

  constructor(handle: FileHandle, end: number, windowBytes = WINDOW_BYTES) {
    this.#handle = handle;
    this.end = end;
    this.#windowBytes = windowBytes;
  }

  /** Moves, if need be, so that `count` bytes from `position` on are seen, or all that there are. */
  async show(position: number, count: number): Promise<void> {
    const until = Math.min(position + count, this.end);
    if (position >= this.origin && until <= this.origin + this.bytes.length) return;
    const want = Math.max(0, Math.min(Math.max(count, this.#windowBytes), this.end - position));
    if (this.#memory.length < want) this.#memory = Buffer.allocUnsafe(want);
    const got = await this.#handle.read(this.#memory.subarray(0, want), position);
    this.bytes = this.#memory.subarray(0, got);
    this.origin = position;
    if (got < want) this.end = position + got;
  }
}
