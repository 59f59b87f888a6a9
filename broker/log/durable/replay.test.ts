import { expect, test } from 'vitest';

import { type SimHost, SimMachine } from '../../../test/sim/sim-host.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import type { FileHandle, Files } from '../../host/files.ts';
import type { Host } from '../../host/host.ts';
import { openDiskLog } from '../open-log.ts';
import { walPath } from '../wal/wal-scan.ts';

const options = { nowMs: 1_700_000_000_000, origin: 'client' as const };
const config = { dataDir: '/data', walFileBytes: 8_000, segmentBytes: 1_000_000, reserveBytes: 0 };

test('a start after a crash reads what was not checkpointed, not the segments that it goes on in', async () => {
  const machine = new SimMachine(7);
  let host = machine.boot();
  let log = await machine.loop.settle(openDiskLog(config, host));
  await machine.loop.settle(log.createTopic({ name: 't', partitions: 1, configs: {} }));
  for (let i = 0; i < 100; i++) {
    const batch = recordBatch({ values: [`${i}`.padEnd(1_000, 'x')] });
    await machine.loop.settle(log.topic('t')!.partitions[0]!.append(batch, options).durable);
  }
  host.files.kill();
  host = machine.boot();
  const counted = countReads(host);
  log = await machine.loop.settle(openDiskLog(config, counted.host));
  const partition = log.partitions()[0]!;
  expect(partition.highWatermark).toBe(100);
  expect(counted.bytes()).toBeLessThan(3 * config.walFileBytes);
  // The index is made when somebody reads there, from all of it, also from what was written behind.
  const last = recordBatch({ values: ['last'] });
  await machine.loop.settle(partition.append(last, options).durable);
  partition.tail.evict();
  for (const offset of [0, 50, 99, 100]) {
    const read = await machine.loop.settle(partition.read(offset, 1, true));
    expect(Number(read.readBigInt64BE(0))).toBe(offset);
  }
});

test('a start reads a write-ahead log file a little at a time, also behind damage', async () => {
  const machine = new SimMachine(7);
  let host = machine.boot();
  const large = { ...config, walFileBytes: 64_000_000, tailBytesMax: 0 };
  const log = await machine.loop.settle(openDiskLog(large, host));
  await machine.loop.settle(log.createTopic({ name: 't', partitions: 1, configs: {} }));
  for (let i = 0; i < 9; i++) {
    const batch = recordBatch({ values: [`${i}`.padEnd(600_000, 'x')] });
    await machine.loop.settle(log.topic('t')!.partitions[0]!.append(batch, options).durable);
  }
  host.files.kill();
  host = machine.boot();
  const file = await machine.loop.settle(host.files.open(walPath('/data/wal', 1), 'write'));
  expect((await machine.loop.settle(file.stat())).size).toBeGreaterThan(5_000_000);
  // In the second batch.
  await machine.loop.settle(file.write([Buffer.from('damage')], 900_000));
  const counted = countReads(host);
  const again = await machine.loop.settle(openDiskLog(large, counted.host));
  expect(again.partitions()[0]!.highWatermark).toBe(9);
  expect(host.lines.filter(({ level }) => level === 'error')).toMatchObject([
    { fields: { topic: 't', partition: 0, fromOffset: 1, toOffset: 2 } },
  ]);
  expect(counted.largest()).toBeLessThanOrEqual(1024 * 1024);
});

/** The host, with the bytes counted that are read from open files, and the most of them at once. */
function countReads(host: SimHost): { host: Host; bytes: () => number; largest: () => number } {
  let bytes = 0;
  let largest = 0;
  const { files } = host;
  const counting = new Proxy<Files>(files, {
    get(target, name) {
      if (name !== 'open') {
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      }
      return async (path: string, mode: 'read' | 'write' | 'create'): Promise<FileHandle> => {
        const file = await files.open(path, mode);
        return {
          read: async (into, position) => {
            const got = await file.read(into, position);
            bytes += got;
            largest = Math.max(largest, got);
            return got;
          },
          write: (chunks, position) => file.write(chunks, position),
          datasync: () => file.datasync(),
          truncate: (size) => file.truncate(size),
          stat: () => file.stat(),
          close: () => file.close(),
        };
      };
    },
  });
  return { host: { ...host, files: counting }, bytes: () => bytes, largest: () => largest };
}
