/**
 * Rows of one table and one day, encoded, with the record that each came from beside them: what one INSERT carries,
 * and what is needed to send the rest of it when some rows turn out to be in the table already.
 */
import { encodeSource } from './encode-source.ts';
import type { TableName } from './layout.ts';
import { RowWriter } from './row-writer.ts';

/** A partition of a topic of a cluster; rows refer to it by its place in the batches' list. */
export interface Source {
  readonly origin: string;
  readonly topic: string;
  readonly partition: number;
}

export class RowBatch {
  readonly table: TableName;
  /** Days since 1970, UTC: the tables' partition. */
  readonly day: number;
  readonly writer = new RowWriter();
  rows = 0;
  /** Per row: where it ends in the writer's bytes, and its place in the log. */
  private ends = new Uint32Array(256);
  private sources = new Uint32Array(256);
  private offsets = new Float64Array(256);
  private indexes = new Uint32Array(256);

  constructor(table: TableName, day: number) {
    this.table = table;
    this.day = day;
  }

  /** Closes the row that was written last. */
  endRow(source: number, offset: number, index: number): void {
    if (this.rows === this.ends.length) this.grow();
    this.ends[this.rows] = this.writer.at;
    this.sources[this.rows] = source;
    this.offsets[this.rows] = offset;
    this.indexes[this.rows] = index;
    this.rows += 1;
  }

  /** Forgets the rows from `rows` on, and what was written after them. */
  truncate(rows: number): void {
    this.rows = rows;
    this.writer.at = this.endOf(rows - 1);
  }

  sourceOf(row: number): number {
    return this.sources[row]!;
  }

  offsetOf(row: number): number {
    return this.offsets[row]!;
  }

  indexOf(row: number): number {
    return this.indexes[row]!;
  }

  /** RowBinary of the rows [from, to). A view: valid as long as nothing is written. */
  slice(from: number, to: number): Buffer {
    return this.writer.bytes.subarray(this.endOf(from - 1), this.endOf(to - 1));
  }

  /** RowBinary of those rows of [from, to) that `keep` names, and how many they are. */
  pick(from: number, to: number, keep: (row: number) => boolean): { body: Buffer; rows: number } {
    const runs: Buffer[] = [];
    let rows = 0;
    let start = -1;
    for (let row = from; row <= to; row += 1) {
      const kept = row < to && keep(row);
      if (kept) rows += 1;
      if (kept && start === -1) start = row;
      if (!kept && start !== -1) {
        runs.push(this.slice(start, row));
        start = -1;
      }
    }
    return { body: runs.length === 1 ? runs[0]! : Buffer.concat(runs), rows };
  }

  private endOf(row: number): number {
    return row < 0 ? 0 : this.ends[row]!;
  }

  private grow(): void {
    const size = this.rows * 2;
    const copy = <T extends Uint32Array | Float64Array>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.ends = copy(new Uint32Array(size), this.ends);
    this.sources = copy(new Uint32Array(size), this.sources);
    this.offsets = copy(new Float64Array(size), this.offsets);
    this.indexes = copy(new Uint32Array(size), this.indexes);
  }
}

/** The batches of one cut, made as rows for them come. */
export class RowBatches {
  readonly all: RowBatch[] = [];
  readonly sources: Source[] = [];
  /** Their columns as every row of theirs has them. */
  readonly encodedSources: Buffer[] = [];
  private readonly byTable = new Map<TableName, Map<number, RowBatch>>();
  private readonly marks = new Map<RowBatch, number>();
  private last: RowBatch | undefined;

  /** The batch for the next row, which the caller must then write and end. */
  of(table: TableName, day: number): RowBatch {
    const { last } = this;
    if (last !== undefined && last.table === table && last.day === day) return last;
    let days = this.byTable.get(table);
    if (!days) this.byTable.set(table, (days = new Map()));
    let batch = days.get(day);
    if (!batch) {
      days.set(day, (batch = new RowBatch(table, day)));
      this.all.push(batch);
    }
    if (!this.marks.has(batch)) this.marks.set(batch, batch.rows);
    this.last = batch;
    return batch;
  }

  /** Rows from here on belong to one record: `rollback` takes them back, as far as the next `begin`. */
  begin(): void {
    this.marks.clear();
    this.last = undefined;
  }

  rollback(): void {
    for (const [batch, rows] of this.marks) batch.truncate(rows);
    this.begin();
  }

  source(source: Source): number {
    this.encodedSources.push(encodeSource(source));
    return this.sources.push(source) - 1;
  }

  rows(): number {
    let rows = 0;
    for (const batch of this.all) rows += batch.rows;
    return rows;
  }

  bytes(): number {
    let bytes = 0;
    for (const batch of this.all) bytes += batch.writer.at;
    return bytes;
  }
}
