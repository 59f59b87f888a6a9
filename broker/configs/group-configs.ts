/** Settings of a group of the new protocols: what its members would otherwise send, set in one place. */
import type { BrokerConfig } from '../config.ts';
import { anything, boolean, int, oneOf } from './checks.ts';
import { brokerSetting, staticValue } from './broker-configs.ts';
import { type Configs, configsProblem, type Definition, valueProblem } from './definition.ts';

export interface GroupConfig extends Definition {
  /** The broker's setting that it falls back to. */
  readonly synonym: string | undefined;
  readonly fallback: string;
}

type Bound = number | keyof BrokerConfig;
/** What the broker allows a group at least and at most. */
const BOUNDS: Readonly<Record<string, readonly [min: Bound, max: Bound]>> = {
  'consumer.assignment.interval.ms': [0, 15_000],
  'consumer.heartbeat.interval.ms': [
    'groupConsumerMinHeartbeatIntervalMs',
    'groupConsumerMaxHeartbeatIntervalMs',
  ],
  'consumer.session.timeout.ms': ['groupConsumerMinSessionTimeoutMs', 'groupConsumerMaxSessionTimeoutMs'],
  'share.assignment.interval.ms': [0, 15_000],
  'share.delivery.count.limit': [2, 10],
  'share.heartbeat.interval.ms': ['shareMinHeartbeatIntervalMs', 'shareMaxHeartbeatIntervalMs'],
  'share.partition.max.record.locks': [100, 4_000],
  'share.record.lock.duration.ms': ['shareMinRecordLockDurationMs', 'shareMaxRecordLockDurationMs'],
  'share.session.timeout.ms': ['shareMinSessionTimeoutMs', 'shareMaxSessionTimeoutMs'],
  'streams.assignment.interval.ms': [0, 15_000],
  'streams.heartbeat.interval.ms': [5_000, 15_000],
  'streams.num.standby.replicas': [0, 2],
  'streams.session.timeout.ms': [45_000, 60_000],
};
/** Members that are told to come later than they may be silent would lose their place each time. */
const SESSIONS = ['consumer', 'share', 'streams'] as const;

const CONSUMER = 'groups';
const SHARE = 'share/share-settings.ts';
const DEAD_LETTERS = 'share/dead-letters.ts';
const AT_ONCE = 'Accepted; a new assignment is made as soon as one is due.';
const NO_STREAMS = 'Accepted; there are no groups of the streams protocol.';

export const GROUP_CONFIGS: readonly GroupConfig[] = [
  define('consumer.assignment.interval.ms', 'int', 'group.consumer.assignment.interval.ms', '1000', int(0), {
    text: AT_ONCE,
  }),
  define('consumer.heartbeat.interval.ms', 'int', 'group.consumer.heartbeat.interval.ms', '5000', int(1), {
    text: 'How often members of a consumer group say that they live.',
    actsIn: CONSUMER,
  }),
  define('consumer.session.timeout.ms', 'int', 'group.consumer.session.timeout.ms', '45000', int(1), {
    text: 'How long a member of a consumer group may be silent.',
    actsIn: CONSUMER,
  }),
  define('errors.deadletterqueue.copy.record.enable', 'boolean', undefined, 'false', boolean, {
    text: 'Dead letters carry key and value of the record, not only where it was.',
    actsIn: DEAD_LETTERS,
  }),
  define('errors.deadletterqueue.topic.name', 'string', undefined, '', deadLetterTopic, {
    text: 'Where records go that a share group has rejected or was given too often; empty for nowhere.',
    actsIn: DEAD_LETTERS,
  }),
  define('share.assignment.interval.ms', 'int', 'group.share.assignment.interval.ms', '1000', int(0), {
    text: AT_ONCE,
  }),
  define('share.auto.offset.reset', 'string', undefined, 'latest', shareReset, {
    text: 'Where a share group begins: earliest, latest or by_duration:<ISO 8601 duration>.',
    actsIn: SHARE,
  }),
  define('share.delivery.count.limit', 'int', 'group.share.delivery.count.limit', '5', int(2, 25), {
    text: 'How often a record is delivered at most.',
    actsIn: SHARE,
  }),
  define('share.heartbeat.interval.ms', 'int', 'group.share.heartbeat.interval.ms', '5000', int(1), {
    text: 'How often members of a share group say that they live.',
    actsIn: SHARE,
  }),
  define(
    'share.isolation.level',
    'string',
    undefined,
    'read_uncommitted',
    oneOf('read_uncommitted', 'read_committed'),
    { text: 'Which records a share group is given.', actsIn: SHARE },
  ),
  define(
    'share.partition.max.record.locks',
    'int',
    'group.share.partition.max.record.locks',
    '2000',
    int(100, 10_000),
    { text: 'Records of one partition that are out at once.', actsIn: SHARE },
  ),
  define('share.record.lock.duration.ms', 'int', 'group.share.record.lock.duration.ms', '30000', int(1_000), {
    text: 'How long a record stays with the member it was given to.',
    actsIn: SHARE,
  }),
  define('share.renew.acknowledge.enable', 'boolean', undefined, 'true', boolean, {
    text: 'Whether members may keep a record longer.',
    actsIn: SHARE,
  }),
  define('share.session.timeout.ms', 'int', 'group.share.session.timeout.ms', '45000', int(1), {
    text: 'How long a member of a share group may be silent.',
    actsIn: SHARE,
  }),
  ...streams('streams.assignment.interval.ms', 'group.streams.assignment.interval.ms', '1000'),
  define('streams.assignor.name', 'string', 'group.streams.assignors', 'sticky', oneOf('sticky'), {
    text: NO_STREAMS,
  }),
  ...streams('streams.heartbeat.interval.ms', 'group.streams.heartbeat.interval.ms', '5000'),
  ...streams('streams.initial.rebalance.delay.ms', 'group.streams.initial.rebalance.delay.ms', '3000'),
  ...streams('streams.num.standby.replicas', 'group.streams.num.standby.replicas', '0'),
  define(
    'streams.rack.aware.assignment.tags',
    'list',
    'group.streams.rack.aware.assignment.tags',
    '',
    anything,
    { text: NO_STREAMS },
  ),
  ...streams('streams.session.timeout.ms', 'group.streams.session.timeout.ms', '45000'),
];

