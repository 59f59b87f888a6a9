import { markerIn } from '../support/record-batch.ts';

export interface Abort {
  readonly producerId: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
}

interface Transactions {
  readonly open: ReadonlyMap<number, number>;
  readonly aborted: readonly Abort[];
}

/**
 * What the batches of one partition say of its transactions: every durable batch that anybody knows of, also of those
 * that were deleted since. Read from the start after every change, so that it has no state that could be wrong.
 */
export class TransactionHistory {
  /** By base offset: who wrote it, and how it ended the transaction if it did. */
  readonly #batches = new Map<number, { producerId: number; marker: 'commit' | 'abort' | undefined }>();
  #read: Transactions | undefined;

  add(baseOffset: number, batch: Buffer): void {
    const producerId = Number(batch.readBigInt64BE(43));
    if ((batch.readInt16BE(21) & 0x10) === 0) return;
    if (this.#batches.has(baseOffset)) return;
    this.#batches.set(baseOffset, { producerId, marker: markerIn(batch) });
    this.#read = undefined;
  }

  /** A power cut took what is at or above the offset. */
  truncate(offset: number): void {
    for (const at of this.#batches.keys()) if (at >= offset) this.#batches.delete(at);
    this.#read = undefined;
  }

  /** Open transactions by producer, and the aborted ones by their first offset. */
  read(): Transactions {
    this.#read ??= this.#readAll();
    return this.#read;
  }

  #readAll(): Transactions {
    const open = new Map<number, number>();
    const aborted: Abort[] = [];
    for (const [offset, { producerId, marker }] of [...this.#batches].toSorted(([a], [b]) => a - b)) {
      const firstOffset = open.get(producerId);
      if (!marker) open.set(producerId, firstOffset ?? offset);
      else open.delete(producerId);
      if (marker === 'abort' && firstOffset !== undefined) {
        aborted.push({ producerId, firstOffset, lastOffset: offset });
      }
    }
    return { open, aborted: aborted.toSorted((a, b) => a.firstOffset - b.firstOffset) };
  }
}
