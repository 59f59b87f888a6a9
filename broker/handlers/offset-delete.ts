/**
 * OffsetDelete (47), version 0 (KIP-496): positions of topics that nobody in the group reads. Where there was none,
 * there is nothing to do and no error. A group whose members are no consumers has to be empty.
 */
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { offsetDelete } from '../wire/schemas/index.ts';

interface Judged {
  readonly topic: string;
  readonly partition: number;
  readonly refusal: number | undefined;
}

export default handler({
  api: offsetDelete,
  versions: [0, 0],
  async handle({ groupId, topics }, { broker, may }) {
    if (!may('Delete', 'Group', groupId)) return refused(CODE.GROUP_AUTHORIZATION_FAILED);
    if (groupId === '') return refused(CODE.INVALID_GROUP_ID);
    const judged = topics.map(({ name, partitions }) => {
      const topic = broker.log.topic(name);
      const isDenied = !may('Read', 'Topic', name);
      return partitions.map(({ partitionIndex: partition }): Judged => {
        if (isDenied) return { topic: name, partition, refusal: CODE.TOPIC_AUTHORIZATION_FAILED };
        const refusal = topic?.partitions[partition] ? undefined : CODE.UNKNOWN_TOPIC_OR_PARTITION;
        return { topic: name, partition, refusal };
      });
    });
    const places = judged.flat().filter(({ refusal }) => refusal === undefined);
    const codes = await broker.groups.deleteOffsets(groupId, places);
    if (typeof codes === 'number') return refused(codes);
    const codeOf = new Map(places.map((place, index) => [place, codes[index]!]));
    return {
      errorCode: CODE.NONE,
      topics: topics.map(({ name }, index) => ({
        name,
        partitions: judged[index]!.map((one) => ({
          partitionIndex: one.partition,
          errorCode: one.refusal ?? codeOf.get(one)!,
        })),
      })),
    };
  },
});

function refused(errorCode: number) {
  return { errorCode, topics: [] };
}
