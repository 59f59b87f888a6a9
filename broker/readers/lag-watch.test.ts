/** Stories of readers, told by what is measured of them. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { recordBatch } from '../../test/support/record-batch.ts';
import { type SimHost, SimMachine } from '../../test/sim/sim-host.ts';
import { brokerConfig } from '../config.ts';
import { GroupCoordinator } from '../groups/coordinator.ts';
import { Deadline } from '../host/deadline.ts';
import type { DiskLog } from '../log/disk-log.ts';
import { openDiskLog } from '../log/open-log.ts';
import type { Partition } from '../log/partition/partition.ts';
import { newDelivery } from '../share/delivery.ts';
import { acquire } from '../share/acquire.ts';
import { newSharePartition } from '../share/share-partition.ts';
import { encodeBatch } from '../state/record-batch.ts';
import { LagWatch, type MeasuredTopic, type Round } from './lag-watch.ts';
import type { Readers } from './reader-positions.ts';

const CONFIG = { dataDir: '/data', segmentBytes: 2_000, reserveBytes: 0, retentionCheckMs: 3_600_000 };
const settings = brokerConfig.parse({
  dataDir: 'unused',
  groupInitialRebalanceDelayMs: 0,
  offsetsTopicPartitions: 1,
});
const NO_SHARES: Readers['shares'] = { list: () => [], get: () => undefined, deliveries: { of: () => [] } };

let machine: SimMachine;
let host: SimHost;
let log: DiskLog;
let groups: GroupCoordinator;
let shares: Readers['shares'];
let watch: LagWatch;
let last: Round;
let lost: Array<[group: string, topic: string, records: number]>;

async function boot(): Promise<void> {
  host = machine.boot();
  log = await settle(openDiskLog(CONFIG, host));
  groups = new GroupCoordinator(settings, host, log);
  await settle(groups.start());
  watch = watchOf();
}
function watchOf(): LagWatch {
  return new LagWatch(
    host,
    log,
    { groups, shares: { ...NO_SHARES, ...shares } },
    {
      onRound: (round) => {
        last = round;
        return Promise.resolve();
      },
      onLost: (...one) => void lost.push(one),
    },
  );
}
beforeEach(async () => {
  machine = new SimMachine(11);
  lost = [];
  shares = NO_SHARES;
  await boot();
});
afterEach(async () => {
  groups.stop();
  await settle(log.close());
});

function settle<T>(promise: Promise<T>): Promise<T> {
  return machine.loop.settle(promise);
}

async function topicOf(configs: Record<string, string> = {}, partitions = 1): Promise<Partition> {
  await settle(log.createTopic({ name: 't', partitions, configs }));
  return partitionAt();
}

function partitionAt(index = 0): Partition {
  return log.topic('t')!.partitions[index] as Partition;
}

const nowMs = (): number => Math.floor(machine.loop.nowMs);

async function append(count = 1, partition = partitionAt()): Promise<void> {
  const batch = recordBatch({
    values: Array.from({ length: count }, () => 'v'.repeat(100)),
    baseTimestamp: nowMs(),
  });
  await settle(partition.append(batch, { nowMs: nowMs(), origin: 'client' }).durable);
}

async function inTransaction(sequence: number, count = 1): Promise<void> {
  const batch = recordBatch({
    values: Array.from({ length: count }, () => 'v'),
    baseTimestamp: nowMs(),
    producerId: 7,
    producerEpoch: 0,
    baseSequence: sequence,
    attributes: 0x10,
  });
  const options = { nowMs: nowMs(), origin: 'client', transactionVersion: 1 } as const;
  await settle(partitionAt().append(batch, options).durable);
}

async function end(commit: boolean): Promise<void> {
  const marker = {
    producerId: 7,
    producerEpoch: 0,
    coordinatorEpoch: 0,
    commit,
    transactionVersion: 1,
  } as const;
  await settle(partitionAt().appendMarker(marker, nowMs()).durable);
}

async function commit(offset: number, { group = 'g', partition = 0, memberId = '', generation = -1 } = {}) {
  const place = { topic: 't', partition, offset, leaderEpoch: -1, metadata: '' };
  const request = { groupId: group, generation, memberId, instanceId: null, offsets: [place] };
  expect((await settle(groups.commit(request))).errorCode).toBe(0);
}

/** One round; what it says of the group in the topic. */
async function measure(group = 'g'): Promise<MeasuredTopic | undefined> {
  await settle(watch.measure());
  return last.topics.find(({ lag }) => lag.group === group && lag.topic === 't');
}

