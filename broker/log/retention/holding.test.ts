import { beforeEach, describe, expect, test } from 'vitest';

import { type SimHost, SimMachine } from '../../../test/sim/sim-host.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import type { DiskLog } from '../disk-log.ts';
import { openDiskLog } from '../open-log.ts';
import type { Partition } from '../partition/partition.ts';

const HOUR = 3_600_000;
/** About six records a segment. */
const CONFIG = {
  dataDir: '/data',
  segmentBytes: 6_000,
  walFileBytes: 8_000,
  tailBytesMax: 0,
  reserveBytes: 0,
  retentionMs: HOUR,
};
const HELD = { 'retention.hold.groups': 'slow, late' };

let machine: SimMachine;
let host: SimHost;
let log: DiskLog;
/** What the groups have committed, by id; all in the one partition. */
let positions: Map<string, number>;

beforeEach(async () => {
  machine = new SimMachine(7);
  positions = new Map([
    ['slow', 0],
    ['late', 0],
  ]);
  await open();
});

async function open(overrides: object = {}, knows = true): Promise<void> {
  host = machine.boot();
  log = await machine.loop.settle(openDiskLog({ ...CONFIG, ...overrides }, host));
  if (knows) know();
}

function know(): void {
  log.waitFor({ positionOf: (group) => positions.get(group) ?? -1 });
}

function partitionOf(topic = 't'): Partition {
  return log.topic(topic)!.partitions[0] as Partition;
}

async function fill(configs: Readonly<Record<string, string>>, count = 30, topic = 't'): Promise<void> {
  await machine.loop.settle(log.createTopic({ name: topic, partitions: 1, configs }));
  for (let i = 0; i < count; i++) {
    const baseTimestamp = Math.floor(machine.loop.nowMs);
    const batch = recordBatch({ values: ['x'.repeat(900)], baseTimestamp });
    const options = { nowMs: baseTimestamp, origin: 'client' as const };
    await machine.loop.settle(partitionOf(topic).append(batch, options).durable);
    await machine.loop.pass(10);
  }
  await machine.loop.settle(partitionOf(topic).flush());
}

/** Lets retention run; returns where the log begins then. */
async function start(): Promise<number> {
  await machine.loop.settle(log.keepHouse());
  return partitionOf().startOffset;
}

function gauge(name: string): Record<string, number> {
  const family = host.metrics.snapshot().find((one) => one.name === name);
  const series = (family?.series ?? []) as ReadonlyArray<{ labels: Record<string, string>; value: number }>;
  return Object.fromEntries(series.map(({ labels, value }) => [labels['group'], value]));
}

const said = (part: string): object[] =>
  host.lines.filter(({ message }) => message.includes(part)).map(({ fields }) => fields);

describe('retention by time', () => {
  test('waits for the slowest of the groups, segment by segment, and takes the rest at once', async () => {
    await fill(HELD);
    machine.loop.nowMs += 2 * HOUR;
    expect(await start()).toBe(0);
    positions.set('slow', 13);
    expect(await start()).toBe(0);
    positions.set('late', 25);
    const [, second, third] = partitionOf().segments.map(({ base }) => base);
    expect(await start()).toBe(second! <= 13 && third! > 13 ? second : third);
    positions.set('slow', 30);
    positions.set('late', 30);
    expect(await start()).toBe(30);
    expect(partitionOf().segmentBytes).toBe(0);
  });

  test('leaves the active segment of an idle topic alone until it is read, and then empties it', async () => {
    await fill(HELD, 3);
    machine.loop.nowMs += 2 * HOUR;
    expect(await start()).toBe(0);
    expect(partitionOf().segments.length).toBe(1);
    for (const group of positions.keys()) positions.set(group, 3);
    expect(await start()).toBe(3);
  });

  test('does not wait where no group is named, or for groups that are not', async () => {
    await fill({ 'retention.hold.groups': 'late' });
    positions.set('late', 30);
    machine.loop.nowMs += 2 * HOUR;
    expect(await start()).toBe(30);
    await machine.loop.settle(log.alterConfigs('t', {}));
    expect(gauge('millrace_broker_unread_deleted_bytes_total')).toEqual({});
  });

  test('waits while nobody knows the positions, as during a start', async () => {
    await fill(HELD);
    for (const group of positions.keys()) positions.set(group, 30);
    await machine.loop.settle(log.close());
    machine.loop.nowMs += 2 * HOUR;
    await open({}, false);
    expect(await start()).toBe(0);
    know();
    expect(await start()).toBe(30);
  });

  test('waits for a group that was deleted or never came, says so once, and shows what that costs', async () => {
    await fill(HELD);
    positions.set('late', 30);
    positions.delete('slow');
    machine.loop.nowMs += 2 * HOUR;
    expect(await start()).toBe(0);
    expect(await start()).toBe(0);
    expect(said('has committed nothing')).toEqual([{ topic: 't', group: 'slow' }]);
    expect(gauge('millrace_broker_retention_held_bytes')).toEqual({ slow: partitionOf().segmentBytes });
    await machine.loop.settle(log.alterConfigs('t', { 'retention.hold.groups': 'late' }));
    expect(await start()).toBe(30);
    expect(gauge('millrace_broker_retention_held_bytes')).toEqual({});
  });
});

