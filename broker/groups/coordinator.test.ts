import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { brokerConfig } from '../config.ts';
import type { Host } from '../host/host.ts';
import { nodeHost } from '../host/node-host.ts';
import type { DiskLog } from '../log/disk-log.ts';
import { openDiskLog } from '../log/open-log.ts';
import { CODE } from '../wire/errors.ts';
import { expiredOffsets, CommittedOffsets } from './committed-offsets.ts';
import { GroupCoordinator } from './coordinator.ts';
import type { RecordKeeper } from './record-keeper.ts';
import { partitionOf } from '../state/internal-topic.ts';

const DAY_MS = 86_400_000;
let directory: string;
let host: Host;
let log: DiskLog;
let wallMs: number;
let groups: GroupCoordinator;

const settings = {
  groupInitialRebalanceDelayMs: 0,
  groupMaxSize: 10,
  offsetsRetentionMs: 7 * DAY_MS,
  offsetsTopicPartitions: 2,
};
const config = brokerConfig.parse({ dataDir: 'unused', ...settings });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-groups-'));
  const real = nodeHost();
  wallMs = Date.now();
  host = { ...real, clock: { ...real.clock, nowMs: () => wallMs } };
  log = await openDiskLog({ dataDir: directory }, host);
  groups = new GroupCoordinator(config, host, log);
  await groups.start();
});
afterEach(async () => {
  groups.stop();
  await log.close();
  await rm(directory, { recursive: true, force: true });
});

async function commit(groupId: string, offset: number, topic = 't'): Promise<number> {
  const { errorCode } = await groups.commit({
    groupId,
    generation: -1,
    memberId: '',
    instanceId: null,
    offsets: [{ topic, partition: 0, offset, leaderEpoch: -1, metadata: '' }],
  });
  return errorCode;
}

/** A new coordinator over the same log, as after a restart. */
async function reopen(keeper?: RecordKeeper): Promise<void> {
  groups.stop();
  groups = new GroupCoordinator(config, host, log);
  if (keeper) groups.register(keeper);
  await groups.start();
}

test('positions expire a retention time after their last commit, and the group with them', async () => {
  await commit('g', 1);
  wallMs += 7 * DAY_MS - 1;
  await groups.expireOffsets();
  expect(groups.committed('g', 't', 0)?.offset).toBe(1);
  wallMs += 1;
  await groups.expireOffsets();
  expect(groups.groups.has('g')).toBe(false);
  await reopen();
  expect(groups.groups.has('g')).toBe(false);
});

test('a commit that changes nothing is not written, until it would expire', async () => {
  await commit('g', 1);
  const partition = log.topic('__consumer_offsets')!.partitions[partitionOf('g', 2)]!;
  const before = partition.endOffset;
  expect(await commit('g', 1)).toBe(0);
  expect(partition.endOffset).toBe(before);
  wallMs += DAY_MS;
  await commit('g', 1);
  expect(partition.endOffset).toBe(before + 1);
});

test('a busy __consumer_offsets stays small by compaction, and a restart knows all that is true', async () => {
  await commit('other', 77);
  await commit('g', 5, 'kept');
  const topic = log.topic('__consumer_offsets')!;
  expect(topic.configs['cleanup.policy']).toBe('compact');
  expect(topic.configs['segment.bytes']).toBe(String(16 * 1024 * 1024));
  // The same with fewer commits.
  await log.alterConfigs(topic.name, { ...topic.configs, 'segment.bytes': '10000' });
  const partition = topic.partitions[partitionOf('g', 2)]!;
  let offset = 0;
  let largest = 0;
  for (let round = 0; round < 5; round += 1) {
    for (let i = 0; i < 200; i += 1) await commit('g', (offset += 1));
    await log.checkpoint();
    await log.compact();
    largest = Math.max(largest, partition.sizeBytes);
  }
  expect(partition.endOffset).toBeGreaterThan(1_000);
  // A record is 100 bytes at least.
  expect(largest).toBeLessThan(40_000);
  await reopen();
  expect(groups.committed('g', 't', 0)?.offset).toBe(offset);
  expect(groups.committed('g', 'kept', 0)?.offset).toBe(5);
  expect(groups.committed('other', 't', 0)?.offset).toBe(77);
});