const BY_NAME = new Map(GROUP_CONFIGS.map((one) => [one.name, one]));

export function groupConfig(name: string): GroupConfig | undefined {
  return BY_NAME.get(name);
}

/** Why these settings cannot be a group's on this broker, undefined when they can. */
export function groupConfigProblem(configs: Configs, broker: BrokerConfig): string | undefined {
  const problem = configsProblem(BY_NAME, configs, 'group');
  if (problem !== undefined) return problem;
  for (const [name, value] of Object.entries(configs)) {
    const bounds = BOUNDS[name];
    if (!bounds) continue;
    const [min, max] = bounds.map((one) => (typeof one === 'number' ? one : Number(broker[one])));
    const outside = valueProblem({ ...BY_NAME.get(name)!, check: int(min!, max) }, value);
    if (outside !== undefined) return outside;
  }
  const valueOf = (name: string): number => Number(configs[name] ?? inherited(name, broker));
  const broken = SESSIONS.find((kind) => {
    const names = [`${kind}.session.timeout.ms`, `${kind}.heartbeat.interval.ms`] as const;
    return names.some((name) => name in configs) && valueOf(names[0]) <= valueOf(names[1]);
  });
  return broken
    ? `cannot set ${broken}.session.timeout.ms: want more than ${broken}.heartbeat.interval.ms`
    : undefined;
}

function inherited(name: string, broker: BrokerConfig): string {
  const { synonym, fallback } = BY_NAME.get(name)!;
  const setting = synonym === undefined ? undefined : brokerSetting(synonym);
  return (setting && staticValue(setting, broker)) ?? fallback;
}

/** A client must not have the broker write into its own topics. */
function deadLetterTopic(value: string): string | undefined {
  return value.startsWith('__') ? 'a name that does not begin with __' : undefined;
}

function streams(name: string, synonym: string, fallback: string): GroupConfig[] {
  return [define(name, 'int', synonym, fallback, int(0), { text: NO_STREAMS })];
}

function shareReset(value: string): string | undefined {
  const fits = /^(earliest|latest)$/.test(value) || /^by_duration:P(?=.)[\dTDHMS.]+$/.test(value);
  return fits ? undefined : 'earliest, latest or by_duration:PnDTnHnMn.nS';
}

function define(
  name: string,
  type: GroupConfig['type'],
  synonym: string | undefined,
  fallback: string,
  check: GroupConfig['check'],
  { text, actsIn }: { text: string; actsIn?: string | undefined },
): GroupConfig {
  return { name, type, synonym, fallback, check, documentation: text, actsIn };
}
