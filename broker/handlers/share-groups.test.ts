import { afterEach, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { recordBatch } from '../../test/support/record-batch.ts';
import { makeTopic, produceTo } from '../../test/support/requests.ts';
import { ACK, ShareMember } from '../../test/support/share-member.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { incrementalAlterConfigs } from '../wire/schemas/index.ts';
import type { BrokerConfig } from '../config.ts';

let broker: TestBroker;
const members: ShareMember[] = [];
let producer: RawClient;

afterEach(async () => {
  for (const member of members.splice(0)) member.close();
  producer?.close();
  await broker?.stop();
});

const topic = { name: 'jobs', id: '' };

async function begin(
  settings: Partial<BrokerConfig> = {},
  group: Record<string, string> = {},
): Promise<void> {
  broker = await startTestBroker(settings);
  producer = await RawClient.connect(broker.port);
  await configure({ 'share.auto.offset.reset': 'earliest', ...group });
  topic.id = await makeTopic(producer, topic.name);
}

async function configure(group: Record<string, string>): Promise<void> {
  const { responses } = await producer.call(incrementalAlterConfigs, 1, {
    validateOnly: false,
    resources: [
      {
        resourceType: 32,
        resourceName: 'workers',
        configs: Object.entries(group).map(([name, value]) => ({ name, value, configOperation: 0 })),
      },
    ],
  });
  expect(responses[0]).toMatchObject({ errorCode: 0 });
}

async function produce(...values: string[]): Promise<void> {
  expect((await produceTo(producer, topic.name, recordBatch({ values }))).errorCode).toBe(0);
}

async function join(memberId: string, groupId = 'workers'): Promise<ShareMember> {
  const member = await ShareMember.join(broker.port, groupId, memberId, topic);
  members.push(member);
  return member;
}

test('two members compete for one partition, and each record is acknowledged once', async () => {
  await begin();
  for (let i = 0; i < 20; i += 1) await produce(`job ${i}`);
  const done: string[] = [];
  const workers = await Promise.all(['a', 'b'].map((id) => join(id)));
  await Promise.all(
    workers.map(async (worker) => {
      for (let empty = 0; empty < 2;) {
        const records = await worker.fetch({ maxRecords: 3, batchSize: 1, maxWaitMs: 20 });
        empty = records.length === 0 ? empty + 1 : 0;
        for (const { offset, value } of records) {
          expect(await worker.acknowledge([[offset, offset, ACK.accept]])).toBe(0);
          done.push(value);
        }
      }
    }),
  );
  expect(done.toSorted()).toEqual(Array.from({ length: 20 }, (_, i) => `job ${i}`).toSorted());
});

test('a released record is delivered again, and counts the delivery', async () => {
  await begin();
  await produce('a', 'b');
  const [one, two] = [await join('one'), await join('two')];
  expect(await one.fetch()).toEqual([
    { offset: 0, value: 'a', deliveryCount: 1 },
    { offset: 1, value: 'b', deliveryCount: 1 },
  ]);
  expect(await two.fetch()).toEqual([]);
  expect(await one.acknowledge([[0, 1, ACK.release, ACK.accept]])).toBe(0);
  expect(await two.fetch()).toEqual([{ offset: 0, value: 'a', deliveryCount: 2 }]);
});
