import type { FileHandle, Files } from '../../host/files.ts';
import {
  baseOffsetOf,
  BATCH_HEADER_BYTES,
  batchSizeOf,
  crcHolds,
  CRC_START,
  dataRecordsOf,
  lastOffsetDeltaOf,
  lastOffsetOf,
  leaderEpochOf,
  magicOf,
  maxTimestampOf,
} from '../batch/batch-header.ts';
import { crc32c } from '../batch/crc32c.ts';
import type { SegmentFacts } from '../segment/segment.ts';
import { findBatchBehind } from '../segment/segment-resync.ts';
import { type Expectation, scanBatches } from '../segment/segment-scan.ts';

/** Bytes in the middle of a segment that are not what was written there; batches behind them are. */
export interface BrokenRange {
  readonly position: number;
  readonly bytes: number;
  readonly fromOffset: number;
  readonly toOffset: number;
}

export interface Salvaged {
  /** Up to the end of the last good batch. */
  readonly facts: SegmentFacts;
  readonly endOffset: number;
  readonly fileBytes: number;
  readonly broken: readonly BrokenRange[];
  /** Ranges without a batch in the middle of it, [from, to), that were there before. */
  readonly gaps: ReadonlyArray<readonly [from: number, to: number]>;
  /** It ends where something is missing that the write-ahead log has, with all that is behind it. */
  readonly isHeld: boolean;
}

/** Unclean starts between two batches of a partition: more are a damaged epoch. */
const EPOCHS_MAX = 1_000;

/** What is known besides the file. */
export interface SalvageRules {
  /** Of the checkpoint; undefined without one. Then batches vouch for each other. */
  readonly want?: Expectation;
  /** The first offset that the write-ahead log has of the partition. */
  readonly heldFrom?: number;
  /** Of the next segment: where it begins, as its name says, and the epoch there; -1: nobody knows. */
  readonly next?: { readonly base: number; readonly epoch: number };
  /** Called with each good batch, which may not be kept. */
  readonly take?: (batch: Buffer) => void;
}

/**
 * Reads a segment from its beginning to its last good batch, and goes on behind what is damaged.
 *
 * Offset and epoch are not under a batch's CRC. Without a checkpoint the batch in front tells which ones follow; one
 * that skips offsets or begins an epoch is believed when the batch behind it, or the name of the next segment,
 * agrees with it: a flipped bit that moves a batch ahead makes it overlap what is behind it.
 */
export async function salvageSegment(
  files: Files,
  path: string,
  base: number,
  rules: SalvageRules = {},
): Promise<Salvaged> {
  const fileBytes = (await files.stat(path))?.size ?? 0;
  const reading = new Reading(base, fileBytes, rules);
  if (fileBytes > 0) {
    const file = await files.open(path, 'read');
    try {
      await reading.run(file);
    } finally {
      await file.close();
    }
  }
  return reading.salvaged();
}

class Reading {
  readonly #base: number;
  readonly #fileBytes: number;
  readonly #rules: SalvageRules;
  readonly #broken: BrokenRange[] = [];
  readonly #gaps: Array<readonly [number, number]> = [];
  #next: number;
  #epoch = -1;
  #bytes = 0;
  #maxTimestamp = -1;
  #maxTimestampOffset = -1;
  #firstTimestamp = -1;
  #headsCrc = 0;
  #records = 0;
  #isEmpty = true;
  #isHeld = false;

  constructor(base: number, fileBytes: number, rules: SalvageRules) {
    this.#base = base;
    this.#next = base;
    this.#fileBytes = fileBytes;
    this.#rules = rules;
  }

