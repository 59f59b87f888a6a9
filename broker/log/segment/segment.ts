import { type FileHandle, writeAll } from '../../host/files.ts';
import {
  baseOffsetOf,
  CRC_START,
  dataRecordsOf,
  lastOffsetDeltaOf,
  lastOffsetOf,
  maxTimestampOf,
} from '../batch/batch-header.ts';
import { crc32c } from '../batch/crc32c.ts';
import type { FilePool } from './file-pool.ts';
import { decodeIndex, SegmentIndex } from './segment-index.ts';
import type { SegmentCounts } from './segment-counts.ts';
import { findBatchBehind } from './segment-resync.ts';
import { checkStored, type Expectation, scanBatches } from './segment-scan.ts';

/** What the checkpoint keeps of a segment: enough to serve from it without looking at its files first. */
export interface SegmentFacts {
  readonly base: number;
  readonly bytes: number;
  /** Largest record timestamp, ms; -1 when empty. */
  readonly maxTimestamp: number;
  /** Last offset of the batch that has it; -1 when empty. */
  readonly maxTimestampOffset: number;
  /** Timestamp of its first batch, ms; -1 when empty. What `segment.ms` counts from. */
  readonly firstTimestamp: number;
  /** Which of the files with this base it is: 0, or absent, the one that was appended to; compaction writes others. */
  readonly generation?: number;
  /**
   * CRC32C over the first 21 bytes of every batch: what the batches' own CRCs leave out, and these CRCs, so that it
   * stands for every bit of the file. Absent in checkpoints of before there was one.
   */
  readonly headsCrc?: number;
  /** CRC32C over `.index` and then `.timeindex`. Absent: what these files say is not believed. */
  readonly indexCrc?: number;
  /** Data records in it; absent where they were never counted. */
  readonly records?: number;
}

/** Without the suffix: the base offset, and the generation where there is one. */
export function segmentName(base: number, generation = 0): string {
  return String(base).padStart(20, '0') + (generation === 0 ? '' : `-${generation}`);
}

/** A file of batches `<20-digit base offset>.log`, in Kafka's format, with its two indexes beside it. */
export class Segment {
  readonly base: number;
  readonly generation: number;
  readonly path: string;
  bytes: number;
  maxTimestamp: number;
  maxTimestampOffset: number;
  firstTimestamp: number;
  headsCrc: number | undefined;
  indexCrc: number | undefined;
  /** Data records; undefined until somebody counts them. */
  records: number | undefined;
  /** Where offsets are no count of records; made on first use. */
  counts: SegmentCounts | undefined;
  /** Written to since the last sync. */
  dirty = false;
  /** Its name may not be durable yet. */
  fresh: boolean;
  #index: SegmentIndex | undefined;
  #indexing: Promise<SegmentIndex> | undefined;

  constructor(directory: string, facts: SegmentFacts) {
    this.base = facts.base;
    this.generation = facts.generation ?? 0;
    this.path = `${directory}/${segmentName(facts.base, facts.generation)}`;
    this.bytes = facts.bytes;
    this.maxTimestamp = facts.maxTimestamp;
    this.maxTimestampOffset = facts.maxTimestampOffset;
    this.firstTimestamp = facts.firstTimestamp;
    this.headsCrc = facts.bytes === 0 ? 0 : facts.headsCrc;
    this.indexCrc = facts.indexCrc;
    this.records = facts.records ?? (facts.bytes === 0 ? 0 : undefined);
    // An empty one has no file yet, whatever the checkpoint says of it.
    this.fresh = facts.bytes === 0;
    if (facts.bytes === 0) this.#index = new SegmentIndex(facts.base);
  }

  static empty(directory: string, base: number, generation = 0): Segment {
    const facts = {
      base,
      bytes: 0,
      maxTimestamp: -1,
      maxTimestampOffset: -1,
      firstTimestamp: -1,
      generation,
    };
    return new Segment(directory, facts);
  }

  get logPath(): string {
    return `${this.path}.log`;
  }

  /** Nothing of it was synced, as far as is known. */
  distrust(): void {
    this.dirty = this.bytes > 0;
    this.fresh = true;
  }

  facts(): SegmentFacts {
    const { base, bytes, maxTimestamp, maxTimestampOffset, firstTimestamp } = this;
    const { generation, headsCrc, indexCrc, records } = this;
    return {
      base,
      bytes,
      maxTimestamp,
      maxTimestampOffset,
      firstTimestamp,
      ...(generation === 0 ? {} : { generation }),
      ...(headsCrc === undefined ? {} : { headsCrc }),
      ...(indexCrc === undefined ? {} : { indexCrc }),
      ...(records === undefined ? {} : { records }),
    };
  }

