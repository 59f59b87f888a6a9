/**
 * How far the readers are behind, and how near retention is to what they have not read: the gauges of the
 * Pipeline dashboard.
 */
import type { Host } from '../host/host.ts';
import type { Gauge } from '../host/metrics.ts';
import type { BrokerLog, PartitionLog, Topic } from '../log/log.ts';
import type { GroupCoordinator } from './coordinator.ts';
import type { GroupEntry } from './group-entry.ts';

const PERIOD_MS = 5_000;

export interface RetentionConfig {
  /** -1 is no bound. */
  readonly retentionMs: number;
  readonly retentionBytes: number;
}

/** A group's distance from the end of one topic, over its partitions. */
export interface Lag {
  readonly group: string;
  readonly topic: string;
  /** Records not yet read. */
  readonly records: number;
  /** Age of the oldest unread record; 0 when all is read. */
  readonly seconds: number;
  /** Until the oldest unread record is past its retention time; undefined when all is read, or never. */
  readonly expirySeconds: number | undefined;
}

/** Keeps the gauges up to date until cancelled. */
export function measureReaders(
  host: Host,
  log: BrokerLog,
  groups: GroupCoordinator,
  config: RetentionConfig,
): () => void {
  const { metrics } = host;
  const gauges = {
    lag: metrics.gauge('kafka_consumergroup_lag', 'Records that the group has not read.'),
    seconds: metrics.gauge('kafka_consumergroup_lag_seconds', 'Age of the oldest record not read.'),
    expiry: metrics.gauge(
      'kafka_consumergroup_unread_expiry_seconds',
      'Time until the oldest record not read is past its retention time.',
    ),
  };
  const members = metrics.gauge('kafka_consumergroup_members', 'Members of the group.');
  const size = metrics.gauge('kafka_topic_size_bytes', 'Bytes that retention counts.');
  const records = metrics.gauge('kafka_topic_records', 'Offsets between start and end.');
  const used = metrics.gauge(
    'kafka_topic_retention_used_ratio',
    'How much of its retention the fullest partition uses, by size or age; above 1 is deleted next.',
  );
  metrics.onCollect(() => {
    members.reset();
    for (const { group } of groups.groups.values()) {
      members.set(group.members.size, { group: group.groupId });
    }
    const nowMs = host.clock.nowMs();
    for (const gauge of [size, records, used]) gauge.reset();
    for (const topic of log.topics()) {
      const labels = { topic: topic.name };
      size.set(
        sum(topic, (one) => one.sizeBytes),
        labels,
      );
      records.set(
        sum(topic, (one) => one.highWatermark - one.startOffset),
        labels,
      );
      used.set(retentionUsed(topic, config, nowMs), labels);
    }
  });
  let running = false;
  const measure = async (): Promise<void> => {
    // Reading timestamps may touch the disk; a slow one must not pile the rounds up.
    if (running) return;
    running = true;
    try {
      setLags(gauges, await lagsOf(groups.groups.values(), log, config, host.clock.nowMs()));
    } catch (error) {
      host.log.warn({ err: error }, 'cannot measure the lag of the groups');
    } finally {
      running = false;
    }
  };
  void measure();
  return host.timers.every(PERIOD_MS, () => void measure());
}

function setLags(gauges: { lag: Gauge; seconds: Gauge; expiry: Gauge }, lags: readonly Lag[]): void {
  for (const gauge of Object.values(gauges)) gauge.reset();
  for (const { group, topic, records, seconds, expirySeconds } of lags) {
    const labels = { group, topic };
    gauges.lag.set(records, labels);
    gauges.seconds.set(seconds, labels);
    if (expirySeconds !== undefined) gauges.expiry.set(expirySeconds, labels);
  }
}

/** The lag of every group in every topic that it has a position in. */
export async function lagsOf(
  groups: Iterable<GroupEntry>,
  log: BrokerLog,
  config: RetentionConfig,
  nowMs: number,
): Promise<Lag[]> {
  const lags: Lag[] = [];
  for (const { group, offsets } of groups) {
    for (const [name, positions] of offsets.topics) {
      const topic = log.topic(name);
      if (!topic) continue;
      let unread = 0;
      let oldestMs = Infinity;
      for (const partition of topic.partitions) {
        const committed = positions.get(partition.partition)?.offset;
        if (committed === undefined) continue;
        // What retention has already taken cannot be read any more: it is lost, not late.
        const next = Math.max(committed, partition.startOffset);
        const behind = partition.highWatermark - next;
        if (behind <= 0) continue;
        unread += behind;
        oldestMs = Math.min(oldestMs, (await timestampAt(partition, next)) ?? Infinity);
      }
      lags.push({
        group: group.groupId,
        topic: name,
        records: unread,
        ...ageOf(oldestMs, retentionMsOf(topic, config), nowMs),
      });
    }
  }
  return lags;
}

function ageOf(
  oldestMs: number,
  retentionMs: number,
  nowMs: number,
): { seconds: number; expirySeconds: number | undefined } {
  if (oldestMs === Infinity) return { seconds: 0, expirySeconds: undefined };
  return {
    seconds: Math.max(0, nowMs - oldestMs) / 1000,
    expirySeconds: retentionMs < 0 ? undefined : (oldestMs + retentionMs - nowMs) / 1000,
  };
}

/** Undefined where the record is gone by now. */
async function timestampAt(partition: PartitionLog, offset: number): Promise<number | undefined> {
  try {
    return await partition.timestampAt(offset);
  } catch {
    return undefined;
  }
}

function retentionUsed(topic: Topic, config: RetentionConfig, nowMs: number): number {
  const retentionMs = retentionMsOf(topic, config);
  const retentionBytes = Number(topic.configs['retention.bytes'] ?? config.retentionBytes);
  if (!isDeleted(topic)) return 0;
  let most = 0;
  for (const { sizeBytes, oldestTimestampMs } of topic.partitions) {
    if (retentionBytes > 0) most = Math.max(most, sizeBytes / retentionBytes);
    if (retentionMs > 0 && oldestTimestampMs !== undefined) {
      most = Math.max(most, (nowMs - oldestTimestampMs) / retentionMs);
    }
  }
  return most;
}

/** -1: kept for ever. */
function retentionMsOf(topic: Topic, config: RetentionConfig): number {
  if (!isDeleted(topic)) return -1;
  return Number(topic.configs['retention.ms'] ?? config.retentionMs);
}

function isDeleted(topic: Topic): boolean {
  return (topic.configs['cleanup.policy'] ?? 'delete').includes('delete');
}

function sum(topic: Topic, of: (partition: PartitionLog) => number): number {
  let total = 0;
  for (const partition of topic.partitions) total += of(partition);
  return total;
}
