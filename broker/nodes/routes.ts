/**
 * How each API behaves where several nodes run: what the node of the connection does not lead, coordinate or control
 * is refused, and what tells about nodes tells about all that run. One entry an API; those that any node may answer
 * have none.
 *
 * Deviations: fetch sessions are not given (a session would outlive a change of leaders), replicas are the leader
 * alone, and a topic made with an assignment is spread by hash all the same.
 */
import type { RequestContext } from '../server/broker.ts';
import { CloseConnection, NO_ANSWER } from '../server/handler.ts';
import { CODE } from '../wire/errors.ts';
import { ZERO_UUID } from '../wire/schema.ts';
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  alterConfigs,
  alterPartitionReassignments,
  alterShareGroupOffsets,
  alterUserScramCredentials,
  consumerGroupDescribe,
  consumerGroupHeartbeat,
  createPartitions,
  createTopics,
  deleteGroups,
  deleteRecords,
  deleteShareGroupOffsets,
  deleteTopics,
  describeCluster,
  describeConfigs,
  describeGroups,
  describeProducers,
  describeShareGroupOffsets,
  describeTopicPartitions,
  describeTransactions,
  electLeaders,
  endTxn,
  fetch,
  findCoordinator,
  heartbeat,
  incrementalAlterConfigs,
  initProducerId,
  joinGroup,
  leaveGroup,
  listGroups,
  listOffsets,
  listPartitionReassignments,
  listTransactions,
  metadata,
  offsetCommit,
  offsetDelete,
  offsetFetch,
  offsetForLeaderEpoch,
  produce,
  shareAcknowledge,
  shareFetch,
  shareGroupDescribe,
  shareGroupHeartbeat,
  syncGroup,
  txnOffsetCommit,
  updateFeatures,
} from '../wire/schemas/index.ts';
import type { NodeEndpoint, Nodes } from './nodes.ts';
import {
  type Body,
  type EntryPlaces,
  listOf,
  type PartitionPlaces,
  splitEntries,
  splitPartitions,
} from './split.ts';

export interface Routed {
  readonly request: Body;
  readonly context: RequestContext;
  readonly nodes: Nodes;
  readonly next: (request: Body) => Promise<unknown>;
}

export type Route = (routed: Routed) => Promise<unknown>;

const GROUP = 0;
const TRANSACTION = 1;
/** Resource type of DescribeConfigs. */
const BROKER = 4;
const NO_SESSION = { sessionId: 0, sessionEpoch: -1, forgottenTopicsData: [] };

const sameNames = {
  asked: ['topics', 'partitions', 'partitionIndex'],
  answered: ['topics', 'partitions', 'partitionIndex'],
} as const;
const shared = { asked: sameNames.asked, answered: ['responses', 'partitions', 'partitionIndex'] } as const;

export const ROUTES: ReadonlyMap<number, Route> = new Map<number, Route>([
  [
    produce.key,
    ledHere(
      {
        asked: ['topicData', 'partitionData', 'index'],
        answered: ['responses', 'partitionResponses', 'index'],
      },
      { more: { baseOffset: -1 }, leader: true },
    ),
  ],
  [
    fetch.key,
    ledHere(
      {
        asked: ['topics', 'partitions', 'partition'],
        answered: ['responses', 'partitions', 'partitionIndex'],
      },
      { more: { highWatermark: -1, abortedTransactions: null }, leader: true, always: NO_SESSION },
    ),
  ],
  [listOffsets.key, ledHere(sameNames)],
  [deleteRecords.key, ledHere(sameNames, { more: { lowWatermark: -1 } })],
  [
    offsetForLeaderEpoch.key,
    ledHere({
      asked: ['topics', 'partitions', 'partition'],
      answered: ['topics', 'partitions', 'partition'],
    }),
  ],
  [
    describeProducers.key,
    ledHere({ asked: ['topics', 'partitionIndexes', undefined], answered: sameNames.answered }),
  ],
  [shareFetch.key, ledHere(shared, { leader: true })],
  [shareAcknowledge.key, ledHere(shared, { leader: true })],

  [
    joinGroup.key,
    coordinatedHere(GROUP, 'groupId', ({ memberId }, version) => ({
      memberId,
      protocolName: version >= 7 ? null : '',
    })),
  ],
  [syncGroup.key, coordinatedHere(GROUP, 'groupId')],
  [heartbeat.key, coordinatedHere(GROUP, 'groupId')],
  [leaveGroup.key, coordinatedHere(GROUP, 'groupId')],
  [offsetCommit.key, coordinatedHere(GROUP, 'groupId', inEveryPartition)],
  [txnOffsetCommit.key, coordinatedHere(GROUP, 'groupId', inEveryPartition)],
  [offsetDelete.key, coordinatedHere(GROUP, 'groupId')],
  [consumerGroupHeartbeat.key, coordinatedHere(GROUP, 'groupId')],
  [shareGroupHeartbeat.key, coordinatedHere(GROUP, 'groupId')],
  [alterShareGroupOffsets.key, coordinatedHere(GROUP, 'groupId')],
  [deleteShareGroupOffsets.key, coordinatedHere(GROUP, 'groupId')],
  [offsetFetch.key, fetchOffsets],
  [describeGroups.key, eachCoordinatedHere(GROUP, 'groups', undefined, ['groups', 'groupId'])],
  [deleteGroups.key, eachCoordinatedHere(GROUP, 'groupsNames', undefined, ['results', 'groupId'])],
  [consumerGroupDescribe.key, eachCoordinatedHere(GROUP, 'groupIds', undefined, ['groups', 'groupId'])],
  [shareGroupDescribe.key, eachCoordinatedHere(GROUP, 'groupIds', undefined, ['groups', 'groupId'])],
  [describeShareGroupOffsets.key, eachCoordinatedHere(GROUP, 'groups', 'groupId', ['groups', 'groupId'])],
  [listGroups.key, onlyOwn(GROUP, 'groups', 'groupId')],

  [
    initProducerId.key,
    coordinatedHere(TRANSACTION, 'transactionalId', () => ({ producerId: -1, producerEpoch: -1 })),
  ],
  [addOffsetsToTxn.key, coordinatedHere(TRANSACTION, 'transactionalId')],
  [endTxn.key, coordinatedHere(TRANSACTION, 'transactionalId')],
  [addPartitionsToTxn.key, addPartitions],
  [
    describeTransactions.key,
    eachCoordinatedHere(TRANSACTION, 'transactionalIds', undefined, ['transactionStates', 'transactionalId']),
  ],
  [listTransactions.key, onlyOwn(TRANSACTION, 'transactionStates', 'transactionalId')],

  [createTopics.key, assignedToNodes(eachControlledHere(['topics', 'name'], ['topics', 'name']))],
  [createPartitions.key, assignedToNodes(eachControlledHere(['topics', 'name'], ['results', 'name']))],
  [deleteTopics.key, deleteOnController],
  [alterUserScramCredentials.key, alterUsersOnController],
  [electLeaders.key, controlledHere],
  [alterPartitionReassignments.key, controlledHere],
  [listPartitionReassignments.key, controlledHere],
  [updateFeatures.key, controlledHere],

  [metadata.key, describeNodes],
  [describeTopicPartitions.key, describeNodes],
  [describeCluster.key, describeNodes],
  [findCoordinator.key, pointToCoordinator],
  [describeConfigs.key, asOneBroker('results')],
  [alterConfigs.key, asOneBroker('responses')],
  [incrementalAlterConfigs.key, asOneBroker('responses')],
]);