  /** Writes batches behind the last one; they count only when all of them are written. */
  async write(pool: FilePool, batches: readonly Buffer[]): Promise<void> {
    await pool.use('write', this.logPath, (file) => writeAll(file, batches, this.bytes));
    // Not loaded for this, since a start would read all active segments; whoever needs it reads these batches too.
    // A load that has begun meanwhile ends where the segment did before.
    while (this.#indexing) await this.#indexing.catch(() => {});
    const index = this.#index;
    this.dirty = true;
    this.indexCrc = undefined;
    for (const batch of batches) {
      if (this.headsCrc !== undefined) this.headsCrc = crc32c(batch, 0, CRC_START, this.headsCrc);
      const maxTimestamp = maxTimestampOf(batch);
      const lastOffset = lastOffsetOf(batch);
      if (this.bytes === 0) this.firstTimestamp = maxTimestamp;
      if (maxTimestamp > this.maxTimestamp) {
        this.maxTimestamp = maxTimestamp;
        this.maxTimestampOffset = lastOffset;
      }
      if (this.records !== undefined) this.records += dataRecordsOf(batch);
      index?.add(lastOffset, maxTimestamp, this.bytes, batch.length);
      this.bytes += batch.length;
    }
  }

  /** Loaded, or rebuilt, on first use. */
  async index(pool: FilePool, want: Expectation): Promise<SegmentIndex> {
    if (this.#index) return this.#index;
    this.#indexing ??= this.#load(pool, want).finally(() => {
      this.#indexing = undefined;
    });
    return await this.#indexing;
  }

  /** What the index said was not true: the next use rebuilds it from the segment alone. */
  async dropIndex(pool: FilePool): Promise<void> {
    this.#index = undefined;
    this.indexCrc = undefined;
    await pool.files.remove(`${this.path}.index`);
    await pool.files.remove(`${this.path}.timeindex`);
  }

  /** Frees the memory of an index that is complete on disk or can be rebuilt. */
  unloadIndex(): void {
    this.#index = undefined;
  }

  /** Not synced: a lost index is rebuilt. */
  async writeIndex(pool: FilePool): Promise<void> {
    if (!this.#index) return;
    this.#index.addTime();
    const offsets = this.#index.encodeOffsets();
    const times = this.#index.encodeTimes();
    await replaceContent(pool, `${this.path}.index`, offsets);
    await replaceContent(pool, `${this.path}.timeindex`, times);
    this.indexCrc = indexCrcOf(offsets, times);
  }

  async sync(pool: FilePool): Promise<void> {
    if (!this.dirty) return;
    // Cleared first: what is written while the sync runs is not covered by it.
    this.dirty = false;
    try {
      await pool.use('write', this.logPath, (file) => file.datasync());
    } catch (error) {
      this.dirty = true;
      throw error;
    }
  }

  async remove(pool: FilePool): Promise<void> {
    await pool.forget(this.logPath);
    for (const suffix of ['log', 'index', 'timeindex']) await pool.files.remove(`${this.path}.${suffix}`);
  }

  async #load(pool: FilePool, want: Expectation): Promise<SegmentIndex> {
    const offsets = await pool.files.readFile(`${this.path}.index`);
    const times = await pool.files.readFile(`${this.path}.timeindex`);
    const isAsWritten = offsets && times && indexCrcOf(offsets, times) === this.indexCrc;
    const stored = isAsWritten ? decodeIndex(this.base, this.bytes, offsets, times) : undefined;
    const index = stored ?? new SegmentIndex(this.base);
    await pool.use('read', this.logPath, (file) => this.#extend(file, index, want));
    this.#index = index;
    return index;
  }

  /**
   * Takes note of what lies behind what the index covers. Damaged batches are left out: an index that believed a
   * damaged offset would have the damage agree with it.
   */
  async #extend(file: FileHandle, index: SegmentIndex, want: Expectation): Promise<void> {
    const start = index.coveredBytes;
    const last = index.offsets.length - 1;
    // The batch of the last entry, at `start`: its last offset is known, and it has its entry.
    const entryOffset = last >= 0 ? this.base + index.offsets.at(last, 0) : undefined;
    let next = entryOffset === undefined ? this.base : undefined;
    let lowestOffset = entryOffset === undefined ? this.base : entryOffset + 1;
    for (let at = start; at < this.bytes;) {
      const reached = await scanBatches(file, at, this.bytes, (bytes, from, size, position) => {
        const hasEntry = position === start && entryOffset !== undefined;
        if (hasEntry) next = entryOffset - lastOffsetDeltaOf(bytes, from);
        // Behind damage nothing is known but what the batch says of itself.
        if (checkStored(bytes, from, from + size, next ?? baseOffsetOf(bytes, from), want) === 0)
          return false;
        const lastOffset = lastOffsetOf(bytes, from);
        if (!hasEntry) index.add(lastOffset, maxTimestampOf(bytes, from), position, size);
        next = lowestOffset = lastOffset + 1;
        return true;
      });
      if (reached >= this.bytes) return;
      const broken = { position: reached, lowestOffset, limit: this.bytes };
      const behind = await findBatchBehind(
        file,
        broken,
        (batch) => checkStored(batch, 0, batch.length, baseOffsetOf(batch), want) > 0,
      );
      if (behind === undefined) return;
      at = behind;
      next = undefined;
    }
  }
}

/** Over both files, one behind the other. */
export function indexCrcOf(offsets: Buffer, times: Buffer): number {
  return crc32c(times, 0, times.length, crc32c(offsets));
}

async function replaceContent(pool: FilePool, path: string, content: Buffer): Promise<void> {
  const file = await pool.files.open(path, 'write');
  try {
    await file.truncate(0);
    await writeAll(file, [content], 0);
  } finally {
    await file.close();
  }
}
