/**
 * What the readers of the log have left, as metrics. Names and labels that the Prometheus exporters for Kafka have are
 * theirs (`consumergroup`); beside it stands `group`, which all of ours have.
 */
import type { Host } from '../host/host.ts';
import type { Gauge, GaugeDraft, Labels } from '../host/metrics.ts';
import type { BrokerLog } from '../log/log.ts';
import { LagWatch, type MeasuredTopic, type Round } from './lag-watch.ts';
import type { PartitionLag } from './reader-lag.ts';
import { emptySinceMs, type Readers } from './reader-positions.ts';

/** Groups times topics, and partitions, that get series of their own: each is sent every 5 s with our telemetry. */
const TOPICS_MAX = 1_000;
const PARTITIONS_MAX = 500;

const HELP = {
  kafka_consumergroup_lag: 'Records that the group has not read, by partition.',
  kafka_consumergroup_current_offset: 'Next offset that the group reads, by partition.',
  kafka_consumergroup_lag_sum: 'Records that the group has not read.',
  kafka_consumergroup_lag_bytes: 'Stored bytes of the batches that the group has not read.',
  kafka_consumergroup_lag_seconds: 'Age of the oldest record not read.',
  kafka_consumergroup_unread_expiry_seconds: 'Time until retention deletes the oldest record not read.',
  kafka_consumergroup_lag_change: 'Change of the lag over the last minutes, records a second.',
  kafka_consumergroup_catch_up_seconds: 'Time until nothing is unread, when the lag goes on to fall so.',
  kafka_consumergroup_trend: 'Where the lag goes: 1 for the word that holds.',
  kafka_consumergroup_held_records: 'Records not read because a transaction before them is open.',
  kafka_consumergroup_lost_offsets: 'Offsets between the position of the group and the start of the log.',
  kafka_consumergroup_partition_lag_bytes: 'Stored bytes that the group has not read, where there are any.',
  kafka_consumergroup_partition_lag_seconds: 'Age of the oldest record not read, where there is one.',
  kafka_consumergroup_partition_lag_change: 'Change of the lag of a partition that is not all read.',
  kafka_consumergroup_partition_unread_expiry_seconds:
    'Time until retention deletes the oldest record not read of a partition.',
  kafka_consumergroup_partition_trend: 'Where the lag of a partition that is not all read goes.',
} as const;
type Name = keyof typeof HELP;

/** Keeps the metrics up to date until cancelled. */
export function watchReaders(host: Host, log: BrokerLog, readers: Readers): () => void {
  const { metrics } = host;
  const gauges = Object.fromEntries(
    Object.entries(HELP).map(([name, help]) => [name, metrics.gauge(name, help)]),
  ) as Record<Name, Gauge>;
  const lost = metrics.counter(
    'kafka_consumergroup_expired_unread_records_total',
    'Records that retention deleted before the group had read them.',
  );
  const rest = {
    unknown: metrics.gauge(
      'millrace_broker_unknown_lag_partitions',
      'Partitions of groups whose lag could not be measured; they are in no sum.',
    ),
    stale: metrics.gauge(
      'millrace_broker_stale_lag_partitions',
      'Partitions of groups whose lag is of an earlier round.',
    ),
    omitted: metrics.gauge(
      'millrace_broker_omitted_lag_series',
      'Groups by topic, and partitions of them, that are too many for series of their own.',
    ),
    disk: metrics.gauge(
      'millrace_broker_disk_used_ratio',
      'Bytes of all segments by what the disk bound leaves them.',
    ),
  };
  reportMembers(host, readers);
  const watch = new LagWatch(host, log, readers, {
    onLost: (group, topic, records) => lost.add(records, { group, topic }),
    onRound: async (round, pause) => {
      const omitted = await publish(gauges, round, pause);
      rest.unknown.set(round.unknown);
      rest.stale.set(round.stale);
      rest.omitted.set(omitted);
      rest.disk.set(round.disk.bytes / round.disk.bytesMax);
    },
  });
  return watch.start();
}

