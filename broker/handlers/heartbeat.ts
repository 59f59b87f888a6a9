/** Heartbeat (12), versions 0 to 4. v3 (KIP-345): static members. */
import { handler } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { heartbeat } from '../wire/schemas/index.ts';

export default handler({
  api: heartbeat,
  versions: [0, 4],
  async handle({ groupId, memberId, groupInstanceId, generationId }, { broker, may }) {
    if (!may('Read', 'Group', groupId)) return { errorCode: CODE.GROUP_AUTHORIZATION_FAILED };
    if (groupId === '') return { errorCode: CODE.INVALID_GROUP_ID };
    return {
      errorCode: await broker.groups.heartbeat(groupId, {
        memberId,
        instanceId: groupInstanceId,
        generation: generationId,
      }),
    };
  },
});
