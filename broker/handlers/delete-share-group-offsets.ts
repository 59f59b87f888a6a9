/**
 * DeleteShareGroupOffsets (92), version 0 (KIP-932): forgets all that a share group without members knows of a topic.
 * The next member begins where `share.auto.offset.reset` says.
 */
import { handler } from '../server/handler.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { ZERO_UUID } from '../wire/schema.ts';
import { deleteShareGroupOffsets } from '../wire/schemas/index.ts';
import { why } from './alter-share-group-offsets.ts';

type Answer = AnswerOf<typeof deleteShareGroupOffsets>;

export default handler({
  api: deleteShareGroupOffsets,
  versions: [0, 0],
  async handle({ groupId, topics }, context) {
    const { broker } = context;
    if (!context.may('Delete', 'Group', groupId)) {
      return { errorCode: CODE.GROUP_AUTHORIZATION_FAILED, responses: [] };
    }
    if (groupId === '') {
      return { errorCode: CODE.INVALID_GROUP_ID, errorMessage: 'a group needs a name', responses: [] };
    }
    const responses: Array<Answer['responses'][number]> = [];
    const errorCode = await broker.shares.changeOffsets(groupId, async (before) => {
      const kept = new Map(before);
      for (const { topicName } of topics) {
        const topic = broker.log.topic(topicName);
        if (!context.may('Read', 'Topic', topicName)) {
          responses.push({ topicName, topicId: ZERO_UUID, errorCode: CODE.TOPIC_AUTHORIZATION_FAILED });
          continue;
        }
        if (!topic) {
          responses.push({ topicName, topicId: ZERO_UUID, errorCode: CODE.UNKNOWN_TOPIC_OR_PARTITION });
          continue;
        }
        const forgotten = broker.shares.deliveries.of(groupId).filter(({ key }) => key.topicId === topic.id);
        const codes = await Promise.all(forgotten.map((one) => broker.shares.deliveries.forget(one)));
        const failed = codes.find((code) => code !== CODE.NONE) ?? CODE.NONE;
        if (failed === CODE.NONE) kept.delete(topic.id);
        responses.push({ topicName, topicId: topic.id, errorCode: failed });
      }
      return { topics: kept.size === before.size ? before : kept, errorCode: CODE.NONE };
    });
    return errorCode === CODE.NONE
      ? { errorCode, responses }
      : { errorCode, errorMessage: why(errorCode), responses: [] };
  },
});
