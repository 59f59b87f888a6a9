/** Changes the settings of one resource, all that is asked or nothing. */
import type { RequestContext } from '../server/broker.ts';
import { ELIGIBLE_LEADER_REPLICAS } from '../server/features.ts';
import { codeOf, topicNameProblem } from '../server/topics.ts';
import { CODE, type ErrorName } from '../wire/errors.ts';
import { ALL_BROKERS, ConfigRefusal, type Kind } from './admin-configs.ts';
import { brokerSetting } from './broker-configs.ts';
import { clientMetricsConfig, clientMetricsConfigProblem } from './client-metrics-configs.ts';
import { type ConfigEntry, type Configs, type ConfigType, RESOURCE, valueProblem } from './definition.ts';
import { brokerEntries, clientMetricsEntries, groupEntries, topicEntries } from './describe.ts';
import { groupConfig, groupConfigProblem } from './group-configs.ts';
import { topicConfig, topicConfigProblem } from './topic-configs.ts';

export interface Alteration {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly validateOnly: boolean;
  /** The whole new set; @throws ConfigRefusal */
  readonly change: (resource: Alterable) => Configs;
}

/** What a change is made of. */
export interface Alterable {
  /** The resource's own settings. */
  readonly now: Configs;
  /** What holds for it, its own or not. */
  readonly effective: (name: string) => string | undefined;
  readonly typeOf: (name: string) => ConfigType | undefined;
}

export interface AlterAnswer {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly resourceType: number;
  readonly resourceName: string;
}

/** Names of settings that this broker does not know are kept for those who do, up to so many a broker. */
const UNKNOWN_NAMES_MAX = 500;

export async function alterResource(alteration: Alteration, context: RequestContext): Promise<AlterAnswer> {
  const { resourceType, resourceName } = alteration;
  const { log } = context.broker.host;
  try {
    await alter(alteration, context);
    return { errorCode: CODE.NONE, errorMessage: null, resourceType, resourceName };
  } catch (error) {
    if (error instanceof ConfigRefusal) {
      return { errorCode: CODE[error.error], errorMessage: error.message, resourceType, resourceName };
    }
    if (resourceType === RESOURCE.topic) {
      return { errorCode: codeOf(error), errorMessage: (error as Error).message, resourceType, resourceName };
    }
    log.error({ err: error, resourceType }, 'cannot keep changed settings');
    const errorMessage = 'cannot alter settings: the disk refused';
    return { errorCode: CODE.KAFKA_STORAGE_ERROR, errorMessage, resourceType, resourceName };
  }
}

async function alter(alteration: Alteration, context: RequestContext): Promise<void> {
  const { resourceType, resourceName } = alteration;
  const shown = resourceName.slice(0, 300);
  switch (resourceType) {
    case RESOURCE.topic:
      return alterTopic(alteration, context);
    case RESOURCE.broker:
      return alterBroker(alteration, context);
    case RESOURCE.group: {
      want(context.may('AlterConfigs', 'Group', resourceName), 'GROUP_AUTHORIZATION_FAILED', 'group', shown);
      want(resourceName !== '', 'INVALID_REQUEST', 'group', 'of no name');
      return alterKept('groups', alteration, context, {
        problem: (next) => invalid(groupConfigProblem(next, context.broker.configs.file)),
        typeOf: (name) => groupConfig(name)?.type,
        entries: (own) => groupEntries(own, context.broker.configs),
      });
    }
    case RESOURCE.clientMetrics: {
      want(context.may('AlterConfigs', 'Cluster'), 'CLUSTER_AUTHORIZATION_FAILED', 'client metrics', shown);
      want(resourceName !== '', 'INVALID_REQUEST', 'client metrics', 'of no name');
      return alterKept('clientMetrics', alteration, context, {
        problem: clientMetricsConfigProblem,
        typeOf: (name) => clientMetricsConfig(name)?.type,
        entries: clientMetricsEntries,
      });
    }
    default: {
      const kind = resourceType === RESOURCE.brokerLogger ? 'a broker logger' : `type ${resourceType}`;
      const message = `cannot alter a resource: got ${kind}, want a topic, broker, group or client metrics`;
      throw new ConfigRefusal('INVALID_REQUEST', message);
    }
  }
}

