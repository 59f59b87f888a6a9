import { afterEach, describe, expect, test } from 'vitest';

import { eventually } from '../../test/support/eventually.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import { recordBatch } from '../../test/support/record-batch.ts';
import { fetchFrom, makeTopic, produceTo } from '../../test/support/requests.ts';
import { ACK, ShareMember } from '../../test/support/share-member.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { batchesOf } from '../state/record-batch.ts';
import { CODE } from '../wire/errors.ts';
import {
  describeShareGroupOffsets,
  incrementalAlterConfigs,
  shareGroupDescribe,
} from '../wire/schemas/index.ts';
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

test('a lock that ends gives the record to the next who asks, who was waiting for it', async () => {
  await begin({ shareRecordLockDurationMs: 150, shareMinRecordLockDurationMs: 100 });
  await produce('a');
  const [one, two] = [await join('one'), await join('two')];
  expect(await one.fetch()).toHaveLength(1);
  expect(await two.fetch({ maxWaitMs: 5_000 })).toEqual([{ offset: 0, value: 'a', deliveryCount: 2 }]);
  expect(await one.acknowledge([[0, 0, ACK.accept]])).toBe(CODE.INVALID_RECORD_STATE);
});

test('renewing keeps a record beyond the end of its lock', async () => {
  await begin({ shareRecordLockDurationMs: 20_000 });
  await produce('a');
  const [one, two] = [await join('one'), await join('two')];
  expect(await one.fetch()).toHaveLength(1);
  const asked = two.fetch({ maxWaitMs: 20_000 });
  const byFetch = async (): Promise<number> => {
    const { responses } = await one.fetchAnswer({ acks: [[0, 0, ACK.renew]], isRenewAck: true });
    return responses[0]!.partitions[0]!.acknowledgeErrorCode;
  };
  const byItself = (): Promise<number> => one.acknowledge([[0, 0, ACK.renew]], { isRenewAck: true });
  for (const renew of [byFetch, byItself, byFetch, byItself]) {
    broker.host.pass(8_000);
    expect(await renew()).toBe(0);
  }
  expect(await asked).toEqual([]);
  expect(await one.acknowledge([[0, 0, ACK.accept]])).toBe(0);
});

test('renewing needs version 2, is_renew_ack, and a group that allows it', async () => {
  await begin();
  await produce('a');
  const one = await join('one');
  await one.fetch();
  expect(await one.acknowledge([[0, 0, ACK.renew]])).toBe(CODE.INVALID_REQUEST);
  expect(await one.acknowledge([[0, 0, ACK.renew]], { version: 1 })).toBe(CODE.INVALID_REQUEST);
  await configure({ 'share.renew.acknowledge.enable': 'false' });
  expect(await one.acknowledge([[0, 0, ACK.renew]], { isRenewAck: true })).toBe(CODE.INVALID_REQUEST);
});

test('a connection that drops gives its records back, and the delivery does not count', async () => {
  await begin();
  await produce('a');
  const [one, two] = [await join('one'), await join('two')];
  expect(await one.fetch()).toHaveLength(1);
  const asked = two.fetch({ maxWaitMs: 5_000 });
  one.close();
  expect(await asked).toEqual([{ offset: 0, value: 'a', deliveryCount: 1 }]);
});

test('closing the session acknowledges what it is told to, and gives back the rest', async () => {
  await begin();
  await produce('a', 'b');
  const [one, two] = [await join('one'), await join('two')];
  expect(await one.fetch()).toHaveLength(2);
  expect(await one.acknowledge([[0, 0, ACK.accept]], { epoch: -1 })).toBe(0);
  expect(await two.fetch()).toEqual([{ offset: 1, value: 'b', deliveryCount: 1 }]);
  expect((await one.fetchAnswer({ epoch: 2 })).errorCode).toBe(CODE.SHARE_SESSION_NOT_FOUND);
  expect(
    (await two.fetchAnswer({ epoch: -1, acks: [[1, 1, ACK.accept]] })).responses[0]!.partitions[0],
  ).toMatchObject({
    acknowledgeErrorCode: 0,
  });
});

test('a member that leaves, or is silent for a session, gives its records back', async () => {
  await begin({ shareSessionTimeoutMs: 800 });
  await produce('a');
  const [one, two] = [await join('one'), await join('two')];
  expect(await one.fetch()).toHaveLength(1);
  expect((await one.leave()).memberEpoch).toBe(-1);
  expect(await two.fetch()).toHaveLength(1);
  const three = await join('three');
  const asked = three.fetch({ maxWaitMs: 5_000 });
  await eventually(async () => expect(await describedMembers()).toEqual([]));
  expect(await asked).toHaveLength(1);
  expect((await two.heartbeat()).errorCode).toBe(CODE.UNKNOWN_MEMBER_ID);
});

