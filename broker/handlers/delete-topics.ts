/**
 * DeleteTopics (20), versions 0 to 6. v6 takes ids as well as names. The topic is gone when the answer comes,
 * its files may follow; the positions that groups had in it go too.
 */
import type { Topic } from '../log/log.ts';
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import { codeOf } from '../server/topics.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { ZERO_UUID } from '../wire/schema.ts';
import { deleteTopics } from '../wire/schemas/index.ts';

type Answer = AnswerOf<typeof deleteTopics>['responses'][number];

export default handler({
  api: deleteTopics,
  versions: [0, 6],
  async handle(request, context) {
    const asked =
      context.version >= 6
        ? request.topics
        : request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }));
    if (!context.broker.config.deleteTopics) return { responses: asked.map((one) => disabled(one, context)) };
    const responses: Answer[] = [];
    for (const { name, topicId } of asked) responses.push(await remove(name, topicId, context));
    return { responses };
  },
});

/** `delete.topic.enable` is false; clients before v3 do not know the code for it. */
function disabled(
  { name, topicId }: { name: string | null; topicId: string },
  { version }: RequestContext,
): Answer {
  const errorCode = version >= 3 ? CODE.TOPIC_DELETION_DISABLED : CODE.INVALID_REQUEST;
  return { name, topicId, errorCode, errorMessage: 'cannot delete a topic: want delete.topic.enable' };
}

async function remove(
  name: string | null,
  topicId: string,
  { broker, may }: RequestContext,
): Promise<Answer> {
  if (name !== null && topicId !== ZERO_UUID) {
    const errorMessage = 'cannot delete a topic: got both name and id, want one';
    return { name, topicId, errorCode: CODE.INVALID_REQUEST, errorMessage };
  }
  const topic: Topic | undefined = name === null ? broker.log.topicById(topicId) : broker.log.topic(name);
  const known = topic?.name ?? name;
  if (known !== null && !may('Describe', 'Topic', known)) {
    // Not more than the client said itself: neither the name of an id nor the id of a name.
    const errorMessage = 'cannot delete a topic: not allowed to know of it';
    return { name, topicId, errorCode: CODE.TOPIC_AUTHORIZATION_FAILED, errorMessage };
  }
  if (!topic) {
    const errorCode = name === null ? CODE.UNKNOWN_TOPIC_ID : CODE.UNKNOWN_TOPIC_OR_PARTITION;
    return {
      name,
      topicId,
      errorCode,
      errorMessage: 'cannot delete a topic: there is none of this name or id',
    };
  }
  if (!may('Delete', 'Topic', topic.name)) {
    const errorMessage = `cannot delete topic ${topic.name}: not allowed to`;
    return { name: topic.name, topicId: topic.id, errorCode: CODE.TOPIC_AUTHORIZATION_FAILED, errorMessage };
  }
  if (topic.internal) {
    const errorMessage = `cannot delete topic ${topic.name}: it is internal`;
    return { name: topic.name, topicId: topic.id, errorCode: CODE.INVALID_TOPIC_EXCEPTION, errorMessage };
  }
  try {
    await broker.topics.delete(topic);
    await broker.shares.onTopicDeleted(topic);
    return { name: topic.name, topicId: topic.id, errorCode: CODE.NONE, errorMessage: null };
  } catch (error) {
    const errorMessage = (error as Error).message;
    return { name: topic.name, topicId: topic.id, errorCode: codeOf(error), errorMessage };
  }
}
