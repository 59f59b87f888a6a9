/** Numbers in rows of `width`, in one growing array: an index entry costs its bytes and no object. */
export class NumberList {
  readonly width: number;
  length = 0;
  #values: Float64Array;

  constructor(width: number) {
    this.width = width;
    this.#values = new Float64Array(width * 16);
  }

  push(...row: number[]): void {
    const at = this.length * this.width;
    if (at === this.#values.length) {
      const larger = new Float64Array(at * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    for (let i = 0; i < this.width; i++) this.#values[at + i] = row[i]!;
    this.length += 1;
  }

  /** Drops the first rows; memory shrinks when little is left. */
  dropFirst(count: number): void {
    if (count === 0) return;
    const kept = this.#values.slice(count * this.width, this.length * this.width);
    this.length -= count;
    this.#values = new Float64Array(Math.max(16 * this.width, kept.length));
    this.#values.set(kept);
  }

  at(row: number, column: number): number {
    return this.#values[row * this.width + column]!;
  }

  /** The rows, one behind the other. */
  toArray(): number[] {
    return Array.from(this.#values.subarray(0, this.length * this.width));
  }

  /** Index of the last row whose `column`, which ascends, is at most `value`; -1 when there is none. */
  lastAtMost(column: number, value: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.at(middle, column) <= value) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
