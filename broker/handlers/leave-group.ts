/**
 * LeaveGroup (13), versions 0 to 5. v3 (KIP-345) takes several members, by member id or by instance id, each with
 * a code of its own.
 */
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { leaveGroup } from '../wire/schemas/index.ts';

export default handler({
  api: leaveGroup,
  versions: [0, 5],
  async handle(request, { broker, version, may }) {
    if (!may('Read', 'Group', request.groupId)) {
      return { errorCode: CODE.GROUP_AUTHORIZATION_FAILED, members: [] };
    }
    if (request.groupId === '') return { errorCode: CODE.INVALID_GROUP_ID, members: [] };
    const leaving =
      version >= 3
        ? request.members.map(({ memberId, groupInstanceId }) => ({ memberId, instanceId: groupInstanceId }))
        : [{ memberId: request.memberId, instanceId: null }];
    const codes = await broker.groups.leave(request.groupId, { members: leaving });
    if (version < 3) return { errorCode: codes[0] ?? CODE.UNKNOWN_MEMBER_ID, members: [] };
    return {
      errorCode: CODE.NONE,
      members: leaving.map(({ memberId, instanceId }, index) => ({
        memberId,
        groupInstanceId: instanceId,
        errorCode: codes[index]!,
      })),
    };
  },
});
