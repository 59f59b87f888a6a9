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
    const groups =
      types.size > 0 && !types.has('classic')
        ? []
        : [...broker.groups.groups.values()].filter(
            ({ group }) => states.size === 0 || states.has(group.phase.toLowerCase()),
          );
    const isAllVisible = may('Describe', 'Cluster');
    const visible = groups.filter(({ group }) => isAllVisible || may('Describe', 'Group', group.groupId));
    return {
      errorCode: CODE.NONE,
      groups: visible.map(({ group }) => ({
        groupId: group.groupId,
        protocolType: group.protocolType ?? '',
        groupState: group.phase,
        groupType: 'classic',
      })),
    };
  },
});
