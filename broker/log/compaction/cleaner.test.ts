import { afterEach, beforeEach, expect, test } from 'vitest';

import { CLIENT, SimLog } from '../../../test/sim/sim-log.ts';
import { batchesOf, encodeBatch, recordsOf } from '../../state/record-batch.ts';
import { CRC_START, writeInt64 } from '../batch/batch-header.ts';
import { crc32c } from '../batch/crc32c.ts';
import type { Partition } from '../partition/partition.ts';

const DAY_MS = 86_400_000;
let sim: SimLog;
beforeEach(async () => {
  sim = await SimLog.open(3, { segmentBytes: 1_200, walFileBytes: 3_000 });
});
afterEach(() => sim.close());

function batchOf(key: string, timestampMs: number, sequence?: number): Buffer {
  const value = Buffer.from('v'.repeat(100));
  const batch = encodeBatch([{ key: Buffer.from(key), value }], timestampMs);
  if (sequence === undefined) return batch;
  writeInt64(batch, 7, 43);
  batch.writeInt16BE(0, 51);
  batch.writeInt32BE(sequence, 53);
  batch.writeUInt32BE(crc32c(batch, CRC_START), 17);
  return batch;
}

function append(partition: Partition, batch: Buffer) {
  return sim.append(partition, batch, { ...CLIENT, nowMs: sim.machine.loop.nowMs });
}

async function keysIn(partition: Partition): Promise<string[]> {
  const keys: string[] = [];
  let offset = partition.startOffset;
  while (offset < partition.highWatermark) {
    for (const batch of batchesOf(await sim.settle(partition.read(offset, 10_000, true)))) {
      for (const record of recordsOf(batch)) keys.push(`${record.offset}:${record.key!.toString()}`);
      offset = Number(batch.readBigInt64BE(0)) + batch.readInt32BE(23) + 1;
    }
  }
  return keys;
}

async function clean(): Promise<void> {
  await sim.settle(sim.log.checkpoint());
  await sim.settle(sim.log.compact());
}

test('a retry whose batch was compacted away is still a retry, also after a restart', async () => {
  const partition = await sim.createTopic({
    'cleanup.policy': 'compact',
    'min.cleanable.dirty.ratio': '0.01',
  });
  const now = sim.machine.loop.nowMs;
  await append(partition, batchOf('k', now, 0));
  for (let i = 0; i < 30; i += 1) await append(partition, batchOf('k', now));
  await clean();
  expect(await keysIn(partition)).not.toContain('0:k');
  const end = partition.endOffset;
  expect(await append(partition, batchOf('k', now, 0))).toMatchObject({ duplicate: true, baseOffset: 0 });

  await sim.restart('close');
  const again = sim.partition;
  expect(await append(again, batchOf('k', now, 0))).toMatchObject({ duplicate: true, baseOffset: 0 });
  expect(again.endOffset).toBe(end);
});

test('compact,delete cleans and expires', async () => {
  const partition = await sim.createTopic({
    'cleanup.policy': 'compact,delete',
    'min.cleanable.dirty.ratio': '0.01',
    'retention.ms': `${DAY_MS}`,
  });
  const now = sim.machine.loop.nowMs;
  for (let i = 0; i < 20; i += 1) await append(partition, batchOf(`old-${i % 2}`, now - 2 * DAY_MS));
  for (let i = 0; i < 20; i += 1) await append(partition, batchOf(`new-${i % 2}`, now));
  await clean();
  const cleaned = await keysIn(partition);
  expect(cleaned).toContain('18:old-0');
  expect(cleaned).not.toContain('0:old-0');
  await sim.settle(sim.log.keepHouse());
  const left = await keysIn(partition);
  expect(left.filter((key) => key.endsWith('old-0'))).toEqual([]);
  expect(left).toContain('39:new-1');
});