/** Rounds as the timer would make them. */
async function follow(seconds: number, each: (second: number) => Promise<void> = async () => {}) {
  let found: MeasuredTopic | undefined;
  for (let second = 0; second <= seconds; second += 5) {
    await each(second);
    found = await measure();
    await machine.loop.pass(5_000);
  }
  return found!;
}

test('records, bytes, seconds and time to expiry, and all of them nothing when all is read', async () => {
  await topicOf({ 'retention.ms': '60000' }, 2);
  await append(3);
  await machine.loop.pass(10_000);
  await append(2);
  await append(4, partitionAt(1));
  await commit(1);
  await commit(0, { partition: 1 });
  const { lag, partitions } = (await measure())!;
  expect(lag).toMatchObject({ records: 8, partitions: 2, lostOffsets: 0, heldRecords: 0 });
  expect(lag.seconds).toBeCloseTo(10, 0);
  expect(lag.expiry.by).toBe('time');
  expect(lag.expiry.inMs).toBeGreaterThan(49_000);
  expect(partitions.map(({ records }) => records)).toEqual([4, 4]);
  expect(lag.bytes).toBe(partitionAt(0).sizeBytes + partitionAt(1).sizeBytes);
  await commit(5);
  await commit(4, { partition: 1 });
  const read = (await measure())!;
  expect(read.lag).toMatchObject({ records: 0, bytes: 0, seconds: 0, expiry: { by: 'never' } });
  expect(read.trend.name).toBe('caught-up');
});

test('what a group holds back from retention does not expire, with a bound only when that is reached', async () => {
  const configs = { 'retention.ms': '30000', 'segment.bytes': '2000', 'retention.hold.groups': 'g' };
  await topicOf(configs);
  log.waitFor({ positionOf: (group) => groups.committed(group, 't', 0)?.offset ?? -1 });
  for (const group of ['g', 'other']) await commit(2, { group });
  for (let i = 0; i < 30; i += 1) await append(4);
  await settle(log.checkpoint());
  await machine.loop.pass(31_000);
  expect((await measure('other'))!.lag.expiry).toEqual({ inMs: 0, by: 'time' });
  // What is held goes on to fill the disk, in months.
  const unbounded = (await measure())!.lag.expiry;
  expect(unbounded).toMatchObject({ by: 'disk', isHeld: true });
  expect(unbounded.inMs).toBeGreaterThan(90 * 86_400_000);
  await settle(log.keepHouse());
  expect((await measure())!.lag).toMatchObject({ records: 118, lostOffsets: 0 });
  await settle(log.alterConfigs('t', { ...configs, 'retention.hold.bytes': '40000' }));
  const { expiry } = (await measure())!.lag;
  expect(expiry).toMatchObject({ by: 'hold', isHeld: true });
  expect(expiry.inMs).toBeGreaterThan(0);
  await settle(log.alterConfigs('t', { ...configs, 'retention.hold.bytes': '5000' }));
  expect((await measure())!.lag.expiry).toEqual({ inMs: 0, by: 'time' });
  await settle(log.keepHouse());
  expect((await measure())!.lag.lostOffsets).toBeGreaterThan(0);
});

test('a position behind the end is not known, and neither is the sum: no figure at all, never 0', async () => {
  await topicOf({}, 2);
  await append(3);
  await commit(3);
  await commit(5, { partition: 1 });
  expect(await measure()).toBeUndefined();
  expect(last.unknown).toBe(1);
});

