/**
 * ShareAcknowledge (79), versions 1 and 2 (KIP-932): what became of records, within the share session. Answered when
 * all of it is durable; of one partition either everything is done or nothing. Epoch -1 closes the session and gives
 * back the rest; 0 cannot open one here. v2 (KIP-1222): type 4 begins a lock anew, where `is_renew_ack` says so.
 */
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import { acknowledgeAll, byTopic } from '../share/acknowledgements.ts';
import { CLOSE_EPOCH, nextSession, OPEN_EPOCH } from '../share/share-session.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { shareAcknowledge } from '../wire/schemas/index.ts';

export default handler({
  api: shareAcknowledge,
  versions: [1, 2],
  async handle(request, context) {
    const { groupId, memberId, shareSessionEpoch: epoch } = request;
    const { shares } = context.broker;
    if (!memberId || groupId === null) return refused(CODE.INVALID_REQUEST);
    if (!context.may('Read', 'Group', groupId)) return refused(CODE.GROUP_AUTHORIZATION_FAILED);
    const problem = useSession(groupId, memberId, epoch, context);
    if (problem !== undefined) return refused(problem);
    const isRenewAck = context.version >= 2 && request.isRenewAck;
    const acknowledged = await acknowledgeAll(request.topics, { groupId, memberId, isRenewAck }, context);
    if (epoch === CLOSE_EPOCH) await shares.closeSession(groupId, memberId, context.connection.nodeId);
    return {
      errorCode: CODE.NONE,
      acquisitionLockTimeoutMs: shares.deliveries.settings(groupId).lockDurationMs,
      responses: byTopic(acknowledged, ({ topicId }) => topicId).map(({ topicId, items }) => ({
        topicId,
        partitions: items.map(({ partition, errorCode }) => ({
          partitionIndex: partition,
          errorCode,
          currentLeader: { leaderId: 0, leaderEpoch: 0 },
        })),
      })),
      nodeEndpoints: [],
    };
  },
});

function useSession(
  groupId: string,
  memberId: string,
  epoch: number,
  { broker, connection }: RequestContext,
): number | undefined {
  if (epoch === OPEN_EPOCH) return CODE.INVALID_SHARE_SESSION_EPOCH;
  const { sessions } = broker.shares;
  const next = nextSession(sessions.get(groupId, memberId, connection.nodeId), epoch);
  if (typeof next === 'number') return next;
  sessions.replace(next, connection.nodeId);
  return undefined;
}

function refused(errorCode: number): AnswerOf<typeof shareAcknowledge> {
  return { errorCode, acquisitionLockTimeoutMs: 0, responses: [], nodeEndpoints: [] };
}