async function alterTopic(
  { resourceName, validateOnly, change }: Alteration,
  { broker, may }: RequestContext,
): Promise<void> {
  want(
    may('AlterConfigs', 'Topic', resourceName),
    'TOPIC_AUTHORIZATION_FAILED',
    'topic',
    resourceName.slice(0, 300),
  );
  want(resourceName !== '', 'INVALID_REQUEST', 'topic', 'of no name');
  const nameProblem = topicNameProblem(resourceName);
  if (nameProblem !== undefined) throw new ConfigRefusal('INVALID_TOPIC_EXCEPTION', nameProblem);
  const topic = broker.log.topic(resourceName);
  if (!topic) {
    const message = `cannot alter topic ${resourceName}: there is none`;
    throw new ConfigRefusal('UNKNOWN_TOPIC_OR_PARTITION', message);
  }
  const next = change({
    now: topic.configs,
    effective: valueIn(() => topicEntries(topic.configs, broker.configs)),
    typeOf: (name) => topicConfig(name)?.type,
  });
  const problem = topicConfigProblem(next);
  if (problem !== undefined) throw new ConfigRefusal('INVALID_CONFIG', problem);
  if (!validateOnly) await broker.log.alterConfigs(resourceName, next);
}

/** What is wrong with a broker's settings is INVALID_REQUEST in Kafka, unlike with a topic's. */
async function alterBroker(
  { resourceName, validateOnly, change }: Alteration,
  { broker, may }: RequestContext,
): Promise<void> {
  const { admin, file } = broker.configs;
  want(may('AlterConfigs', 'Cluster'), 'CLUSTER_AUTHORIZATION_FAILED', 'broker', resourceName.slice(0, 300));
  if (resourceName !== ALL_BROKERS && resourceName !== String(file.nodeId)) {
    const message = `cannot alter broker ${resourceName.slice(0, 300)}: want ${file.nodeId}, or no name for all`;
    throw new ConfigRefusal('INVALID_REQUEST', message);
  }
  const made = (now: Configs): Configs => {
    const next = change({
      now,
      effective: valueIn(() => brokerEntries(resourceName, broker.configs, {})),
      typeOf: (name) => brokerSetting(name)?.type,
    });
    const replicas =
      broker.features.level(ELIGIBLE_LEADER_REPLICAS) > 0 && replicasProblem(resourceName, now, next);
    if (replicas) throw new ConfigRefusal('INVALID_CONFIG', replicas);
    const problem = brokerProblem(now, next);
    if (problem !== undefined) throw new ConfigRefusal('INVALID_REQUEST', problem);
    return next;
  };
  if (validateOnly) made(admin.of('brokers', resourceName));
  else await admin.change('brokers', resourceName, made);
}

/** Eligible leader replicas are judged by one number for the whole cluster, so that has to be there. */
function replicasProblem(resourceName: string, now: Configs, next: Configs): string | undefined {
  const name = 'min.insync.replicas';
  if (now[name] === next[name]) return undefined;
  if (resourceName !== ALL_BROKERS) return `cannot set ${name} of one broker: want it set for all`;
  return next[name] === undefined ? `cannot unset ${name}: want a number for all brokers` : undefined;
}

function brokerProblem(now: Configs, next: Configs): string | undefined {
  let unknown = 0;
  for (const [name, value] of Object.entries(next)) {
    const setting = brokerSetting(name);
    if (!setting) unknown += 1;
    if (value === now[name] || !setting) continue;
    if (setting.mode === 'read-only') {
      return `cannot set ${name}: it comes from the configuration file, want one that can change while running`;
    }
    const problem = valueProblem(setting, value);
    if (problem !== undefined) return problem;
  }
  return unknown > UNKNOWN_NAMES_MAX
    ? `cannot set: got ${unknown} names that are no broker settings, want at most ${UNKNOWN_NAMES_MAX}`
    : undefined;
}

async function alterKept(
  kind: Kind,
  { resourceName, validateOnly, change }: Alteration,
  { broker }: RequestContext,
  rules: {
    readonly problem: (next: Configs) => ConfigRefusal | undefined;
    readonly typeOf: (name: string) => ConfigType | undefined;
    readonly entries: (own: Configs) => ConfigEntry[];
  },
): Promise<void> {
  const { admin } = broker.configs;
  const made = (now: Configs): Configs => {
    const effective = valueIn(() => rules.entries(now));
    const next = change({ now, effective, typeOf: rules.typeOf });
    const problem = rules.problem(next);
    if (problem) throw problem;
    return next;
  };
  if (validateOnly) made(admin.of(kind, resourceName));
  else await admin.change(kind, resourceName, made);
}

function invalid(problem: string | undefined): ConfigRefusal | undefined {
  return problem === undefined ? undefined : new ConfigRefusal('INVALID_CONFIG', problem);
}

function want(holds: boolean, error: ErrorName, kind: string, name: string): void {
  if (!holds) throw new ConfigRefusal(error, `cannot alter ${kind} ${name}: got ${error}`);
}

function valueIn(entries: () => readonly ConfigEntry[]): Alterable['effective'] {
  return (name) => entries().find((one) => one.name === name)?.value ?? undefined;
}
