import { type EachMessagePayload, Kafka, logLevel } from 'kafkajs';

import type { Attempts } from './attempts.ts';

const TOPIC = 'golden-kafkajs';
const GROUP = 'golden-kafkajs-group';

/** Everything that kafkajs can ask, once. */
export async function runKafkajs(
  bootstrap: string,
  saslBootstrap: string,
  attempts: Attempts,
): Promise<void> {
  const settings = {
    clientId: 'golden',
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, retries: 5 },
  };
  const kafka = new Kafka({ ...settings, brokers: [bootstrap] });
  await administer(kafka, attempts);
  await attempts.try('idempotent producer', async () => {
    const producer = kafka.producer({ idempotent: true });
    await producer.connect();
    await producer.send({
      topic: TOPIC,
      messages: [{ key: 'k', value: 'v', headers: { h: 'x' }, partition: 0, timestamp: '1700000000000' }],
    });
    await producer.disconnect();
  });
  await attempts.try('transactions', () => transact(kafka));
  await attempts.try('consumer', () => consume(kafka));
  await attempts.try('SASL PLAIN', async () => {
    const sasl = { mechanism: 'plain', username: 'alice', password: 'alice-secret' } as const;
    const admin = new Kafka({ ...settings, brokers: [saslBootstrap], sasl }).admin();
    await admin.connect();
    await admin.disconnect();
  });
  await attempts.try('SASL SCRAM with a wrong password', async () => {
    const sasl = { mechanism: 'scram-sha-256', username: 'nobody', password: 'x' } as const;
    const admin = new Kafka({ ...settings, brokers: [saslBootstrap], sasl, retry: { retries: 0 } }).admin();
    await admin.connect().catch(() => {});
  });
  const admin = kafka.admin();
  await attempts.try('deletions', async () => {
    await admin.connect();
    await admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] });
    await admin.describeGroups([GROUP]);
    await admin.listGroups();
    await admin.deleteGroups([GROUP]);
    await admin.deleteTopicRecords({ topic: TOPIC, partitions: [{ partition: 0, offset: '1' }] });
    await admin.deleteTopics({ topics: [TOPIC] });
  });
  await admin.disconnect();
}

async function administer(kafka: Kafka, attempts: Attempts): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  const retention = { name: 'retention.ms', value: '3600000' };
  await attempts.try('createTopics', () =>
    admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 2, configEntries: [retention] }] }),
  );
  await attempts.try('createTopics again', () => admin.createTopics({ topics: [{ topic: TOPIC }] }));
  await attempts.try('createPartitions', () =>
    admin.createPartitions({ topicPartitions: [{ topic: TOPIC, count: 3 }] }),
  );
  await attempts.try('configs', async () => {
    const resources = [{ type: 2, name: TOPIC, configNames: ['retention.ms'] }];
    await admin.describeConfigs({ includeSynonyms: true, resources });
    const altered = [{ type: 2, name: TOPIC, configEntries: [{ name: 'retention.ms', value: '7200000' }] }];
    await admin.alterConfigs({ validateOnly: false, resources: altered });
  });
  await attempts.try('cluster', () => admin.describeCluster());
  // A topic by its whole name, READ, ALLOW: Node finds no such names in the module.
  const resource = { resourceType: 2, resourceName: TOPIC, resourcePatternType: 3 };
  const right = { host: '*', operation: 3, permissionType: 3 };
  const acl = { ...resource, ...right, principal: 'User:alice' };
  await attempts.try('ACLs', async () => {
    await admin.createAcls({ acl: [acl] });
    await admin.describeAcls(acl);
    await admin.deleteAcls({ filters: [acl] });
  });
  await attempts.try('reassignments', async () => {
    const partitionAssignment = [{ partition: 0, replicas: [1] }];
    await admin.alterPartitionReassignments({ topics: [{ topic: TOPIC, partitionAssignment }] });
    await admin.listPartitionReassignments({ topics: [{ topic: TOPIC, partitions: [0] }] });
  });
  await attempts.try('offsets', async () => {
    await admin.fetchTopicOffsetsByTimestamp(TOPIC, 1_700_000_000_000);
    await admin.setOffsets({ groupId: GROUP, topic: TOPIC, partitions: [{ partition: 1, offset: '0' }] });
  });
  await admin.disconnect();
}

async function transact(kafka: Kafka): Promise<void> {
  const producer = kafka.producer({
    transactionalId: 'golden-kafkajs-tx',
    maxInFlightRequests: 1,
    idempotent: true,
  });
  await producer.connect();
  const commits = await producer.transaction();
  await commits.send({ topic: TOPIC, messages: [{ value: 'committed', partition: 0 }] });
  const topics = [{ topic: TOPIC, partitions: [{ partition: 0, offset: '0' }] }];
  await commits.sendOffsets({ consumerGroupId: 'golden-kafkajs-tx-group', topics });
  await commits.commit();
  const aborts = await producer.transaction();
  await aborts.send({ topic: TOPIC, messages: [{ value: 'aborted', partition: 0 }] });
  await aborts.abort();
  await producer.disconnect();
}

async function consume(kafka: Kafka): Promise<void> {
  const consumer = kafka.consumer({ groupId: GROUP, maxWaitTimeInMs: 50, heartbeatInterval: 50 });
  await consumer.connect();
  await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
  await new Promise<void>((resolve) => {
    const eachMessage = async (payload: EachMessagePayload): Promise<void> => {
      await payload.heartbeat();
      resolve();
    };
    consumer.run({ eachMessage }).catch(() => {});
  });
  await consumer.commitOffsets([{ topic: TOPIC, partition: 0, offset: '1', metadata: 'm' }]);
  const admin = kafka.admin();
  await admin.connect();
  await admin.describeGroups([GROUP]);
  await admin.disconnect();
  await consumer.disconnect();
}