test('a disk that refuses leaves the lag unknown', async () => {
  const partition = await topicOf();
  await append(3);
  await append(3);
  await settle(log.checkpoint());
  partition.tail.evict();
  await commit(1);
  const unread = partition.unread.bind(partition);
  partition.unread = () => Promise.reject(new Error('EIO'));
  expect(await measure()).toBeUndefined();
  expect(last.unknown).toBe(1);
  partition.unread = unread;
  expect((await measure())!.lag.records).toBe(5);
});

test('rebalance: the lag is of the group and the partition, whoever is assigned to it', async () => {
  await topicOf({}, 2);
  await append(10);
  await append(10, partitionAt(1));
  const joined = (name: string, memberId = '') =>
    groups.join('g', {
      memberId,
      freshMemberId: name,
      instanceId: null,
      clientId: name,
      clientHost: '/127.0.0.1',
      sessionTimeoutMs: 600_000,
      rebalanceTimeoutMs: 600_000,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
      memberIdRequired: false,
      canSkipAssignment: false,
    });
  const synced = (memberId: string, generation: number, assignments = new Map<string, Uint8Array>()) =>
    groups.sync('g', {
      memberId,
      instanceId: null,
      generation,
      protocolType: null,
      protocol: null,
      assignments,
    });
  const first = await settle(joined('a'));
  await settle(synced(first.memberId, first.generation, new Map([[first.memberId, Buffer.from('x')]])));
  const member = { memberId: first.memberId, generation: first.generation };
  await commit(0, member);
  await commit(0, { ...member, partition: 1 });
  await follow(60, async (second) => {
    if (second > 0) await append(10);
    await commit(Math.floor(second / 10), member);
  });
  const before = (await measure())!;
  expect(before.trend.name).toBe('falling-behind');

  // Another member comes: while nobody may commit, and behind it, the figures go on.
  const second = joined('b');
  const again = joined('a', first.memberId);
  const during = (await measure())!;
  expect(during.lag.records).toBe(before.lag.records);
  expect(during.trend.name).toBe('falling-behind');
  const leader = await settle(again);
  const other = await settle(second);
  const assignments = new Map([
    [leader.memberId, Buffer.from('x')],
    [other.memberId, Buffer.from('y')],
  ]);
  await Promise.all([
    settle(synced(leader.memberId, leader.generation, assignments)),
    settle(synced(other.memberId, other.generation)),
  ]);
  await commit(10, { memberId: other.memberId, generation: other.generation, partition: 1 });
  const behind = (await measure())!;
  expect(behind.lag.records).toBe(before.lag.records - 10);
  expect(behind.partitions[0]!.trend.name).toBe('falling-behind');
  expect(behind.partitions[1]).toMatchObject({ records: 0, trend: { name: 'caught-up' } });
});

test('restart: the figures are right at once, and the trend is measured anew', async () => {
  await topicOf({ 'retention.ms': '86400000' });
  await commit(0);
  const before = await follow(60, () => append(4));
  expect(before.trend.name).toBe('stopped');
  groups.stop();
  await settle(log.close());
  await boot();
  const after = (await measure())!;
  const { records, bytes } = before.lag;
  expect(after.lag).toMatchObject({ records, bytes });
  expect(after.lag.seconds).toBeGreaterThan(60);
  expect(after.lag.expiry.inMs).toBeLessThan(before.lag.expiry.inMs + 60_000);
  expect(after.trend).toMatchObject({ name: 'measuring', slopePerS: undefined });
  expect((await follow(65))!.trend.name).toBe('stopped');
});

