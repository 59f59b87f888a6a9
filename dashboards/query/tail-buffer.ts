/** Lines on their way to one live tail: bounded, and honest about what the bound cost. */
export interface TailLine {
  /** ns since 1970, decimal. */
  readonly timestampNs: string;
  readonly line: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface TailBatch {
  readonly lines: readonly TailLine[];
  /** Lines that were dropped since the batch before. */
  readonly dropped: number;
}

export class TailBuffer {
  private lines: TailLine[] = [];
  private bytes = 0;
  private dropped = 0;
  private readonly bytesMax: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Over the bound the oldest go: who watches live wants what happens now. Returns how many went. */
  push(line: TailLine): number {
    this.lines.push(line);
    this.bytes += sizeOf(line);
    if (this.bytes <= this.bytesMax) return 0;
    // Half at once: dropping one by one would move the whole array for each line.
    let gone = 0;
    while (this.bytes > this.bytesMax / 2 && gone < this.lines.length) {
      this.bytes -= sizeOf(this.lines[gone]!);
      gone += 1;
    }
    this.lines.splice(0, gone);
    this.dropped += gone;
    return gone;
  }

  get full(): boolean {
    return this.bytes > this.bytesMax / 2;
  }

  get empty(): boolean {
    return this.lines.length === 0 && this.dropped === 0;
  }

  take(): TailBatch {
    const batch = { lines: this.lines, dropped: this.dropped };
    this.lines = [];
    this.bytes = 0;
    this.dropped = 0;
    return batch;
  }
}

/** Roughly what it takes in memory; labels are mostly shared strings. */
function sizeOf({ line }: TailLine): number {
  return line.length * 2 + 200;
}