test('a crash keeps what was acknowledged, and how often the rest was delivered', async () => {
  await begin();
  await produce('a', 'b', 'c', 'd');
  const one = await join('one');
  expect(await one.fetch()).toHaveLength(4);
  expect(await one.acknowledge([[0, 1, ACK.release, ACK.accept]])).toBe(0);
  expect(await one.fetch()).toEqual([{ offset: 0, value: 'a', deliveryCount: 2 }]);
  expect(await one.acknowledge([[2, 2, ACK.accept]])).toBe(0);
  await broker.restart();
  const again = new ShareMember(await RawClient.connect(broker.port), 'workers', 'one', topic.id);
  members.push(again);
  // The member is still one of the group.
  expect((await again.heartbeat(null, one.memberEpoch)).errorCode).toBe(0);
  expect(await again.fetch()).toEqual([
    { offset: 0, value: 'a', deliveryCount: 2 },
    { offset: 3, value: 'd', deliveryCount: 1 },
  ]);
  expect(
    await again.acknowledge([
      [0, 0, ACK.accept],
      [3, 3, ACK.accept],
    ]),
  ).toBe(0);
  await broker.restart();
  const last = await join('last');
  expect(await last.fetch()).toEqual([]);
  await produceAnew('e');
  expect(await last.fetch()).toEqual([{ offset: 4, value: 'e', deliveryCount: 1 }]);
});

describe('the dead-letter topic', () => {
  const settings = { 'errors.deadletterqueue.topic.name': 'dlq.jobs' };

  async function letters(): Promise<ReadLetter[]> {
    const { records } = await fetchFrom(producer, 'dlq.jobs', 0);
    return [...batchesOf(records!)].flatMap(lettersIn);
  }

  test('a rejected record goes there, with where it was and why', async () => {
    await begin({}, { ...settings, 'errors.deadletterqueue.copy.record.enable': 'true' });
    await makeTopic(producer, 'dlq.jobs', { configs: { 'errors.deadletterqueue.group.enable': 'true' } });
    expect(
      (await produceTo(producer, topic.name, recordBatch({ values: ['a', 'bad', 'c'], codec: 'gzip' })))
        .errorCode,
    ).toBe(0);
    const one = await join('one');
    expect(await one.fetch()).toHaveLength(3);
    expect(await one.acknowledge([[0, 2, ACK.accept, ACK.reject, ACK.accept]])).toBe(0);
    await eventually(async () =>
      expect(await letters()).toEqual([
        {
          value: 'bad',
          headers: {
            '__dlq.errors.topic': 'jobs',
            '__dlq.errors.partition': '0',
            '__dlq.errors.offset': '1',
            '__dlq.errors.group': 'workers',
            '__dlq.errors.delivery.count': '1',
            '__dlq.errors.message': 'Offset rejected by client.',
          },
        },
      ]),
    );
    await eventually(async () => expect(await startOffset()).toBe(3));
  });

  test('a record that was delivered too often goes there, without its content unless the group asks for it', async () => {
    await begin({ deadLetterAutoCreateTopics: true }, { ...settings, 'share.delivery.count.limit': '2' });
    await produce('a');
    const one = await join('one');
    for (let i = 1; i <= 2; i += 1) {
      expect(await one.fetch()).toEqual([{ offset: 0, value: 'a', deliveryCount: i }]);
      expect(await one.acknowledge([[0, 0, ACK.release]])).toBe(0);
    }
    expect(await one.fetch()).toEqual([]);
    await eventually(async () =>
      expect(await letters()).toMatchObject([
        {
          value: null,
          headers: {
            '__dlq.errors.delivery.count': '2',
            '__dlq.errors.message': 'Offset delivery count exceeded the threshold.',
          },
        },
      ]),
    );
  });

  test('a topic that is missing, does not allow it, or has another name gets nothing; the records are archived and counted', async () => {
    await begin({}, settings);
    await makeTopic(producer, 'dlq.closed');
    await produce('a', 'b', 'c');
    const one = await join('one');
    expect(await one.fetch()).toHaveLength(3);
    for (const [offset, name] of ['dlq.jobs', 'dlq.closed', 'jobs'].entries()) {
      await configure({ 'errors.deadletterqueue.topic.name': name });
      expect(await one.acknowledge([[offset, offset, ACK.reject]])).toBe(0);
      await eventually(async () => expect(await startOffset()).toBe(offset + 1));
    }
    expect(sum('millrace_share_dead_letters_total', { outcome: 'refused' })).toBe(3);
  });
});

