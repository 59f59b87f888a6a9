import type { RequestContext } from '../server/broker.ts';
import { CloseConnection, NO_ANSWER } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { ZERO_UUID } from '../wire/schema.ts';
import { endpoints, type Route } from './route.ts';
import { type Body, type PartitionPlaces, splitPartitions } from './split.ts';

/** Partitions that another node leads are refused with NOT_LEADER_OR_FOLLOWER, and with who leads them where asked. */
export function ledHere(
  places: PartitionPlaces,
  given: { readonly more?: Body; readonly leader?: boolean; readonly always?: Body } = {},
): Route {
  return async ({ request, context, nodes, next }) => {
    const leaders = new Set<number>();
    const split = splitPartitions({ ...request, ...given.always }, places, (topic, index) => {
      const found = topicOf(topic, context);
      const log = found?.partitions[index];
      if (!found || !log) return undefined;
      const leaderId = nodes.leaderOf(found.name, index);
      if (leaderId === context.connection.nodeId) return undefined;
      leaders.add(leaderId);
      const currentLeader = { leaderId, leaderEpoch: log.leaderEpoch };
      return {
        errorCode: CODE.NOT_LEADER_OR_FOLLOWER,
        ...given.more,
        ...(given.leader ? { currentLeader } : {}),
      };
    });
    if (split.isWhole) return next(split.rest);
    // A refusal is reason to answer at once.
    const answer = await next('maxWaitMs' in split.rest ? { ...split.rest, maxWaitMs: 0 } : split.rest);
    if (answer === NO_ANSWER) {
      throw new CloseConnection('produce with acks=0 failed: this node does not lead the partition');
    }
    const merged = split.merge(answer as Body);
    if (!given.leader) return merged;
    const nodeEndpoints = endpoints({ context, nodes }).filter(({ nodeId }) => leaders.has(nodeId));
    return { ...merged, nodeEndpoints };
  };
}

function topicOf(topic: Body, { broker }: RequestContext) {
  const name = (topic['name'] || topic['topic']) as string | undefined;
  if (name) return broker.log.topic(name);
  const id = topic['topicId'] as string | undefined;
  return id === undefined || id === ZERO_UUID ? undefined : broker.log.topicById(id);
}
