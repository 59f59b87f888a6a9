/**
 * Compaction of one partition: keeps the latest record of every key, under its offset.
 *
 *     read the dirty segments: the latest offset of each key
 *     → read all segments up to there, write what stays into new files, sync these
 *     → take them in place of the old ones → checkpoint, which names the new files → remove the old ones
 *
 * A crash at any point leaves one of the two, whole: files that the checkpoint does not name go at the next start.
 */
import assert from 'node:assert/strict';

import type { Log } from '../../host/log.ts';
import {
  baseOffsetOf,
  isControl,
  isTransactional,
  lastOffsetOf,
  leaderEpochOf,
  producerIdOf,
} from '../batch/batch-header.ts';
import type { FilePool } from '../segment/file-pool.ts';
import type { AbortedTransaction } from '../log.ts';
import type { Partition } from '../partition/partition.ts';
import { Segment } from '../segment/segment.ts';
import type { Expectation } from '../segment/segment-scan.ts';
import { cleanablePart } from './cleanable.ts';
import { cleanBatch, type CleaningRules, keysOf } from './clean-batch.ts';
import { KeyMap } from './key-map.ts';
import { isPlaceholder, joined, placeholder } from './placeholder.ts';
import { DamagedSegment, segmentBatches } from './segment-batches.ts';

/** About half a million short keys: as Kafka's cleaner buffer, what one cleaning may hold in memory. */
const KEY_BYTES_MAX = 64 * 1024 * 1024;
/** Indexes have offsets relative to their segment's base, 31 bits wide. */
const OFFSETS_MAX = 2 ** 31 - 1;
/** Written at once. */
const WRITE_BYTES = 1024 * 1024;

export interface Cleaned {
  /** Off the partition's list; their files go when a checkpoint names the new ones. */
  readonly replaced: readonly Segment[];
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** The segments that are worth cleaning now; undefined when none are. */
export function sourcesOf(
  partition: Partition,
  nowMs: number,
): { readonly segments: readonly Segment[]; readonly firstDirty: number } | undefined {
  const { settings, cleanedTo } = partition;
  const facts = partition.segments.map((segment) => segment.facts());
  const bounds = { cleanedTo, stableOffset: partition.lastStableOffset };
  const part = cleanablePart(facts, bounds, settings, nowMs);
  return part && { segments: partition.segments.slice(0, part.segments), firstDirty: part.firstDirty };
}

/**
 * Cleans these; undefined when they must not be touched. They have to be synced: a checkpoint that is under way may
 * still name them.
 */
export async function cleanPartition(
  partition: Partition,
  { segments: sources, firstDirty }: NonNullable<ReturnType<typeof sourcesOf>>,
  { pool, log, nowMs }: { readonly pool: FilePool; readonly log: Log; readonly nowMs: number },
): Promise<Cleaned | undefined> {
  assert(sources.every(({ dirty }) => !dirty));
  const cleaning = new Cleaning(partition, pool, nowMs);
  try {
    const last = await cleaning.learn(sources, firstDirty);
    if (last === firstDirty) {
      log.warn(
        { topic: partition.topic, partition: partition.partition },
        `cannot compact: got more keys in one segment than fit into ${KEY_BYTES_MAX} bytes`,
      );
      return undefined;
    }
    return await cleaning.rewrite(sources.slice(0, last));
  } catch (error) {
    await cleaning.abandon();
    if (partition.deleted) return undefined;
    if (!(error instanceof DamagedSegment)) throw error;
    log.warn({ topic: partition.topic, partition: partition.partition }, error.message);
    return undefined;
  }
}

class Cleaning {
  readonly #partition: Partition;
  readonly #pool: FilePool;
  readonly #nowMs: number;
  readonly #keys = new KeyMap(KEY_BYTES_MAX);
  readonly #want: Expectation;
  #made: Segment[] = [];
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Not written yet: the next may be joined to it. */
  #gap: Buffer | undefined;

  constructor(partition: Partition, pool: FilePool, nowMs: number) {
    this.#partition = partition;
    this.#pool = pool;
    this.#nowMs = nowMs;
    this.#want = partition.expectation();
  }

