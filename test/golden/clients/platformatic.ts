import { Admin, Consumer, MessagesStreamModes, Producer, stringSerializers } from '@platformatic/kafka';

import type { Attempts } from './attempts.ts';

const TOPIC = 'golden-platformatic';
const GROUP = 'golden-platformatic-group';

/** Everything that @platformatic/kafka can ask, once. */
export async function runPlatformatic(
  bootstrap: string,
  saslBootstrap: string,
  attempts: Attempts,
): Promise<void> {
  const base = { clientId: 'golden', bootstrapBrokers: [bootstrap], retries: 3, retryDelay: 50 };
  const admin = new Admin(base);
  await administer(admin, attempts);
  await attempts.try('idempotent producer', async () => {
    const producer = new Producer({ ...base, serializers: stringSerializers, idempotent: true });
    await producer.send({
      messages: [{ topic: TOPIC, key: 'k', value: 'v', partition: 0, timestamp: 1_700_000_000_000n }],
    });
    await producer.close();
  });
  const consumers = [
    ['classic', {}],
    ['consumer', { groupProtocol: 'consumer' }],
  ] as const;
  for (const [protocol, more] of consumers) {
    await attempts.try(`${protocol} group`, async () => {
      const consumer = new Consumer({
        ...base,
        ...more,
        groupId: `${GROUP}-${protocol}`,
        maxWaitTime: 50,
        heartbeatInterval: 50,
      });
      const stream = await consumer.consume({
        topics: [TOPIC],
        mode: MessagesStreamModes.COMMITTED,
        fallbackMode: 'earliest',
        autocommit: false,
      });
      for await (const message of stream) {
        await message.commit();
        break;
      }
      await consumer.listOffsets({ topics: [TOPIC] });
      await admin.describeGroups({ groups: [`${GROUP}-${protocol}`] });
      await consumer.close(true);
    });
  }
  await attempts.try('transactions', async () => {
    const producer = new Producer({
      ...base,
      serializers: stringSerializers,
      idempotent: true,
      transactionalId: 'golden-platformatic-tx',
    });
    const message = { topic: TOPIC, key: 'k', value: 'v', partition: 0 };
    const commits = await producer.beginTransaction();
    await commits.send({ messages: [message] });
    await commits.commit();
    const aborts = await producer.beginTransaction();
    await aborts.send({ messages: [message] });
    await aborts.abort();
    await producer.close();
  });
  await attempts.try('SASL PLAIN', async () => {
    const sasl = { mechanism: 'PLAIN', username: 'alice', password: 'alice-secret' } as const;
    const other = new Admin({ ...base, bootstrapBrokers: [saslBootstrap], sasl });
    await other.listTopics();
    await other.close();
  });
  await attempts.try('groups', async () => {
    await admin.listGroups();
    const group = `${GROUP}-classic`;
    const topics = [{ name: TOPIC, partitionIndexes: [0] }];
    await admin.listConsumerGroupOffsets({ groups: [{ groupId: group, topics }] });
    await admin.alterConsumerGroupOffsets({
      groupId: group,
      topics: [{ name: TOPIC, partitionOffsets: [{ partition: 0, offset: 1n }] }],
    });
    await admin.deleteConsumerGroupOffsets({ groupId: group, topics });
    await admin.deleteGroups({ groups: [group] });
  });
  await attempts.try('deletions', async () => {
    await admin.deleteRecords({ topics: [{ name: TOPIC, partitions: [{ partition: 0, offset: 1n }] }] });
    await admin.deleteTopics({ topics: [TOPIC] });
  });
  await admin.close();
}

async function administer(admin: Admin, attempts: Attempts): Promise<void> {
  await attempts.try('createTopics', () =>
    admin.createTopics({ topics: [TOPIC], partitions: 2, replicas: 1 }),
  );
  await attempts.try('createPartitions', () =>
    admin.createPartitions({ topics: [{ name: TOPIC, count: 3, assignments: null }] }),
  );
  await attempts.try('listTopics', () => admin.listTopics());
  await attempts.try('findCoordinator', () => admin.findCoordinator({ keyType: 0, keys: [GROUP] }));
  const resource = { resourceType: 2, resourceName: TOPIC } as const;
  await attempts.try('describeConfigs', () =>
    admin.describeConfigs({ resources: [{ ...resource, configurationKeys: ['retention.ms'] }] }),
  );
  const retention = { name: 'retention.ms', value: '3600000' };
  await attempts.try('alterConfigs', () =>
    admin.alterConfigs({ resources: [{ ...resource, configs: [retention] }] }),
  );
  await attempts.try('incrementalAlterConfigs', () =>
    admin.incrementalAlterConfigs({
      resources: [{ ...resource, configs: [{ ...retention, configOperation: 0 }] }],
    }),
  );
  await attempts.try('quotas', async () => {
    const entities = [{ entityType: 'client-id', entityName: 'golden-other' }] as const;
    const set = { key: 'producer_byte_rate', value: 100_000, remove: false } as const;
    await admin.alterClientQuotas({ entries: [{ entities: [...entities], ops: [set] }] });
    await admin.describeClientQuotas({
      components: [{ entityType: 'client-id', matchType: 0, match: 'golden-other' }],
    });
    const unset = { key: 'producer_byte_rate', remove: true } as const;
    await admin.alterClientQuotas({ entries: [{ entities: [...entities], ops: [unset] }] });
  });
  await attempts.try('ACLs', async () => {
    const acl = {
      resourceType: 2,
      resourceName: TOPIC,
      resourcePatternType: 3,
      principal: 'User:alice',
      host: '*',
      operation: 3,
      permissionType: 3,
    } as const;
    await admin.createAcls({ creations: [acl] });
    await admin.describeAcls({ filter: acl });
    await admin.deleteAcls({ filters: [acl] });
  });
  await attempts.try('log directories', () =>
    admin.describeLogDirs({ topics: [{ name: TOPIC, partitions: [0] }] }),
  );
  await attempts.try('listOffsets', () =>
    admin.listOffsets({ topics: [{ name: TOPIC, partitions: [{ partitionIndex: 0, timestamp: -1n }] }] }),
  );
}
