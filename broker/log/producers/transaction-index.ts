import type { AbortedTransaction } from '../log.ts';
import { NumberList } from '../segment/number-list.ts';
import type { ProducerChange, ProducerEntry } from './producer-state.ts';

/**
 * Aborted transactions that a partition remembers until retention takes them: 32 MB of memory, and as much in each
 * checkpoint. Beyond, none begins here; the oldest cannot be forgotten, or their records would be handed out.
 */
export const ABORTED_MAX = 1_000_000;

/**
 * What readers of one partition need to know of its transactions, as of the high watermark: which are open, and
 * which were aborted.
 *
 *     ... | aborted or committed ... | first offset of the earliest open one = last stable offset ... | high watermark
 */
export class TransactionIndex {
  /** Producer id to first offset. In the order of the beginnings, so that the first is the earliest. */
  readonly open = new Map<number, number>();
  /** Producer id, first offset, last offset, last stable offset after it. The latter two ascend. */
  readonly aborted = new NumberList(4);

  constructor(stored: {
    producers: Iterable<readonly [number, { readonly transactionStart?: number }]>;
    aborted: readonly number[];
  }) {
    const open: Array<readonly [number, number]> = [];
    for (const [producerId, { transactionStart = -1 }] of stored.producers) {
      if (transactionStart >= 0) open.push([producerId, transactionStart]);
    }
    open.sort(([, a], [, b]) => a - b);
    for (const [producerId, start] of open) this.open.set(producerId, start);
    for (let at = 0; at < stored.aborted.length; at += 4) {
      this.aborted.push(...stored.aborted.slice(at, at + 4));
    }
  }

  /** First offset of the earliest open transaction; undefined when none is open. */
  get firstOpen(): number | undefined {
    for (const start of this.open.values()) return start;
    return undefined;
  }

  /** A producer's batch became durable; in the order of appends. */
  committed({ producerId, after, ended }: ProducerChange): void {
    if (isOpen(after)) {
      if (!this.open.has(producerId)) this.open.set(producerId, after.transactionStart);
      return;
    }
    if (!ended) return;
    this.open.delete(producerId);
    const { firstOffset, lastOffset, commit } = ended;
    if (!commit) this.aborted.push(producerId, firstOffset, lastOffset, this.firstOpen ?? lastOffset + 1);
  }

  get isFull(): boolean {
    return this.aborted.length >= ABORTED_MAX;
  }

  /** Forgets aborted transactions that nobody can read any more. */
  dropBefore(startOffset: number): void {
    this.aborted.dropFirst(this.aborted.lastAtMost(LAST, startOffset - 1) + 1);
  }

  /** Aborted transactions with an offset in [from, to), sorted by their first. */
  abortedWithin(from: number, to: number): AbortedTransaction[] {
    const found: AbortedTransaction[] = [];
    const { aborted } = this;
    for (let row = aborted.lastAtMost(LAST, from - 1) + 1; row < aborted.length; row++) {
      const firstOffset = aborted.at(row, FIRST);
      if (firstOffset < to) {
        found.push({ producerId: aborted.at(row, PRODUCER), firstOffset, lastOffset: aborted.at(row, LAST) });
      }
      // All that end later began at or above it.
      if (aborted.at(row, STABLE) >= to) break;
    }
    return found.sort((a, b) => a.firstOffset - b.firstOffset);
  }
}

const PRODUCER = 0;
const FIRST = 1;
const LAST = 2;
const STABLE = 3;

function isOpen({ transactionStart }: ProducerEntry): boolean {
  return transactionStart >= 0;
}
