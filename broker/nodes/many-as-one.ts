/** The handlers know one broker: what they are asked and what they answer, in terms of the nodes that clients see. */
import { endpoints, type Route, type Routed } from './route.ts';
import { type Body, listOf } from './split.ts';

/** Resource type of DescribeConfigs. */
const BROKER = 4;

/** Metadata, DescribeTopicPartitions and DescribeCluster: who runs, who controls, who leads. */
export async function describeNodes(routed: Routed): Promise<unknown> {
  const { request, nodes, next } = routed;
  const answer = { ...((await next(request)) as Body) };
  if (listOf(answer, 'brokers').length > 0) {
    answer['brokers'] = endpoints(routed).map((one) => ({
      ...one,
      brokerId: one.nodeId,
      rack: null,
      isFenced: false,
    }));
  }
  if ('controllerId' in answer) answer['controllerId'] = nodes.controllerId;
  if ('topics' in answer) {
    answer['topics'] = listOf(answer, 'topics').map((topic) => ({
      ...topic,
      partitions: listOf(topic, 'partitions').map((partition) => {
        const leaderId = nodes.leaderOf(topic['name'] as string, partition['partitionIndex'] as number);
        return { ...partition, leaderId, replicaNodes: [leaderId], isrNodes: [leaderId] };
      }),
    }));
  }
  return answer;
}

/** Handlers know one node: an assignment to any that exists is one to it. */
export function assignedToNodes(route: Route): Route {
  return (routed) => {
    const { nodes } = routed;
    const topics = listOf(routed.request, 'topics').map((topic) => ({
      ...topic,
      assignments:
        (topic['assignments'] as Body[] | null)?.map((one) => ({
          ...one,
          brokerIds: (one['brokerIds'] as number[]).map((id) => (nodes.ids.includes(id) ? nodes.ids[0] : id)),
        })) ?? topic['assignments'],
    }));
    return route({ ...routed, request: { ...routed.request, topics } });
  };
}

/** Broker settings are one set: each node answers for it under its own id. */
export function asOneBroker(list: string): Route {
  return async ({ request, context, nodes, next }) => {
    const own = String(context.connection.nodeId);
    const one = String(nodes.ids[0]);
    const renamed = (entries: readonly Body[], from: string, to: string): Body[] =>
      entries.map((entry) =>
        entry['resourceType'] === BROKER && entry['resourceName'] === from
          ? { ...entry, resourceName: to }
          : entry,
      );
    const isAsked = listOf(request, 'resources').some(
      (entry) => entry['resourceType'] === BROKER && entry['resourceName'] === own,
    );
    if (own === one || !isAsked) return next(request);
    const resources = renamed(listOf(request, 'resources'), own, one);
    const answer = (await next({ ...request, resources })) as Body;
    return { ...answer, [list]: renamed(listOf(answer, list), one, own) };
  };
}
