/** What the descriptions of groups of all kinds have in common. */
import { authorizedOperations } from '../security/authorized-operations.ts';
import type { RequestContext } from '../server/broker.ts';
import { CODE } from '../wire/errors.ts';

/** KIP-430: with what the client may do to the group, if it asked for that and there is a group. */
export function withOperations<T extends { readonly errorCode: number; readonly groupId: string }>(
  described: T,
  isAsked: boolean,
  { may }: RequestContext,
): T & { authorizedOperations?: number } {
  if (!isAsked || described.errorCode !== CODE.NONE) return described;
  return { ...described, authorizedOperations: authorizedOperations(may, 'Group', described.groupId) };
}

/** Of a group with epochs, KIP-848 or share, why nothing else is told of it. */
export function notDescribed(groupId: string, errorCode: number, errorMessage: string | null) {
  return {
    errorCode,
    errorMessage,
    groupId,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: '',
    members: [],
  };
}
