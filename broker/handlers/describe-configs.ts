/**
 * DescribeConfigs (32), versions 0 to 4: all settings or the named ones of topics (2), brokers (4; the empty name for
 * what was set for all of them), broker loggers (8), subscriptions to client metrics (16) and groups (32), with source,
 * type, and on request synonyms (v1) and documentation (v3).
 * Absent: loggers other than the one there is.
 */
import { ALL_BROKERS } from '../configs/admin-configs.ts';
import { CONFIG_SOURCE, CONFIG_TYPE, type ConfigEntry, RESOURCE } from '../configs/definition.ts';
import {
  allBrokersEntries,
  brokerEntries,
  clientMetricsEntries,
  groupEntries,
  topicEntries,
} from '../configs/describe.ts';
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import { listenersOf } from '../server/listeners.ts';
import { topicNameProblem } from '../server/topics.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE, type ErrorName } from '../wire/errors.ts';
import { describeConfigs } from '../wire/schemas/index.ts';

type Request = RequestOf<typeof describeConfigs>;
type Result = AnswerOf<typeof describeConfigs>['results'][number];
type Found = ConfigEntry[] | { refusal: [ErrorName, string] };

/** What versions before 1 call a default. */
const DEFAULT_SOURCES: readonly number[] = [
  CONFIG_SOURCE.default,
  CONFIG_SOURCE.staticBroker,
  CONFIG_SOURCE.dynamicDefaultBroker,
];

export default handler({
  api: describeConfigs,
  versions: [0, 4],
  handle(request, context) {
    return { results: request.resources.map((resource) => describe(resource, request, context)) };
  },
});

function describe(resource: Request['resources'][number], request: Request, context: RequestContext): Result {
  const { resourceType, resourceName } = resource;
  const found = entriesOf(resourceType, resourceName, context);
  if (!Array.isArray(found)) {
    const [error, errorMessage] = found.refusal;
    return { errorCode: CODE[error], errorMessage, resourceType, resourceName, configs: [] };
  }
  const names = resource.configurationKeys;
  return {
    errorCode: CODE.NONE,
    errorMessage: null,
    resourceType,
    resourceName,
    configs: found
      .filter(({ name }) => names === null || names.length === 0 || names.includes(name))
      .map((entry) => ({
        name: entry.name,
        value: entry.value,
        readOnly: entry.readOnly,
        isDefault: DEFAULT_SOURCES.includes(entry.source),
        configSource: entry.source,
        isSensitive: entry.sensitive,
        synonyms: request.includeSynonyms ? entry.synonyms : [],
        configType: CONFIG_TYPE[entry.type],
        documentation: request.includeDocumentation ? entry.documentation : null,
      })),
  };
}

function entriesOf(type: number, name: string, context: RequestContext): Found {
  const { broker, may } = context;
  const shown = name.slice(0, 300);
  switch (type) {
    case RESOURCE.topic: {
      if (!may('DescribeConfigs', 'Topic', name)) {
        return refuse('TOPIC_AUTHORIZATION_FAILED', `cannot describe topic ${shown}: not allowed`);
      }
      const problem = topicNameProblem(name);
      if (problem !== undefined) return refuse('INVALID_TOPIC_EXCEPTION', problem);
      const topic = broker.log.topic(name);
      return topic
        ? topicEntries(topic.configs, broker.configs)
        : refuse('UNKNOWN_TOPIC_OR_PARTITION', `cannot describe topic ${shown}: there is none`);
    }
    case RESOURCE.group:
      if (!may('DescribeConfigs', 'Group', name)) {
        return refuse('GROUP_AUTHORIZATION_FAILED', `cannot describe group ${shown}: not allowed`);
      }
      if (name === '') return refuse('INVALID_REQUEST', 'cannot describe a group: got no name');
      return groupEntries(broker.configs.admin.of('groups', name), broker.configs);
    case RESOURCE.broker:
    case RESOURCE.brokerLogger:
    case RESOURCE.clientMetrics:
      return may('DescribeConfigs', 'Cluster')
        ? clusterEntries(type, name, context)
        : refuse('CLUSTER_AUTHORIZATION_FAILED', 'cannot describe what is of the cluster: not allowed');
    default:
      return refuse(
        'INVALID_REQUEST',
        `cannot describe a resource: got type ${type}, want one of ${Object.values(RESOURCE).join(', ')}`,
      );
  }
}

function clusterEntries(type: number, name: string, { broker, connection }: RequestContext): Found {
  const { admin, file } = broker.configs;
  const shown = name.slice(0, 300);
  if (type === RESOURCE.clientMetrics) {
    return name === ''
      ? refuse('INVALID_REQUEST', 'cannot describe client metrics: got no name')
      : clientMetricsEntries(admin.of('clientMetrics', name));
  }
  if (type === RESOURCE.broker && name === ALL_BROKERS) return allBrokersEntries(broker.configs);
  if (name !== String(file.nodeId)) {
    return refuse('INVALID_REQUEST', `cannot describe broker ${shown}: want ${file.nodeId}`);
  }
  if (type === RESOURCE.brokerLogger) return [ROOT_LOGGER];
  const ways = listenersOf(file);
  const { host, port } = connection.advertised;
  return brokerEntries(name, broker.configs, {
    'advertised.listeners': `${connection.listener.name}://${host}:${port}`,
    'inter.broker.listener.name': ways[0]!.name,
    listeners: ways.map((one) => `${one.name}://${one.host}:${one.port}`).join(','),
    'listener.security.protocol.map': ways.map((one) => `${one.name}:${one.protocol}`).join(','),
  });
}

const ROOT_LOGGER: ConfigEntry = {
  name: 'root',
  value: 'INFO',
  type: 'string',
  source: CONFIG_SOURCE.brokerLogger,
  readOnly: true,
  sensitive: false,
  documentation: 'The level of what the broker says; set where it is started.',
  synonyms: [],
};

function refuse(error: ErrorName, message: string): { refusal: [ErrorName, string] } {
  return { refusal: [error, message] };
}
