import type { Cancel, Timers } from '../../host/host.ts';
import type { WalItem } from './wal-group.ts';

/** Committed before their sync: memory that is kept for them, and what a failed sync makes to be written again. */
const BYTES_MAX = 16 * 1024 * 1024;
/** What a timer takes. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * What the write-ahead log committed and has not synced: batches of lax topics, oldest first, and when their sync is due.
 * A file that is given up owes them to the next one.
 */
export class Owed {
  items: WalItem[] = [];
  bytes = 0;
  readonly #timers: Timers;
  readonly #bytesMax: number;
  readonly #onDue: () => void;
  #dueMs = Number.POSITIVE_INFINITY;
  #cancelDue: Cancel = () => {};

  /** `onDue` syncs. */
  constructor(timers: Timers, fileBytes: number, onDue: () => void) {
    this.#timers = timers;
    this.#bytesMax = Math.min(BYTES_MAX, fileBytes / 2);
    this.#onDue = onDue;
  }

  /** Nothing more is committed before a sync. */
  get isFull(): boolean {
    return this.bytes >= this.#bytesMax;
  }

  /** A sync is worth while, beside the next writes, so that these do not have to wait for it. */
  get isMuch(): boolean {
    return this.bytes >= this.#bytesMax / 2;
  }

  /** It was written, and is about to be committed. */
  add(item: WalItem, nowMs: number): void {
    this.items.push(item);
    item.owe(true);
    this.bytes += item.entry.length;
    this.dueWithin(item.syncWithinMs, nowMs);
  }

  /** The oldest are on the disk. */
  settle(count: number): void {
    if (count === 0) return;
    for (const item of this.items.splice(0, count)) {
      this.bytes -= item.entry.length;
      item.owe(false);
    }
  }

  dueWithin(withinMs: number, nowMs: number): void {
    if (nowMs + withinMs >= this.#dueMs) return;
    this.#cancelDue();
    this.#dueMs = nowMs + withinMs;
    this.#cancelDue = this.#timers.after(Math.min(withinMs, TIMER_MS_MAX), () => {
      this.#dueMs = Number.POSITIVE_INFINITY;
      this.#onDue();
    });
  }

  /** A sync begins, or the log closes. */
  notDue(): void {
    this.#cancelDue();
    this.#dueMs = Number.POSITIVE_INFINITY;
  }
}
