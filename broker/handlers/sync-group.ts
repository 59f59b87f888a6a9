/**
 * SyncGroup (14), versions 0 to 5. Parked until the leader's assignment is durable; a member that the leader left
 * out gets empty bytes. v3 (KIP-345): static members. v5 (KIP-559) checks protocol type and name.
 */
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { syncGroup } from '../wire/schemas/index.ts';

const NO_ASSIGNMENT = Buffer.alloc(0);

export default handler({
  api: syncGroup,
  versions: [0, 5],
  async handle(request, { broker, may }) {
    const { groupId, memberId } = request;
    if (!may('Read', 'Group', groupId)) {
      return { errorCode: CODE.GROUP_AUTHORIZATION_FAILED, assignment: NO_ASSIGNMENT };
    }
    if (groupId === '') return { errorCode: CODE.INVALID_GROUP_ID, assignment: NO_ASSIGNMENT };
    const answer = await broker.groups.sync(groupId, {
      memberId,
      instanceId: request.groupInstanceId,
      generation: request.generationId,
      protocolType: request.protocolType,
      protocol: request.protocolName,
      assignments: new Map(request.assignments.map((one) => [one.memberId, Buffer.from(one.assignment)])),
    });
    if (!answer) return { errorCode: CODE.UNKNOWN_MEMBER_ID, assignment: NO_ASSIGNMENT };
    return {
      errorCode: answer.errorCode,
      protocolType: answer.protocolType,
      protocolName: answer.protocol,
      assignment: answer.assignment,
    };
  },
});
