import type { ReadLease } from '../segment/read-buffers.ts';
import { FRAME_BYTES } from '../wal/wal-entry.ts';

/** Fills in 20 ms at 100 MiB/s; holds the largest batch that topics take by default. */
const SLAB_BYTES_MAX = 2 * 1024 * 1024;
const SLAB_BYTES_MIN = 64 * 1024;
/** Oldest batches go a slab at a time. */
const SLABS_MIN = 8;
/** A batch costs some 200 bytes of objects: tiny ones must not make the heap larger than the slabs. */
const SLAB_BATCHES_MAX = 4_096;

/** Somebody's batches, oldest first. */
export interface Evictable {
  /** Drops its oldest batches as long as these lie in `slab` and are written; true when none is left there. */
  evictFrom(slab: Slab): boolean;
}

export interface Slab {
  readonly memory: Buffer;
  used: number;
  /** Batches that were put here. */
  stored: number;
  /** Of them, those still in a tail. */
  held: number;
  /** Answers that are being sent from it, and entries that the write-ahead log may need again. */
  lent: number;
  readonly owners: Set<Evictable>;
}

/**
 * Memory for the newest batches of all partitions: slabs that are filled one after the other, in the order of the
 * appends, and used again from the oldest on. So the bound holds over all partitions, and nothing is left for the
 * garbage collector: buffers of their own made it mark the heap every 10 MiB, for half of the processor's time.
 *
 *     oldest slab ... | newest slab: frame batch frame batch ... free |
 *
 * In front of each batch is room for its frame in the write-ahead log, which writes both without copying.
 * A slab is used again only when none of its batches is in a tail. One that is lent at that time is left to the garbage
 * collector: a reader that stands still must not hold up what is behind it.
 */
export class TailMemory {
  readonly bytesMax: number;
  readonly #slabBytes: number;
  /** Of all partitions: not yet in a segment. */
  unwrittenBytes = 0;
  /** Of all slabs, whatever is in them. */
  bytes = 0;
  /** Oldest first; the last one is being filled. */
  #slabs: Slab[] = [];
  /**
   * Memory of slabs that are done with, fewer each time that nothing waits any more. A fast producer is tens of megabytes ahead of the disk,
   * and each two that were allocated anew for it brought a collection closer, of ten milliseconds.
   */
  #spares: Buffer[] = [];
  readonly #sparesMax: number;
  readonly #byMemory = new Map<ArrayBufferLike, Slab>();

  /** `bytesMax` is exceeded by what is not yet written only. */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
    this.#slabBytes = Math.max(SLAB_BYTES_MIN, Math.min(SLAB_BYTES_MAX, bytesMax / SLABS_MIN));
    this.#sparesMax = Math.max(1, Math.floor(bytesMax / this.#slabBytes));
  }

  /** A copy of the batch, with room for its frame in front. */
  store(batch: Buffer, owner: Evictable): Buffer {
    const bytes = FRAME_BYTES + batch.length;
    let slab = this.#slabs.at(-1);
    if (!slab || slab.used + bytes > slab.memory.length || slab.stored >= SLAB_BATCHES_MAX) {
      slab = this.#next(bytes);
    }
    const at = slab.used;
    slab.used += bytes;
    slab.stored += 1;
    slab.held += 1;
    slab.owners.add(owner);
    batch.copy(slab.memory, at + FRAME_BYTES);
    return slab.memory.subarray(at, slab.used);
  }

  /** The batch left its tail. */
  drop(batch: Buffer): void {
    const slab = this.#byMemory.get(batch.buffer);
    if (slab) slab.held -= 1;
  }

  /** Its slab is not used again (1) until as many say that they are done (-1), or it is given up. */
  lend(batch: Buffer, change: 1 | -1): void {
    const slab = this.#byMemory.get(batch.buffer);
    if (slab) slab.lent += change;
  }

  /** As `lend`, of what is referred to by an answer, until its lease ends. */
  lendAll(batches: readonly Buffer[], lease: ReadLease): void {
    let last: Slab | undefined;
    for (const batch of batches) {
      const slab = this.#byMemory.get(batch.buffer);
      if (!slab || slab === last) continue;
      last = slab;
      slab.lent += 1;
      lease.onEnd(() => void (slab.lent -= 1));
    }
  }

  /** The slab of a batch; undefined for one that was never stored here. */
  slabOf(batch: Buffer): Slab | undefined {
    return this.#byMemory.get(batch.buffer);
  }

  /** Takes slabs back, oldest first, until the bound is kept: also when more was written. */
  trim(): void {
    while (this.bytes > this.bytesMax) {
      const oldest = this.#slabs[0];
      if (!oldest || !this.#empty(oldest)) return;
      this.#take(oldest);
    }
    // One a time: a producer that paused finds most of them again.
    if (this.unwrittenBytes === 0 && this.#spares.length > 1) this.#spares.pop();
  }

  #next(bytes: number): Slab {
    // As if the new one were there already.
    while (this.bytes + this.#slabBytes > this.bytesMax) {
      const oldest = this.#slabs[0];
      if (!oldest || !this.#empty(oldest)) break;
      this.#take(oldest);
    }
    const spare = bytes <= this.#slabBytes ? this.#spares.pop() : undefined;
    const slab = slabOf(spare ?? Buffer.allocUnsafeSlow(Math.max(bytes, this.#slabBytes)));
    this.#byMemory.set(slab.memory.buffer, slab);
    this.#slabs.push(slab);
    this.bytes += slab.memory.length;
    return slab;
  }

  /**
   * True when nobody has anything in it any more. Ends at the first that must keep something, and asks nobody twice: with a
   * thousand owners, each of whose writes calls this, going through all of them took milliseconds of a turn.
   */
  #empty(slab: Slab): boolean {
    for (const owner of slab.owners) {
      if (slab.held === 0 || !owner.evictFrom(slab)) break;
      slab.owners.delete(owner);
    }
    return slab.held === 0;
  }

  #take(slab: Slab): void {
    this.#slabs.shift();
    this.#byMemory.delete(slab.memory.buffer);
    this.bytes -= slab.memory.length;
    const isUsable = slab.lent === 0 && slab.memory.length === this.#slabBytes;
    if (isUsable && this.#spares.length < this.#sparesMax) this.#spares.push(slab.memory);
  }
}

function slabOf(memory: Buffer): Slab {
  return { memory, used: 0, stored: 0, held: 0, lent: 0, owners: new Set() };
}
