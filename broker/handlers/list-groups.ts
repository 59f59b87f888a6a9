/**
 * ListGroups (16), versions 0 to 5. v4 (KIP-518) filters by state and v5 (KIP-848) by type, both without regard
 * to case.
 */
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { listGroups } from '../wire/schemas/index.ts';

export default handler({
  api: listGroups,
  versions: [0, 5],
  handle({ statesFilter, typesFilter }, { broker, may }) {
    const states = new Set(statesFilter.map((one) => one.toLowerCase()));
    const types = new Set(typesFilter.map((one) => one.toLowerCase()));
    const isAllVisible = may('Describe', 'Cluster');
    const listed = broker.groups
      .list()
      .filter(
        ({ groupId, groupState, groupType }) =>
          (states.size === 0 || states.has(groupState.toLowerCase())) &&
          (types.size === 0 || types.has(groupType)) &&
          (isAllVisible || may('Describe', 'Group', groupId)),
      );
    return { errorCode: CODE.NONE, groups: listed };
  },
});