describe('transactions', () => {
  test('open: its records are unread, and apart; a reader at its beginning waits', async () => {
    await topicOf();
    await append(2);
    await inTransaction(0, 3);
    await append(1);
    await commit(2);
    expect((await measure())!.lag).toMatchObject({ records: 4, heldRecords: 4 });
    expect((await follow(60)).trend.name).toBe('waiting');
    await commit(1);
    expect((await measure())!.lag).toMatchObject({ records: 5, heldRecords: 4 });
    await end(true);
    expect((await measure())!.lag).toMatchObject({ records: 5, heldRecords: 0 });
  });

  test('only markers behind, in memory and on the disk: nothing is unread', async () => {
    const partition = await topicOf();
    await inTransaction(0, 3);
    await end(true);
    // As clients commit that know of records alone.
    await commit(3);
    const nothing = { records: 0, bytes: 0, seconds: 0 };
    expect((await measure())!.lag).toMatchObject(nothing);
    await settle(log.checkpoint());
    partition.tail.evict();
    expect((await measure())!.lag).toMatchObject(nothing);
    await inTransaction(3, 2);
    await end(true);
    expect((await measure())!.lag.records).toBe(2);
  });

  test('aborted: its records are there until the reader is past them', async () => {
    await topicOf();
    await inTransaction(0, 3);
    await end(false);
    await commit(0);
    expect((await measure())!.lag).toMatchObject({ records: 3, heldRecords: 0 });
    await commit(4);
    expect((await measure())!.lag.records).toBe(0);
  });
});

test('compaction: of a range whose records were removed, what is left counts', async () => {
  const configs = { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.01' };
  const partition = await topicOf(configs);
  const keyed = async (key: string) => {
    const batch = encodeBatch([{ key: Buffer.from(key), value: Buffer.from('v'.repeat(100)) }], nowMs());
    await settle(partition.append(batch, { nowMs: nowMs(), origin: 'client' }).durable);
  };
  for (let i = 0; i < 60; i += 1) await keyed(`k${i % 3}`);
  await commit(10);
  expect((await measure())!.lag).toMatchObject({ records: 50 });
  await settle(log.checkpoint());
  await settle(log.compact());
  partition.tail.evict();
  let left = 0;
  for (let offset = 10; offset < 60;) {
    const bytes = await settle(partition.read(offset, 0, true));
    left += bytes.readInt32BE(57);
    offset = Number(bytes.readBigInt64BE(0)) + bytes.readInt32BE(23) + 1;
  }
  expect(left).toBeLessThan(25);
  // The position stood, and what was counted before does not hold.
  expect((await measure())!.lag.records).toBe(left);
  await commit(60);
  expect((await measure())!.lag).toMatchObject({ records: 0, seconds: 0 });
});

test('a topic that is deleted is gone from the figures; one of its name begins anew', async () => {
  await topicOf();
  await append(5);
  await commit(1);
  expect((await follow(30)).lag.records).toBe(4);
  await settle(log.deleteTopic('t'));
  expect(await measure()).toBeUndefined();
  await settle(groups.onTopicDeleted('t'));
  await topicOf();
  await append(7);
  expect(await measure()).toBeUndefined();
  await commit(2);
  const again = (await measure())!;
  expect(again.lag.records).toBe(5);
  expect(again.trend.name).toBe('measuring');
});

test('a group that is deleted is gone from the figures', async () => {
  await topicOf();
  await append(5);
  await commit(1);
  expect(await measure()).toBeDefined();
  expect(await settle(groups.deleteGroup('g'))).toBe(0);
  expect(await measure()).toBeUndefined();
  expect(last).toMatchObject({ topics: [], unknown: 0 });
});

describe('what retention takes unread', () => {
  const warnings = () =>
    host.lines.filter(({ level, message }) => level === 'warn' && message.includes('had not read'));

  test('is counted once, by records, and warned of once; the group is behind by what is left', async () => {
    await topicOf({ 'retention.ms': '30000', 'segment.bytes': '2000' });
    await commit(2);
    for (let i = 0; i < 30; i += 1) await append(4);
    await settle(log.checkpoint());
    expect((await measure())!.lag).toMatchObject({ records: 118, lostOffsets: 0 });
    await machine.loop.pass(31_000);
    await append(4);
    await settle(log.keepHouse());
    const { startOffset, highWatermark } = partitionAt();
    expect(startOffset).toBeGreaterThan(2);
    expect((await measure())!.lag).toMatchObject({
      records: highWatermark - startOffset,
      lostOffsets: startOffset - 2,
    });
    expect(lost).toEqual([['g', 't', startOffset - 2]]);
    await measure();
    expect(lost).toHaveLength(1);
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]!.message).toBe(
      `retention deleted ${startOffset - 2} records of t that group g had not read`,
    );
  });

  test('markers among it are no records', async () => {
    await topicOf({ 'retention.ms': '30000' });
    await commit(0);
    for (let i = 0; i < 50; i += 1) {
      await inTransaction(i);
      await end(true);
    }
    await measure();
    await machine.loop.pass(31_000);
    await append(1);
    await settle(log.checkpoint());
    await settle(log.keepHouse());
    await measure();
    expect(partitionAt().startOffset).toBeGreaterThan(10);
    const [[, , records]] = lost as [[string, string, number]];
    expect(records).toBeCloseTo(partitionAt().startOffset / 2, -0.5);
    expect(records).toBeLessThan(partitionAt().startOffset);
  });

  test('what an administrator deletes, and what was read, is no loss', async () => {
    const partition = await topicOf({ 'retention.ms': '30000' });
    for (let i = 0; i < 30; i += 1) await append(4);
    await commit(2);
    await measure();
    await settle(partition.deleteBefore(10));
    await measure();
    expect(lost).toEqual([]);
    await commit(120);
    await measure();
    await machine.loop.pass(31_000);
    await append(1);
    await settle(log.checkpoint());
    await settle(log.keepHouse());
    await measure();
    expect(partition.startOffset).toBeGreaterThan(10);
    expect(lost).toEqual([]);
  });
});

