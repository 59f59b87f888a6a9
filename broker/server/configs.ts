/**
 * Kafka's names for the settings of topics and of the broker, with the values that really hold here. Reported
 * by DescribeConfigs, checked by CreateTopics. What is listed as a topic setting acts in the log, unless it says
 * in its documentation that it has no effect.
 */
import type { BrokerConfig } from '../config.ts';

export const CONFIG_TYPE = { boolean: 1, string: 2, int: 3, long: 5, double: 6, list: 7 } as const;
export const CONFIG_SOURCE = { topic: 1, staticBroker: 4, default: 5 } as const;

export interface ConfigEntry {
  readonly name: string;
  readonly value: string;
  readonly type: number;
  readonly source: number;
  readonly readOnly: boolean;
  readonly documentation: string;
  /** The broker setting that a topic falls back to. */
  readonly synonym: string | undefined;
  /** What that setting says. */
  readonly fallback: string;
}

interface TopicConfig {
  readonly name: string;
  readonly type: number;
  readonly synonym?: string;
  readonly fallback: (config: BrokerConfig) => string;
  /** Why the value cannot be, undefined when it can. */
  readonly check: (value: string) => string | undefined;
  readonly documentation: string;
}

const INFINITE = '9223372036854775807';

const TOPIC_CONFIGS: readonly TopicConfig[] = [
  {
    name: 'cleanup.policy',
    type: CONFIG_TYPE.list,
    synonym: 'log.cleanup.policy',
    fallback: () => 'delete',
    check: each(['delete', 'compact', '']),
    documentation: 'delete: retention removes old segments. compact: retention leaves them.',
  },
  {
    name: 'compression.type',
    type: CONFIG_TYPE.string,
    synonym: 'compression.type',
    fallback: () => 'producer',
    check: oneOf(['producer']),
    documentation: 'Batches are kept as the producer compressed them.',
  },
  {
    name: 'flush.messages',
    type: CONFIG_TYPE.long,
    synonym: 'log.flush.interval.messages',
    fallback: () => '1',
    check: between(1, 1),
    documentation: 'Every acknowledged record is on the disk.',
  },
  {
    name: 'max.message.bytes',
    type: CONFIG_TYPE.int,
    synonym: 'message.max.bytes',
    fallback: (config) => String(config.messageBytesMax),
    check: between(0, 2 ** 31 - 1),
    documentation: 'Largest batch, with its 12 bytes of prefix.',
  },
  {
    name: 'message.timestamp.type',
    type: CONFIG_TYPE.string,
    synonym: 'log.message.timestamp.type',
    fallback: () => 'CreateTime',
    check: oneOf(['CreateTime', 'LogAppendTime']),
    documentation: 'Whose clock stamps records.',
  },
  {
    name: 'min.insync.replicas',
    type: CONFIG_TYPE.int,
    synonym: 'min.insync.replicas',
    fallback: () => '1',
    check: between(1, 1),
    documentation: 'There is one replica.',
  },
  {
    name: 'retention.bytes',
    type: CONFIG_TYPE.long,
    synonym: 'log.retention.bytes',
    fallback: (config) => String(config.retentionBytes),
    check: between(-1, Number.MAX_SAFE_INTEGER),
    documentation: 'Bytes kept per partition; -1 is no bound.',
  },
  {
    name: 'retention.ms',
    type: CONFIG_TYPE.long,
    synonym: 'log.retention.ms',
    fallback: (config) => String(config.retentionMs),
    check: between(-1, Number.MAX_SAFE_INTEGER),
    documentation: 'How long records are kept; -1 is for ever.',
  },
  {
    name: 'segment.bytes',
    type: CONFIG_TYPE.int,
    synonym: 'log.segment.bytes',
    fallback: (config) => String(config.segmentBytes),
    check: between(1, 2 ** 31 - 1),
    documentation: 'Size at which a segment is sealed.',
  },
  {
    name: 'segment.ms',
    type: CONFIG_TYPE.long,
    synonym: 'log.roll.ms',
    fallback: () => '604800000',
    check: between(1, Number.MAX_SAFE_INTEGER),
    documentation: 'Age at which a segment is sealed.',
  },
  withoutEffect('delete.retention.ms', CONFIG_TYPE.long, '86400000', between(0, Number.MAX_SAFE_INTEGER)),
  withoutEffect('file.delete.delay.ms', CONFIG_TYPE.long, '60000', between(0, Number.MAX_SAFE_INTEGER)),
  withoutEffect('flush.ms', CONFIG_TYPE.long, INFINITE, anyNumber),
  withoutEffect('index.interval.bytes', CONFIG_TYPE.int, '4096', between(0, 2 ** 31 - 1)),
  withoutEffect('max.compaction.lag.ms', CONFIG_TYPE.long, INFINITE, anyNumber),
  withoutEffect('message.timestamp.after.max.ms', CONFIG_TYPE.long, INFINITE, anyNumber),
  withoutEffect('message.timestamp.before.max.ms', CONFIG_TYPE.long, INFINITE, anyNumber),
  withoutEffect('min.cleanable.dirty.ratio', CONFIG_TYPE.double, '0.5', between(0, 1)),
  withoutEffect('min.compaction.lag.ms', CONFIG_TYPE.long, '0', anyNumber),
  withoutEffect('preallocate', CONFIG_TYPE.boolean, 'false', oneOf(['true', 'false'])),
  withoutEffect('segment.index.bytes', CONFIG_TYPE.int, '10485760', between(4, 2 ** 31 - 1)),
  withoutEffect('segment.jitter.ms', CONFIG_TYPE.long, '0', anyNumber),
  withoutEffect('unclean.leader.election.enable', CONFIG_TYPE.boolean, 'false', oneOf(['true', 'false'])),
];

