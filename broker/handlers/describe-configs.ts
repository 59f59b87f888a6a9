/**
 * DescribeConfigs (32), versions 0 to 4: topics (2) and this broker (4), all settings or the named ones, with
 * source, type, and on request synonyms (v1) and documentation (v3).
 * Absent: broker loggers, client metrics, groups. Broker settings cannot be changed over the wire.
 */
import type { RequestContext } from '../server/broker.ts';
import { brokerConfigs, CONFIG_SOURCE, type ConfigEntry, topicConfigs } from '../server/configs.ts';
import { handler } from '../server/handler.ts';
import { topicNameProblem } from '../server/topics.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE, type ErrorName } from '../wire/errors.ts';
import { describeConfigs } from '../wire/schemas/index.ts';

type Request = RequestOf<typeof describeConfigs>;
type Result = AnswerOf<typeof describeConfigs>['results'][number];

const TOPIC = 2;
const BROKER = 4;

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
        isDefault: entry.source !== CONFIG_SOURCE.topic,
        configSource: entry.source,
        isSensitive: false,
        synonyms: request.includeSynonyms ? synonymsOf(entry) : [],
        configType: entry.type,
        documentation: request.includeDocumentation ? entry.documentation : null,
      })),
  };
}

function entriesOf(
  type: number,
  name: string,
  { broker, connection, may }: RequestContext,
): ConfigEntry[] | { refusal: [ErrorName, string] } {
  if (type === TOPIC && !may('DescribeConfigs', 'Topic', name)) {
    return {
      refusal: ['TOPIC_AUTHORIZATION_FAILED', 'cannot describe the settings of this topic: not allowed to'],
    };
  }
  if (type === BROKER && !may('DescribeConfigs', 'Cluster')) {
    return {
      refusal: ['CLUSTER_AUTHORIZATION_FAILED', 'cannot describe the settings of a broker: not allowed to'],
    };
  }
  if (type === TOPIC) {
    const problem = topicNameProblem(name);
    if (problem !== undefined) return { refusal: ['INVALID_TOPIC_EXCEPTION', problem] };
    const topic = broker.log.topic(name);
    if (!topic)
      return { refusal: ['UNKNOWN_TOPIC_OR_PARTITION', `cannot describe topic ${name}: there is none`] };
    return topicConfigs(topic.configs, broker.config);
  }
  if (type !== BROKER) {
    return {
      refusal: ['INVALID_REQUEST', `cannot describe a resource of type ${type}: want topic or broker`],
    };
  }
  // The empty name asks for the settings of all brokers, of which there are none.
  if (name === '') return [];
  if (name !== String(broker.config.nodeId)) {
    return {
      refusal: [
        'INVALID_REQUEST',
        `cannot describe broker ${name.slice(0, 300)}: want ${broker.config.nodeId}`,
      ],
    };
  }
  const { host, port } = connection.advertised;
  return brokerConfigs(broker.config, `${connection.listener.name}://${host}:${port}`);
}

/** Where the value comes from and what it would be without that. */
function synonymsOf(entry: ConfigEntry): Array<{ name: string; value: string; source: number }> {
  const { name, value, source, synonym, fallback } = entry;
  const fallbackSource = { name: synonym ?? name, value: fallback, source: CONFIG_SOURCE.default };
  return source === CONFIG_SOURCE.topic
    ? [{ name, value, source }, fallbackSource]
    : [{ ...fallbackSource, source }];
}
