/** Settings of a group of the new protocols: what its members would otherwise send, set in one place. */
import { anything, boolean, int, oneOf } from './checks.ts';
import { configsProblem, type Definition } from './definition.ts';

export interface GroupConfig extends Definition {
  /** The broker's setting that it falls back to. */
  readonly synonym: string | undefined;
  readonly fallback: string;
}

const CONSUMER = 'groups';
const SHARE = 'share/share-settings.ts';
const DEAD_LETTERS = 'share/dead-letters.ts';
const NO_STREAMS = 'Accepted; there are no groups of the streams protocol.';

export const GROUP_CONFIGS: readonly GroupConfig[] = [
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
  define('errors.deadletterqueue.topic.name', 'string', undefined, '', anything, {
    text: 'Where records go that a share group has rejected or was given too often; empty for nowhere.',
    actsIn: DEAD_LETTERS,
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
  define('streams.heartbeat.interval.ms', 'int', undefined, '5000', int(1), { text: NO_STREAMS }),
  define('streams.initial.rebalance.delay.ms', 'int', undefined, '3000', int(0), { text: NO_STREAMS }),
  define('streams.num.standby.replicas', 'int', undefined, '0', int(0), { text: NO_STREAMS }),
  define('streams.session.timeout.ms', 'int', undefined, '45000', int(1), { text: NO_STREAMS }),
];

const BY_NAME = new Map(GROUP_CONFIGS.map((one) => [one.name, one]));

export function groupConfig(name: string): GroupConfig | undefined {
  return BY_NAME.get(name);
}

/** Why these settings cannot be a group's, undefined when they can. */
export function groupConfigProblem(configs: Readonly<Record<string, string | null>>): string | undefined {
  return configsProblem(BY_NAME, configs, 'group');
}

function shareReset(value: string): string | undefined {
  const fits = /^(earliest|latest)$/i.test(value) || /^by_duration:P(?=.)[\dTDHMS.]+$/.test(value);
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
