import assert from 'node:assert/strict';

/**
 * Memory that reads for answers borrow. A fresh MiB costs its pages and the collector's attention, several times what
 * filling it does; a used one costs nothing.
 */

/** What clients ask for of a partition, 1 MiB, and what a read brings beyond it. */
const BUFFER_BYTES = 1024 * 1024 + 16 * 1024;
/** Kept for the next: as many as a few consumers of a dozen partitions use at a time. */
const FREE_MAX = 32;

export class ReadBuffers {
  private readonly free: Buffer[] = [];

  take(): Buffer {
    return this.free.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
  }

  give(buffer: Buffer): void {
    if (this.free.length < FREE_MAX) this.free.push(buffer);
  }
}

/** What one answer borrows, until it was sent. */
export class ReadLease {
  private readonly buffers: ReadBuffers;
  private readonly borrowed: Buffer[] = [];
  private readonly ends: Array<() => void> = [];
  /** Taken of the last one. */
  private used = BUFFER_BYTES;

  constructor(buffers: ReadBuffers) {
    this.buffers = buffers;
  }

  /** That many bytes, which hold anything. They are others' once the lease is over. */
  take(bytes: number): Buffer {
    if (bytes > BUFFER_BYTES) return Buffer.allocUnsafeSlow(bytes);
    if (this.used + bytes > BUFFER_BYTES) {
      this.borrowed.push(this.buffers.take());
      this.used = 0;
    }
    this.used += bytes;
    return this.borrowed.at(-1)!.subarray(this.used - bytes, this.used);
  }

  /** Of what was taken last, only the first `bytes` are needed. */
  keep(taken: Buffer, bytes: number): void {
    assert(bytes >= 0 && bytes <= taken.length, `cannot keep ${bytes} of ${taken.length} bytes`);
    if (this.borrowed.at(-1)?.buffer !== taken.buffer) return;
    if (taken.byteOffset + taken.length !== this.borrowed.at(-1)!.byteOffset + this.used) return;
    this.used -= taken.length - bytes;
  }

  /** Calls `fn` at the end. */
  onEnd(fn: () => void): void {
    this.ends.push(fn);
  }

  /** Gives everything back: nobody looks at it any more. */
  end(): void {
    for (const fn of this.ends.splice(0)) fn();
    for (const buffer of this.borrowed.splice(0)) this.buffers.give(buffer);
    this.used = BUFFER_BYTES;
  }
}