function reportMembers({ metrics, clock }: Host, { groups, shares }: Readers): void {
  const members = metrics.gauge('kafka_consumergroup_members', 'Members of the group.');
  const empty = metrics.gauge(
    'kafka_consumergroup_empty_seconds',
    'For how long the group has had no members, or, where it never had any, committed nothing.',
  );
  metrics.onCollect(() => {
    members.reset();
    empty.reset();
    let left = TOPICS_MAX;
    for (const entry of groups.groups.values()) {
      if (left-- <= 0) return;
      const { groupId, group } = entry;
      members.set(group.members.size, { consumergroup: groupId, group: groupId });
      const sinceMs = emptySinceMs(entry);
      if (sinceMs !== undefined) {
        empty.set(Math.max(0, clock.nowMs() - sinceMs) / 1_000, { group: groupId });
      }
    }
    for (const { groupId } of shares.list()) {
      if (left-- <= 0) return;
      const size = shares.get(groupId)?.group.members.size ?? 0;
      members.set(size, { consumergroup: groupId, group: groupId });
    }
  });
}

/** @returns how many were too many */
async function publish(
  gauges: Record<Name, Gauge>,
  { topics }: Round,
  pause: () => Promise<void>,
): Promise<number> {
  const drafts = Object.fromEntries(
    Object.entries(gauges).map(([name, gauge]) => [name, gauge.draft()]),
  ) as Record<Name, GaugeDraft>;
  let topicsLeft = TOPICS_MAX;
  let partitionsLeft = PARTITIONS_MAX;
  let omitted = 0;
  for (const one of topics) {
    if (topicsLeft-- > 0) publishTopic(drafts, one);
    else omitted += 1;
    for (const partition of one.partitions) {
      await pause();
      if (partitionsLeft-- > 0) publishPartition(drafts, partition);
      else omitted += 1;
    }
  }
  for (const draft of Object.values(drafts)) draft.publish();
  return omitted;
}

function publishTopic(to: Record<Name, GaugeDraft>, { lag, trend }: MeasuredTopic): void {
  const { group, topic, expiry } = lag;
  const labels = { group, topic };
  to.kafka_consumergroup_lag_sum.set(lag.records, { consumergroup: group, ...labels });
  to.kafka_consumergroup_lag_bytes.set(lag.bytes, labels);
  to.kafka_consumergroup_lag_seconds.set(lag.seconds, labels);
  setIfKnown(to.kafka_consumergroup_unread_expiry_seconds, expiry.inMs / 1_000, {
    ...labels,
    by: expiry.by,
  });
  setIfKnown(to.kafka_consumergroup_lag_change, trend.slopePerS, labels);
  if (lag.records > 0) setIfKnown(to.kafka_consumergroup_catch_up_seconds, trend.zeroInS, labels);
  if (lag.heldRecords > 0) to.kafka_consumergroup_held_records.set(lag.heldRecords, labels);
  if (lag.lostOffsets > 0) to.kafka_consumergroup_lost_offsets.set(lag.lostOffsets, labels);
  to.kafka_consumergroup_trend.set(1, { ...labels, trend: trend.name });
}

function publishPartition(to: Record<Name, GaugeDraft>, lag: PartitionLag): void {
  const { group, topic, expiry, trend } = lag;
  const labels = { group, topic, partition: String(lag.partition) };
  to.kafka_consumergroup_lag.set(lag.records, { consumergroup: group, ...labels });
  to.kafka_consumergroup_current_offset.set(lag.offset, { consumergroup: group, ...labels });
  if (lag.records === 0) return;
  to.kafka_consumergroup_partition_lag_bytes.set(lag.bytes, labels);
  to.kafka_consumergroup_partition_lag_seconds.set(lag.seconds, labels);
  setIfKnown(to.kafka_consumergroup_partition_unread_expiry_seconds, expiry.inMs / 1_000, labels);
  setIfKnown(to.kafka_consumergroup_partition_lag_change, trend.slopePerS, labels);
  to.kafka_consumergroup_partition_trend.set(1, { ...labels, trend: trend.name });
}

/** Never, and not known, are no series. */
function setIfKnown(gauge: GaugeDraft, value: number | undefined, labels: Labels): void {
  if (value !== undefined && Number.isFinite(value)) gauge.set(value, labels);
}
