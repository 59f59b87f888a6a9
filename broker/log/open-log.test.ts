import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import type { SimDirectory, SimFile } from '../../test/sim/sim-disk.ts';
import { SimMachine } from '../../test/sim/sim-host.ts';
import { readBatches, recordBatch } from '../../test/support/record-batch.ts';
import { nodeHost } from '../host/node-host.ts';
import { openDiskLog } from './open-log.ts';

let dataDir: string;

beforeEach(async () => {
  dataDir = await fs.mkdtemp(join(tmpdir(), 'millrace-log-'));
});
afterEach(async () => {
  await fs.rm(dataDir, { recursive: true, force: true });
});

const now = { nowMs: 1_700_000_000_000, origin: 'client' as const };

test('what was acknowledged on a real disk is there after a restart, in order', async () => {
  const log = await openDiskLog({ dataDir, segmentBytes: 4_000 }, nodeHost());
  const topic = await log.createTopic({ name: 'logs', partitions: 3, configs: {} });
  const durable: Promise<void>[] = [];
  for (let i = 0; i < 300; i++) {
    const appended = topic.partitions[i % 3]!.append(recordBatch({ values: [`a${i}`, `b${i}`] }), now);
    expect(appended.baseOffset).toBe(Math.floor(i / 3) * 2);
    durable.push(appended.durable);
  }
  await Promise.all(durable);
  const before = await readAll(topic.partitions[1]!);
  await log.close();

  const again = await openDiskLog({ dataDir }, nodeHost());
  const found = again.topic('logs')!;
  expect(again.clusterId).toBe(log.clusterId);
  expect(found.id).toBe(topic.id);
  expect(found.partitions.map((one) => one.highWatermark)).toEqual([200, 200, 200]);
  expect(await readAll(found.partitions[1]!)).toEqual(before);
  expect(before[0]).toBe('a1');
  expect(before).toHaveLength(200);
  await again.close();
});

test('a second start in the same directory is told so', async () => {
  const log = await openDiskLog({ dataDir }, nodeHost());
  await expect(openDiskLog({ dataDir }, nodeHost())).rejects.toThrow(/in use by another process/);
  await log.close();
  await (await openDiskLog({ dataDir }, nodeHost())).close();
});

async function readAll(partition: {
  startOffset: number;
  highWatermark: number;
  read(offset: number, maxBytes: number, minOneBatch: boolean): Promise<Buffer>;
}): Promise<string[]> {
  const values: string[] = [];
  let offset = partition.startOffset;
  while (offset < partition.highWatermark) {
    for (const batch of readBatches(await partition.read(offset, 700, true))) {
      expect(batch.baseOffset).toBe(offset);
      values.push(...batch.values);
      offset += batch.values.length;
    }
  }
  return values;
}

test('damage in meta.properties is repaired from the checkpoint; without one the start stops', async () => {
  const machine = new SimMachine(1);
  const open = (): ReturnType<typeof openDiskLog> => openDiskLog({ dataDir: '/data' }, machine.boot());
  const log = await machine.loop.settle(open());
  const { clusterId } = log;
  await machine.loop.settle(log.close());
  const fileOf = (name: string): SimFile => {
    const data = machine.disk.root.entries.get('data') as SimDirectory;
    return data.entries.get(name) as SimFile;
  };
  fileOf('meta.properties').cached[40]! ^= 1;
  const again = await machine.loop.settle(open());
  expect(again.clusterId).toBe(clusterId);
  await machine.loop.settle(again.close());
  fileOf('meta.properties').cached[40]! ^= 1;
  fileOf('checkpoint.json').cached[40]! ^= 1;
  await expect(machine.loop.settle(open())).rejects.toThrow(/damage in \/data\/meta.properties/);
});

test('a data directory that an interrupted start made gets its name from the next one', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const machine = new SimMachine(seed);
    let host = machine.boot();
    const config = { dataDir: '/var/lib/millrace' };
    await machine.loop.settle(host.files.makeDirectory(config.dataDir));
    host.files.kill();
    host = machine.boot();
    const log = await machine.loop.settle(openDiskLog(config, host));
    await machine.loop.settle(log.createTopic({ name: 't', partitions: 1, configs: {} }));
    const options = { nowMs: 0, origin: 'client' as const };
    const { durable } = log.topic('t')!.partitions[0]!.append(recordBatch({ values: ['x'] }), options);
    await machine.loop.settle(durable);
    host.files.cut();
    const again = await machine.loop.settle(openDiskLog(config, machine.boot()));
    expect(again.topic('t')?.partitions[0]!.highWatermark).toBe(1);
  }
});
