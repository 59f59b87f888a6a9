/**
 * The broker's settings under Kafka's names: where their value comes from, and which of them can be changed over the
 * wire. Kafka's update modes: `read-only` comes from the configuration file alone, `cluster-wide` can be set for all
 * brokers (the empty name) or for one.
 */
import { type BrokerConfig } from '../config.ts';
import {
  anything,
  boolean,
  fraction,
  gzipLevel,
  INFINITE,
  int,
  INT_MAX,
  listOf,
  long,
  oneOf,
} from './checks.ts';
import type { Check, ConfigType, Definition } from './definition.ts';

/** Metadata of a commit is kept in memory for as long as the position is. */
export const OFFSET_METADATA_BYTES_MAX = 4096;

/** Settings of `BrokerConfig` that a change over the wire replaces while the broker runs. */
export type LiveKey = {
  [K in keyof BrokerConfig]-?: BrokerConfig[K] extends number ? K : never;
}[keyof BrokerConfig];

export interface BrokerSetting extends Definition {
  /** Kafka's own; null where Kafka has none. */
  readonly kafkaDefault: string | null;
  /** From the configuration file; undefined where Kafka's default holds here. */
  readonly value: ((config: BrokerConfig) => string | null) | undefined;
  readonly mode: 'read-only' | 'cluster-wide';
  /** What a change replaces; undefined where the topics' defaults follow, or nothing does. */
  readonly live: LiveKey | undefined;
}

const SERVER = 'server/server.ts';
const TOPICS = 'server/topics.ts';
const SHARE = 'share/share-settings.ts';
const DEAD_LETTERS = 'share/dead-letters.ts';
const GROUPS = 'groups/coordinator.ts';
const CONSUMER_GROUPS = 'groups/consumer';
const TRANSACTIONS = 'transactions/coordinator.ts';
const DEFAULTS = 'log/topics/disk-topics.ts';
const FROM_TOPICS = 'The default of topics that do not say themselves.';
const WITHOUT = 'Accepted for tools that set it; without effect here.';

/** Kafka's retention where nobody says: in hours there. */
const WEEK_MS = 7 * 86_400_000;

type Given = number | string | boolean | null;

