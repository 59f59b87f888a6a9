import type { Partition } from '../partition/partition.ts';
import type { TailMemory } from '../partition/tail-memory.ts';

/** A partition's batches are written to its segment in pieces of at least this, or at the next interval. */
const WRITE_BYTES_MIN = 1024 * 1024;
/** Of the memory for batches, the share that may wait for the next interval: many partitions fill it a little each. */
const UNWRITTEN_SHARE = 1 / 4;
/**
 * Partitions that are written at a time. One after the other, each waits a turn of the event loop for its file to open,
 * to be written and to be closed: a thousand of them took seconds under load, and memory held all that came meanwhile.
 * deploy/parts/environment.ts has threads for them.
 */
const LANES = 8;

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
    const rest = partitions.values();
    let stopped = false;
    const lane = async (): Promise<void> => {
      try {
        for (const partition of rest) {
          await partition.flush();
          if (stopped) return;
        }
      } catch (error) {
        stopped = true;
        throw error;
      }
    };
    // All of them end before the round does: what failed is not written again while a lane still goes on.
    const lanes = await Promise.allSettled(Array.from({ length: LANES }, lane));
    const failed = lanes.find((one) => one.status === 'rejected');
    if (!failed) return;
    for (const partition of partitions) this.#dirty.add(partition);
    this.#onFailure(failed.reason);
  }
}
