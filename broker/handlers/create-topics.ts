/**
 * CreateTopics (19), versions 0 to 7. Each topic is judged alone. v1 `validate_only`, v4 -1 for the broker's
 * defaults, v5 answers what was made, v7 the topic id.
 * The one replication factor that one node can have is 1; another is refused as Kafka refuses one larger than its
 * brokers, unless `clampReplicationFactor` takes it for 1.
 */
import type { Topic } from '../log/log.ts';
import type { Broker } from '../server/broker.ts';
import { topicEntries } from '../configs/describe.ts';
import { topicConfigProblem } from '../configs/topic-configs.ts';
import { handler } from '../server/handler.ts';
import { INTERNAL_TOPICS } from '../state/internal-topic.ts';
import { codeOf, PARTITIONS_MAX, topicNameProblem } from '../server/topics.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE, type ErrorName } from '../wire/errors.ts';
import { createTopics } from '../wire/schemas/index.ts';

const METADATA_TOPIC = '__cluster_metadata';

type Asked = RequestOf<typeof createTopics>['topics'][number];
type Answer = AnswerOf<typeof createTopics>['topics'][number];

export default handler({
  api: createTopics,
  versions: [0, 7],
  async handle(request, { broker, may }) {
    const mayCreateAll = may('Create', 'Cluster');
    const counts = new Map<string, number>();
    for (const { name } of request.topics) counts.set(name, (counts.get(name) ?? 0) + 1);
    const answers: Answer[] = [];
    const total = request.topics.reduce((sum, asked) => sum + Math.max(0, partitionsOf(asked, broker)), 0);
    if (total > PARTITIONS_MAX) {
      const message = `cannot create topics: got ${total} partitions in one request, want at most ${PARTITIONS_MAX}`;
      return { topics: [...counts.keys()].map((name) => refused(name, 'POLICY_VIOLATION', message)) };
    }
    for (const asked of request.topics) {
      const times = counts.get(asked.name) ?? 0;
      if (times === 0) continue;
      if (times > 1) {
        counts.delete(asked.name);
        answers.push(refused(asked.name, 'INVALID_REQUEST', 'cannot create a topic twice in one request'));
        continue;
      }
      if (!mayCreateAll && !may('Create', 'Topic', asked.name)) {
        const message = 'cannot create a topic: not allowed to';
        answers.push(refused(asked.name, 'TOPIC_AUTHORIZATION_FAILED', message));
        continue;
      }
      const answer = await create(asked, request.validateOnly, broker);
      const mayReadConfigs = answer.errorCode !== CODE.NONE || may('DescribeConfigs', 'Topic', asked.name);
      answers.push(mayReadConfigs ? answer : withoutConfigs(answer));
    }
    return { topics: answers };
  },
});

async function create(asked: Asked, validateOnly: boolean, broker: Broker): Promise<Answer> {
  const { name } = asked;
  const configs = Object.fromEntries(asked.configs.map((one) => [one.name, one.value]));
  const partitions = partitionsOf(asked, broker);
  const problem = problemOf(asked, partitions, configs, broker);
  if (problem) return refused(name, ...problem);
  const checked = configs as Record<string, string>;
  if (validateOnly) return made(name, undefined, partitions, checked, broker);
  try {
    const topic = await broker.topics.create(name, partitions, checked);
    return made(name, topic, partitions, checked, broker);
  } catch (error) {
    return { name, errorCode: codeOf(error), errorMessage: (error as Error).message, configs: null };
  }
}

function partitionsOf({ assignments, numPartitions }: Asked, { config }: Broker): number {
  if (assignments.length > 0) return assignments.length;
  return numPartitions === -1 ? config.numPartitions : numPartitions;
}

function problemOf(
  asked: Asked,
  partitions: number,
  configs: Readonly<Record<string, string | null>>,
  { log, topics, config }: Broker,
): [ErrorName, string] | undefined {
  const { name, assignments, numPartitions, replicationFactor } = asked;
  const nameProblem = topicNameProblem(name);
  if (nameProblem !== undefined) return ['INVALID_TOPIC_EXCEPTION', nameProblem];
  if (name === METADATA_TOPIC)
    return ['INVALID_REQUEST', `cannot create topic ${name}: it is the controller's`];
  if (log.topic(name)) return ['TOPIC_ALREADY_EXISTS', `cannot create topic ${name}: it exists`];
  if (INTERNAL_TOPICS.has(name)) {
    return [
      'INVALID_TOPIC_EXCEPTION',
      `cannot create topic ${name}: it is internal, and made when it is needed`,
    ];
  }
  const other = topics.collision(name);
  if (other !== undefined) {
    return ['INVALID_TOPIC_EXCEPTION', `cannot create topic ${name}: it collides with ${other}`];
  }
  if (assignments.length > 0 && (numPartitions !== -1 || replicationFactor !== -1)) {
    return ['INVALID_REQUEST', `cannot create topic ${name}: got both counts and an assignment`];
  }
  const assignment = assignmentProblem(asked, config.nodeId);
  if (assignment !== undefined) return ['INVALID_REPLICA_ASSIGNMENT', assignment];
  const isPossible =
    replicationFactor === -1 ||
    replicationFactor === 1 ||
    (replicationFactor > 1 && config.clampReplicationFactor);
  if (assignments.length === 0 && !isPossible) {
    const message = `cannot create topic ${name}: got replication factor ${replicationFactor}, want 1`;
    return ['INVALID_REPLICATION_FACTOR', message];
  }
  if (partitions < 1 || partitions > PARTITIONS_MAX) {
    const message = `cannot create topic ${name}: got ${partitions} partitions, want 1 to ${PARTITIONS_MAX}`;
    return ['INVALID_PARTITIONS', message];
  }
  const configProblem = topicConfigProblem(configs);
  return configProblem === undefined ? undefined : ['INVALID_CONFIG', configProblem];
}

function assignmentProblem({ name, assignments }: Asked, nodeId: number): string | undefined {
  const indexes = new Set(assignments.map(({ partitionIndex }) => partitionIndex));
  for (const { partitionIndex, brokerIds } of assignments) {
    if (brokerIds.length !== 1 || brokerIds[0] !== nodeId) {
      return `cannot create topic ${name}: got nodes ${brokerIds.slice(0, 10).join(',')} for partition ${partitionIndex}, want ${nodeId}`;
    }
  }
  const isConsecutive = [...indexes].every((index) => index >= 0 && index < assignments.length);
  return indexes.size === assignments.length && isConsecutive
    ? undefined
    : `cannot create topic ${name}: got partitions that are not consecutive from 0`;
}

function made(
  name: string,
  topic: Topic | undefined,
  numPartitions: number,
  configs: Readonly<Record<string, string>>,
  broker: Broker,
): Answer {
  return {
    name,
    ...(topic ? { topicId: topic.id } : {}),
    errorCode: CODE.NONE,
    errorMessage: null,
    numPartitions,
    replicationFactor: 1,
    configs: topicEntries(configs, broker.configs).map(({ name: config, value, source, readOnly }) => ({
      name: config,
      value,
      readOnly,
      configSource: source,
      isSensitive: false,
    })),
  };
}

/** v5: who may create but not read settings is told that, and nothing of what was made. */
function withoutConfigs(answer: Answer): Answer {
  const topicConfigErrorCode = CODE.TOPIC_AUTHORIZATION_FAILED;
  return { ...answer, topicConfigErrorCode, numPartitions: -1, replicationFactor: -1, configs: null };
}

function refused(name: string, error: ErrorName, errorMessage: string): Answer {
  return { name, errorCode: CODE[error], errorMessage, configs: null };
}