test('records of others are handed to who takes them, and their groups are of their type', async () => {
  const key = Buffer.from('0020', 'hex');
  await groups.topic.append('g', [{ key, value: Buffer.from('theirs') }]);
  await commit('g', 1);
  const seen: string[] = [];
  await reopen({
    takes: (_, keyVersion) => keyVersion === 0x20,
    replay: ({ value }, keyVersion, at) => seen.push(`${keyVersion} ${value!.toString()} ${at}`),
    groups: { type: 'share', has: (groupId) => groupId === 'shared' },
  });
  expect(seen).toEqual([`32 theirs ${partitionOf('g', 2)}`]);
  expect(groups.typeOf('shared')).toBe('share');
  expect(groups.typeOf('g')).toBe('classic');
  expect(groups.typeOf('nobody')).toBeUndefined();
});

test('a rebalance timeout of 2^31 - 1 ms, as Kafka Streams sends it, does not overflow the timer', async () => {
  const delays: number[] = [];
  const after: Host['timers']['after'] = (delayMs, fn) => {
    delays.push(delayMs);
    return host.timers.after(delayMs, fn);
  };
  groups.stop();
  groups = new GroupCoordinator(config, { ...host, timers: { ...host.timers, after } }, log);
  await groups.start();
  const member = {
    memberId: '',
    instanceId: null,
    clientId: 'c',
    clientHost: '/h',
    sessionTimeoutMs: 2 ** 31 - 1,
    rebalanceTimeoutMs: 2 ** 31 - 1,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
    memberIdRequired: false,
    canSkipAssignment: false,
  };
  expect((await groups.join('g', { ...member, freshMemberId: 'a' })).errorCode).toBe(0);
  const parked = groups.join('g', { ...member, freshMemberId: 'b' });
  expect(delays.length).toBeGreaterThan(0);
  expect(Math.max(...delays)).toBeLessThan(2 ** 31 - 1);
  groups.stop();
  expect((await parked).errorCode).toBe(CODE.COORDINATOR_NOT_AVAILABLE);
});

test('after stop requests are refused with a retriable code', async () => {
  groups.stop();
  expect(await commit('g', 1)).toBe(CODE.COORDINATOR_NOT_AVAILABLE);
});

test('the partition of a group is that of Kafka', () => {
  // "console-consumer-1".hashCode() and the like, as Java has them.
  expect(partitionOf('', 50)).toBe(0);
  expect(partitionOf('abc', 50)).toBe(96_354 % 50);
  expect(partitionOf('polygenelubricants', 50)).toBe(0);
});

test('offsets of a group with members stay, but for topics that it no longer consumes', () => {
  const offsets = new CommittedOffsets();
  const value = { offset: 1, leaderEpoch: -1, metadata: '', committedAtMs: 0 };
  offsets.set('used', 0, value);
  offsets.set('left', 0, value);
  const group = { phase: 'Stable', protocolType: 'consumer', stateSinceMs: 0, subscribed: new Set(['used']) };
  const topics = (given: object) =>
    expiredOffsets(offsets, { ...group, ...given }, 10, 10).map(({ topic }) => topic);
  expect(topics({})).toEqual(['left']);
  expect(topics({ subscribed: undefined })).toEqual([]);
  expect(topics({ phase: 'PreparingRebalance' })).toEqual([]);
  expect(topics({ phase: 'Empty', stateSinceMs: 1 })).toEqual([]);
  expect(topics({ phase: 'Empty' })).toEqual(['used', 'left']);
});
