import { CODE, type ErrorName } from '../wire/errors.ts';
import type { RequestContext } from './broker.ts';
import { topicConfigProblem, topicConfigs } from './configs.ts';
import { codeOf, topicNameProblem } from './topics.ts';

type Configs = Readonly<Record<string, string>>;

export interface Alteration {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly validateOnly: boolean;
  /** The whole new set, from the topic's own settings and from all that hold for it; or why not. */
  readonly change: (now: Configs, effective: Configs) => Configs | string;
}

export interface AlterRefusal {
  readonly errorCode: number;
  readonly errorMessage: string;
}

const TOPIC = 2;

/** Changes the settings of one topic; why not, when it did not. */
export async function alterTopic(
  alteration: Alteration,
  { broker, may }: RequestContext,
): Promise<AlterRefusal | undefined> {
  const { resourceType, resourceName, validateOnly, change } = alteration;
  const name = resourceName.slice(0, 300);
  if (resourceType === TOPIC && !may('AlterConfigs', 'Topic', resourceName)) {
    return refusal('TOPIC_AUTHORIZATION_FAILED', `cannot alter topic ${name}: not allowed to`);
  }
  if (resourceType !== TOPIC && !may('AlterConfigs', 'Cluster')) {
    return refusal('CLUSTER_AUTHORIZATION_FAILED', 'cannot alter settings of the cluster: not allowed to');
  }
  if (resourceType !== TOPIC) {
    return refusal('INVALID_REQUEST', `cannot alter a resource of type ${resourceType}: want a topic`);
  }
  const nameProblem = topicNameProblem(resourceName);
  if (nameProblem !== undefined) return refusal('INVALID_TOPIC_EXCEPTION', nameProblem);
  const topic = broker.log.topic(resourceName);
  if (!topic) return refusal('UNKNOWN_TOPIC_OR_PARTITION', `cannot alter topic ${name}: there is none`);
  const effective = Object.fromEntries(
    topicConfigs(topic.configs, broker.config).map((entry) => [entry.name, entry.value]),
  );
  const next = change(topic.configs, effective);
  const problem = typeof next === 'string' ? next : topicConfigProblem(next);
  if (typeof next === 'string' || problem !== undefined) return refusal('INVALID_CONFIG', problem!);
  if (validateOnly) return undefined;
  try {
    await broker.log.alterConfigs(resourceName, next);
    return undefined;
  } catch (error) {
    return { errorCode: codeOf(error), errorMessage: (error as Error).message };
  }
}

function refusal(name: ErrorName, errorMessage: string): AlterRefusal {
  return { errorCode: CODE[name], errorMessage };
}
