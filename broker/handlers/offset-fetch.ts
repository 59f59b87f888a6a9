/**
 * OffsetFetch (9), versions 1 to 10.
 *
 * An unknown group or partition reads as offset -1, metadata "", no error: never GROUP_ID_NOT_FOUND, which would
 * stop every consumer with a new group. v2: null asks for all. v8 (KIP-709): several groups at once. v9 (KIP-848):
 * a member of the consumer protocol says who it is and in which epoch. v10: topic ids. `require_stable` (v7): a
 * position that an open transaction may yet change is UNSTABLE_OFFSET_COMMIT.
 */
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { ZERO_UUID } from '../wire/schema.ts';
import { offsetFetch } from '../wire/schemas/index.ts';

interface Asked {
  readonly name: string;
  readonly topicId: string;
  readonly partitionIndexes: readonly number[];
}

interface PartitionAnswer {
  readonly partitionIndex: number;
  readonly committedOffset: number;
  readonly committedLeaderEpoch: number;
  readonly metadata: string;
  readonly errorCode: number;
}

type Asking = RequestContext & { readonly requireStable: boolean };

interface TopicAnswer {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: PartitionAnswer[];
}

export default handler({
  api: offsetFetch,
  versions: [1, 10],
  handle(request, context) {
    const asks = { ...context, requireStable: request.requireStable };
    if (context.version >= 8) {
      return {
        groups: request.groups.map(({ groupId, memberId, memberEpoch, topics }) => {
          const refusal = context.may('Describe', 'Group', groupId)
            ? context.broker.groups.fetchRefusalOf(groupId, memberId, memberEpoch)
            : CODE.GROUP_AUTHORIZATION_FAILED;
          if (refusal !== undefined) return { groupId, topics: [], errorCode: refusal };
          return {
            groupId,
            topics: topics === null ? all(groupId, asks) : some(groupId, topics, asks),
          };
        }),
      };
    }
    const asked = request.topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null;
    const { groupId } = request;
    if (!context.may('Describe', 'Group', groupId)) {
      const errorCode = CODE.GROUP_AUTHORIZATION_FAILED;
      // v1 has no place for it but the partitions.
      const topics = context.version === 1 ? (asked ?? []).map((one) => failed(one, errorCode)) : [];
      return { topics, errorCode, groups: [] };
    }
    return {
      topics: asked === null ? all(groupId, asks) : some(groupId, asked, asks),
      errorCode: CODE.NONE,
      groups: [],
    };
  },
});

function all(groupId: string, { broker, version, may, requireStable }: Asking): TopicAnswer[] {
  const entry = broker.groups.groups.get(groupId);
  const answers: TopicAnswer[] = [];
  for (const [name, partitions] of entry?.offsets.topics ?? []) {
    if (!may('Describe', 'Topic', name)) continue;
    const topicId = broker.log.topic(name)?.id;
    // A topic without an id cannot be named in the versions that name topics by id.
    if (topicId === undefined && version >= 10) continue;
    answers.push({
      name,
      topicId: topicId ?? ZERO_UUID,
      partitions: [...partitions.keys()].map((index) =>
        position(groupId, name, index, broker, requireStable),
      ),
    });
  }
  return answers;
}

function some(
  groupId: string,
  asked: readonly Asked[],
  { broker, version, may, requireStable }: Asking,
): TopicAnswer[] {
  return asked.map((one) => {
    const { name, topicId, partitionIndexes } = one;
    const topic = version >= 10 ? broker.log.topicById(topicId)?.name : name;
    if (topic !== undefined && !may('Describe', 'Topic', topic)) {
      return failed(one, CODE.TOPIC_AUTHORIZATION_FAILED);
    }
    return {
      name,
      topicId,
      partitions: partitionIndexes.map((index) =>
        topic === undefined
          ? { ...unknown(index), errorCode: CODE.UNKNOWN_TOPIC_ID }
          : position(groupId, topic, index, broker, requireStable),
      ),
    };
  });
}

function failed({ name, topicId, partitionIndexes }: Asked, errorCode: number): TopicAnswer {
  return { name, topicId, partitions: partitionIndexes.map((index) => ({ ...unknown(index), errorCode })) };
}

function position(
  groupId: string,
  topic: string,
  index: number,
  { groups }: RequestContext['broker'],
  requireStable: boolean,
): PartitionAnswer {
  if (requireStable && groups.isPending(groupId, topic, index)) {
    return { ...unknown(index), errorCode: CODE.UNSTABLE_OFFSET_COMMIT };
  }
  const committed = groups.committed(groupId, topic, index);
  if (!committed) return unknown(index);
  return {
    partitionIndex: index,
    committedOffset: committed.offset,
    committedLeaderEpoch: committed.leaderEpoch,
    metadata: committed.metadata,
    errorCode: CODE.NONE,
  };
}

function unknown(partitionIndex: number): PartitionAnswer {
  return {
    partitionIndex,
    committedOffset: -1,
    committedLeaderEpoch: -1,
    metadata: '',
    errorCode: CODE.NONE,
  };
}
