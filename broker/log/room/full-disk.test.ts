import { describe, expect, test } from 'vitest';

import { type SimHost, SimMachine } from '../../../test/sim/sim-host.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import type { DiskLog } from '../disk-log.ts';
import { openDiskLog } from '../open-log.ts';
import type { Partition } from '../partition/partition.ts';

const options = { nowMs: 1_700_000_000_000, origin: 'client' as const };
/** As the broker's own writers: records without a key on a compacted topic. */
const own = { ...options, origin: 'coordinator' } as const;
const batch = (): Buffer => recordBatch({ values: ['x'.repeat(1_000)] });

test('a full disk refuses appends, serves reads, also over a restart, and takes appends again when there is room', async () => {
  const machine = new SimMachine(3);
  const config = { dataDir: '/data', walFileBytes: 8_000, segmentBytes: 8_000, tailBytesMax: 0 };
  let host = machine.boot();
  let log = await machine.loop.settle(openDiskLog(config, host));
  await machine.loop.settle(log.createTopic({ name: 't', partitions: 1, configs: {} }));
  machine.disk.capacityBytes = 20_000;
  let acknowledged = 0;
  for (let i = 0; i < 30 && !log.storageError; i++) {
    await machine.loop.settle(log.topic('t')!.partitions[0]!.append(batch(), options).durable).then(
      () => (acknowledged += 1),
      () => {},
    );
  }
  expect(log.storageError).toMatch(/ENOSPC/);
  expect(() => log.topic('t')!.partitions[0]!.append(batch(), options)).toThrow(
    expect.objectContaining({ code: 'KAFKA_STORAGE_ERROR' }),
  );

  machine.disk.capacityBytes = 0;
  host.files.kill();
  host = machine.boot();
  log = await machine.loop.settle(openDiskLog(config, host));
  const partition = log.topic('t')!.partitions[0]!;
  expect(log.storageError).toMatch(/ENOSPC/);
  expect(partition.highWatermark).toBe(acknowledged);
  expect((await machine.loop.settle(partition.read(0, 100, true))).length).toBe(batch().length);

  machine.disk.capacityBytes = 10_000_000;
  await machine.loop.pass(5_000);
  expect(log.storageError).toBeUndefined();
  await machine.loop.settle(partition.append(batch(), options).durable);
  expect(partition.highWatermark).toBe(acknowledged + 1);
  expect(host.lines.some(({ message }) => message.includes('accepts appends'))).toBe(true);
});

