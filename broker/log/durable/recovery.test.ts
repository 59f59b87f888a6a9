import { expect, test } from 'vitest';

import { type SimHost, SimMachine } from '../../../test/sim/sim-host.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import type { FileHandle, Files } from '../../host/files.ts';
import type { Host } from '../../host/host.ts';
import { openDiskLog } from '../open-log.ts';

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

/** The host, with the bytes counted that are read from open files. */
function countReads(host: SimHost): { host: Host; bytes: () => number } {
  let bytes = 0;
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
  return { host: { ...host, files: counting }, bytes: () => bytes };
}
