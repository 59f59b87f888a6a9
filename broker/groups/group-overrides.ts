/** Settings of single groups (`kafka-configs --entity-type groups`), where they differ from the broker's. */
import type { BrokerConfig } from '../config.ts';

/** What an administrator has set for a group; nothing by default. Values are strings, checked when they were set. */
export type GroupOverrides = (groupId: string) => Readonly<Record<string, string>>;

export const NO_OVERRIDES: GroupOverrides = () => ({});

export type ConsumerTimeoutConfig = Pick<
  BrokerConfig,
  | 'groupConsumerSessionTimeoutMs'
  | 'groupConsumerMinSessionTimeoutMs'
  | 'groupConsumerMaxSessionTimeoutMs'
  | 'groupConsumerHeartbeatIntervalMs'
  | 'groupConsumerMinHeartbeatIntervalMs'
  | 'groupConsumerMaxHeartbeatIntervalMs'
>;

export const SESSION_TIMEOUT = 'consumer.session.timeout.ms';
export const HEARTBEAT_INTERVAL = 'consumer.heartbeat.interval.ms';

/** Names of settings a consumer group may have, with the bounds that the broker gives them. */
export function consumerOverrideBounds(
  config: ConsumerTimeoutConfig,
): Readonly<Record<string, { readonly min: number; readonly max: number; readonly fallback: number }>> {
  return {
    [SESSION_TIMEOUT]: {
      min: config.groupConsumerMinSessionTimeoutMs,
      max: config.groupConsumerMaxSessionTimeoutMs,
      fallback: config.groupConsumerSessionTimeoutMs,
    },
    [HEARTBEAT_INTERVAL]: {
      min: config.groupConsumerMinHeartbeatIntervalMs,
      max: config.groupConsumerMaxHeartbeatIntervalMs,
      fallback: config.groupConsumerHeartbeatIntervalMs,
    },
  };
}

/** What holds for the group: a value out of today's bounds is moved to the nearest. */
export function effectiveOverride(
  config: ConsumerTimeoutConfig,
  overrides: Readonly<Record<string, string>>,
  name: typeof SESSION_TIMEOUT | typeof HEARTBEAT_INTERVAL,
): number {
  const { min, max, fallback } = consumerOverrideBounds(config)[name]!;
  const given = overrides[name];
  if (given === undefined || !Number.isFinite(Number(given))) return fallback;
  return Math.min(max, Math.max(min, Number(given)));
}
