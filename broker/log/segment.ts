import { type FileHandle, writeAll } from '../host/files.ts';
import { baseOffsetOf, BATCH_HEADER_BYTES, crcHolds, lastOffsetOf, maxTimestampOf } from './batch-header.ts';
import type { FilePool } from './file-pool.ts';
import { decodeIndex, SegmentIndex } from './segment-index.ts';
import { findBatchBehind } from './segment-resync.ts';
import { scanBatches } from './segment-scan.ts';

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
    const { base, bytes, maxTimestamp, maxTimestampOffset, firstTimestamp, generation } = this;
    const facts = { base, bytes, maxTimestamp, maxTimestampOffset, firstTimestamp };
    return generation === 0 ? facts : { ...facts, generation };
  }

  /** Writes batches behind the last one; they count only when all of them are written. */
  async write(pool: FilePool, batches: readonly Buffer[]): Promise<void> {
    const index = await this.index(pool);
    await pool.use('write', this.logPath, (file) => writeAll(file, batches, this.bytes));
    this.dirty = true;
    for (const batch of batches) {
      const maxTimestamp = maxTimestampOf(batch);
      const lastOffset = lastOffsetOf(batch);
      if (this.bytes === 0) this.firstTimestamp = maxTimestamp;
      if (maxTimestamp > this.maxTimestamp) {
        this.maxTimestamp = maxTimestamp;
        this.maxTimestampOffset = lastOffset;
      }
      index.add(lastOffset, maxTimestamp, this.bytes, batch.length);
      this.bytes += batch.length;
    }
  }

  /** Loaded, or rebuilt, on first use. */
  async index(pool: FilePool): Promise<SegmentIndex> {
    if (this.#index) return this.#index;
    this.#indexing ??= this.#load(pool).finally(() => {
      this.#indexing = undefined;
    });
    return await this.#indexing;
  }

  /** What the index said was not true: the next use rebuilds it from the segment alone. */
  async dropIndex(pool: FilePool): Promise<void> {
    this.#index = undefined;
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
    await replaceContent(pool, `${this.path}.index`, this.#index.encodeOffsets());
    await replaceContent(pool, `${this.path}.timeindex`, this.#index.encodeTimes());
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

  async #load(pool: FilePool): Promise<SegmentIndex> {
    const offsets = await pool.files.readFile(`${this.path}.index`);
    const times = await pool.files.readFile(`${this.path}.timeindex`);
    let index = decodeIndex(this.base, this.bytes, offsets, times) ?? new SegmentIndex(this.base);
    // Its last entry decides where the rest begins, so that entry is looked at before it is believed.
    const last = index.offsets.length - 1;
    await pool.use('read', this.logPath, async (file) => {
      if (last >= 0) {
        const header = Buffer.alloc(BATCH_HEADER_BYTES);
        await file.read(header, index.coveredBytes);
        if (lastOffsetOf(header) !== this.base + index.offsets.at(last, 0))
          index = new SegmentIndex(this.base);
      }
      await this.#extend(file, index);
    });
    this.#index = index;
    return index;
  }

  /** Takes note of what lies behind what the index covers; damaged batches are left out. */
  async #extend(file: FileHandle, index: SegmentIndex): Promise<void> {
    const start = index.coveredBytes;
    const entries = index.offsets.length;
    const coveredTo = entries > 0 ? this.base + index.offsets.at(entries - 1, 0) + 1 : this.base;
    let next = this.base;
    for (let at = start; at < this.bytes;) {
      const reached = await scanBatches(file, at, this.bytes, (bytes, from, size, position) => {
        if (baseOffsetOf(bytes, from) < next || !crcHolds(bytes, from, from + size)) return false;
        next = lastOffsetOf(bytes, from) + 1;
        // The batch of the last entry has its entry; counting starts behind it.
        if (position > start || start === 0)
          index.add(lastOffsetOf(bytes, from), maxTimestampOf(bytes, from), position, size);
        return true;
      });
      if (reached >= this.bytes) return;
      const broken = { position: reached, lowestOffset: Math.max(next, coveredTo), limit: this.bytes };
      const behind = await findBatchBehind(file, broken);
      if (behind === undefined) return;
      at = behind;
    }
  }
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
