import { baseOffsetOf, lastOffsetOf } from '../batch/batch-header.ts';
import type { Evictable, Slab, TailMemory } from './tail-memory.ts';
import { FRAME_BYTES } from '../wal/wal-entry.ts';

/** In place of a batch until the list is cut: nothing is to be kept by it. */
const DROPPED = Buffer.alloc(0);

/**
 * The newest batches of a partition, in memory: those not yet written to a segment, and behind them some that
 * are, for the readers that follow closely.
 *
 *     evicted | written ......... | not written, durable | not durable
 *             ^ first             ^ unwritten            ^ high watermark
 */
export class Tail implements Evictable {
  /** All of it, written or not. */
  bytes = 0;
  unwrittenBytes = 0;
  readonly #memory: TailMemory;
  #batches: Buffer[] = [];
  /** Of each batch, its last offset, and the bytes of it and of all that were before it: headers are not looked at again. */
  #lasts: number[] = [];
  #ends: number[] = [];
  /** Of the batches: evicted ones before it, to be trimmed in bulk. */
  #first = 0;
  #unwritten = 0;

  constructor(memory: TailMemory) {
    this.#memory = memory;
  }

  /** First offset that memory holds; undefined when empty. */
  get firstOffset(): number | undefined {
    const batch = this.#batches[this.#first];
    return batch && baseOffsetOf(batch);
  }

  /** Takes a copy of the newest batch. Returns it, behind the room for its frame in the write-ahead log. */
  store(batch: Buffer): Buffer {
    const entry = this.#memory.store(batch, this);
    this.push(entry.subarray(FRAME_BYTES));
    return entry;
  }

  /** Takes the newest batch as it is. */
  push(batch: Buffer): void {
    this.#ends.push(this.#endBefore(this.#batches.length) + batch.length);
    this.#lasts.push(lastOffsetOf(batch));
    this.#batches.push(batch);
    this.bytes += batch.length;
    this.unwrittenBytes += batch.length;
    this.#memory.unwrittenBytes += batch.length;
  }

  /** Takes the newest back. */
  pop(): void {
    const batch = this.#batches.pop()!;
    this.#lasts.pop();
    this.#ends.pop();
    this.bytes -= batch.length;
    this.unwrittenBytes -= batch.length;
    this.#memory.unwrittenBytes -= batch.length;
    this.#memory.drop(batch);
  }

  /** Batches to write next: durable ones below `highWatermark`, in order, at least one if any, about `bytesMax`. */
  unwritten(highWatermark: number, bytesMax: number): Buffer[] {
    const taken: Buffer[] = [];
    let bytes = 0;
    for (let i = this.#unwritten; i < this.#batches.length; i++) {
      const batch = this.#batches[i]!;
      if (this.#lasts[i]! >= highWatermark || (taken.length > 0 && bytes + batch.length > bytesMax)) break;
      taken.push(batch);
      bytes += batch.length;
    }
    return taken;
  }

  written(batches: readonly Buffer[]): void {
    this.#unwritten += batches.length;
    for (const batch of batches) {
      this.unwrittenBytes -= batch.length;
      this.#memory.unwrittenBytes -= batch.length;
    }
  }

  /** Drops all that is written. */
  evict(): void {
    while (this.#first < this.#unwritten) this.#dropFirst();
    this.#giveUpDropped();
  }

  evictFrom(slab: Slab): boolean {
    const isThere = (): boolean =>
      this.#first < this.#batches.length && this.#memory.slabOf(this.#batches[this.#first]!) === slab;
    while (this.#first < this.#unwritten && isThere()) this.#dropFirst();
    const isLeft = isThere();
    this.#giveUpDropped();
    return !isLeft;
  }

  /** Drops written batches below `offset`, which readers shall find in the segments. */
  dropBefore(offset: number): void {
    while (this.#first < this.#unwritten && this.#lasts[this.#first]! < offset) this.#dropFirst();
    this.#giveUpDropped();
  }

  #dropFirst(): void {
    const batch = this.#batches[this.#first]!;
    this.bytes -= batch.length;
    this.#memory.drop(batch);
    this.#batches[this.#first] = DROPPED;
    this.#first += 1;
  }

  #giveUpDropped(): void {
    if (this.#first > 64 && this.#first * 2 > this.#batches.length) {
      this.#batches = this.#batches.slice(this.#first);
      this.#lasts = this.#lasts.slice(this.#first);
      this.#ends = this.#ends.slice(this.#first);
      this.#unwritten -= this.#first;
      this.#first = 0;
    }
  }

  /**
   * Batches from the one that holds `offset` (which memory must hold), below `highWatermark`, at most `bytesMax`
   * unless the first alone is larger and `minOneBatch`. They are the very bytes that are kept, which nobody may change,
   * and are others once the batches leave the tail, unless they were lent (`TailMemory.lendAll`).
   */
  read(offset: number, highWatermark: number, bytesMax: number, minOneBatch: boolean): Buffer[] {
    const from = this.#indexOf(offset);
    const start = this.#endBefore(from);
    let to = from;
    while (to < this.#batches.length && this.#lasts[to]! < highWatermark) {
      if (this.#ends[to]! - start > bytesMax && !(minOneBatch && to === from)) break;
      to += 1;
    }
    return this.#batches.slice(from, to);
  }

  /** Bytes from the batch that holds `offset` on, below `highWatermark`; at most `atMost`. */
  bytesFrom(offset: number, highWatermark: number, atMost: number): number {
    const from = this.#indexOf(offset);
    const to = this.#indexOf(highWatermark);
    if (to <= from) return 0;
    return Math.min(this.#ends[to - 1]! - this.#endBefore(from), atMost);
  }

  #endBefore(index: number): number {
    return index === 0 ? (this.#ends[0] ?? 0) - (this.#batches[0]?.length ?? 0) : this.#ends[index - 1]!;
  }

  /** Index of the first batch whose last offset is not below `offset`. */
  #indexOf(offset: number): number {
    const lasts = this.#lasts;
    // Readers that keep up ask for the end.
    if (lasts.length === this.#first || lasts[lasts.length - 1]! < offset) return lasts.length;
    let low = this.#first;
    let high = lasts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (lasts[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