export const BROKER_CONFIGS: readonly BrokerSetting[] = [
  fixed('auto.create.topics.enable', 'boolean', 'true', (config) => config.autoCreateTopics, TOPICS),
  fixed('broker.id', 'int', '-1', (config) => config.nodeId, SERVER),
  fixed('connections.max.idle.ms', 'long', '600000', (config) => config.connectionIdleMs, SERVER),
  fixed('controller.listener.names', 'list', null, () => 'CONTROLLER'),
  fixed('default.replication.factor', 'int', '1', () => 1, 'handlers/create-topics.ts'),
  fixed(
    'delete.topic.enable',
    'boolean',
    'true',
    (config) => config.deleteTopics,
    'handlers/delete-topics.ts',
  ),
  fixed('fetch.max.bytes', 'int', '57671680', (config) => config.fetchBytesMax, 'handlers/fetch.ts'),
  fixed('group.consumer.assignors', 'list', 'uniform,range', () => 'uniform,range', CONSUMER_GROUPS),
  fixed(
    'group.consumer.heartbeat.interval.ms',
    'int',
    '5000',
    (config) => config.groupConsumerHeartbeatIntervalMs,
    CONSUMER_GROUPS,
  ),
  fixed(
    'group.consumer.max.heartbeat.interval.ms',
    'int',
    '15000',
    (config) => config.groupConsumerMaxHeartbeatIntervalMs,
    CONSUMER_GROUPS,
  ),
  fixed(
    'group.consumer.max.session.timeout.ms',
    'int',
    '60000',
    (config) => config.groupConsumerMaxSessionTimeoutMs,
    CONSUMER_GROUPS,
  ),
  fixed(
    'group.consumer.max.size',
    'int',
    '2147483647',
    (config) => config.groupConsumerMaxSize,
    CONSUMER_GROUPS,
  ),
  fixed(
    'group.consumer.migration.policy',
    'string',
    'bidirectional',
    (config) => config.groupConsumerMigrationPolicy,
    CONSUMER_GROUPS,
  ),
  fixed(
    'group.consumer.min.heartbeat.interval.ms',
    'int',
    '5000',
    (config) => config.groupConsumerMinHeartbeatIntervalMs,
    CONSUMER_GROUPS,
  ),
  fixed(
    'group.consumer.min.session.timeout.ms',
    'int',
    '45000',
    (config) => config.groupConsumerMinSessionTimeoutMs,
    CONSUMER_GROUPS,
  ),
  fixed(
    'group.consumer.session.timeout.ms',
    'int',
    '45000',
    (config) => config.groupConsumerSessionTimeoutMs,
    CONSUMER_GROUPS,
  ),
  fixed(
    'group.initial.rebalance.delay.ms',
    'int',
    '3000',
    (config) => config.groupInitialRebalanceDelayMs,
    GROUPS,
  ),
  fixed(
    'group.max.session.timeout.ms',
    'int',
    '1800000',
    (config) => config.groupMaxSessionTimeoutMs,
    GROUPS,
  ),
  fixed('group.max.size', 'int', '2147483647', (config) => config.groupMaxSize, GROUPS),
  fixed('group.min.session.timeout.ms', 'int', '6000', (config) => config.groupMinSessionTimeoutMs, GROUPS),
  fixed('group.share.delivery.count.limit', 'int', '5', (config) => config.shareDeliveryCountLimit, SHARE),
  fixed(
    'group.share.heartbeat.interval.ms',
    'int',
    '5000',
    (config) => config.shareHeartbeatIntervalMs,
    SHARE,
  ),
  fixed(
    'group.share.max.record.lock.duration.ms',
    'int',
    '60000',
    (config) => config.shareMaxRecordLockDurationMs,
    SHARE,
  ),
  fixed(
    'group.share.max.heartbeat.interval.ms',
    'int',
    '15000',
    (config) => config.shareMaxHeartbeatIntervalMs,
    SHARE,
  ),
  fixed(
    'group.share.max.session.timeout.ms',
    'int',
    '60000',
    (config) => config.shareMaxSessionTimeoutMs,
    SHARE,
  ),
  fixed(
    'group.share.min.heartbeat.interval.ms',
    'int',
    '5000',
    (config) => config.shareMinHeartbeatIntervalMs,
    SHARE,
  ),
  fixed(
    'group.share.min.session.timeout.ms',
    'int',
    '45000',
    (config) => config.shareMinSessionTimeoutMs,
    SHARE,
  ),
  fixed('group.share.max.delivery.count.limit', 'int', '10', () => 10, SHARE),
  fixed('group.share.max.partition.max.record.locks', 'int', '4000', () => 4_000, SHARE),
  fixed('group.share.min.delivery.count.limit', 'int', '2', () => 2, SHARE),
  fixed('group.share.min.partition.max.record.locks', 'int', '100', () => 100, SHARE),
  fixed(
    'group.share.max.share.sessions',
    'int',
    '2000',
    (config) => config.shareSessionsMax,
    'share/share-session.ts',
  ),
  fixed('group.share.max.size', 'int', '200', (config) => config.shareGroupMaxSize, 'share/share-group.ts'),
  fixed(
    'group.share.min.record.lock.duration.ms',
    'int',
    '15000',
    (config) => config.shareMinRecordLockDurationMs,
    SHARE,
  ),
  fixed(
    'group.share.partition.max.record.locks',
    'int',
    '2000',
    (config) => config.sharePartitionMaxRecordLocks,
    SHARE,
  ),
  fixed(
    'group.share.record.lock.duration.ms',
    'int',
    '30000',
    (config) => config.shareRecordLockDurationMs,
    SHARE,
  ),
  fixed('group.share.session.timeout.ms', 'int', '45000', (config) => config.shareSessionTimeoutMs, SHARE),
  fixed(
    'errors.deadletterqueue.auto.create.topics.enable',
    'boolean',
    'false',
    (config) => config.deadLetterAutoCreateTopics,
    DEAD_LETTERS,
  ),
  fixed(
    'errors.deadletterqueue.topic.name.prefix',
    'string',
    'dlq.',
    (config) => config.deadLetterTopicPrefix,
    DEAD_LETTERS,
  ),
  fixed(
    'log.retention.check.interval.ms',
    'long',
    '300000',
    (config) => config.logRetentionCheckIntervalMs,
    'log/disk-log.ts',
  ),
  fixed('log.cleaner.backoff.ms', 'long', '15000', (config) => config.logCleanerBackoffMs, 'log/disk-log.ts'),
  // What Kafka has by default instead of the settings in milliseconds.
  fixed('log.retention.hours', 'int', '168', () => 168),
  fixed('log.roll.hours', 'int', '168', () => 168),
  fixed('log.dirs', 'string', null, (config) => config.dataDir, 'log/open-log.ts'),
  fixed(
    'max.incremental.fetch.session.cache.slots',
    'int',
    '1000',
    (config) => config.fetchSessionsMax,
    'fetch/session-cache.ts',
  ),
  fixed('node.id', 'int', null, (config) => config.nodeId, SERVER),
  fixed('num.partitions', 'int', '1', (config) => config.numPartitions, TOPICS),
  fixed(
    'offset.metadata.max.bytes',
    'int',
    '4096',
    () => OFFSET_METADATA_BYTES_MAX,
    'handlers/offset-commit.ts',
  ),
  fixed(
    'offsets.retention.minutes',
    'int',
    '10080',
    (config) => Math.round(config.offsetsRetentionMs / 60_000),
    GROUPS,
  ),
  fixed('offsets.topic.num.partitions', 'int', '50', (config) => config.offsetsTopicPartitions, GROUPS),
  fixed('offsets.topic.replication.factor', 'short', '3', () => 1),
  fixed('process.roles', 'list', '', () => 'broker,controller'),
  fixed('queued.max.request.bytes', 'long', '-1', (config) => config.bufferedBytesMax, SERVER),
  fixed('socket.request.max.bytes', 'int', '104857600', (config) => config.requestBytesMax, SERVER),
  fixed(
    'transaction.abort.timed.out.transaction.cleanup.interval.ms',
    'int',
    '10000',
    (config) => config.transactionAbortIntervalMs,
    TRANSACTIONS,
  ),
  fixed(
    'transaction.max.timeout.ms',
    'int',
    '900000',
    (config) => config.transactionMaxTimeoutMs,
    TRANSACTIONS,
  ),
  fixed(
    'transaction.partition.verification.enable',
    'boolean',
    'true',
    (config) => config.transactionPartitionVerification,
    TRANSACTIONS,
  ),
  fixed(
    'transaction.state.log.num.partitions',
    'int',
    '50',
    (config) => config.transactionTopicPartitions,
    TRANSACTIONS,
  ),
  fixed('transaction.state.log.replication.factor', 'short', '3', () => 1),
  fixed(
    'transactional.id.expiration.ms',
    'int',
    '604800000',
    (config) => config.transactionalIdExpirationMs,
    TRANSACTIONS,
  ),
  fixed('group.streams.assignment.interval.ms', 'int', '1000', () => '1000'),
  fixed('group.streams.assignors', 'list', 'sticky', () => 'sticky'),
  fixed('group.streams.heartbeat.interval.ms', 'int', '5000', () => '5000'),
  fixed('group.streams.initial.rebalance.delay.ms', 'int', '3000', () => '3000'),
  fixed('group.streams.num.standby.replicas', 'int', '0', () => '0'),
  fixed('group.streams.rack.aware.assignment.tags', 'list', '', () => ''),
  fixed('group.streams.session.timeout.ms', 'int', '45000', () => '45000'),
  fixed('group.consumer.assignment.interval.ms', 'int', '1000', () => 1_000),
  fixed('group.share.assignment.interval.ms', 'int', '1000', () => 1_000),

  live('max.connections', 'int', '2147483647', 'connectionsMax', int(0), {
    text: 'Connections at once; one more is refused.',
    actsIn: SERVER,
  }),
  live('message.max.bytes', 'int', '1048588', 'messageBytesMax', int(0), {
    text: FROM_TOPICS,
    actsIn: DEFAULTS,
  }),
  live('log.retention.ms', 'long', null, 'retentionMs', long(-1), {
    text: FROM_TOPICS,
    actsIn: DEFAULTS,
  }),
  live('log.retention.bytes', 'long', '-1', 'retentionBytes', long(-1), {
    text: FROM_TOPICS,
    actsIn: DEFAULTS,
  }),
  live('log.segment.bytes', 'int', '1073741824', 'segmentBytes', int(1024 * 1024), {
    text: FROM_TOPICS,
    actsIn: DEFAULTS,
  }),
  dynamic('compression.type', 'string', 'producer', compression, { text: FROM_TOPICS, actsIn: DEFAULTS }),
  dynamic('log.cleanup.policy', 'list', 'delete', listOf('delete', 'compact'), {
    text: FROM_TOPICS,
    actsIn: DEFAULTS,
  }),
  dynamic('log.message.timestamp.after.max.ms', 'long', '3600000', long(0), {
    text: FROM_TOPICS,
    actsIn: DEFAULTS,
  }),
  dynamic('log.message.timestamp.before.max.ms', 'long', INFINITE, long(0), {
    text: FROM_TOPICS,
    actsIn: DEFAULTS,
  }),
  dynamic('log.message.timestamp.type', 'string', 'CreateTime', oneOf('CreateTime', 'LogAppendTime'), {
    text: FROM_TOPICS,
    actsIn: DEFAULTS,
  }),
  dynamic('log.roll.ms', 'long', null, long(1), { text: FROM_TOPICS, actsIn: DEFAULTS }),
  dynamic('min.insync.replicas', 'int', '1', int(1), {
    text: 'Any value is met by the one replica there is.',
  }),

  dynamic('background.threads', 'int', '10', int(1)),
  dynamic('compression.gzip.level', 'int', '-1', gzipLevel),
  dynamic('compression.lz4.level', 'int', '9', int(1, 17)),
  dynamic('compression.zstd.level', 'int', '3', int(-131_072, 22)),
  dynamic('follower.replication.throttled.rate', 'long', INFINITE, long(0)),
  dynamic('leader.replication.throttled.rate', 'long', INFINITE, long(0)),
  dynamic('log.cleaner.dedupe.buffer.size', 'long', '134217728', long(0)),
  dynamic('log.cleaner.delete.retention.ms', 'long', '86400000', long(0), {
    text: FROM_TOPICS,
    actsIn: DEFAULTS,
  }),
  dynamic('log.cleaner.io.max.bytes.per.second', 'double', '1.7976931348623157E308', fraction(0, Infinity)),
  dynamic('log.cleaner.max.compaction.lag.ms', 'long', INFINITE, long(1), {
    text: FROM_TOPICS,
    actsIn: DEFAULTS,
  }),
  dynamic('log.cleaner.min.cleanable.ratio', 'double', '0.5', fraction(0, 1), {
    text: FROM_TOPICS,
    actsIn: DEFAULTS,
  }),
  dynamic('log.cleaner.min.compaction.lag.ms', 'long', '0', long(0), {
    text: FROM_TOPICS,
    actsIn: DEFAULTS,
  }),
  dynamic('log.cleaner.threads', 'int', '1', int(0)),
  dynamic('log.flush.interval.messages', 'long', INFINITE, long(1), {
    text: `${FROM_TOPICS} Unset: what is acknowledged is on the disk.`,
    actsIn: DEFAULTS,
  }),
  dynamic('log.flush.interval.ms', 'long', null, long(0), {
    text: `${FROM_TOPICS} Unset: what is acknowledged is on the disk.`,
    actsIn: DEFAULTS,
  }),
  dynamic('log.index.interval.bytes', 'int', '4096', int(0)),
  dynamic('log.index.size.max.bytes', 'int', '10485760', int(4)),
  dynamic('log.local.retention.bytes', 'long', '-2', long(-2)),
  dynamic('log.local.retention.ms', 'long', '-2', long(-2)),
  dynamic('log.preallocate', 'boolean', 'false', boolean),
  dynamic('log.roll.jitter.ms', 'long', null, long(0)),
  dynamic('log.remote.copy.lag.bytes', 'long', '-1', long(-1)),
  dynamic('log.remote.copy.lag.ms', 'long', '0', long(-1)),
  dynamic('log.segment.delete.delay.ms', 'long', '60000', long(0)),
  dynamic('max.decompressed.message.bytes', 'int', String(INT_MAX - 8), int(1, INT_MAX - 8)),
  dynamic('metric.reporters', 'list', '', anything),
  dynamic('num.io.threads', 'int', '8', int(1)),
  dynamic('num.network.threads', 'int', '3', int(1)),
  dynamic('num.recovery.threads.per.data.dir', 'int', '2', int(1)),
  dynamic('num.replica.fetchers', 'int', '1', int(1)),
  dynamic('replica.alter.log.dirs.io.max.bytes.per.second', 'long', INFINITE, long(0)),
  dynamic('unclean.leader.election.enable', 'boolean', 'false', boolean),
];

