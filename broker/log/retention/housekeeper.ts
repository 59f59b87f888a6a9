import type { Host } from '../../host/host.ts';
import type { AppendGate } from '../room/append-gate.ts';
import type { Checkpointer } from '../durable/checkpointer.ts';
import { type CompactionOwner, compactPartitions } from '../compaction/compaction.ts';
import type { LogConfig } from '../config.ts';
import type { DiskRoom } from '../room/disk-room.ts';
import type { FilePool } from '../segment/file-pool.ts';
import type { Holding } from './holding.ts';
import { type Condemned, type HousekeepingOwner, keepHouse, removeDead } from './housekeeping.ts';
import type { LogMetrics } from '../log-metrics.ts';
import type { Partition } from '../partition/partition.ts';
import type { Segment } from '../segment/segment.ts';
import { Turns } from '../turns.ts';

interface Parts {
  readonly host: Host;
  readonly config: LogConfig;
  readonly pool: FilePool;
  readonly metrics: LogMetrics;
  readonly holding: Holding;
  readonly gate: AppendGate;
  readonly room: DiskRoom;
  readonly checkpointer: Checkpointer;
  readonly partitions: () => Partition[];
  /** One that gives the write-ahead log up when the disk refuses it. */
  readonly checkpoint: () => Promise<void>;
}

/**
 * All that takes segments away, one piece of work at a time: retention, DeleteRecords, and what compaction replaced.
 * Whatever waits for a checkpoint that cannot be had is kept for the next time.
 */
export class Housekeeper implements HousekeepingOwner {
  condemned: readonly Condemned[] = [];
  readonly #parts: Parts;
  readonly #superseded: Segment[] = [];
  readonly #turns = new Turns();
  #compacting: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Retention, the disk bound and producers' expiry, now. Never rejects. */
  async keepHouse(): Promise<void> {
    const { host, metrics, room } = this.#parts;
    if (!this.takesWrites) return;
    const kept = this.#turns.inTurn(async () => {
      await keepHouse(this, host.clock.nowMs());
      await room.keepReserve();
    });
    await kept.catch((error: unknown) => {
      metrics.storageError('retention');
      host.log.error({ error: String(error) }, 'retention failed; it is tried again');
    });
  }

  /** Retention alone, also while the disk refuses. Rejects with what that says. */
  retain(): Promise<void> {
    return this.#turns.inTurn(() => keepHouse(this, this.#parts.host.clock.nowMs()));
  }

  /** A request moved the start of the partition: durable, and the files below it gone, when it resolves. */
  startMoved(partition: Partition): Promise<void> {
    return this.#turns.inTurn(() => removeDead(this, new Map([[partition, 'request']])));
  }

  /** Cleans the compacted topics, one partition after the other; calls while it runs share it. */
  compact(): Promise<void> {
    this.#compacting ??= compactPartitions(this.#compaction()).finally(() => {
      this.#compacting = undefined;
    });
    return this.#compacting;
  }

  /** Resolves when nothing of it runs. */
  async idle(): Promise<void> {
    await this.#turns.settled();
    await this.#compacting;
  }

  // What housekeeping asks for.

  get config(): LogConfig {
    return this.#parts.config;
  }

  get log(): Host['log'] {
    return this.#parts.host.log;
  }

  get metrics(): LogMetrics {
    return this.#parts.metrics;
  }

  get holding(): Holding {
    return this.#parts.holding;
  }

  get takesWrites(): boolean {
    return this.#parts.gate.state === 'writing';
  }

  partitions(): Partition[] {
    return this.#parts.partitions();
  }

  async saveStarts(): Promise<void> {
    const { gate, checkpointer } = this.#parts;
    if (gate.state === 'refusing') await checkpointer.trim();
    else await this.#parts.checkpoint();
  }

  async removeSegment(segment: Segment): Promise<void> {
    await segment.remove(this.#parts.pool);
  }

  #compaction(): CompactionOwner {
    const { host, pool, metrics, partitions, checkpoint } = this.#parts;
    return {
      host,
      pool,
      metrics,
      superseded: this.#superseded,
      partitions,
      mayClean: () => this.takesWrites,
      checkpoint: () => this.#turns.inTurn(checkpoint),
    };
  }
}
