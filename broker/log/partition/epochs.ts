import type { EpochStart } from '../durable/checkpoint.ts';

/** Leader epochs of a partition by the offset at which each began: ascending in both. */
export class Epochs {
  starts: EpochStart[];

  constructor(starts: readonly EpochStart[]) {
    this.starts = starts.length > 0 ? [...starts] : [{ epoch: 0, startOffset: 0 }];
  }

  get current(): number {
    return this.starts.at(-1)!.epoch;
  }

  /** Begins an epoch at `startOffset`; one that holds no record is replaced. */
  begin(epoch: number, startOffset: number): void {
    if (epoch <= this.current) return;
    while (this.starts.length > 0 && this.starts.at(-1)!.startOffset >= startOffset) this.starts.pop();
    this.starts.push({ epoch, startOffset });
  }

  at(offset: number): number {
    let found = this.starts[0]!.epoch;
    for (const { epoch, startOffset } of this.starts) {
      if (startOffset > offset) break;
      found = epoch;
    }
    return found;
  }

  /** Forgets epochs that ended at or below `offset`. */
  dropBefore(offset: number): void {
    while (this.starts.length > 1 && this.starts[1]!.startOffset <= offset) this.starts.shift();
  }

  endOffset(epoch: number, logEnd: number): { epoch: number; endOffset: number } {
    let found = -1;
    for (const [i, start] of this.starts.entries()) if (start.epoch <= epoch) found = i;
    if (found === -1 || epoch > this.current) return { epoch: -1, endOffset: -1 };
    return { epoch: this.starts[found]!.epoch, endOffset: this.starts[found + 1]?.startOffset ?? logEnd };
  }
}
