const CLASS_BYTES_MIN = 1024;
/** A request of Kafka's largest default size, 1 MiB, fits; larger ones are rare enough for the garbage collector. */
const CLASS_BYTES_MAX = 2 * 1024 * 1024;
/** What may lie about unused. */
const IDLE_BYTES_MAX = 8 * 1024 * 1024;

/** Memory that requests are received in, used again: in sizes of powers of two, last given back first taken. */
export class FrameMemory {
  readonly #idle = new Map<number, Buffer[]>();
  #idleBytes = 0;

  take(bytes: number): Buffer {
    if (bytes > CLASS_BYTES_MAX) return Buffer.allocUnsafeSlow(bytes);
    const size = sizeOf(bytes);
    const memory = this.#idle.get(size)?.pop();
    if (!memory) return Buffer.allocUnsafeSlow(size);
    this.#idleBytes -= size;
    return memory;
  }

  /** Nothing may look at it any more. */
  give(memory: Buffer): void {
    const size = memory.length;
    if (size > CLASS_BYTES_MAX || this.#idleBytes + size > IDLE_BYTES_MAX) return;
    const idle = this.#idle.get(size);
    if (idle) idle.push(memory);
    else this.#idle.set(size, [memory]);
    this.#idleBytes += size;
  }
}

function sizeOf(bytes: number): number {
  return Math.max(CLASS_BYTES_MIN, 2 ** (32 - Math.clz32(bytes - 1)));
}