test('a share group: what nobody took, and what was taken and is not done with', async () => {
  const partition = await topicOf();
  await append(10);
  const key = { groupId: 's', topicId: log.topic('t')!.id, partition: 0 };
  const request = {
    memberId: 'm',
    from: 0,
    to: 10,
    batches: [{ first: 0, last: 9 }],
    recordsMax: 4,
    batchSize: 4,
    isStrict: true,
  };
  const rules = { deliveryCountLimit: 5, lockDurationMs: 30_000, recordLocksMax: 4, deadLetters: false };
  const taken = acquire(newSharePartition(0), request, rules, 0).partition;
  const epochs = { snapshotEpoch: 0, stateEpoch: 0 };
  const delivery = newDelivery(key, partition, taken, epochs, new Deadline(host, () => {}));
  shares = {
    list: () => [{ groupId: 's' }],
    get: () => undefined,
    deliveries: { of: () => [delivery] },
  };
  watch = watchOf();
  const { lag, partitions } = (await measure('s'))!;
  expect(lag.records).toBe(10);
  expect(partitions[0]).toMatchObject({ inFlight: taken.endOffset, startOffset: 0 });
  expect(taken.endOffset).toBe(4);
});

test('readers that need the disk take turns, and the others keep their figures', async () => {
  const partition = await topicOf();
  for (let i = 0; i < 20; i += 1) await append(4);
  await settle(log.checkpoint());
  partition.tail.evict();
  for (let i = 0; i < 1_100; i += 1) await commit(i % 70, { group: `g${i}` });
  await settle(watch.measure());
  expect(last.topics).toHaveLength(1_024);
  expect(last.unknown).toBe(76);
  await settle(watch.measure());
  expect(last.topics).toHaveLength(1_100);
  expect(last).toMatchObject({ unknown: 0, stale: 0 });
  for (const { lag, partitions } of last.topics) expect(lag.records).toBe(80 - partitions[0]!.offset);
  // All move on: those that get no turn are of the round before.
  for (let i = 0; i < 1_100; i += 1) await commit((i % 70) + 1, { group: `g${i}` });
  await settle(watch.measure());
  expect(last.stale).toBe(76);
});
