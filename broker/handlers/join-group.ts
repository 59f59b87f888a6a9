/**
 * JoinGroup (11), versions 0 to 9. Parked until the join phase is over.
 *
 * v0 has no rebalance timeout: the session timeout serves. v4 (KIP-394): a member without an id gets one and
 * comes back with it. v5 (KIP-345): static members. v7 answers the protocol type. v9 (KIP-814): a static leader
 * that came back is told to skip the assignment.
 */
import type { JoinAnswer } from '../groups/group.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { joinGroup } from '../wire/schemas/index.ts';

/** The rest is for readers of logs; an id has to fit into a string with room to spare. */
const MEMBER_ID_PREFIX_MAX = 255;

export default handler({
  api: joinGroup,
  versions: [0, 9],
  async handle(request, { broker, version, clientId, connection, may }) {
    const { groupId, memberId, sessionTimeoutMs } = request;
    const { groupMinSessionTimeoutMs, groupMaxSessionTimeoutMs } = broker.config;
    if (!may('Read', 'Group', groupId)) return refused(CODE.GROUP_AUTHORIZATION_FAILED, memberId, version);
    if (groupId === '') return refused(CODE.INVALID_GROUP_ID, memberId, version);
    if (sessionTimeoutMs < groupMinSessionTimeoutMs || sessionTimeoutMs > groupMaxSessionTimeoutMs) {
      return refused(CODE.INVALID_SESSION_TIMEOUT, memberId, version);
    }
    if (broker.shares.has(groupId)) return refused(CODE.INCONSISTENT_GROUP_PROTOCOL, memberId, version);
    const { groupInstanceId, rebalanceTimeoutMs } = request;
    const answer = await broker.groups.join(groupId, {
      memberId,
      freshMemberId: `${(groupInstanceId ?? clientId).slice(0, MEMBER_ID_PREFIX_MAX)}-${broker.host.random.uuid()}`,
      instanceId: groupInstanceId,
      clientId,
      clientHost: `/${connection.remote.host}`,
      sessionTimeoutMs,
      rebalanceTimeoutMs: rebalanceTimeoutMs < 0 ? sessionTimeoutMs : rebalanceTimeoutMs,
      protocolType: request.protocolType,
      // Views into the request's frame would keep all of it in memory.
      protocols: request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
      memberIdRequired: version >= 4,
      canSkipAssignment: version >= 9,
      maySee: (topic) => may('Describe', 'Topic', topic),
    });
    return translate(answer, version);
  },
});

function translate(answer: JoinAnswer, version: number): AnswerOf<typeof joinGroup> {
  return {
    errorCode: answer.errorCode,
    generationId: answer.generation,
    protocolType: answer.protocolType,
    protocolName: answer.protocol ?? (version >= 7 ? null : ''),
    leader: answer.leaderId,
    skipAssignment: answer.skipAssignment,
    memberId: answer.memberId,
    members: answer.members.map(({ memberId, instanceId, metadata }) => ({
      memberId,
      groupInstanceId: instanceId,
      metadata,
    })),
  };
}

function refused(errorCode: number, memberId: string, version: number): AnswerOf<typeof joinGroup> {
  return {
    errorCode,
    protocolName: version >= 7 ? null : '',
    leader: '',
    memberId,
    members: [],
  };
}