const BY_NAME = new Map(TOPIC_CONFIGS.map((one) => [one.name, one]));

/** Why these settings cannot be a topic's, undefined when they can. */
export function topicConfigProblem(configs: Readonly<Record<string, string | null>>): string | undefined {
  for (const [name, value] of Object.entries(configs)) {
    const known = BY_NAME.get(name);
    if (!known) return `cannot set ${name.slice(0, 300)}: got a name that is no topic setting`;
    if (value === null) return `cannot set ${name}: got null, want a value`;
    const problem = known.check(value);
    const got = JSON.stringify(value.slice(0, 300));
    if (problem !== undefined) return `cannot set ${name}: got ${got}, want ${problem}`;
  }
  return undefined;
}

/** Whether single items can be appended to it and subtracted from it. */
export function isListConfig(name: string): boolean {
  return BY_NAME.get(name)?.type === CONFIG_TYPE.list;
}

/** All settings of a topic, its own and those it falls back to. */
export function topicConfigs(configs: Readonly<Record<string, string>>, config: BrokerConfig): ConfigEntry[] {
  return TOPIC_CONFIGS.map((one) => {
    const own = configs[one.name];
    const fallback = one.fallback(config);
    return {
      name: one.name,
      value: own ?? fallback,
      type: one.type,
      source: own === undefined ? CONFIG_SOURCE.default : CONFIG_SOURCE.topic,
      readOnly: false,
      documentation: one.documentation,
      synonym: one.synonym,
      fallback,
    };
  }).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** All settings of the broker; they come from its configuration file and are read-only over the wire. */
export function brokerConfigs(config: BrokerConfig, listener: string): ConfigEntry[] {
  const { long, int, string, boolean } = CONFIG_TYPE;
  const values: Array<[name: string, type: number, value: string | number | boolean]> = [
    ['advertised.listeners', string, listener],
    ['auto.create.topics.enable', boolean, config.autoCreateTopics],
    ['broker.id', int, config.nodeId],
    ['compression.type', string, 'producer'],
    ['connections.max.idle.ms', long, config.connectionIdleMs],
    ['default.replication.factor', int, 1],
    ['delete.topic.enable', boolean, true],
    ['fetch.max.bytes', int, config.fetchBytesMax],
    ['group.initial.rebalance.delay.ms', int, config.groupInitialRebalanceDelayMs],
    ['group.max.session.timeout.ms', int, config.groupMaxSessionTimeoutMs],
    ['group.max.size', int, config.groupMaxSize],
    ['group.min.session.timeout.ms', int, config.groupMinSessionTimeoutMs],
    ['listeners', string, listener],
    ['log.cleanup.policy', string, 'delete'],
    ['log.dirs', string, config.dataDir],
    ['log.flush.interval.messages', long, 1],
    ['log.message.timestamp.type', string, 'CreateTime'],
    ['log.retention.bytes', long, config.retentionBytes],
    ['log.retention.ms', long, config.retentionMs],
    ['log.roll.ms', long, 604_800_000],
    ['log.segment.bytes', int, config.segmentBytes],
    ['max.connections', int, config.connectionsMax],
    ['message.max.bytes', int, config.messageBytesMax],
    ['min.insync.replicas', int, 1],
    ['node.id', int, config.nodeId],
    ['num.partitions', int, config.numPartitions],
    ['offset.metadata.max.bytes', int, OFFSET_METADATA_BYTES_MAX],
    ['offsets.retention.minutes', int, Math.round(config.offsetsRetentionMs / 60_000)],
    ['offsets.topic.num.partitions', int, config.offsetsTopicPartitions],
    ['offsets.topic.replication.factor', int, 1],
    ['process.roles', string, 'broker,controller'],
    ['queued.max.request.bytes', long, config.bufferedBytesMax],
    ['socket.request.max.bytes', int, config.requestBytesMax],
  ];
  return values.map(([name, type, value]) => ({
    name,
    value: String(value),
    type,
    source: CONFIG_SOURCE.staticBroker,
    readOnly: true,
    documentation: '',
    synonym: undefined,
    fallback: String(value),
  }));
}

/** Metadata of a commit is kept in memory for as long as the position is. */
export const OFFSET_METADATA_BYTES_MAX = 4096;

function withoutEffect(
  name: string,
  type: number,
  fallback: string,
  check: TopicConfig['check'],
): TopicConfig {
  return {
    name,
    type,
    fallback: () => fallback,
    check,
    documentation: 'Accepted for tools that set it; without effect here.',
  };
}

function oneOf(choices: readonly string[]): TopicConfig['check'] {
  return (value) => (choices.includes(value) ? undefined : choices.join(' or '));
}

function each(choices: readonly string[]): TopicConfig['check'] {
  return (value) =>
    value.split(',').every((one) => choices.includes(one.trim()))
      ? undefined
      : `a list of ${choices.join(' and ')}`;
}

function between(min: number, max: number): TopicConfig['check'] {
  return (value) => {
    const number = Number(value);
    const fits = value.trim() !== '' && Number.isFinite(number) && number >= min && number <= max;
    return fits ? undefined : min === max ? `${min}` : `a number from ${min} to ${max}`;
  };
}

function anyNumber(value: string): string | undefined {
  return /^-?\d+$/.test(value) ? undefined : 'a whole number';
}
