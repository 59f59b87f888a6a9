/**
 * CreatePartitions (37), versions 0 to 3: grows topics, each judged alone. A manual assignment has to name this node for
 * every added partition. Members of groups notice added partitions at their next look at the metadata.
 */
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import { codeOf, PARTITIONS_MAX } from '../server/topics.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE, type ErrorName } from '../wire/errors.ts';
import { createPartitions } from '../wire/schemas/index.ts';

type Asked = RequestOf<typeof createPartitions>['topics'][number];
type Answer = AnswerOf<typeof createPartitions>['results'][number];

export default handler({
  api: createPartitions,
  versions: [0, 3],
  async handle({ topics, validateOnly }, context) {
    const results: Answer[] = [];
    const seen = new Map<string, number>();
    for (const { name } of topics) seen.set(name, (seen.get(name) ?? 0) + 1);
    for (const name of seen.keys()) {
      const asked = topics.find((one) => one.name === name)!;
      results.push(
        seen.get(name)! > 1
          ? refused(name, 'INVALID_REQUEST', 'cannot grow a topic: got it twice in one request')
          : await grow(asked, validateOnly, context),
      );
    }
    return { results };
  },
});

async function grow(asked: Asked, validateOnly: boolean, context: RequestContext): Promise<Answer> {
  const { name, count } = asked;
  const problem = problemOf(asked, context);
  if (problem) return refused(name, ...problem);
  try {
    if (!validateOnly) await context.broker.log.createPartitions(name, count);
    return { name, errorCode: CODE.NONE, errorMessage: null };
  } catch (error) {
    return { name, errorCode: codeOf(error), errorMessage: (error as Error).message };
  }
}

function problemOf(
  { name, count, assignments }: Asked,
  { broker, may }: RequestContext,
): [ErrorName, string] | undefined {
  const cannot = `cannot grow topic ${name.slice(0, 300)}`;
  if (!may('Alter', 'Topic', name)) return ['TOPIC_AUTHORIZATION_FAILED', `${cannot}: not allowed`];
  const topic = broker.log.topic(name);
  if (!topic) return ['UNKNOWN_TOPIC_OR_PARTITION', `${cannot}: there is none`];
  // Keys are found by the number of partitions.
  if (topic.internal) return ['INVALID_TOPIC_EXCEPTION', `${cannot}: it is internal`];
  const current = topic.partitions.length;
  if (count <= current || count > PARTITIONS_MAX) {
    const want = `more than the ${current} there are and at most ${PARTITIONS_MAX}`;
    return ['INVALID_PARTITIONS', `${cannot}: got ${count} partitions, want ${want}`];
  }
  if (assignments === null) return undefined;
  const added = count - current;
  if (assignments.length !== added) {
    const message = `${cannot}: got ${assignments.length} assignments, want one for each of ${added}`;
    return ['INVALID_REPLICA_ASSIGNMENT', message];
  }
  const { nodeId } = broker.config;
  const wrong = assignments.find(({ brokerIds }) => brokerIds.length !== 1 || brokerIds[0] !== nodeId);
  if (!wrong) return undefined;
  const got = wrong.brokerIds.slice(0, 10).join(',');
  return ['INVALID_REPLICA_ASSIGNMENT', `${cannot}: got nodes ${got}, want ${nodeId}`];
}

function refused(name: string, error: ErrorName, errorMessage: string): Answer {
  return { name, errorCode: CODE[error], errorMessage };
}
