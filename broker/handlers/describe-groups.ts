/**
 * DescribeGroups (15), versions 0 to 6. A group that is unknown, or of another protocol, is `Dead` without an error;
 * v6 (KIP-1043) says GROUP_ID_NOT_FOUND. v3 (KIP-430) tells on request what the client may do. Metadata and assignments
 * are told in Stable only, as they are in motion otherwise.
 */
import { describeMembers } from '../groups/group-view.ts';
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { describeGroups } from '../wire/schemas/index.ts';
import { withOperations } from './described-group.ts';

export default handler({
  api: describeGroups,
  versions: [0, 6],
  handle(request, context) {
    return { groups: request.groups.map((groupId) => answer(groupId, request, context)) };
  },
});

function answer(
  groupId: string,
  { includeAuthorizedOperations }: RequestOf<typeof describeGroups>,
  context: RequestContext,
): AnswerOf<typeof describeGroups>['groups'][number] {
  if (!context.may('Describe', 'Group', groupId)) {
    const errorCode = CODE.GROUP_AUTHORIZATION_FAILED;
    return { errorCode, groupId, groupState: '', protocolType: '', protocolData: '', members: [] };
  }
  return withOperations(describe(groupId, context), includeAuthorizedOperations, context);
}

function describe(
  groupId: string,
  { broker, version }: RequestContext,
): AnswerOf<typeof describeGroups>['groups'][number] {
  const group = broker.groups.groups.get(groupId)?.group;
  if (group?.type !== 'classic') {
    const why = broker.groups.typeOf(groupId) ? 'is not a classic group' : 'not found';
    return {
      errorCode: version >= 6 ? CODE.GROUP_ID_NOT_FOUND : CODE.NONE,
      errorMessage: `Group ${groupId} ${why}.`,
      groupId,
      groupState: 'Dead',
      protocolType: '',
      protocolData: '',
      members: [],
    };
  }
  const { phase, protocolType, protocol } = group;
  return {
    errorCode: CODE.NONE,
    groupId,
    groupState: phase,
    protocolType: protocolType ?? '',
    protocolData: phase === 'Stable' ? (protocol ?? '') : '',
    members: describeMembers(group),
  };
}
