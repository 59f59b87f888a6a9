/**
 * OffsetCommit (8), versions 2 to 10. Answered when the positions are durable.
 *
 * Any offset is taken, also one outside of the log: Fetch finds out. Metadata is kept verbatim, absent metadata
 * as "". v2 to v4's retention time is ignored, as since Kafka 2.1. v6 adds the leader epoch, v7 static members,
 * v9 member epochs (KIP-848), v10 topic ids. A member that commits in an older epoch than it has may do so for
 * partitions that it has had since then (KIP-1251); the others are refused alone.
 */
import type { CommitOffset, CommitOutcome } from '../groups/commits.ts';
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { offsetCommit } from '../wire/schemas/index.ts';
import { judgeOffsets } from './judged-offsets.ts';

export default handler({
  api: offsetCommit,
  versions: [2, 10],
  async handle(request, context) {
    if (!context.may('Read', 'Group', request.groupId)) return refusedForGroup(request);
    const judged = judgeOffsets(request.topics, context, context.version >= 10);
    const offsets = judged.flatMap(({ partitions }) => partitions.flatMap(({ offset }) => offset ?? []));
    const { errorCode, stale } = await commit(request, offsets, context);
    return {
      topics: judged.map(({ name, topicId, partitions }) => ({
        name,
        topicId,
        partitions: partitions.map(({ index, refusal, offset }) => ({
          partitionIndex: index,
          errorCode: refusal ?? (offset && stale.has(offset) ? CODE.STALE_MEMBER_EPOCH : errorCode),
        })),
      })),
    };
  },
});

function refusedForGroup({ topics }: RequestOf<typeof offsetCommit>): AnswerOf<typeof offsetCommit> {
  const errorCode = CODE.GROUP_AUTHORIZATION_FAILED;
  return {
    topics: topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
    })),
  };
}

function commit(
  request: RequestOf<typeof offsetCommit>,
  offsets: readonly CommitOffset[],
  { broker, version }: RequestContext,
): Promise<CommitOutcome> {
  return broker.groups.commit({
    groupId: request.groupId,
    generation: request.generationIdOrMemberEpoch,
    memberId: request.memberId,
    instanceId: request.groupInstanceId,
    offsets,
    version,
  });
}