describe('a disk that is full to the last byte', () => {
  const hour = 3_600_000;
  const config = {
    dataDir: '/data',
    walFileBytes: 16_000,
    segmentBytes: 6_000,
    tailBytesMax: 0,
    retentionMs: hour,
    reserveBytes: 4_000,
  };

  /** Records of now until the disk refuses, with records of long ago in front. */
  async function fill(machine: SimMachine, host: SimHost, overrides: object = {}): Promise<DiskLog> {
    const { loop, disk } = machine;
    const log = await loop.settle(openDiskLog({ ...config, ...overrides }, host));
    await loop.settle(log.createTopic({ name: 't', partitions: 1, configs: {} }));
    await loop.settle(log.keepHouse());
    disk.capacityBytes = disk.usedBytes() + 60_000;
    while (!log.storageError) {
      const one = recordBatch({ values: ['x'.repeat(900)], baseTimestamp: Math.floor(loop.nowMs) });
      await loop.settle(log.topic('t')!.partitions[0]!.append(one, options).durable).catch(() => {});
      await loop.pass(100);
    }
    // Somebody else takes what is left.
    disk.capacityBytes = disk.usedBytes();
    await loop.pass(3_000);
    return log;
  }

  test('reads go on; when old segments expire the log takes appends again by itself', async () => {
    const machine = new SimMachine(11);
    const host = machine.boot();
    const log = await fill(machine, host);
    const { loop } = machine;
    const partition = log.topic('t')!.partitions[0] as Partition;
    const durable = partition.highWatermark;
    expect(log.storageError).toMatch(/ENOSPC/);
    expect(partition.startOffset).toBe(0);
    expect((await loop.settle(partition.read(0, 100, true))).length).toBeGreaterThan(900);
    expect(() => partition.append(batch(), options)).toThrow(
      expect.objectContaining({ code: 'KAFKA_STORAGE_ERROR' }),
    );

    machine.loop.nowMs += 2 * hour;
    await loop.pass(5_000);
    expect(log.storageError).toBeUndefined();
    expect(partition.startOffset).toBeGreaterThan(0);
    expect(partition.append(batch(), options).baseOffset).toBe(durable);
    // What is gone stays gone, and what was given up is kept again, after a power cut.
    machine.disk.capacityBytes = Number.POSITIVE_INFINITY;
    await loop.settle(log.keepHouse());
    const { startOffset } = partition;
    host.files.cut();
    const again = await loop.settle(openDiskLog(config, machine.boot()));
    expect(again.topic('t')!.partitions[0]!.startOffset).toBe(startOffset);
    expect(again.topic('t')!.partitions[0]!.highWatermark).toBeGreaterThanOrEqual(durable);
  });

  test('without a reserve nothing can expire', async () => {
    const machine = new SimMachine(11);
    const log = await fill(machine, machine.boot(), { reserveBytes: 0 });
    machine.loop.nowMs += 2 * hour;
    await machine.loop.pass(5_000);
    expect(log.storageError).toMatch(/ENOSPC/);
  });

  test('DeleteRecords and DeleteTopic make room', async () => {
    for (const how of ['records', 'topic'] as const) {
      const machine = new SimMachine(12);
      const { loop } = machine;
      const log = await fill(machine, machine.boot());
      const [partition] = log.topic('t')!.partitions;
      if (how === 'records') await loop.settle(partition!.deleteBefore(partition!.highWatermark - 2));
      else await loop.settle(log.deleteTopic('t'));
      await loop.pass(5_000);
      expect(log.storageError).toBeUndefined();
    }
  });

  test('a start serves reads, and goes on when records expire', async () => {
    const machine = new SimMachine(13);
    let host = machine.boot();
    const before = (await fill(machine, host)).topic('t')!.partitions[0]!.highWatermark;
    host.files.kill();
    host = machine.boot();
    const { loop } = machine;
    const log = await loop.settle(openDiskLog(config, host));
    const partition = log.topic('t')!.partitions[0]!;
    expect(log.storageError).toMatch(/ENOSPC/);
    expect(partition.highWatermark).toBe(before);
    expect((await loop.settle(partition.read(before - 1, 100, true))).length).toBeGreaterThan(900);
    machine.loop.nowMs += 2 * hour;
    await loop.pass(5_000);
    expect(log.storageError).toBeUndefined();
    await loop.settle(partition.append(batch(), options).durable);
    expect(partition.highWatermark).toBe(before + 1);
  });
});

test('the disk bound over all topics deletes the oldest records first and says so', async () => {
  const machine = new SimMachine(4);
  const config = {
    dataDir: '/data',
    diskBytesMax: 60_000,
    walFileBytes: 4_000,
    segmentBytes: 5_000,
    tailBytesMax: 0,
    reserveBytes: 0,
  };
  const host = machine.boot();
  const log = await machine.loop.settle(openDiskLog(config, host));
  for (const name of ['older', 'newer', 'kept']) {
    const configs = name === 'kept' ? { 'cleanup.policy': 'compact' } : {};
    await machine.loop.settle(log.createTopic({ name, partitions: 1, configs }));
  }
  for (let i = 0; i < 90; i++) {
    const name = i < 30 ? 'kept' : i < 60 ? 'older' : 'newer';
    const one = recordBatch({ values: ['x'.repeat(1_000)], baseTimestamp: 1_699_999_000_000 + i });
    await machine.loop.settle(
      log.topic(name)!.partitions[0]!.append(one, name === 'kept' ? own : options).durable,
    );
  }
  await machine.loop.settle(log.checkpoint());
  await machine.loop.settle(log.keepHouse());
  const start = (name: string): number => log.topic(name)!.partitions[0]!.startOffset;
  expect(start('kept')).toBe(0);
  expect(start('older')).toBeGreaterThan(20);
  expect(start('newer')).toBeLessThan(20);
  expect(machine.disk.usedBytes()).toBeLessThan(60_000);
  expect(host.lines.some(({ message }) => message.includes('the disk bound'))).toBe(true);
  const deleted = host.metrics
    .snapshot()
    .find((family) => family.name === 'millrace_broker_deleted_bytes_total');
  expect(deleted?.series.map(({ labels }) => labels['reason'])).toEqual(['disk']);
  await machine.loop.settle(log.close());
});
