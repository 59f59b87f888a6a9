/**
 * A topic's settings: Kafka's list of 4.4, and `retention.hold.*`. A topic that does not say falls back to the broker's setting of the
 * synonym, and where there is none to the default here.
 */
import {
  boolean,
  fraction,
  groups,
  gzipLevel,
  INFINITE,
  int,
  INT_MAX,
  listOf,
  long,
  oneOf,
  replicas,
} from './checks.ts';
import { type Configs, configsProblem, type Definition } from './definition.ts';

export interface TopicConfig extends Definition {
  /** The broker's setting that it falls back to. */
  readonly synonym: string | undefined;
  readonly fallback: string;
}

const SETTINGS = 'log/topics/topic-settings.ts';
const CHECKS = 'log/batch/record-checks.ts';
const RETENTION = 'log/retention/retention.ts';
const COMPACTION = 'log/compaction/cleanable.ts';
/** The longest array that Java makes. */
const DECOMPRESSED_BYTES_MAX = INT_MAX - 8;
/** Each is looked up for each partition in each round of retention. */
const HOLD_GROUPS_MAX = 100;
export const SEGMENT_BYTES_MIN = 1024 * 1024;

const ONE_NODE = 'Accepted for tools that set it; a single node has nothing to apply it to.';
const NO_TIERS = 'Accepted for tools that set it; there is no tiered storage.';

export const TOPIC_CONFIGS: readonly TopicConfig[] = [
  define('cleanup.policy', 'list', 'log.cleanup.policy', 'delete', listOf('delete', 'compact'), {
    text: 'delete: retention removes old segments. compact: the latest record of every key stays. Empty: nothing is removed.',
    actsIn: RETENTION,
  }),
  define('compression.gzip.level', 'int', 'compression.gzip.level', '-1', gzipLevel, {
    text: 'Accepted; batches that are compressed here get the default level.',
  }),
  define('compression.lz4.level', 'int', 'compression.lz4.level', '9', int(1, 17), {
    text: 'Accepted; batches that are compressed here get the default level.',
  }),
  define(
    'compression.type',
    'string',
    'compression.type',
    'producer',
    oneOf('uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'),
    {
      text: 'producer: batches are kept as they come. Else those that are compressed otherwise are compressed again.',
      actsIn: CHECKS,
    },
  ),
  define('compression.zstd.level', 'int', 'compression.zstd.level', '3', int(-131_072, 22), {
    text: 'Accepted; batches that are compressed here get the default level.',
  }),
  define('delete.retention.ms', 'long', 'log.cleaner.delete.retention.ms', '86400000', long(0), {
    text: 'How long a tombstone stays after the first compaction that found it.',
    actsIn: 'log/compaction/clean-batch.ts',
  }),
  define('errors.deadletterqueue.group.enable', 'boolean', undefined, 'false', boolean, {
    text: 'Share groups may write records here that they have given up.',
    actsIn: 'share/dead-letters.ts',
  }),
  define('file.delete.delay.ms', 'long', 'log.segment.delete.delay.ms', '60000', long(0), {
    text: 'Accepted; files of deleted segments go at once, after the reads that use them.',
  }),
  define('flush.messages', 'long', 'log.flush.interval.messages', INFINITE, long(1), {
    text: 'Set above 1: acknowledged when the operating system has it, as in Kafka, and every so many records of a partition behind a sync. 1, or neither this nor flush.ms set: acknowledged when it is on the disk.',
    actsIn: SETTINGS,
  }),
  define('flush.ms', 'long', 'log.flush.interval.ms', INFINITE, long(0), {
    text: 'Set above 0: acknowledged when the operating system has it, which survives the end of the process, and synced within so long; a power cut may take the newest. 0: as flush.messages=1.',
    actsIn: SETTINGS,
  }),
  define('follower.replication.throttled.replicas', 'list', undefined, '', replicas, { text: ONE_NODE }),
  define('index.interval.bytes', 'int', 'log.index.interval.bytes', '4096', int(0), {
    text: 'Accepted; indexes have an entry every 4096 bytes.',
  }),
  define('leader.replication.throttled.replicas', 'list', undefined, '', replicas, { text: ONE_NODE }),
  define('local.retention.bytes', 'long', 'log.local.retention.bytes', '-2', long(-2), { text: NO_TIERS }),
  define('local.retention.ms', 'long', 'log.local.retention.ms', '-2', long(-2), { text: NO_TIERS }),
  define('max.compaction.lag.ms', 'long', 'log.cleaner.max.compaction.lag.ms', INFINITE, long(1), {
    text: 'Older records are compacted, whatever the ratio.',
    actsIn: COMPACTION,
  }),
  define(
    'max.decompressed.message.bytes',
    'int',
    'max.decompressed.message.bytes',
    String(DECOMPRESSED_BYTES_MAX),
    int(1, DECOMPRESSED_BYTES_MAX),
    { text: 'Accepted; what a batch may grow to is bounded here for all topics alike.' },
  ),
  define('max.message.bytes', 'int', 'message.max.bytes', '1048588', int(0), {
    text: 'Largest batch, with its 12 bytes of prefix, as it comes and as it is kept.',
    actsIn: 'log/batch/batch-header.ts',
  }),
  define('message.timestamp.after.max.ms', 'long', 'log.message.timestamp.after.max.ms', '3600000', long(0), {
    text: 'How far a record may lie in the future; one beyond is refused with its batch.',
    actsIn: CHECKS,
  }),
  define(
    'message.timestamp.before.max.ms',
    'long',
    'log.message.timestamp.before.max.ms',
    INFINITE,
    long(0),
    {
      text: 'How far a record may lie in the past; one beyond is refused with its batch.',
      actsIn: CHECKS,
    },
  ),
  define(
    'message.timestamp.type',
    'string',
    'log.message.timestamp.type',
    'CreateTime',
    oneOf('CreateTime', 'LogAppendTime'),
    { text: 'Whose clock stamps records.', actsIn: SETTINGS },
  ),
  define('min.cleanable.dirty.ratio', 'double', 'log.cleaner.min.cleanable.ratio', '0.5', fraction(0, 1), {
    text: 'Part of a compacted log that may be uncleaned.',
    actsIn: COMPACTION,
  }),
  define('min.compaction.lag.ms', 'long', 'log.cleaner.min.compaction.lag.ms', '0', long(0), {
    text: 'Younger records are not compacted.',
    actsIn: COMPACTION,
  }),
  define('min.insync.replicas', 'int', 'min.insync.replicas', '1', int(1), {
    text: 'Kafka cuts it to the number of replicas, which is 1 here: any value is met.',
  }),
  define('preallocate', 'boolean', 'log.preallocate', 'false', boolean, {
    text: 'Accepted; segments grow as they are written.',
  }),
  define('remote.copy.lag.bytes', 'long', 'log.remote.copy.lag.bytes', '-1', long(-1), { text: NO_TIERS }),
  define('remote.copy.lag.ms', 'long', 'log.remote.copy.lag.ms', '0', long(-1), { text: NO_TIERS }),
  define('remote.log.copy.disable', 'boolean', undefined, 'false', boolean, { text: NO_TIERS }),
  define('remote.log.delete.on.disable', 'boolean', undefined, 'false', boolean, { text: NO_TIERS }),
  define('remote.storage.enable', 'boolean', undefined, 'false', oneOf('false'), { text: NO_TIERS }),
  define('retention.bytes', 'long', 'log.retention.bytes', '-1', long(-1), {
    text: 'Bytes kept per partition; -1 is no bound.',
    actsIn: RETENTION,
  }),
  define('retention.hold.bytes', 'long', undefined, '-1', long(-1), {
    text: 'Size of a partition up to which retention waits for `retention.hold.groups`; -1: no bound but those of the disk. Not in Kafka.',
    actsIn: RETENTION,
  }),
  define('retention.hold.groups', 'list', undefined, '', groups(HOLD_GROUPS_MAX), {
    text: 'Groups, also share groups, that retention by time and size waits for: what one of them has not read stays, all of it while the group has committed nothing. The bounds on the disk are kept all the same. Not in Kafka.',
    actsIn: 'log/retention/holding.ts',
  }),
  define('retention.ms', 'long', 'log.retention.ms', '604800000', long(-1), {
    text: 'How long records are kept; -1 is for ever.',
    actsIn: RETENTION,
  }),
  define('segment.bytes', 'int', 'log.segment.bytes', '1073741824', int(SEGMENT_BYTES_MIN), {
    text: 'Size at which a segment is sealed.',
    actsIn: 'log/segment/partition-segments.ts',
  }),
  define('segment.index.bytes', 'int', 'log.index.size.max.bytes', '10485760', int(4), {
    text: 'Accepted; indexes grow with their segment.',
  }),
  define('segment.jitter.ms', 'long', 'log.roll.jitter.ms', '0', long(0), {
    text: 'Accepted; segments are sealed at their age, one partition after the other.',
  }),
  define('segment.ms', 'long', 'log.roll.ms', '604800000', long(1), {
    text: 'Age at which a segment is sealed.',
    actsIn: 'log/segment/partition-segments.ts',
  }),
  define('unclean.leader.election.enable', 'boolean', 'unclean.leader.election.enable', 'false', boolean, {
    text: ONE_NODE,
  }),
];

