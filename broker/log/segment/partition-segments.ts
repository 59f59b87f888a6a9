import { baseOffsetOf, lastOffsetOf, maxTimestampOf } from '../batch/batch-header.ts';
import type { PartitionCheckpoint } from '../durable/checkpoint.ts';
import type { Epochs } from '../partition/epochs.ts';
import { LogError } from '../errors.ts';
import type { FilePool } from './file-pool.ts';
import type { ReadLease } from './read-buffers.ts';
import { Segment } from './segment.ts';
import { readSegment } from './segment-reader.ts';
import type { Expectation } from './segment-scan.ts';
import type { TopicSettings } from '../topics/topic-settings.ts';
import { Turns } from '../turns.ts';

/** Indexes hold offsets by their distance from the segment's base, and Kafka reads them as int32. */
const OFFSETS_MAX = 2 ** 31 - 1;

/**
 * The segments of one partition, oldest first; the last one, the active, is written to.
 *
 * What changes files (writes, rolls) happens in `turns`; readers go on meanwhile.
 */
export class PartitionSegments {
  readonly directory: string;
  readonly pool: FilePool;
  readonly turns = new Turns();
  list: Segment[];
  /** Ranges that hold no batch: [from, to). */
  gaps: Array<readonly [from: number, to: number]>;
  /** End of what the segments hold. */
  writtenOffset: number;
  #generation = 0;

  constructor(pool: FilePool, directory: string, checkpoint: PartitionCheckpoint) {
    this.pool = pool;
    this.directory = directory;
    this.gaps = [...checkpoint.gaps];
    this.writtenOffset = checkpoint.endOffset;
    this.list = checkpoint.segments.map((facts) => new Segment(directory, facts));
    if (this.list.length === 0) this.list.push(Segment.empty(directory, checkpoint.endOffset));
  }

  get active(): Segment {
    return this.list.at(-1)!;
  }

  get bytes(): number {
    let bytes = 0;
    for (const segment of this.list) bytes += segment.bytes;
    return bytes;
  }

  /** Data records, but for those in front of a start within a segment, which are taken for as many as offsets. */
  recordsFrom(startOffset: number): number {
    let records = 0;
    let end = this.writtenOffset;
    for (let i = this.list.length - 1; i >= 0; i--) {
      const { base, records: counted } = this.list[i]!;
      records += counted ?? end - base;
      end = base;
    }
    return records - Math.max(0, startOffset - end);
  }

  /** In turn: writes the first of the batches, as many as fit into one segment, and returns these. */
  async write(batches: readonly Buffer[], { segmentBytes, segmentMs }: TopicSettings): Promise<Buffer[]> {
    const first = batches[0]!;
    const { active } = this;
    const full = active.bytes > 0 && active.bytes + first.length > segmentBytes;
    const old = active.bytes > 0 && maxTimestampOf(first) - active.firstTimestamp > segmentMs;
    if (full || old || !isWithin(active, first)) await this.roll(baseOffsetOf(first));
    const segment = this.active;
    let count = 0;
    let bytes = segment.bytes;
    for (const batch of batches) {
      if (count > 0 && (bytes + batch.length > segmentBytes || !isWithin(segment, batch))) break;
      bytes += batch.length;
      count += 1;
    }
    const taken = batches.slice(0, count);
    await segment.write(this.pool, taken);
    this.writtenOffset = lastOffsetOf(taken.at(-1)!) + 1;
    return taken;
  }

  /** In turn: seals the active segment; the next begins at `base`. */
  async roll(base: number): Promise<void> {
    await this.active.writeIndex(this.pool);
    this.list.push(Segment.empty(this.directory, base));
  }

  /** Drops segments wholly below the start offset from the list; the caller removes their files. */
  takeDead(startOffset: number): Segment[] {
    let count = 0;
    while (count < this.list.length - 1 && this.list[count + 1]!.base <= startOffset) count += 1;
    const dead = this.list.splice(0, count);
    // What is needed to check the first batch that stays, which may begin below the start.
    const { base } = this.list[0]!;
    this.gaps = this.gaps.filter(([, to]) => to > base);
    return dead;
  }

  /** True when a gap holds all of [from, to). */
  isLost(from: number, to: number): boolean {
    const gap = this.gaps.find((one) => one[0] <= from && from < one[1]);
    return gap !== undefined && behindGaps(this.gaps, gap[1]) >= to;
  }

  /** What is known of the batches, to check them against. */
  expectation(epochs: Epochs): Expectation {
    return {
      epochAt: (at) => epochs.at(at),
      firstFrom: (offset) => behindGaps(this.gaps, offset),
    };
  }

  /** Puts `made` in place of `sources`, which hold the same offsets. False when some of them are gone already. */
  replace(sources: readonly Segment[], made: readonly Segment[]): boolean {
    const at = this.list.indexOf(sources[0]!);
    if (at === -1 || sources.some((segment, i) => this.list[at + i] !== segment)) return false;
    this.list = [...this.list.slice(0, at), ...made, ...this.list.slice(at + sources.length)];
    return true;
  }

  /** A number that no file of the partition has. */
  nextGeneration(): number {
    this.#generation = Math.max(this.#generation, ...this.list.map(({ generation }) => generation)) + 1;
    return this.#generation;
  }

  /** As `PartitionLog.read`, from files alone; undefined when they hold nothing at or above `offset`. */
  async read(
    offset: number,
    maxBytes: number,
    minOneBatch: boolean,
    epochs: Epochs,
    lease?: ReadLease,
  ): Promise<Buffer | undefined> {
    // A copy: retention may take segments away while the disk is read.
    const segments = [...this.list];
    let i = segments.length - 1;
    while (i > 0 && segments[i]!.base > offset) i -= 1;
    for (; i < segments.length; i++) {
      const segment = segments[i]!;
      if (segment.bytes === 0) continue;
      try {
        const want = this.expectation(epochs);
        const found = await readSegment(this.pool, segment, offset, maxBytes, minOneBatch, want, lease);
        if (found) return found;
      } catch (error) {
        if (!this.list.includes(segment)) return undefined;
        throw error instanceof LogError
          ? error
          : new LogError('KAFKA_STORAGE_ERROR', `cannot read ${segment.logPath}: ${String(error)}`, error);
      }
    }
    return undefined;
  }

  /** Bytes in [offset, before), about: of a segment that is cut, the share of its offsets. Stops at `atMost`. */
  bytesFrom(offset: number, atMost: number, before = Infinity): number {
    let bytes = 0;
    for (let i = this.list.length - 1; i >= 0 && bytes < atMost; i--) {
      const { base, bytes: size } = this.list[i]!;
      const end = this.list[i + 1]?.base ?? this.writtenOffset;
      if (end <= offset) break;
      const from = Math.max(base, offset);
      const to = Math.min(end, before);
      if (to > from)
        bytes += to - from === end - base ? size : Math.ceil((size * (to - from)) / (end - base));
    }
    return bytes;
  }
}

/** Gaps may follow each other: a segment of which nothing is left, behind one whose end was cut. */
export function behindGaps(gaps: PartitionCheckpoint['gaps'], offset: number): number {
  let next = offset;
  for (let gap = gaps.find(([from]) => from === next); gap; gap = gaps.find(([from]) => from === next))
    next = gap[1];
  return next;
}

/** A header alone claims how many records a batch has: a few small batches may be billions of offsets. */
function isWithin(segment: Segment, batch: Buffer): boolean {
  return segment.bytes === 0 || lastOffsetOf(batch) - segment.base <= OFFSETS_MAX;
}
