const MIB = 1024 * 1024;

/** What the log is told. Bytes, milliseconds. */
export interface LogConfig {
  readonly dataDir: string;
  /** Over all topics; the oldest sealed segments go first. */
  readonly diskBytesMax: number;
  readonly retentionMs: number;
  /** Per partition. */
  readonly retentionBytes: number;
  readonly segmentBytes: number;
  readonly segmentMs: number;
  readonly maxMessageBytes: number;
  /** A write-ahead log file is closed, and a checkpoint made, when it reaches this. */
  readonly walFileBytes: number;
  /** Batches that wait for the disk; beyond, appends are refused. */
  readonly unsyncedBytesMax: number;
  /** Memory for the newest batches of all partitions, which readers find there after they were written. */
  readonly tailBytesMax: number;
  readonly retentionCheckMs: number;
  /** How often compacted topics are looked at. */
  readonly cleanerCheckMs: number;
  readonly producerExpiryMs: number;
  /** How often the disk is tried again after it refused. */
  readonly probeMs: number;
  /** A file that is given up when the disk is full, so that a checkpoint fits; 0: none. */
  readonly reserveBytes: number;
}

export const LOG_DEFAULTS: Omit<LogConfig, 'dataDir'> = {
  diskBytesMax: 10 * 1024 * MIB,
  retentionMs: 7 * 24 * 3_600_000,
  retentionBytes: 1024 * MIB,
  // With tens of partitions, active segments (which are never deleted) must stay a small part of the disk bound.
  segmentBytes: 64 * MIB,
  segmentMs: 7 * 24 * 3_600_000,
  // Kafka's default: 1 MiB and the 12 bytes in front of it.
  maxMessageBytes: MIB + 12,
  // Bounds what a start replays: 64 MiB take about 0.1 s to read and check.
  walFileBytes: 64 * MIB,
  // Half a second of a slow disk; more only makes producers wait in memory instead of in their own.
  unsyncedBytesMax: 64 * MIB,
  // A third of a second at full speed; who reads later reads from the page cache.
  tailBytesMax: 32 * MIB,
  retentionCheckMs: 30_000,
  // Kafka's log.cleaner.backoff.ms.
  cleanerCheckMs: 15_000,
  // Kafka's producer.id.expiration.ms.
  producerExpiryMs: 24 * 3_600_000,
  probeMs: 1_000,
  // A checkpoint takes about 100 bytes a segment and 500 an idempotent producer, and is there twice while it is replaced.
  reserveBytes: 4 * MIB,
};
