import { beforeEach, describe, expect, test } from 'vitest';

import { CLIENT, SimLog } from '../../../test/sim/sim-log.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import type { Partition } from '../partition/partition.ts';

const HOUR = 3_600_000;
/** About six records a segment. */
const CONFIG = { segmentBytes: 6_000, walFileBytes: 8_000, retentionMs: HOUR };
const HELD = { 'retention.hold.groups': 'slow, late' };

let sim: SimLog;
/** What the groups have committed, by id; all in the one partition. */
let positions: Map<string, number>;

beforeEach(async () => {
  sim = await SimLog.open(7, CONFIG);
  positions = new Map([
    ['slow', 0],
    ['late', 0],
  ]);
  know();
});

function know(): void {
  sim.log.waitFor({ positionOf: (group) => positions.get(group) ?? -1 });
}

async function fill(configs: Readonly<Record<string, string>>, count = 30): Promise<void> {
  await fillPartition(await sim.createTopic(configs), count);
}

async function fillPartition(partition: Partition, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const nowMs = Math.floor(sim.machine.loop.nowMs);
    const batch = recordBatch({ values: ['x'.repeat(900)], baseTimestamp: nowMs });
    await sim.append(partition, batch, { ...CLIENT, nowMs });
    await sim.machine.loop.pass(10);
  }
  await sim.settle(partition.flush());
}

/** Lets retention run; returns where the log begins then. */
async function start(): Promise<number> {
  await sim.settle(sim.log.keepHouse());
  return sim.partition.startOffset;
}

function gauge(name: string): Record<string, number> {
  const family = sim.host.metrics.snapshot().find((one) => one.name === name);
  const series = (family?.series ?? []) as ReadonlyArray<{ labels: Record<string, string>; value: number }>;
  return Object.fromEntries(series.map(({ labels, value }) => [labels['group'], value]));
}

const said = (part: string): object[] =>
  sim.host.lines.filter(({ message }) => message.includes(part)).map(({ fields }) => fields);

describe('retention by time', () => {
  test('waits for the slowest of the groups, segment by segment, and takes the rest at once', async () => {
    await fill(HELD);
    sim.machine.loop.nowMs += 2 * HOUR;
    expect(await start()).toBe(0);
    positions.set('slow', 13);
    expect(await start()).toBe(0);
    positions.set('late', 25);
    const [, second, third] = sim.partition.segments.map(({ base }) => base);
    expect(await start()).toBe(second! <= 13 && third! > 13 ? second : third);
    positions.set('slow', 30);
    positions.set('late', 30);
    expect(await start()).toBe(30);
    expect(sim.partition.segmentBytes).toBe(0);
  });

  test('leaves the active segment of an idle topic alone until it is read, and then empties it', async () => {
    await fill(HELD, 3);
    sim.machine.loop.nowMs += 2 * HOUR;
    expect(await start()).toBe(0);
    expect(sim.partition.segments.length).toBe(1);
    for (const group of positions.keys()) positions.set(group, 3);
    expect(await start()).toBe(3);
  });

  test('does not wait where no group is named, or for groups that are not', async () => {
    await fill({ 'retention.hold.groups': 'late' });
    positions.set('late', 30);
    sim.machine.loop.nowMs += 2 * HOUR;
    expect(await start()).toBe(30);
    await sim.settle(sim.log.alterConfigs('t', {}));
    expect(gauge('millrace_broker_unread_deleted_bytes_total')).toEqual({});
  });

  test('waits while nobody knows the positions, as during a start', async () => {
    await fill(HELD);
    for (const group of positions.keys()) positions.set(group, 30);
    await sim.close();
    sim.machine.loop.nowMs += 2 * HOUR;
    await sim.reopen();
    expect(await start()).toBe(0);
    know();
    expect(await start()).toBe(30);
  });

  test('waits for a group that was deleted or never came, says so once, and shows what that costs', async () => {
    await fill(HELD);
    positions.set('late', 30);
    positions.delete('slow');
    sim.machine.loop.nowMs += 2 * HOUR;
    expect(await start()).toBe(0);
    expect(await start()).toBe(0);
    expect(said('has committed nothing')).toEqual([{ topic: 't', group: 'slow' }]);
    expect(gauge('millrace_broker_retention_held_bytes')).toEqual({ slow: sim.partition.segmentBytes });
    await sim.settle(sim.log.alterConfigs('t', { 'retention.hold.groups': 'late' }));
    expect(await start()).toBe(30);
    expect(gauge('millrace_broker_retention_held_bytes')).toEqual({});
  });
});

