import type { FileHandle } from '../../host/files.ts';
import {
  baseOffsetOf,
  BATCH_HEADER_BYTES,
  batchSizeOf,
  dataRecordsOf,
  lastOffsetOf,
  magicOf,
  maxTimestampOf,
} from '../batch/batch-header.ts';
import { Turns } from '../turns.ts';
import { NumberList } from './number-list.ts';

/** A row each; 1,024 in a segment of 64 MiB. */
const ROW_BYTES = 64 * 1024;
const SCAN_BYTES = 256 * 1024;
/** About an interval of the index, which says where to begin. */
const LOOK_BYTES = 8 * 1024;

/** Where a reader's position lies in a segment. */
export interface Place {
  /** Of the first batch with data at or behind the position; the end where there is none. */
  readonly position: number;
  /** Largest timestamp of that batch. */
  readonly timestampMs: number | undefined;
  /** Base offset of that batch. */
  readonly baseOffset: number;
  /** Data records in front of the position, as counted from where the walk began. */
  readonly recordsBefore: number;
}

/**
 * How many data records lie in front of some offsets of a segment. Needed only where offsets are no count: markers and
 * compaction take offsets without a record. Made by one walk over the headers, on first use, and continued as the
 * segment grows.
 */
export class SegmentCounts {
  /** All that was walked over. */
  records = 0;
  coveredBytes = 0;
  /** First offset behind the row, its position, records in front of it. */
  readonly #rows = new NumberList(3);
  readonly #turns = new Turns();

  /** Walks on to `end`, one call after the other; false when damage is in the way. */
  extend(file: FileHandle, end: number): Promise<boolean> {
    return this.#turns.inTurn(() => this.#extend(file, end));
  }

  async #extend(file: FileHandle, end: number): Promise<boolean> {
    const reached = await walkHeaders(file, this.coveredBytes, end, SCAN_BYTES, (bytes, at, position) => {
      const { length } = this.#rows;
      if (position - (length === 0 ? 0 : this.#rows.at(length - 1, 1)) >= ROW_BYTES) {
        this.#rows.push(baseOffsetOf(bytes, at), position, this.records);
      }
      this.records += dataRecordsOf(bytes, at);
      this.coveredBytes = position + batchSizeOf(bytes, at);
      return true;
    });
    return reached >= end;
  }

  /** Where to begin to look for `offset`, and how many records are in front of there. */
  startFor(offset: number): { position: number; records: number } {
    const row = this.#rows.lastAtMost(0, offset);
    return row === -1
      ? { position: 0, records: 0 }
      : { position: this.#rows.at(row, 1), records: this.#rows.at(row, 2) };
  }
}

/** Looks for `offset` from `position` on; the batches are not checked, since nothing of them is served. */
export async function placeOf(
  file: FileHandle,
  position: number,
  end: number,
  offset: number,
): Promise<Place> {
  let recordsBefore = 0;
  let found: Place | undefined;
  await walkHeaders(file, position, end, LOOK_BYTES, (bytes, at, where) => {
    const records = dataRecordsOf(bytes, at);
    const lastOffset = lastOffsetOf(bytes, at);
    if (lastOffset < offset || records === 0) {
      recordsBefore += records;
      return true;
    }
    const baseOffset = baseOffsetOf(bytes, at);
    const left = Math.min(records, lastOffset - Math.max(offset, baseOffset) + 1);
    recordsBefore += records - left;
    found = { position: where, timestampMs: maxTimestampOf(bytes, at), baseOffset, recordsBefore };
    return false;
  });
  return found ?? { position: end, timestampMs: undefined, baseOffset: -1, recordsBefore };
}

/** Calls `visit` for the header of each batch until it returns false. Resolves to the position that it came to. */
async function walkHeaders(
  file: FileHandle,
  start: number,
  end: number,
  chunkBytes: number,
  visit: (bytes: Buffer, at: number, position: number) => boolean,
): Promise<number> {
  let position = start;
  const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, Math.max(0, end - start)));
  while (position + BATCH_HEADER_BYTES <= end) {
    const from = position;
    const got = await file.read(chunk.subarray(0, Math.min(chunk.length, end - from)), from);
    if (got < BATCH_HEADER_BYTES) return position;
    while (position - from + BATCH_HEADER_BYTES <= got) {
      const at = position - from;
      const size = batchSizeOf(chunk, at);
      if (magicOf(chunk, at) !== 2 || size < BATCH_HEADER_BYTES || position + size > end) return position;
      if (!visit(chunk, at, position)) return position;
      position += size;
    }
  }
  return position;
}
