import type { LogError } from '../errors.ts';

interface Waiter {
  readonly offset: number;
  resolve(): void;
  reject(error: LogError): void;
}

/** Who waits for a partition's batches to become durable, in the order of the appends. */
export class DurableWaiters {
  #waiters: Waiter[] = [];

  /** Resolves when everything below `offset` is durable, rejects when the disk refused it. */
  wait(offset: number): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => this.#waiters.push({ offset, resolve, reject }));
    // Nobody listens for acks=0.
    promise.catch(() => {});
    return promise;
  }

  /** Everything below the high watermark is durable. */
  advance(highWatermark: number): void {
    // A repeat's waiter stands behind newer ones and goes when they go.
    let count = 0;
    while (count < this.#waiters.length && this.#waiters[count]!.offset <= highWatermark) count += 1;
    for (const waiter of this.#waiters.splice(0, count)) waiter.resolve();
  }

  /** The log ends at `endOffset` again. */
  refuseAbove(endOffset: number, error: LogError): void {
    const refused = this.#waiters.filter((waiter) => waiter.offset > endOffset);
    this.#waiters = this.#waiters.filter((waiter) => waiter.offset <= endOffset);
    for (const waiter of refused) waiter.reject(error);
  }
}