test('retention by size waits too, up to retention.hold.bytes, and counts what it takes beyond', async () => {
  await fill({ ...HELD, 'retention.bytes': '6000' });
  positions.set('late', 30);
  expect(await start()).toBe(0);
  await machine.loop.settle(
    log.alterConfigs('t', { ...HELD, 'retention.bytes': '6000', 'retention.hold.bytes': '15000' }),
  );
  const at = await start();
  expect(at).toBeGreaterThan(0);
  expect(partitionOf().segmentBytes).toBeGreaterThanOrEqual(15_000);
  expect(partitionOf().segmentBytes).toBeLessThan(15_000 + CONFIG.segmentBytes);
  expect(said('has not read: the bound')).toMatchObject([
    { group: 'slow', topic: 't', partition: 0, fromOffset: 0, toOffset: at },
  ]);
  const lost = gauge('millrace_broker_unread_deleted_bytes_total');
  expect(lost['slow']).toBeGreaterThan(900 * at);
  expect(lost['late']).toBeUndefined();
});

test('the bound on the disk takes what is held, and says whose it was', async () => {
  await machine.loop.settle(log.close());
  await open({ diskBytesMax: 40_000 });
  await fill(HELD, 60);
  positions.set('late', 60);
  positions.set('slow', 4);
  const at = await start();
  expect(at).toBeGreaterThan(4);
  expect(partitionOf().segmentBytes).toBeLessThan(40_000);
  expect(said('the disk bound for all topics')).toMatchObject([{ topic: 't', startOffset: at }]);
  const lines = said('has not read: the bound') as Array<{ fromOffset: number; toOffset: number }>;
  expect(lines[0]).toMatchObject({ group: 'slow', fromOffset: 4 });
  expect(lines.at(-1)!.toOffset).toBe(at);
  // Each record is counted once, however many rounds it took.
  expect(lines.slice(1).map(({ fromOffset }) => fromOffset)).toEqual(
    lines.slice(0, -1).map(({ toOffset }) => toOffset),
  );
});

test('a full disk is a bound too: what is held makes room when nothing else can', async () => {
  await machine.loop.settle(log.close());
  await open({ reserveBytes: 4_000 });
  await fill(HELD, 6);
  await machine.loop.settle(log.keepHouse());
  machine.disk.capacityBytes = machine.disk.usedBytes() + 40_000;
  while (!log.storageError) {
    const batch = recordBatch({ values: ['x'.repeat(900)], baseTimestamp: Math.floor(machine.loop.nowMs) });
    const { durable } = partitionOf().append(batch, { nowMs: 0, origin: 'client' });
    await machine.loop.settle(durable).catch(() => {});
    await machine.loop.pass(50);
  }
  machine.loop.nowMs += 2 * HOUR;
  await machine.loop.pass(5_000);
  expect(log.storageError).toBeUndefined();
  expect(partitionOf().startOffset).toBeGreaterThan(0);
  expect(said('has not read: the bound').length).toBeGreaterThan(0);
});