test('without a dead-letter topic rejected records are archived', async () => {
  await begin();
  await produce('a', 'b');
  const one = await join('one');
  expect(await one.fetch()).toHaveLength(2);
  expect(await one.acknowledge([[0, 1, ACK.reject]])).toBe(0);
  expect(await startOffset()).toBe(2);
  expect(sum('millrace_share_records_total', { outcome: 'archived' })).toBe(2);
});

describe('sessions', () => {
  test('epochs: what is not expected is INVALID_SHARE_SESSION_EPOCH, no session SHARE_SESSION_NOT_FOUND', async () => {
    await begin();
    const one = await join('one');
    expect((await one.fetchAnswer({ epoch: 1 })).errorCode).toBe(CODE.SHARE_SESSION_NOT_FOUND);
    expect(await one.acknowledge([], { epoch: 0 })).toBe(CODE.INVALID_SHARE_SESSION_EPOCH);
    expect((await one.fetchAnswer({ epoch: 0, acks: [[0, 0, ACK.accept]] })).errorCode).toBe(
      CODE.INVALID_REQUEST,
    );
    expect((await one.fetchAnswer({ epoch: 0 })).errorCode).toBe(0);
    expect((await one.fetchAnswer({ epoch: 3 })).errorCode).toBe(CODE.INVALID_SHARE_SESSION_EPOCH);
    expect((await one.fetchAnswer({ epoch: 1 })).errorCode).toBe(0);
    expect(await one.acknowledge([], { epoch: 1 })).toBe(CODE.INVALID_SHARE_SESSION_EPOCH);
    expect(await one.acknowledge([], { epoch: 2 })).toBe(0);
    expect((await one.fetchAnswer({ epoch: -1, forget: true })).errorCode).toBe(CODE.INVALID_REQUEST);
  });

  test('an answer names a partition when it is new or has news', async () => {
    await begin();
    const one = await join('one');
    expect((await one.fetchAnswer()).responses).toHaveLength(1);
    expect((await one.fetchAnswer()).responses).toHaveLength(0);
    await produce('a');
    expect((await one.fetchAnswer()).responses).toHaveLength(1);
    expect((await one.fetchAnswer({ forget: true })).responses).toHaveLength(0);
    await produce('b');
    expect((await one.fetchAnswer()).responses).toHaveLength(0);
  });

  test('more sessions than the limit are SHARE_SESSION_LIMIT_REACHED', async () => {
    await begin({ shareSessionsMax: 1 });
    const [one, two] = [await join('one'), await join('two')];
    expect((await one.fetchAnswer()).errorCode).toBe(0);
    expect((await two.fetchAnswer()).errorCode).toBe(CODE.SHARE_SESSION_LIMIT_REACHED);
    expect((await one.fetchAnswer({ epoch: 0 })).errorCode).toBe(0);
    one.close();
    await eventually(async () => expect((await two.fetchAnswer()).errorCode).toBe(0));
  });
});