  /** Takes note of the keys of the dirty segments; the index of the first that did not fit. */
  async learn(sources: readonly Segment[], firstDirty: number): Promise<number> {
    for (let i = firstDirty; i < sources.length; i += 1) {
      const aborted = await this.#abortedIn(sources, i);
      let fits = true;
      for await (const batch of segmentBatches(this.#pool, sources[i]!, this.#want)) {
        if (isControl(batch) || isPlaceholder(batch) || isAborted(batch, aborted)) continue;
        keysOf(batch, (key, offset) => {
          fits &&= this.#keys.put(key, offset);
        });
        if (!fits) return i;
      }
    }
    return sources.length;
  }

  /** Writes what stays and puts it in place of the sources. */
  async rewrite(sources: readonly Segment[]): Promise<Cleaned | undefined> {
    const partition = this.#partition;
    const { segmentBytes, deleteRetentionMs } = partition.settings;
    /** Producers of which a data batch was met since their last marker. */
    const withData = new Set<number>();
    for (const [i, source] of sources.entries()) {
      const aborted = await this.#abortedIn(sources, i);
      const rules: CleaningRules = {
        latest: (key) => this.#keys.latest(key),
        isAborted: (batch) => isAborted(batch, aborted),
        isLoneMarker: (batch) => !withData.delete(producerIdOf(batch)),
        nowMs: this.#nowMs,
        deleteRetentionMs,
      };
      // A new file where the old ones together would be larger than a segment, or further apart than an index can say.
      const end = sources[i + 1]?.base ?? partition.writtenOffset;
      const fits =
        this.#target !== undefined &&
        this.#bytes + source.bytes <= segmentBytes &&
        end - this.#target.base < OFFSETS_MAX;
      if (!fits) await this.#begin(source.base);
      for await (const batch of segmentBatches(this.#pool, source, this.#want)) {
        if (isTransactional(batch) && !isControl(batch)) withData.add(producerIdOf(batch));
        await this.#take(batch, cleanBatch(batch, rules));
      }
    }
    await this.#finish();
    const replaced = partition.replaceSegments(sources, this.#made);
    if (!replaced) {
      await this.abandon();
      return undefined;
    }
    const sum = (segments: readonly Segment[]): number =>
      segments.reduce((bytes, one) => bytes + one.bytes, 0);
    const made = this.#made;
    this.#made = [];
    return { replaced: sources, bytesBefore: sum(sources), bytesAfter: sum(made) };
  }

  /** Removes the files that were begun. */
  async abandon(): Promise<void> {
    for (const segment of this.#made.splice(0)) await segment.remove(this.#pool);
  }

  get #target(): Segment | undefined {
    return this.#made.at(-1);
  }

  get #bytes(): number {
    return (this.#target?.bytes ?? 0) + this.#waitingBytes;
  }

  async #begin(base: number): Promise<void> {
    await this.#finish();
    const { directory } = this.#partition;
    const generation = this.#partition.stored.nextGeneration();
    this.#made.push(Segment.empty(directory, base, generation));
  }

  async #take(batch: Buffer, kept: Buffer | undefined): Promise<void> {
    if (kept) {
      this.#flushGap();
      // A view of a chunk that would be kept alive as a whole.
      this.#push(kept === batch ? Buffer.from(kept) : kept);
    } else {
      const gap = placeholder(baseOffsetOf(batch), lastOffsetOf(batch), leaderEpochOf(batch));
      const both = this.#gap && joined(this.#gap, gap);
      if (!both) this.#flushGap();
      this.#gap = both ?? gap;
    }
    if (this.#waitingBytes >= WRITE_BYTES) await this.#write();
  }

  #flushGap(): void {
    if (this.#gap) this.#push(this.#gap);
    this.#gap = undefined;
  }

  #push(batch: Buffer): void {
    this.#waiting.push(batch);
    this.#waitingBytes += batch.length;
  }

  async #write(): Promise<void> {
    if (this.#waiting.length === 0) return;
    await this.#target!.write(this.#pool, this.#waiting.splice(0));
    this.#waitingBytes = 0;
  }

  /** The file that was written to is complete: synced, with its indexes. */
  async #finish(): Promise<void> {
    const target = this.#target;
    if (!target) return;
    this.#flushGap();
    await this.#write();
    await target.writeIndex(this.#pool);
    await target.sync(this.#pool);
  }

  #abortedIn(sources: readonly Segment[], index: number): Promise<AbortedTransaction[]> {
    const { segments } = this.#partition;
    const source = sources[index]!;
    const after = sources[index + 1] ?? segments[segments.indexOf(source) + 1];
    // Below the start nothing is read, and what was aborted there is forgotten.
    const from = Math.max(source.base, this.#partition.startOffset);
    return this.#partition.abortedTransactions(from, after?.base ?? this.#partition.writtenOffset);
  }
}

function isAborted(batch: Buffer, aborted: readonly AbortedTransaction[]): boolean {
  if (!isTransactional(batch) || isControl(batch) || aborted.length === 0) return false;
  const producerId = producerIdOf(batch);
  const base = baseOffsetOf(batch);
  return aborted.some(
    (one) => one.producerId === producerId && one.firstOffset <= base && base <= one.lastOffset,
  );
}
