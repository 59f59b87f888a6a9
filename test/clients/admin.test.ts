import { Admin, ConfigResourceTypes as ResourceTypes } from '@platformatic/kafka';
import { ConfigResourceTypes, Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { startTestBroker, type TestBroker } from '../support/test-broker.ts';

let broker: TestBroker;
beforeAll(async () => {
  broker = await startTestBroker();
});
afterAll(() => broker?.stop());

test('kafkajs: topics, partitions, settings of topic and broker, and records go the whole way round', async () => {
  const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'round', numPartitions: 1 }] });
  await admin.createPartitions({ topicPartitions: [{ topic: 'round', count: 3 }] });
  const { topics } = await admin.fetchTopicMetadata({ topics: ['round'] });
  expect(topics[0]!.partitions).toHaveLength(3);
  for (const [type, name, setting] of [
    [ConfigResourceTypes.TOPIC, 'round', 'retention.ms'],
    [ConfigResourceTypes.BROKER, '1', 'log.retention.ms'],
  ] as const) {
    const configEntries = [{ name: setting, value: '123456' }];
    await admin.alterConfigs({ validateOnly: false, resources: [{ type, name, configEntries }] });
    const described = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type, name, configNames: [setting] }],
    });
    expect(described.resources[0]!.configEntries[0]!.configValue).toBe('123456');
  }
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic: 'round', messages: ['a', 'b'].map((value) => ({ value, partition: 0 })) });
  await admin.deleteTopicRecords({ topic: 'round', partitions: [{ partition: 0, offset: '1' }] });
  const offsets = await admin.fetchTopicOffsets('round');
  expect(offsets.find(({ partition }) => partition === 0)).toMatchObject({ low: '1', high: '2' });
  await producer.disconnect();
  await admin.disconnect();
});

test('@platformatic/kafka: settings of a broker are set and read back', async () => {
  const admin = new Admin({ clientId: 'admin', bootstrapBrokers: [broker.address] });
  await admin.incrementalAlterConfigs({
    resources: [
      {
        resourceType: ResourceTypes.BROKER,
        resourceName: '1',
        configs: [{ name: 'log.roll.ms', configOperation: 0, value: '77777' }],
      },
    ],
  });
  const described = await admin.describeConfigs({
    resources: [
      { resourceType: ResourceTypes.BROKER, resourceName: '1', configurationKeys: ['log.roll.ms'] },
    ],
  });
  expect(described[0]!.configs[0]).toMatchObject({ name: 'log.roll.ms', value: '77777', configSource: 2 });
  await admin.close();
});
