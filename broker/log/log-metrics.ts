import type { Clock } from '../host/host.ts';
import type { Metrics } from '../host/metrics.ts';
import type { Partition } from './partition/partition.ts';

/** What the log counts. One place, so that names are found and no hot path looks a metric up by name. */
export interface LogMetrics {
  /** A group was written, and synced where that was waited for. */
  committed(batches: number, bytes: number, synced: boolean, durationMs: number): void;
  appended(labels: { topic: string }, records: number, bytes: number): void;
  duplicate(topic: string): void;
  truncated(kind: 'torn' | 'damage', bytes: number): void;
  storageError(operation: string): void;
  corruptBatch(topic: string): void;
  checkpoint(durationMs: number): void;
  deleted(reason: 'time' | 'size' | 'disk' | 'request' | 'compaction', bytes: number): void;
  /** Retention took what a group that the topic names had not read. */
  unreadDeleted(labels: { topic: string; group: string }, bytes: number): void;
  readOnly(yes: boolean): void;
}

const SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5];

export function logMetrics(metrics: Metrics): LogMetrics {
  const syncs = metrics.histogram(
    'millrace_broker_wal_commit_seconds',
    'One group commit: write and fdatasync.',
    SECONDS,
  );
  const writes = metrics.histogram(
    'millrace_broker_wal_write_seconds',
    'One group of lax topics alone, which is acknowledged when it is written: the write.',
    SECONDS,
  );
  const walBytes = metrics.counter(
    'millrace_broker_wal_written_bytes_total',
    'Bytes written to the write-ahead log.',
  );
  const batches = metrics.counter(
    'millrace_broker_wal_committed_batches_total',
    'Batches acknowledged, durable or, of lax topics, written.',
  );
  const records = metrics.counter('kafka_topic_appended_records_total', 'Records appended.');
  const bytesIn = metrics.counter('kafka_topic_appended_bytes_total', 'Bytes of batches appended.');
  const duplicates = metrics.counter(
    'millrace_broker_duplicate_batches_total',
    'Repeats by idempotent producers.',
  );
  const truncations = metrics.counter(
    'millrace_broker_truncated_bytes_total',
    'Bytes cut off or skipped in recovery.',
  );
  const errors = metrics.counter('millrace_broker_storage_errors_total', 'Operations that the disk refused.');
  const corrupt = metrics.counter('millrace_broker_corrupt_batches_total', 'Damaged batches met by readers.');
  const checkpoints = metrics.histogram('millrace_broker_checkpoint_seconds', 'One checkpoint.', SECONDS);
  const deleted = metrics.counter(
    'millrace_broker_deleted_bytes_total',
    'Bytes of segments deleted, by reason.',
  );
  const unread = metrics.counter(
    'millrace_broker_unread_deleted_bytes_total',
    'Bytes that retention deleted although a group in retention.hold.groups had not read them.',
  );
  const readOnly = metrics.gauge('millrace_broker_log_read_only', '1 while the disk takes no appends.');
  readOnly.set(0);
  return {
    committed(count, bytes, synced, durationMs) {
      (synced ? syncs : writes).observe(durationMs / 1_000);
      walBytes.add(bytes);
      batches.add(count);
    },
    appended(labels, count, bytes) {
      records.add(count, labels);
      bytesIn.add(bytes, labels);
    },
    duplicate: (topic) => duplicates.add(1, { topic }),
    truncated: (kind, bytes) => truncations.add(bytes, { kind }),
    storageError: (operation) => errors.add(1, { operation }),
    corruptBatch: (topic) => corrupt.add(1, { topic }),
    checkpoint: (durationMs) => checkpoints.observe(durationMs / 1_000),
    deleted: (reason, bytes) => deleted.add(bytes, { reason }),
    unreadDeleted: (labels, bytes) => unread.add(bytes, labels),
    readOnly: (yes) => readOnly.set(yes ? 1 : 0),
  };
}

/** Per topic, computed at each reading: the append path only adds two numbers on the partition. */
export function reportTopics(
  metrics: Metrics,
  log: LogMetrics,
  clock: Clock,
  topics: () => ReadonlyArray<{ readonly name: string; readonly partitions: readonly Partition[] }>,
): void {
  const size = metrics.gauge('kafka_topic_size_bytes', 'Bytes of batches kept.');
  const records = metrics.gauge('kafka_topic_records', 'Records kept; markers are none.');
  const used = metrics.gauge(
    'kafka_topic_retention_used_ratio',
    'Largest share of a retention bound that is used.',
  );
  metrics.onCollect(() => {
    for (const gauge of [size, records, used]) gauge.reset();
    for (const { name, partitions } of topics()) {
      const labels = { topic: name };
      let bytes = 0;
      let count = 0;
      let ratio = 0;
      let appendedRecords = 0;
      let appendedBytes = 0;
      for (const partition of partitions) {
        bytes += partition.sizeBytes;
        count += partition.recordsKept;
        ratio = Math.max(ratio, retentionUsed(partition, clock.nowMs()));
        appendedRecords += partition.appendedRecords;
        appendedBytes += partition.appendedBytes;
        partition.appendedRecords = 0;
        partition.appendedBytes = 0;
      }
      log.appended(labels, appendedRecords, appendedBytes);
      size.set(bytes, labels);
      records.set(count, labels);
      used.set(ratio, labels);
    }
  });
}

function retentionUsed(partition: Partition, nowMs: number): number {
  const { settings, oldestTimestampMs, sizeBytes } = partition;
  if (!settings.deletes) return 0;
  const age = oldestTimestampMs === undefined ? 0 : Math.max(0, nowMs - oldestTimestampMs);
  return Math.max(age / settings.retentionMs, sizeBytes / settings.retentionBytes);
}
