import { afterAll, beforeAll, expect, test } from 'vitest';

import { openKafka } from '../../broker/client/kafkajs.ts';
import type { Admin, KafkaClient } from '../../broker/client/port.ts';
import { prometheusText } from '../../dashboards/query/prometheus-text.ts';
import { parseSamples } from '../../dashboards/viewer/status/metrics-text.ts';
import { eventually } from '../../test/support/eventually.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import { recordBatch } from '../../test/support/record-batch.ts';
import { makeTopic, produceTo } from '../../test/support/requests.ts';
import { ShareMember } from '../../test/support/share-member.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { consumerGroupHeartbeat, offsetCommit } from '../../broker/wire/schemas/index.ts';
import { detailsOf, overviewOf } from './groups.ts';
import { REPORT_METRICS, ReaderSamples, reportGroups } from './group-report.ts';

let broker: TestBroker;
let client: RawClient;
let kafka: KafkaClient;
let admin: Admin;
const NO_SAMPLES = new ReaderSamples([]);

beforeAll(async () => {
  broker = await startTestBroker();
  client = await RawClient.connect(broker.port);
  kafka = await openKafka({ brokers: [broker.address], clientId: 'test' }, broker.host);
  admin = await kafka.admin();
  const id = await makeTopic(client, 't', { partitions: 2, configs: { 'retention.ms': '3600000' } });
  const values = ['a', 'b', 'c', 'd'];
  const baseTimestamp = Date.now() - 60_000;
  for (const partition of [0, 1]) {
    await produceTo(client, 't', recordBatch({ values, baseTimestamp, timestampDeltas: [0, 0, 0, 0] }), {
      partition,
    });
  }
  await commit('behind', 0, 1);
  await commit('behind', 1, 4);
  await commit('done', 0, 4);
  await client.call(consumerGroupHeartbeat, 1, {
    groupId: 'modern',
    memberId: 'm-1',
    memberEpoch: 0,
    rebalanceTimeoutMs: 60_000,
    subscribedTopicNames: ['t'],
    topicPartitions: [],
  });
  await commit('modern', 0, 2, { memberId: 'm-1', generationIdOrMemberEpoch: 1 });
  const member = await ShareMember.join(broker.port, 'shared', 's-1', { name: 't', id });
  await member.fetch();
  member.client.close();
});
afterAll(async () => {
  client?.close();
  await kafka?.close();
  await broker?.stop();
});

async function commit(groupId: string, partitionIndex: number, committedOffset: number, given: object = {}) {
  await client.call(offsetCommit, 9, {
    groupId,
    memberId: '',
    topics: [{ name: 't', partitions: [{ partitionIndex, committedOffset, committedMetadata: '' }] }],
    ...given,
  });
}

async function samples(): Promise<ReaderSamples> {
  const text = prometheusText([{ part: 'broker', families: broker.host.metrics.snapshot() }]);
  return new ReaderSamples(parseSamples(text, REPORT_METRICS));
}

test('over the wire alone: records, time and expiry by time; what is not told is unknown', async () => {
  const reports = await reportGroups(admin, NO_SAMPLES, Date.now());
  expect(reports.map(({ group, type }) => [group, type])).toEqual([
    ['behind', 'classic'],
    ['done', 'classic'],
    ['modern', 'consumer'],
    ['shared', 'share'],
  ]);
  const [behind, done, modern] = reports;
  expect(behind!.topics).toMatchObject([{ topic: 't', records: 3, bytes: undefined, trend: undefined }]);
  expect(Math.round(behind!.topics[0]!.seconds! / 10)).toBe(6);
  expect(Math.round(behind!.topics[0]!.expirySeconds! / 10)).toBe(354);
  expect(done!.topics).toMatchObject([{ records: 0, bytes: 0, seconds: 0, expirySeconds: Infinity }]);
  expect(modern).toMatchObject({ members: 1, topics: [{ records: 2 }] });
  const text = overviewOf(reports);
  expect(text).toMatch(/^GROUP +STATE +MEMBERS +TOPIC +LAG +BYTES +BEHIND +TREND +EXPIRES IN\n/);
  expect(text).toMatch(/^behind +Empty +0 +t +3 +unknown +1m( \ds)? +unknown +5\dm/m);
  expect(text).toMatch(/^done +Empty +0 +t +0 +0 B +0s +unknown +-$/m);
});

test('with the metrics of our broker: bytes, trend, and for how long a group is empty', async () => {
  await eventually(
    async () => {
      const [behind] = await reportGroups(admin, await samples(), Date.now(), 'behind');
      expect(behind).toMatchObject({
        topics: [{ records: 3, trend: expect.stringMatching(/measuring|stopped/) }],
      });
      expect(behind!.topics[0]!.bytes).toBeGreaterThan(60);
      expect(behind!.emptySeconds).toBeLessThan(60);
      expect(overviewOf([behind!])).toMatch(/^behind +Empty for \d/m);
    },
    { timeoutMs: 20_000 },
  );
});

test('one group by partition, with who reads it', async () => {
  const [modern] = await reportGroups(admin, NO_SAMPLES, Date.now(), 'modern');
  const text = detailsOf(modern!);
  expect(text).toContain('modern: consumer group, ');
  expect(text).toMatch(/^t +0 +\S+ +\S+ +m-1 +2 +4 +2 +unknown/m);
  expect(await reportGroups(admin, NO_SAMPLES, Date.now(), 'nobody')).toEqual([]);
});

test('what was deleted unread is said', async () => {
  const lossy: Admin = {
    ...admin,
    offsets: async () => [
      { partition: 0, start: 3, end: 4 },
      { partition: 1, start: 0, end: 4 },
    ],
  };
  const [behind] = await reportGroups(lossy, NO_SAMPLES, Date.now(), 'behind');
  expect(behind!.topics).toMatchObject([{ lostOffsets: 2, records: 1 }]);
  expect(overviewOf([behind!])).toContain('Deleted unread: behind will never read 2 of t.');
});

test('a position behind the end is unknown, not zero', async () => {
  await commit('ahead', 0, 9);
  const [ahead] = await reportGroups(admin, NO_SAMPLES, Date.now(), 'ahead');
  expect(ahead!.topics).toMatchObject([{ records: undefined, seconds: undefined, bytes: undefined }]);
});
