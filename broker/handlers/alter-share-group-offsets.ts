/**
 * AlterShareGroupOffsets (91), version 0 (KIP-932): where a share group without members goes on; one that is
 * not there is made. What was handed out, and how often, is forgotten.
 */
import type { Topic } from '../log/log.ts';
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { ZERO_UUID } from '../wire/schema.ts';
import { alterShareGroupOffsets } from '../wire/schemas/index.ts';

type Asked = RequestOf<typeof alterShareGroupOffsets>['topics'][number];
type Answer = AnswerOf<typeof alterShareGroupOffsets>;

export default handler({
  api: alterShareGroupOffsets,
  versions: [0, 0],
  async handle({ groupId, topics }, context) {
    if (!context.may('Read', 'Group', groupId)) {
      return { errorCode: CODE.GROUP_AUTHORIZATION_FAILED, responses: [] };
    }
    if (groupId === '') {
      return { errorCode: CODE.INVALID_GROUP_ID, errorMessage: 'a group needs a name', responses: [] };
    }
    const { shares } = context.broker;
    const made = await shares.ensure(groupId);
    if (made !== CODE.NONE) return { errorCode: made, errorMessage: why(made), responses: [] };
    let responses: Answer['responses'] = [];
    const errorCode = await shares.changeOffsets(groupId, async (before) => {
      const kept = new Map(before);
      responses = await Promise.all(topics.map((asked) => alter(groupId, asked, kept, context)));
      const isMore = kept.size !== before.size || [...kept].some(([id, topic]) => before.get(id) !== topic);
      return { topics: isMore ? kept : before, errorCode: CODE.NONE };
    });
    return errorCode === CODE.NONE
      ? { errorCode, responses }
      : { errorCode, errorMessage: why(errorCode), responses: [] };
  },
});

async function alter(
  groupId: string,
  { topicName, partitions }: Asked,
  kept: Map<string, { name: string; partitions: readonly number[] }>,
  context: RequestContext,
): Promise<Answer['responses'][number]> {
  const topic: Topic | undefined = context.broker.log.topic(topicName);
  const refusal = !context.may('Read', 'Topic', topicName)
    ? CODE.TOPIC_AUTHORIZATION_FAILED
    : topic
      ? undefined
      : CODE.UNKNOWN_TOPIC_OR_PARTITION;
  if (refusal !== undefined || !topic) {
    const errorCode = refusal ?? CODE.UNKNOWN_TOPIC_OR_PARTITION;
    return {
      topicName,
      topicId: ZERO_UUID,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
    };
  }
  const answers = [];
  for (const { partitionIndex, startOffset } of partitions) {
    const log = topic.partitions[partitionIndex];
    const key = { groupId, topicId: topic.id, partition: partitionIndex };
    const errorCode =
      log && startOffset >= 0
        ? await context.broker.shares.deliveries.reset(key, log, startOffset)
        : log
          ? CODE.INVALID_REQUEST
          : CODE.UNKNOWN_TOPIC_OR_PARTITION;
    answers.push({ partitionIndex, errorCode });
    if (errorCode === CODE.NONE) keep(kept, topic, partitionIndex);
  }
  return { topicName, topicId: topic.id, partitions: answers };
}

function keep(
  kept: Map<string, { name: string; partitions: readonly number[] }>,
  topic: Topic,
  partition: number,
): void {
  const known = kept.get(topic.id)?.partitions ?? [];
  if (known.includes(partition)) return;
  kept.set(topic.id, { name: topic.name, partitions: [...known, partition].toSorted((a, b) => a - b) });
}

export function why(errorCode: number): string | null {
  if (errorCode === CODE.GROUP_ID_NOT_FOUND) return 'there is no share group of this id';
  return errorCode === CODE.NON_EMPTY_GROUP ? 'the group has members' : null;
}
