/**
 * DeleteGroups (42), versions 0 to 3: empty groups only, with their positions. The message that v3 has room for is null
 * with every error that Kafka answers here.
 */
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { deleteGroups } from '../wire/schemas/index.ts';

export default handler({
  api: deleteGroups,
  versions: [0, 3],
  async handle({ groupsNames }, { broker, may }) {
    const results: Array<{ groupId: string; errorCode: number }> = [];
    for (const groupId of groupsNames) {
      if (!may('Delete', 'Group', groupId)) {
        results.push({ groupId, errorCode: CODE.GROUP_AUTHORIZATION_FAILED });
        continue;
      }
      // The empty id too: old clients could commit positions for it.
      const owner = broker.shares.has(groupId) ? broker.shares : broker.groups;
      results.push({ groupId, errorCode: await owner.deleteGroup(groupId) });
    }
    return { results };
  },
});
