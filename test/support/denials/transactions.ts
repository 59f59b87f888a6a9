/** What transactional producers ask for, and who looks after transactions. */
import { CLUSTER_NAME } from '../../../broker/security/authorizer.ts';
import * as api from '../../../broker/wire/schemas/index.ts';
import type { RawClient } from '../raw-client.ts';
import { recordBatch } from '../record-batch.ts';
import type { Denial, Grant } from './world.ts';

const transactionalId = 'tx';
const producer = { transactionalId, producerId: 999, producerEpoch: 0 };
const OWNED: Grant = ['TransactionalId', transactionalId, 'Write'];
const TRANSACTIONAL_ATTRIBUTE = 0x10;

/** The right that all of a transaction needs. */
const ofId = (name: string, ask: Denial['ask']): Denial => ({
  name: `${name} of a transactional id`,
  grant: OWNED,
  denied: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  ask,
});

/** What is needed besides. */
const besides = (
  name: string,
  grant: Grant,
  denied: Denial['denied'],
  ask: (client: RawClient) => Promise<number>,
): Denial => ({
  name,
  grant,
  denied,
  ask: (client, world) => world.allowing([OWNED], () => ask(client)),
});

export const TRANSACTIONS: readonly Denial[] = [
  ofId('InitProducerId', async (client) => {
    const request = { transactionalId, transactionTimeoutMs: -1, producerId: -1, producerEpoch: -1 };
    return (await client.call(api.initProducerId, 4, request)).errorCode;
  }),
  ofId('AddPartitionsToTxn', addPartitions),
  besides(
    'AddPartitionsToTxn of a topic',
    ['Topic', 'logs', 'Write'],
    'TOPIC_AUTHORIZATION_FAILED',
    addPartitions,
  ),
  ...[false, true].map((verifyOnly) =>
    ofId(`AddPartitionsToTxn in a batch${verifyOnly ? ' that asks only' : ''}`, async (client) => {
      const transactions = [{ ...producer, verifyOnly, topics: [{ name: 'logs', partitions: [0] }] }];
      const { resultsByTransaction } = await client.call(api.addPartitionsToTxn, 5, { transactions });
      return resultsByTransaction[0]!.topicResults[0]!.resultsByPartition[0]!.partitionErrorCode;
    }),
  ),
  ofId('AddOffsetsToTxn', addOffsets),
  besides(
    'AddOffsetsToTxn of a group',
    ['Group', 'readers', 'Read'],
    'GROUP_AUTHORIZATION_FAILED',
    addOffsets,
  ),
  ofId(
    'EndTxn',
    async (client) => (await client.call(api.endTxn, 3, { ...producer, committed: true })).errorCode,
  ),
  ofId('TxnOffsetCommit', commitOffsets),
  besides(
    'TxnOffsetCommit of a group',
    ['Group', 'readers', 'Read'],
    'GROUP_AUTHORIZATION_FAILED',
    commitOffsets,
  ),
  {
    name: 'TxnOffsetCommit of a topic',
    grant: ['Topic', 'logs', 'Read'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: (client, world) =>
      world.allowing([OWNED, ['Group', 'readers', 'Read']], () => commitOffsets(client)),
  },
  {
    name: 'Produce in a transaction',
    grant: OWNED,
    denied: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    ask: (client, world) =>
      world.allowing([['Topic', 'logs', 'Write']], async () => {
        const records = recordBatch({
          values: ['a'],
          producerId: producer.producerId,
          producerEpoch: 0,
          baseSequence: 0,
          attributes: TRANSACTIONAL_ATTRIBUTE,
        });
        const { responses } = await client.call(api.produce, 7, {
          transactionalId,
          acks: -1,
          timeoutMs: 5_000,
          topicData: [{ name: 'logs', partitionData: [{ index: 0, records }] }],
        });
        return responses[0]!.partitionResponses[0]!.errorCode;
      }),
  },
  ...(['ClusterAction', 'Alter'] as const).map((operation): Denial => ({
    name: `WriteTxnMarkers by ${operation}`,
    grant: ['Cluster', CLUSTER_NAME, operation],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const topics = [{ name: 'nowhere', partitionIndexes: [0] }];
      const marker = {
        producerId: 1,
        producerEpoch: 0,
        transactionResult: false,
        topics,
        coordinatorEpoch: 0,
      };
      const { markers } = await client.call(api.writeTxnMarkers, 1, { markers: [marker] });
      return markers[0]!.topics[0]!.partitions[0]!.errorCode;
    },
  })),
  {
    name: 'DescribeTransactions',
    grant: ['TransactionalId', transactionalId, 'Describe'],
    denied: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const request = { transactionalIds: [transactionalId] };
      return (await client.call(api.describeTransactions, 0, request)).transactionStates[0]!.errorCode;
    },
  },
  {
    name: 'DescribeProducers',
    grant: ['Topic', 'logs', 'Read'],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
    ask: async (client) => {
      const request = { topics: [{ name: 'logs', partitionIndexes: [0] }] };
      return (await client.call(api.describeProducers, 0, request)).topics[0]!.partitions[0]!.errorCode;
    },
  },
  {
    name: 'FindCoordinator of a transactional id',
    grant: ['TransactionalId', transactionalId, 'Describe'],
    denied: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    ask: async (client) =>
      (await client.call(api.findCoordinator, 4, { keyType: 1, coordinatorKeys: [transactionalId] }))
        .coordinators[0]!.errorCode,
  },
];

async function addPartitions(client: RawClient): Promise<number> {
  const { resultsByTopicV3AndBelow } = await client.call(api.addPartitionsToTxn, 3, {
    v3AndBelowTransactionalId: transactionalId,
    v3AndBelowProducerId: producer.producerId,
    v3AndBelowProducerEpoch: 0,
    v3AndBelowTopics: [{ name: 'logs', partitions: [0] }],
  });
  return resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode;
}

async function addOffsets(client: RawClient): Promise<number> {
  return (await client.call(api.addOffsetsToTxn, 3, { ...producer, groupId: 'readers' })).errorCode;
}

async function commitOffsets(client: RawClient): Promise<number> {
  const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }];
  const request = { ...producer, groupId: 'readers', topics: [{ name: 'logs', partitions }] };
  return (await client.call(api.txnOffsetCommit, 3, request)).topics[0]!.partitions[0]!.errorCode;
}