test('retention by size waits too, up to retention.hold.bytes, and counts what it takes beyond', async () => {
  await fill({ ...HELD, 'retention.bytes': '6000' });
  positions.set('late', 30);
  expect(await start()).toBe(0);
  await sim.settle(
    sim.log.alterConfigs('t', { ...HELD, 'retention.bytes': '6000', 'retention.hold.bytes': '15000' }),
  );
  const at = await start();
  expect(at).toBeGreaterThan(0);
  expect(sim.partition.segmentBytes).toBeGreaterThanOrEqual(15_000);
  expect(sim.partition.segmentBytes).toBeLessThan(15_000 + CONFIG.segmentBytes);
  expect(said('has not read: the bound')).toMatchObject([
    { group: 'slow', topic: 't', partition: 0, fromOffset: 0, toOffset: at },
  ]);
  const lost = gauge('millrace_broker_unread_deleted_bytes_total');
  expect(lost['slow']).toBeGreaterThan(900 * at);
  expect(lost['late']).toBeUndefined();
});

test('the bound on the disk takes what is held, and says whose it was', async () => {
  await sim.restart('close', { diskBytesMax: 40_000 });
  know();
  await fill(HELD, 60);
  positions.set('late', 60);
  positions.set('slow', 4);
  const at = await start();
  expect(at).toBeGreaterThan(4);
  expect(sim.partition.segmentBytes).toBeLessThan(40_000);
  expect(said('the disk bound for all topics')).toMatchObject([{ topic: 't', startOffset: at }]);
  const lines = said('has not read: the bound') as Array<{ fromOffset: number; toOffset: number }>;
  expect(lines[0]).toMatchObject({ group: 'slow', fromOffset: 4 });
  expect(lines.at(-1)!.toOffset).toBe(at);
  // Each record is counted once, however many rounds it took.
  expect(lines.slice(1).map(({ fromOffset }) => fromOffset)).toEqual(
    lines.slice(0, -1).map(({ toOffset }) => toOffset),
  );
});

test('what retention has just let go makes room on the disk: nothing that is held goes besides', async () => {
  await sim.restart('close', { diskBytesMax: 60_000 });
  know();
  const free = await sim.settle(sim.log.createTopic({ name: 'free', partitions: 1, configs: {} }));
  await fillPartition(free.partitions[0] as Partition, 40);
  await fill(HELD);
  sim.machine.loop.nowMs += 2 * HOUR;
  let bytes = 0;
  for (const { segmentBytes } of sim.log.partitions()) bytes += segmentBytes;
  expect(bytes).toBeGreaterThan(sim.log.segmentBytesMax);
  expect(await start()).toBe(0);
  expect(free.partitions[0]!.startOffset).toBe(40);
  expect(said('the disk bound for all topics')).toEqual([]);
});

test('a full disk is a bound too: what is held makes room when nothing else can', async () => {
  await sim.restart('close', { reserveBytes: 4_000 });
  know();
  await fill(HELD, 6);
  await sim.settle(sim.log.keepHouse());
  sim.machine.disk.capacityBytes = sim.machine.disk.usedBytes() + 40_000;
  while (!sim.log.storageError) {
    const batch = recordBatch({
      values: ['x'.repeat(900)],
      baseTimestamp: Math.floor(sim.machine.loop.nowMs),
    });
    const { durable } = sim.partition.append(batch, CLIENT);
    await sim.settle(durable).catch(() => {});
    await sim.machine.loop.pass(50);
  }
  sim.machine.loop.nowMs += 2 * HOUR;
  await sim.machine.loop.pass(5_000);
  expect(sim.log.storageError).toBeUndefined();
  expect(sim.partition.startOffset).toBeGreaterThan(0);
  expect(said('has not read: the bound').length).toBeGreaterThan(0);
});
