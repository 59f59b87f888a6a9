import { expect, test } from 'vitest';

import { SimMachine } from '../../test/sim/sim-host.ts';
import { recordBatch } from '../../test/support/record-batch.ts';
import { openDiskLog } from './open-log.ts';

const options = { nowMs: 1_700_000_000_000, origin: 'client' as const };
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

test('the disk bound over all topics deletes the oldest records first and says so', async () => {
  const machine = new SimMachine(4);
  const config = {
    dataDir: '/data',
    diskBytesMax: 60_000,
    walFileBytes: 4_000,
    segmentBytes: 5_000,
    tailBytesMax: 0,
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
    await machine.loop.settle(log.topic(name)!.partitions[0]!.append(one, options).durable);
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