describe('fetching', () => {
  test('a waiting fetch wakes when records are appended', async () => {
    await begin();
    const one = await join('one');
    const asked = one.fetch({ maxWaitMs: 5_000 });
    await produce('a');
    expect(await asked).toHaveLength(1);
  });

  test('a waiting fetch wakes when another member releases', async () => {
    await begin();
    await produce('a');
    const [one, two] = [await join('one'), await join('two')];
    expect(await one.fetch()).toHaveLength(1);
    const asked = two.fetch({ maxWaitMs: 5_000 });
    expect(await one.acknowledge([[0, 0, ACK.release]])).toBe(0);
    expect(await asked).toEqual([{ offset: 0, value: 'a', deliveryCount: 2 }]);
  });

  test('by default whole batches are acquired; in record_limit mode never more than max_records', async () => {
    await begin();
    await produce('a', 'b', 'c', 'd');
    const [one, two] = [await join('one'), await join('two')];
    expect(await one.fetch({ maxRecords: 1, acquireMode: 1 })).toHaveLength(1);
    expect((await two.fetch({ maxRecords: 1 })).map(({ value }) => value)).toEqual(['b', 'c', 'd']);
  });

  test('acknowledgements come with the next fetch, each partition with its own code', async () => {
    await begin();
    await produce('a');
    const one = await join('one');
    expect(await one.fetch()).toHaveLength(1);
    await produce('b');
    expect(await one.fetch({ acks: [[0, 0, ACK.accept]] })).toMatchObject([{ value: 'b' }]);
    const { errorCode, responses } = await one.fetchAnswer({
      acks: [
        [0, 1, ACK.accept],
        [1, 1, ACK.accept],
      ],
    });
    expect(errorCode).toBe(0);
    expect(responses[0]!.partitions[0]).toMatchObject({
      errorCode: 0,
      acknowledgeErrorCode: CODE.INVALID_REQUEST,
    });
    expect(await one.acknowledge([[5, 5, ACK.accept]])).toBe(CODE.INVALID_REQUEST);
  });

  test('no more records of a partition are out than share.partition.max.record.locks', async () => {
    await begin({ sharePartitionMaxRecordLocks: 2 });
    for (const value of ['a', 'b', 'c']) await produce(value);
    const [one, two] = [await join('one'), await join('two')];
    expect(await one.fetch()).toHaveLength(2);
    const asked = two.fetch({ maxWaitMs: 5_000 });
    expect(await one.acknowledge([[0, 0, ACK.accept]])).toBe(0);
    expect((await asked).map(({ value }) => value)).toEqual(['c']);
  });

  test('a new group begins at the end of the log unless share.auto.offset.reset says otherwise', async () => {
    await begin();
    await produce('old');
    const late = await join('one', 'late');
    expect(await late.fetch()).toEqual([]);
    await produce('new');
    expect((await late.fetch()).map(({ value }) => value)).toEqual(['new']);
    await configure({ 'share.auto.offset.reset': 'by_duration:P9000D' });
    expect((await (await join('one')).fetch()).map(({ value }) => value)).toEqual(['old', 'new']);
  });

  test('a group that never had a member, and requests without member, are refused', async () => {
    await begin();
    const nobody = new ShareMember(producer, 'nobody', 'one', topic.id);
    expect((await nobody.fetchAnswer()).errorCode).toBe(CODE.GROUP_ID_NOT_FOUND);
    expect(await nobody.acknowledge([], { epoch: 1 })).toBe(CODE.SHARE_SESSION_NOT_FOUND);
    expect((await nobody.fetchAnswer({ epoch: 1 })).errorCode).toBe(CODE.SHARE_SESSION_NOT_FOUND);
    const nameless = new ShareMember(producer, 'workers', '', topic.id);
    expect((await nameless.fetchAnswer()).errorCode).toBe(CODE.INVALID_REQUEST);
    const one = await join('one');
    const lost = new ShareMember(one.client, 'workers', 'two', '11111111-1111-4111-8111-111111111111');
    expect((await lost.fetchAnswer()).responses[0]!.partitions[0]).toMatchObject({
      errorCode: CODE.UNKNOWN_TOPIC_ID,
    });
  });
});

/** Over a new connection, after a restart. */
async function produceAnew(value: string): Promise<void> {
  producer.close();
  producer = await RawClient.connect(broker.port);
  await produce(value);
}

async function describedMembers(): Promise<string[]> {
  const { groups } = await producer.call(shareGroupDescribe, 1, {
    groupIds: ['workers'],
    includeAuthorizedOperations: false,
  });
  return groups[0]!.members.map(({ memberId }) => memberId);
}

async function startOffset(): Promise<number> {
  const { groups } = await producer.call(describeShareGroupOffsets, 1, {
    groups: [{ groupId: 'workers', topics: null }],
  });
  return groups[0]!.topics[0]!.partitions[0]!.startOffset;
}

/** All series of a metric that have these labels. */
function sum(name: string, labels: Record<string, string>): number {
  const family = broker.host.metrics.snapshot().find((one) => one.name === name);
  return (family?.series ?? [])
    .filter((one) => Object.entries(labels).every(([label, value]) => one.labels[label] === value))
    .reduce((total, { value }) => total + value, 0);
}

interface ReadLetter {
  readonly value: string | null;
  readonly headers: Record<string, string>;
}

/** Value and headers of the records of an uncompressed batch. */
function lettersIn(batch: Buffer): ReadLetter[] {
  const letters: ReadLetter[] = [];
  let at = 61;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = batch[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  };
  const text = (): string | null => {
    const length = varint();
    if (length < 0) return null;
    at += length;
    return batch.toString('utf8', at - length, at);
  };
  while (at < batch.length) {
    varint();
    at += 1;
    varint();
    varint();
    text();
    const value = text();
    const headers = Array.from({ length: varint() }, () => [text()!, text()!]);
    letters.push({ value, headers: Object.fromEntries(headers) as Record<string, string> });
  }
  return letters;
}
