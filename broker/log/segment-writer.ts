import type { Partition } from './partition.ts';
import type { TailMemory } from './tail-memory.ts';

/** A partition's batches are written to its segment in pieces of at least this, or at the next interval. */
const WRITE_BYTES_MIN = 1024 * 1024;
/** Of the memory for batches, the share that may wait for the next interval: many partitions fill it a little each. */
const UNWRITTEN_SHARE = 1 / 4;

/** Brings durable batches from memory into the segments, one round over the partitions at a time. */
export class SegmentWriter {
  readonly #memory: TailMemory;
  readonly #mayWrite: () => boolean;
  readonly #onFailure: (error: unknown) => void;
  readonly #dirty = new Set<Partition>();
  #round: Promise<void> | undefined;

  constructor(memory: TailMemory, mayWrite: () => boolean, onFailure: (error: unknown) => void) {
    this.#memory = memory;
    this.#mayWrite = mayWrite;
    this.#onFailure = onFailure;
  }

  /** The partition has something to write; much of it is written at once. */
  add(partition: Partition): void {
    this.#dirty.add(partition);
    const { unwrittenBytes, bytesMax } = this.#memory;
    const isMuch = partition.tail.unwrittenBytes >= WRITE_BYTES_MIN;
    if (isMuch || unwrittenBytes > Math.max(WRITE_BYTES_MIN, bytesMax * UNWRITTEN_SHARE)) this.write();
  }

  /** Starts a round unless one runs or nothing waits. */
  write(): void {
    if (this.#round || this.#dirty.size === 0 || !this.#mayWrite()) return;
    this.#round = this.#write().finally(() => {
      this.#round = undefined;
    });
  }

  /** Resolves when the round that runs has ended. */
  async idle(): Promise<void> {
    await this.#round;
  }

  async #write(): Promise<void> {
    const partitions = [...this.#dirty];
    this.#dirty.clear();
    try {
      for (const partition of partitions) await partition.flush();
    } catch (error) {
      for (const partition of partitions) this.#dirty.add(partition);
      this.#onFailure(error);
    }
  }
}
