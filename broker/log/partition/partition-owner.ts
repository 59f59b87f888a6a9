import type { LogError } from '../errors.ts';
import type { FilePool } from '../segment/file-pool.ts';
import type { LogMetrics } from '../log-metrics.ts';
import type { Partition } from './partition.ts';
import type { TailMemory } from './tail-memory.ts';
import type { WalItem } from '../wal/wal-group.ts';

/** What a partition needs of the log around it. */
export interface PartitionOwner {
  readonly pool: FilePool;
  readonly metrics: LogMetrics;
  /** Throws KAFKA_STORAGE_ERROR when appends are refused just now. */
  admit(batchBytes: number): void;
  enqueue(item: WalItem): void;
  /** The partition has more to write to its segments. */
  unwritten(partition: Partition): void;
  /** A read met a batch that is not what was written. */
  damaged(partition: Partition, error: LogError): void;
  /** Makes a new start offset durable and removes what is below. */
  startMoved(partition: Partition): Promise<void>;
  readonly producerExpiryMs: number;
  nowMs(): number;
  /** Of the newest batches of all partitions. */
  readonly tailMemory: TailMemory;
}
