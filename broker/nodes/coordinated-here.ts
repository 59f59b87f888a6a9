/** What the coordinator of a group or a transactional id answers, and nobody else. */
import { CODE } from '../wire/errors.ts';
import { endpoints, type Route, type Routed } from './route.ts';
import { type Body, type EntryPlaces, listOf, splitEntries } from './split.ts';

/** Types of keys, as FindCoordinator has them. */
export const GROUP = 0;
export const TRANSACTION = 1;

/** One key decides; `more` makes the answer where an error code at the top does not. */
export function coordinatedHere(
  keyType: number,
  field: string,
  more: (request: Body, version: number) => Body = () => ({}),
): Route {
  return async (routed) => {
    const key = routed.request[field] as string | null;
    if (key === null || isCoordinator(routed, keyType, key)) return routed.next(routed.request);
    return { errorCode: CODE.NOT_COORDINATOR, ...more(routed.request, routed.context.version) };
  };
}

export function eachCoordinatedHere(
  keyType: number,
  list: string,
  field: string | undefined,
  answered: EntryPlaces['answered'],
): Route {
  return async (routed) => {
    const places = { asked: [list, field], answered } as const;
    const split = splitEntries(routed.request, places, (key) =>
      isCoordinator(routed, keyType, key) ? undefined : { errorCode: CODE.NOT_COORDINATOR },
    );
    return split.isWhole ? routed.next(split.rest) : split.merge((await routed.next(split.rest)) as Body);
  };
}

/** Lists name what this node coordinates; clients ask all nodes. */
export function onlyOwn(keyType: number, list: string, field: string): Route {
  return async (routed) => {
    const answer = (await routed.next(routed.request)) as Body;
    const own = listOf(answer, list).filter((one) => isCoordinator(routed, keyType, one[field] as string));
    return { ...answer, [list]: own };
  };
}

/** From v8 on groups are asked for one by one; before, v1 has no place for an error but the partitions. */
export async function fetchOffsets(routed: Routed): Promise<unknown> {
  const { request, context } = routed;
  if (context.version >= 8) {
    return eachCoordinatedHere(GROUP, 'groups', 'groupId', ['groups', 'groupId'])(routed);
  }
  return coordinatedHere(GROUP, 'groupId', () => ({
    topics: listOf(request, 'topics').map((topic) => ({
      name: topic['name'],
      partitions: (topic['partitionIndexes'] as number[]).map((partitionIndex) => ({
        partitionIndex,
        committedOffset: -1,
        metadata: '',
        errorCode: CODE.NOT_COORDINATOR,
      })),
    })),
  }))(routed);
}

export async function addPartitions(routed: Routed): Promise<unknown> {
  const { request, context, next } = routed;
  const refused = (topics: readonly Body[]): Body[] =>
    topics.map(({ name, partitions }) => ({
      name,
      resultsByPartition: (partitions as number[]).map((partitionIndex) => ({
        partitionIndex,
        partitionErrorCode: CODE.NOT_COORDINATOR,
      })),
    }));
  if (context.version < 4) {
    return coordinatedHere(TRANSACTION, 'v3AndBelowTransactionalId', () => ({
      resultsByTopicV3AndBelow: refused(listOf(request, 'v3AndBelowTopics')),
    }))(routed);
  }
  const places = {
    asked: ['transactions', 'transactionalId'],
    answered: ['resultsByTransaction', 'transactionalId'],
  } as const;
  const split = splitEntries(request, places, (id, transaction) =>
    isCoordinator(routed, TRANSACTION, id)
      ? undefined
      : { topicResults: refused(listOf(transaction as Body, 'topics')) },
  );
  return split.isWhole ? next(split.rest) : split.merge((await next(split.rest)) as Body);
}

export function inEveryPartition({ topics }: Body): Body {
  return {
    topics: (topics as Body[]).map((topic) => ({
      ...topic,
      partitions: listOf(topic, 'partitions').map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: CODE.NOT_COORDINATOR,
      })),
    })),
  };
}

export async function pointToCoordinator(routed: Routed): Promise<unknown> {
  const { request, next } = routed;
  const answer = (await next(request)) as Body;
  const keyType = request['keyType'] as number;
  const pointed = (one: Body, key: string): Body => {
    if (one['errorCode'] !== CODE.NONE) return one;
    const coordinator = coordinatorOf(routed, keyType, key);
    const { nodeId, host, port } = endpoints(routed).find(({ nodeId }) => nodeId === coordinator)!;
    return { ...one, nodeId, host, port };
  };
  return {
    ...pointed(answer, request['key'] as string),
    coordinators: listOf(answer, 'coordinators').map((one) => pointed(one, one['key'] as string)),
  };
}

function coordinatorOf({ context, nodes }: Routed, keyType: number, key: string): number {
  return nodes.coordinatorOf(keyType, key, context.broker.config.offsetsTopicPartitions);
}

function isCoordinator(routed: Routed, keyType: number, key: string): boolean {
  return coordinatorOf(routed, keyType, key) === routed.context.connection.nodeId;
}
