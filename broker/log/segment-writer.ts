import type { Partition } from './partition.ts';

/** A partition's batches are written to its segment in pieces of at least this, or at the next interval. */
const WRITE_BYTES_MIN = 1024 * 1024;

/** Brings durable batches from memory into the segments, one round over the partitions at a time. */
export class SegmentWriter {
  readonly #mayWrite: () => boolean;
  readonly #onFailure: (error: unknown) => void;
  readonly #dirty = new Set<Partition>();
  #round: Promise<void> | undefined;

  constructor(mayWrite: () => boolean, onFailure: (error: unknown) => void) {
    this.#mayWrite = mayWrite;
    this.#onFailure = onFailure;
  }

  /** The partition has something to write; much of it is written at once. */
  add(partition: Partition): void {
    this.#dirty.add(partition);
    if (partition.tail.unwrittenBytes >= WRITE_BYTES_MIN) this.write();
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
