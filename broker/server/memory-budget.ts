/**
 * Memory that requests at work may hold together. Who asks for more than is left waits its turn; what needs more than
 * all of it gets it alone. Small requests always pass: a heartbeat must not wait behind a large fetch, and their number
 * is bounded by that of the connections.
 */
export const SMALL_BYTES = 16 * 1024;

export class MemoryBudget {
  readonly bytesMax: number;
  /** Waits so far. */
  waits = 0;
  private used = 0;
  private readonly queue: Array<{ bytes: number; grant: () => void }> = [];

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get usedBytes(): number {
    return this.used;
  }

  /** Undefined when taken at once; else resolves when it is. Either way `give` the same number back. */
  take(bytes: number): Promise<void> | undefined {
    if (bytes <= SMALL_BYTES || (this.queue.length === 0 && this.fits(bytes))) {
      this.used += bytes;
      return undefined;
    }
    this.waits += 1;
    return new Promise((grant) => void this.queue.push({ bytes, grant }));
  }

  give(bytes: number): void {
    this.used -= bytes;
    for (let next = this.queue[0]; next && this.fits(next.bytes); next = this.queue[0]) {
      this.queue.shift();
      this.used += next.bytes;
      next.grant();
    }
  }

  private fits(bytes: number): boolean {
    return this.used === 0 || this.used + bytes <= this.bytesMax;
  }
}
