/**
 * How each API behaves where several nodes run: what the node of the connection does not lead, coordinate or control
 * is refused, and what tells about nodes tells about all that run. One entry an API; those that any node may answer
 * have none.
 *
 * Deviations: fetch sessions are not given (a session would outlive a change of leaders), replicas are the leader
 * alone, and a topic made with an assignment is spread by hash all the same.
 */
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
import {
  controlledHere,
  alterUsersOnController,
  deleteOnController,
  eachControlledHere,
} from './controlled-here.ts';
import {
  addPartitions,
  coordinatedHere,
  eachCoordinatedHere,
  fetchOffsets,
  GROUP,
  inEveryPartition,
  onlyOwn,
  pointToCoordinator,
  TRANSACTION,
} from './coordinated-here.ts';
import { ledHere } from './led-here.ts';
import { asOneBroker, assignedToNodes, describeNodes } from './many-as-one.ts';
import type { Route } from './route.ts';

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