const BY_NAME = new Map(TOPIC_CONFIGS.map((one) => [one.name, one]));

export function topicConfig(name: string): TopicConfig | undefined {
  return BY_NAME.get(name);
}

/** Why these settings cannot be a topic's, undefined when they can. */
export function topicConfigProblem(configs: Readonly<Record<string, string | null>>): string | undefined {
  const problem = configsProblem(BY_NAME, configs, 'topic');
  if (problem !== undefined) return problem;
  const lagMs = (name: string): bigint => BigInt((configs[name] ?? topicConfig(name)!.fallback).trim());
  return lagMs('min.compaction.lag.ms') > lagMs('max.compaction.lag.ms')
    ? 'cannot set min.compaction.lag.ms: got more than max.compaction.lag.ms, want at most that'
    : undefined;
}

/** What the broker's settings, as far as they were changed, mean for topics that do not say themselves. */
export function topicDefaults(brokerConfigs: Configs): Configs {
  return Object.fromEntries(
    TOPIC_CONFIGS.flatMap(({ name, synonym }) => {
      const value = synonym === undefined ? undefined : brokerConfigs[synonym];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function define(
  name: string,
  type: TopicConfig['type'],
  synonym: string | undefined,
  fallback: string,
  check: TopicConfig['check'],
  { text, actsIn }: { text: string; actsIn?: string | undefined },
): TopicConfig {
  return { name, type, synonym, fallback, check, documentation: text, actsIn };
}
