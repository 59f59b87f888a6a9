import { expect, test } from 'vitest';

import { CLIENT, SimLog } from '../../../test/sim/sim-log.ts';
import { readBatches, recordBatch } from '../../../test/support/record-batch.ts';
import { walEntries } from '../../../test/support/wal-entries.ts';

/** A partition of a topic of these settings, and how often its write-ahead log was synced since. */
async function partitionOf(configs: Readonly<Record<string, string>>, internal = false) {
  const sim = await SimLog.open(5);
  await sim.settle(sim.log.createTopic({ name: 't', partitions: 1, configs, internal }));
  let syncs = 0;
  sim.host.files.fault = (operation, path) => {
    if (operation === 'datasync' && path.endsWith('.wal')) syncs += 1;
    return undefined;
  };
  const append = (count: number): Promise<void> =>
    sim.partition.append(recordBatch({ values: Array.from({ length: count }, () => 'x') }), CLIENT).durable;
  return { sim, append, syncs: () => syncs };
}

test('a partition of flush.messages=3 waits for the disk with every third record', async () => {
  const { sim, append, syncs } = await partitionOf({ 'flush.messages': '3' });
  const after: number[] = [];
  for (const count of [1, 1, 1, 2, 1, 1]) {
    await sim.settle(append(count));
    after.push(syncs());
  }
  expect(after).toEqual([0, 0, 1, 1, 2, 2]);
});

test('a partition acknowledges in order, whichever waits for the disk', async () => {
  const { sim, append } = await partitionOf({ 'flush.messages': '3' });
  const { partition } = sim;
  const done: number[] = [];
  const all = Array.from({ length: 8 }, (_, i) => append(1).then(() => done.push(i)));
  let before = 0;
  partition.onAdvance(() => {
    expect(partition.highWatermark).toBeGreaterThan(before);
    before = partition.highWatermark;
  });
  await sim.settle(Promise.all(all));
  expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test('a partition of an internal topic is strict, whatever it says', async () => {
  const { sim, append, syncs } = await partitionOf({ 'flush.ms': '100000' }, true);
  await sim.settle(append(1));
  expect(syncs()).toBe(1);
});

test('a partition that is lax no longer has nothing left to sync when that is answered', async () => {
  const { sim, append, syncs } = await partitionOf({ 'flush.ms': '9223372036854775807' });
  await sim.settle(append(1));
  expect(syncs()).toBe(0);
  await sim.settle(sim.log.alterConfigs('t', {}));
  expect(syncs()).toBe(1);
  await sim.settle(append(1));
  expect(syncs()).toBe(2);
});

test('what a partition owes a sync outlives its place in the memory of the newest batches', async () => {
  const sim = await SimLog.open(5, { tailBytesMax: 512 * 1024 });
  const partition = await sim.createTopic({ 'flush.ms': '9223372036854775807' });
  const { wal, tailMemory } = sim.log;
  const { files } = sim.host;
  // Four times what stays in memory; none of it synced.
  const values = Array.from({ length: 100 }, (_, i) => `${i}:`.padEnd(20_000, 'x'));
  for (const value of values) {
    await sim.append(partition, recordBatch({ values: [value] }));
    await sim.settle(partition.flush());
  }
  expect(partition.tail.firstOffset).toBeGreaterThan(50);
  expect(tailMemory.bytes).toBeLessThanOrEqual(512 * 1024);
  expect(wal.owedBytes).toBeGreaterThan(2_000_000);

  files.fault = (operation, path) =>
    operation === 'datasync' && path.endsWith('.wal') ? { code: 'EIO' } : undefined;
  await expect(sim.settle(wal.sync())).rejects.toThrow(/EIO/);
  files.fault = () => undefined;
  await sim.machine.loop.pass(3_000);
  expect(sim.log.storageError).toBeUndefined();
  // The next file begins with it.
  const file = wal.files.current;
  const entries = await sim.settle(walEntries(files, '/data/wal', file));
  expect(entries.flatMap(({ batch }) => readBatches(batch)[0]!.values)).toEqual(values);
});

test('a partition keeps everything over a kill, and begins a new epoch', async () => {
  const { sim, append } = await partitionOf({ 'flush.ms': '100000' });
  for (let i = 0; i < 5; i++) await sim.settle(append(1));
  await sim.restart('kill');
  expect(sim.partition.highWatermark).toBe(5);
  expect(sim.partition.leaderEpoch).toBe(1);
  await sim.restart('close');
  expect(sim.partition.leaderEpoch).toBe(1);
});
