/**
 * Settings of share groups: those of the broker hold for all groups, and an administrator may set some of them for
 * one group (`kafka-configs --entity-type groups`). They act at once: a lock that is running keeps its end.
 */
import type { DeliveryRules } from './share-partition.ts';

export interface ShareConfig {
  readonly shareRecordLockDurationMs: number;
  readonly shareMinRecordLockDurationMs: number;
  readonly shareMaxRecordLockDurationMs: number;
  readonly shareDeliveryCountLimit: number;
  readonly sharePartitionMaxRecordLocks: number;
  readonly shareSessionTimeoutMs: number;
  readonly shareMinSessionTimeoutMs: number;
  readonly shareMaxSessionTimeoutMs: number;
  readonly shareHeartbeatIntervalMs: number;
  readonly shareMinHeartbeatIntervalMs: number;
  readonly shareMaxHeartbeatIntervalMs: number;
  readonly shareGroupMaxSize: number;
  readonly shareSessionsMax: number;
  readonly shareStatePartitions: number;
  readonly shareStateRewriteBytes: number;
  readonly deadLetterTopicPrefix: string;
  readonly deadLetterAutoCreateTopics: boolean;
}

export type OffsetReset =
  | { readonly kind: 'earliest' | 'latest' }
  | { readonly kind: 'by_duration'; readonly durationMs: number };

export interface ShareSettings extends Omit<DeliveryRules, 'deadLetters'> {
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly autoOffsetReset: OffsetReset;
  readonly isReadCommitted: boolean;
  readonly isRenewEnabled: boolean;
  /** '' for none. */
  readonly deadLetterTopic: string;
  /** Dead letters carry key and value of the record, not only where it was. */
  readonly copiesRecords: boolean;
}

/** What an administrator has set for one group, by Kafka's names. */
export type GroupConfigs = (groupId: string) => Readonly<Record<string, string>>;

/** What holds for one group: what is set for it, within the bounds of the broker, else what the broker says. */
export function shareSettings(config: ShareConfig, set: Readonly<Record<string, string>>): ShareSettings {
  const { shareMinRecordLockDurationMs: lockMin, shareMaxRecordLockDurationMs: lockMax } = config;
  const text = (name: string): string => (set[name] ?? '').trim();
  return {
    lockDurationMs: number(
      text('share.record.lock.duration.ms'),
      config.shareRecordLockDurationMs,
      lockMin,
      lockMax,
    ),
    deliveryCountLimit: number(text('share.delivery.count.limit'), config.shareDeliveryCountLimit, 2, 10),
    recordLocksMax: number(
      text('share.partition.max.record.locks'),
      config.sharePartitionMaxRecordLocks,
      100,
      4_000,
    ),
    sessionTimeoutMs: number(
      text('share.session.timeout.ms'),
      config.shareSessionTimeoutMs,
      config.shareMinSessionTimeoutMs,
      config.shareMaxSessionTimeoutMs,
    ),
    heartbeatIntervalMs: number(
      text('share.heartbeat.interval.ms'),
      config.shareHeartbeatIntervalMs,
      config.shareMinHeartbeatIntervalMs,
      config.shareMaxHeartbeatIntervalMs,
    ),
    autoOffsetReset: offsetResetOf(text('share.auto.offset.reset')) ?? { kind: 'latest' },
    isReadCommitted: text('share.isolation.level') === 'read_committed',
    isRenewEnabled: text('share.renew.acknowledge.enable').toLowerCase() !== 'false',
    deadLetterTopic: text('errors.deadletterqueue.topic.name'),
    copiesRecords: text('errors.deadletterqueue.copy.record.enable').toLowerCase() === 'true',
  };
}

export function offsetResetOf(value: string): OffsetReset | undefined {
  const kind = value.toLowerCase();
  if (kind === 'latest' || kind === 'earliest') return { kind };
  const iso = /^by_duration:P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(value);
  if (!iso || iso.slice(1).every((part) => part === undefined)) return undefined;
  const [days, hours, minutes, seconds] = iso.slice(1).map((part) => Number(part ?? 0));
  return {
    kind: 'by_duration',
    durationMs: (((days! * 24 + hours!) * 60 + minutes!) * 60 + seconds!) * 1000,
  };
}

function number(text: string, otherwise: number, min: number, max: number): number {
  return /^\+?\d+$/.test(text) ? Math.min(max, Math.max(min, Number(text))) : otherwise;
}
