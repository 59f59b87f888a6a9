import assert from 'node:assert/strict';

import type { LogError } from '../errors.ts';
import { groupLength, type WalItem } from './wal-group.ts';

/**
 * What the write-ahead log was given and has neither committed nor refused, in the order of the appends:
 *
 *     waiting ──> taken: one group that is being written, behind those that wait for their sync ──> committed
 *        └──────────┴──> refused, newest first
 */
export class WalItems {
  /** Of all of them. */
  bytes = 0;
  waitingBytes = 0;
  #waiting: WalItem[] = [];
  /** Oldest first. */
  readonly #taken: Array<readonly WalItem[]> = [];

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  get groupsTaken(): number {
    return this.#taken.length;
  }

  append(item: WalItem): void {
    this.#waiting.push(item);
    this.bytes += item.entry.length;
    this.waitingBytes += item.entry.length;
  }

  /** Takes those that are written together next. */
  takeGroup(): readonly WalItem[] {
    const count = groupLength(this.#waiting);
    let group = this.#waiting;
    if (count < group.length) group = this.#waiting.splice(0, count);
    else this.#waiting = [];
    for (const { entry } of group) this.waitingBytes -= entry.length;
    this.#taken.push(group);
    return group;
  }

  /** Of the only group that is taken, those that need no sync are committed: `owed` sees each first. Returns the others. */
  commitLax(owed: (item: WalItem) => void): readonly WalItem[] {
    assert(this.#taken.length === 1, 'want nothing of a lax topic to be committed before what is older');
    const group = this.#taken.pop()!;
    const strict = group.filter(({ syncWithinMs }) => syncWithinMs === 0);
    for (const item of group) {
      if (item.syncWithinMs === 0) continue;
      this.bytes -= item.entry.length;
      owed(item);
      item.committed();
    }
    if (strict.length > 0) this.#taken.push(strict);
    return strict;
  }

  commitOldest(group: readonly WalItem[]): void {
    assert(this.#taken.shift() === group, 'want groups to be committed in the order of their writes');
    for (const item of group) {
      this.bytes -= item.entry.length;
      item.committed();
    }
  }

  refuseWaiting(error: LogError): void {
    const refused = this.#waiting;
    this.#waiting = [];
    this.waitingBytes = 0;
    this.#refuse(refused, error);
  }

  refuseTaken(error: LogError): void {
    for (const group of this.#taken.splice(0).toReversed()) this.#refuse(group, error);
  }

  #refuse(items: readonly WalItem[], error: LogError): void {
    for (let i = items.length - 1; i >= 0; i -= 1) {
      this.bytes -= items[i]!.entry.length;
      items[i]!.refused(error);
    }
  }
}