const BY_NAME = new Map(BROKER_CONFIGS.map((one) => [one.name, one]));

export function brokerSetting(name: string): BrokerSetting | undefined {
  return BY_NAME.get(name);
}

/** What the configuration file, or without it Kafka's default, says. */
export function staticValue({ value, kafkaDefault }: BrokerSetting, config: BrokerConfig): string | null {
  return value ? value(config) : kafkaDefault;
}

function compression(value: string): string | undefined {
  return oneOf('uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer')(value);
}

/** Comes from the configuration file. */
function fixed(
  name: string,
  type: ConfigType,
  kafkaDefault: string | null,
  value: (config: BrokerConfig) => Given,
  actsIn?: string,
): BrokerSetting {
  return {
    name,
    type,
    kafkaDefault,
    value: (config) => textOf(value(config)),
    mode: 'read-only',
    live: undefined,
    check: anything,
    documentation: 'From the configuration file.',
    actsIn,
  };
}

/** Comes from the configuration file, and can be changed. */
function live(
  name: string,
  type: ConfigType,
  kafkaDefault: string | null,
  key: LiveKey,
  check: Check,
  { text, actsIn }: { text: string; actsIn: string },
): BrokerSetting {
  return {
    name,
    type,
    kafkaDefault,
    value: (config) => (config[key] === WEEK_MS && kafkaDefault === null ? null : String(config[key])),
    mode: 'cluster-wide',
    live: key,
    check,
    documentation: text,
    actsIn,
  };
}

/** Not in the configuration file: Kafka's default until it is changed. */
function dynamic(
  name: string,
  type: ConfigType,
  kafkaDefault: string | null,
  check: Check,
  { text, actsIn }: { text: string; actsIn?: string | undefined } = { text: WITHOUT },
): BrokerSetting {
  return {
    name,
    type,
    kafkaDefault,
    value: undefined,
    mode: 'cluster-wide',
    live: undefined,
    check,
    documentation: text,
    actsIn,
  };
}

function textOf(value: Given): string | null {
  return value === null ? null : String(value);
}
