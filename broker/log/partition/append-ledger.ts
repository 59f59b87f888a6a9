import { NumberList } from '../segment/number-list.ts';

/** A boundary after so many bytes, so that what lies between two is counted by a short walk. */
const INTERVAL_BYTES = 64 * 1024;
/** And after so much time, so that the time of an append is known to the second. */
const INTERVAL_MS = 1_000;
/** 20 KB a partition; then every other boundary goes, and what is old is known less closely. */
const BOUNDARIES_MAX = 512;

export interface Boundary {
  readonly offset: number;
  /** Appended below it since the beginning. */
  readonly records: number;
  readonly bytes: number;
}

/**
 * What was appended to a partition since it was opened, and when: totals at some offsets. Counts are of data alone, so
 * markers of transactions take offsets and nothing else; times are the broker's, whatever clients wrote into records.
 *
 *     beginning │ … 64 KiB or 1 s … │ … │ … │ now
 */
export class AppendLedger {
  records = 0;
  bytes = 0;
  /** Offset, records, bytes, time of the last append below, time of the first one from here on. */
  #boundaries = new NumberList(5);
  #lastMs: number;

  constructor(offset: number, nowMs: number) {
    this.#lastMs = nowMs;
    this.begin(offset, nowMs);
  }

  /** Forgets everything: what is below `offset` was there before. */
  begin(offset: number, nowMs: number): void {
    this.records = 0;
    this.bytes = 0;
    this.#lastMs = nowMs;
    this.#boundaries = new NumberList(5);
    this.#boundaries.push(offset, 0, 0, nowMs, nowMs);
  }

  /** A batch that begins at `offset` is durable; `records` is 0 for a marker. */
  append(offset: number, records: number, bytes: number, nowMs: number): void {
    const last = this.#boundaries.length - 1;
    const isDue =
      nowMs - this.#boundaries.at(last, 4) >= INTERVAL_MS ||
      this.bytes - this.#boundaries.at(last, 2) >= INTERVAL_BYTES;
    if (isDue) {
      if (this.#boundaries.length >= BOUNDARIES_MAX) this.#thin();
      this.#boundaries.push(offset, this.records, this.bytes, this.#lastMs, nowMs);
    }
    this.#lastMs = nowMs;
    this.records += records;
    if (records > 0) this.bytes += bytes;
  }

  /** The first boundary at or above `offset`; undefined where only the totals are. */
  boundaryFrom(offset: number): Boundary | undefined {
    const row = this.#boundaries.lastAtMost(0, offset - 1) + 1;
    if (row >= this.#boundaries.length) return undefined;
    const [at, records, bytes] = [0, 1, 2].map((column) => this.#boundaries.at(row, column));
    return { offset: at!, records: records!, bytes: bytes! };
  }

  /** Between which times `offset` was appended; -Infinity for what was there at the beginning. */
  appendedWithin(offset: number): { notBeforeMs: number; notAfterMs: number } {
    const row = this.#boundaries.lastAtMost(0, offset);
    const notBeforeMs = row === -1 ? -Infinity : this.#boundaries.at(row, 4);
    const next = row + 1;
    const notAfterMs = next < this.#boundaries.length ? this.#boundaries.at(next, 3) : this.#lastMs;
    // Wall time may have been set back.
    return { notBeforeMs, notAfterMs: Math.max(notBeforeMs, notAfterMs) };
  }

  #thin(): void {
    const old = this.#boundaries;
    this.#boundaries = new NumberList(5);
    for (let row = 0; row < old.length; row += row === 0 ? 1 : 2) {
      this.#boundaries.push(...[0, 1, 2, 3, 4].map((column) => old.at(row, column)));
    }
  }
}