/** Partitions that another node leads are refused with NOT_LEADER_OR_FOLLOWER, and with who leads them where asked. */
function ledHere(
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

/** One key decides; `more` makes the answer where an error code at the top does not. */
function coordinatedHere(
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

function eachCoordinatedHere(
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
function onlyOwn(keyType: number, list: string, field: string): Route {
  return async (routed) => {
    const answer = (await routed.next(routed.request)) as Body;
    const own = listOf(answer, list).filter((one) => isCoordinator(routed, keyType, one[field] as string));
    return { ...answer, [list]: own };
  };
}

/** From v8 on groups are asked for one by one; before, v1 has no place for an error but the partitions. */
async function fetchOffsets(routed: Routed): Promise<unknown> {
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

async function addPartitions(routed: Routed): Promise<unknown> {
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

function inEveryPartition({ topics }: Body): Body {
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

async function controlledHere(routed: Routed): Promise<unknown> {
  if (isController(routed)) return routed.next(routed.request);
  return { errorCode: CODE.NOT_CONTROLLER };
}

function eachControlledHere(asked: EntryPlaces['asked'], answered: EntryPlaces['answered']): Route {
  return async (routed) => {
    if (isController(routed)) return routed.next(routed.request);
    return splitEntries(routed.request, { asked, answered }, () => ({
      errorCode: CODE.NOT_CONTROLLER,
      errorMessage: 'This is not the correct controller for this cluster.',
    })).merge({});
  };
}

async function deleteOnController(routed: Routed): Promise<unknown> {
  if (isController(routed)) return routed.next(routed.request);
  const { topics, topicNames } = routed.request as { topics: Body[]; topicNames: string[] };
  const asked = routed.context.version >= 6 ? topics : topicNames.map((name) => ({ name }));
  return { responses: asked.map((topic) => ({ ...topic, errorCode: CODE.NOT_CONTROLLER })) };
}

async function alterUsersOnController(routed: Routed): Promise<unknown> {
  if (isController(routed)) return routed.next(routed.request);
  const { deletions, upsertions } = routed.request as { deletions: Body[]; upsertions: Body[] };
  const users = new Set([...deletions, ...upsertions].map(({ name }) => name));
  return {
    results: [...users].map((user) => ({ user, errorCode: CODE.NOT_CONTROLLER, errorMessage: null })),
  };
}

/** Handlers know one node: an assignment to any that exists is one to it. */
function assignedToNodes(route: Route): Route {
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

/** Metadata, DescribeTopicPartitions and DescribeCluster: who runs, who controls, who leads. */
async function describeNodes(routed: Routed): Promise<unknown> {
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

async function pointToCoordinator(routed: Routed): Promise<unknown> {
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

/** Broker settings are one set: each node answers for it under its own id. */
function asOneBroker(list: string): Route {
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

function topicOf(topic: Body, { broker }: RequestContext) {
  const name = (topic['name'] || topic['topic']) as string | undefined;
  if (name) return broker.log.topic(name);
  const id = topic['topicId'] as string | undefined;
  return id === undefined || id === ZERO_UUID ? undefined : broker.log.topicById(id);
}

function endpoints({ context: { connection }, nodes }: Pick<Routed, 'context' | 'nodes'>): NodeEndpoint[] {
  return nodes.endpoints(connection.listener, connection.advertised.host);
}

function coordinatorOf({ context, nodes }: Routed, keyType: number, key: string): number {
  return nodes.coordinatorOf(keyType, key, context.broker.config.offsetsTopicPartitions);
}

function isCoordinator(routed: Routed, keyType: number, key: string): boolean {
  return coordinatorOf(routed, keyType, key) === routed.context.connection.nodeId;
}

function isController({ context, nodes }: Routed): boolean {
  return nodes.controllerId === context.connection.nodeId;
}
