import type { Host } from '../../host/host.ts';
import { type PartitionCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { FilePool } from '../segment/file-pool.ts';
import type { LogMetrics } from '../log-metrics.ts';
import type { Partition } from '../partition/partition.ts';
import { Turns } from '../turns.ts';
import type { Wal } from '../wal/wal.ts';

/** Syncs that run at once: enough to keep a disk busy, few enough to leave threads for others. */
const PARALLEL = 4;

/**
 * Makes segments durable and says so, one checkpoint at a time:
 *
 *     flush what is durable in the write-ahead log → sync segments and directories → write the checkpoint
 *     → remove write-ahead log files that it covers
 */
export class Checkpointer {
  readonly host: Host;
  readonly dataDir: string;
  readonly clusterId: string;
  readonly pool: FilePool;
  readonly wal: Wal;
  readonly metrics: LogMetrics;
  readonly partitions: () => Partition[];
  readonly #turns = new Turns();
  #next: Promise<void> | undefined;
  #broken: { readonly cause: unknown } | undefined;
  /** First write-ahead log file that the checkpoint on the disk needs; undefined when there is no good one. */
  #walFile: number | undefined;

  constructor(parts: {
    host: Host;
    dataDir: string;
    clusterId: string;
    pool: FilePool;
    wal: Wal;
    metrics: LogMetrics;
    partitions: () => Partition[];
  }) {
    this.host = parts.host;
    this.dataDir = parts.dataDir;
    this.clusterId = parts.clusterId;
    this.pool = parts.pool;
    this.wal = parts.wal;
    this.metrics = parts.metrics;
    this.partitions = parts.partitions;
  }

  /** Recovery found a checkpoint, which the partitions have as `checkpointed`. */
  found(walFile: number): void {
    this.#walFile = walFile;
  }

  /** A checkpoint that begins after this call; several callers share one. Rejects with what the disk says. */
  run(): Promise<void> {
    if (!this.#next) {
      this.#next = this.#queue(async () => {
        this.#next = undefined;
        // A sync that failed once would now succeed without having written what was lost.
        if (this.#broken) throw this.#broken.cause;
        await this.#run();
      });
    }
    return this.#next;
  }

  /** After a failure: writes again what may be lost, then makes a checkpoint; the only way to get one then. */
  repair(rewrite: () => Promise<void>): Promise<void> {
    return this.#queue(async () => {
      await rewrite();
      this.#broken = undefined;
      await this.#run();
    });
  }

  /**
   * The last checkpoint again, with the start offsets of now and without the segments that were taken off the
   * lists. Needs no sync and little room, so it can be had while the disk takes no appends.
   */
  trim(): Promise<void> {
    return this.#turns.inTurn(() => this.#trim());
  }

  /** In turn; a failure bars every later one but a repair. */
  #queue(fn: () => Promise<void>): Promise<void> {
    return this.#turns.inTurn(async () => {
      try {
        await fn();
      } catch (error) {
        this.#broken = { cause: error };
        throw error;
      }
    });
  }

  /** Resolves when those asked for until now have ended. */
  idle(): Promise<void> {
    return this.#turns.settled();
  }

  async #run(): Promise<void> {
    const startedMs = this.host.clock.monotonicMs();
    // Entries of older files were durable before this one began, so the flushes below cover them.
    const walFile = this.wal.files.current;
    const partitions = this.partitions();
    const made: PartitionCheckpoint[] = [];
    await inParallel(partitions, async (partition) => {
      try {
        const checkpoint = await partition.flush();
        // A copy: retention takes segments off the list meanwhile.
        for (const segment of partition.segments.slice()) await segment.sync(this.pool);
        await syncNames(this.pool, partition);
        if (!partition.deleted) made.push({ ...checkpoint, startOffset: partition.startOffset });
      } catch (error) {
        // A topic that was deleted under the checkpoint takes its files with it.
        if (!partition.deleted) throw error;
      }
    });
    await this.#write(walFile, made);
    this.#walFile = walFile;
    const byKey = new Map(made.map((one) => [`${one.topicId} ${one.partition}`, one]));
    for (const partition of partitions) {
      partition.checkpointed =
        byKey.get(`${partition.topicId} ${partition.partition}`) ?? partition.checkpointed;
    }
    await this.wal.files.removeBefore(walFile);
    this.metrics.checkpoint(this.host.clock.monotonicMs() - startedMs);
  }

  async #write(walFile: number, partitions: readonly PartitionCheckpoint[]): Promise<void> {
    const { clusterId } = this;
    await writeCheckpoint(this.host, this.dataDir, { version: 1, walFile, clusterId, partitions });
  }

  async #trim(): Promise<void> {
    if (this.#walFile === undefined) throw new Error('cannot trim the checkpoint: got none on the disk');
    const trimmed = this.partitions().map((partition) => {
      const { checkpointed, startOffset } = partition;
      // Compaction may have put others in their place since, of other bases: those on the disk stay named.
      const first = partition.segments[0]!.base;
      const segments = checkpointed.segments.filter(({ base }) => base >= first);
      return { partition, checkpoint: { ...checkpointed, startOffset, segments } };
    });
    const partitions = trimmed.map(({ checkpoint }) => checkpoint);
    await this.#write(this.#walFile, partitions);
    for (const { partition, checkpoint } of trimmed) partition.checkpointed = checkpoint;
  }
}

/** The names of new segments must be durable before the checkpoint speaks of them. */
async function syncNames(pool: FilePool, partition: Partition): Promise<void> {
  const fresh = partition.segments.filter((segment) => segment.fresh && segment.bytes > 0);
  if (fresh.length === 0) return;
  await pool.files.syncDirectory(partition.directory);
  for (const segment of fresh) segment.fresh = false;
}

/** Rejects with the first error, but only when everything that was begun has ended: a retry must not overtake it. */
async function inParallel<T>(items: readonly T[], fn: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const workers = Array.from({ length: PARALLEL }, async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await fn(item);
  });
  for (const settled of await Promise.allSettled(workers)) {
    if (settled.status === 'rejected') throw settled.reason;
  }
}