  async run(file: FileHandle): Promise<void> {
    const end = this.#fileBytes;
    for (let at = 0; at < end;) {
      at = await scanBatches(file, at, end, (chunk, start, size) => {
        if (!this.#follows(chunk, start) || !crcHolds(chunk, start, start + size)) return false;
        this.#add(chunk, start, size);
        return true;
      });
      this.#bytes = at;
      const found = at < end ? await this.#nextGood(file, at) : undefined;
      if (!found) return;
      const { batch, position } = found;
      const from = this.#next;
      const to = baseOffsetOf(batch);
      // What is missing was not synced, or may have been: the write-ahead log has it, and all that is behind it.
      if (to > from && to > (this.#rules.heldFrom ?? Infinity)) {
        this.#isHeld = true;
        return;
      }
      if (position > at)
        this.#broken.push({ position: at, bytes: position - at, fromOffset: from, toOffset: to });
      else if (to > from) this.#gaps.push([from, to]);
      this.#add(batch, 0, batch.length);
      at = this.#bytes = position + batch.length;
    }
  }

  salvaged(): Salvaged {
    const facts: SegmentFacts = {
      base: this.#base,
      bytes: this.#bytes,
      maxTimestamp: this.#maxTimestamp,
      maxTimestampOffset: this.#maxTimestampOffset,
      firstTimestamp: this.#firstTimestamp,
      records: this.#records,
      // It stands for all batches, and is not known where one of them is not.
      ...(this.#broken.length === 0 ? { headsCrc: this.#headsCrc } : {}),
    };
    return {
      facts,
      endOffset: this.#next,
      fileBytes: this.#fileBytes,
      broken: this.#broken,
      gaps: this.#gaps,
      isHeld: this.#isHeld,
    };
  }

  /** Whether nothing speaks against it, and nobody has to vouch for it. */
  #follows(bytes: Buffer, at: number): boolean {
    if (lastOffsetDeltaOf(bytes, at) < 0) return false;
    const { want } = this.#rules;
    const base = baseOffsetOf(bytes, at);
    if (!want) return base === this.#next && leaderEpochOf(bytes, at) === this.#epoch;
    return base === want.firstFrom(this.#next) && leaderEpochOf(bytes, at) === want.epochAt(base);
  }

  #add(bytes: Buffer, at: number, size: number): void {
    const lastOffset = lastOffsetOf(bytes, at);
    const maxTimestamp = maxTimestampOf(bytes, at);
    if (this.#isEmpty) this.#firstTimestamp = maxTimestamp;
    this.#isEmpty = false;
    if (maxTimestamp > this.#maxTimestamp) {
      this.#maxTimestamp = maxTimestamp;
      this.#maxTimestampOffset = lastOffset;
    }
    this.#headsCrc = crc32c(bytes, at, at + CRC_START, this.#headsCrc);
    this.#records += dataRecordsOf(bytes, at);
    this.#epoch = leaderEpochOf(bytes, at);
    this.#next = lastOffset + 1;
    this.#rules.take?.(bytes.subarray(at, at + size));
  }

  /** The first batch at or behind `at` that belongs there; undefined when there is none. */
  async #nextGood(file: FileHandle, at: number): Promise<{ batch: Buffer; position: number } | undefined> {
    const limit = this.#fileBytes;
    let lowestOffset = this.#next;
    for (let position: number | undefined = at; position !== undefined;) {
      const batch = await batchAt(file, position, limit);
      if (batch && (await this.#belongs(file, batch, position, position > at))) return { batch, position };
      lowestOffset = Math.max(lowestOffset, this.#next + 1);
      position = await findBatchBehind(
        file,
        { position, lowestOffset, limit },
        (found) => leaderEpochOf(found) >= this.#epoch,
      );
    }
    return undefined;
  }

  async #belongs(file: FileHandle, batch: Buffer, position: number, isBehind: boolean): Promise<boolean> {
    const { want, next } = this.#rules;
    const base = baseOffsetOf(batch);
    const epoch = leaderEpochOf(batch);
    if (base < this.#next) return false;
    // Behind damage an offset of before is not known to be the last.
    if (want) return (isBehind || base === want.firstFrom(this.#next)) && epoch === want.epochAt(base);
    if (epoch < this.#epoch) return false;
    const last = lastOffsetOf(batch);
    const end = position + batch.length;
    const behind = await batchAt(file, end, this.#fileBytes);
    if (behind) return baseOffsetOf(behind) > last && leaderEpochOf(behind) >= epoch;
    if (end === this.#fileBytes && next) return last < next.base && (next.epoch < 0 || epoch <= next.epoch);
    // Nobody vouches for the last one: it may not be where one wrong bit would have put it.
    if (epoch - this.#epoch > EPOCHS_MAX) return false;
    return isBehind || base === this.#next || !isOneBit(base, this.#next);
  }
}

/** The epoch of the first batch of a segment; -1 when it cannot be told. */
export async function firstEpoch(files: Files, path: string): Promise<number> {
  const limit = (await files.stat(path))?.size ?? 0;
  if (limit === 0) return -1;
  const file = await files.open(path, 'read');
  try {
    const batch = await batchAt(file, 0, limit);
    return batch ? leaderEpochOf(batch) : -1;
  } finally {
    await file.close();
  }
}

/** The batch at a position when it is whole and its CRC holds. */
async function batchAt(file: FileHandle, position: number, limit: number): Promise<Buffer | undefined> {
  if (position + BATCH_HEADER_BYTES > limit) return undefined;
  const header = Buffer.alloc(BATCH_HEADER_BYTES);
  if ((await file.read(header, position)) < header.length || magicOf(header) !== 2) return undefined;
  const size = batchSizeOf(header);
  if (size < BATCH_HEADER_BYTES || position + size > limit || lastOffsetDeltaOf(header) < 0) return undefined;
  const batch = Buffer.allocUnsafe(size);
  if ((await file.read(batch, position)) < size) return undefined;
  return crcHolds(batch, 0, size) ? batch : undefined;
}

function isOneBit(a: number, b: number): boolean {
  const bits = BigInt(a) ^ BigInt(b);
  return bits !== 0n && (bits & (bits - 1n)) === 0n;
}
