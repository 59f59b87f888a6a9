import { afterEach, beforeEach, expect, test } from 'vitest';

import { CLIENT, SimLog } from '../../../test/sim/sim-log.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import type { Partition } from '../partition/partition.ts';

let sim: SimLog;
beforeEach(async () => {
  sim = await SimLog.open(5, { segmentBytes: 10_000 });
});
afterEach(() => sim.close());

function batch(baseSequence: number, producerEpoch = 0, values = ['v']): Buffer {
  return recordBatch({ values, producerId: 9, producerEpoch, baseSequence });
}

async function append(partition: Partition, bytes: Buffer): Promise<number> {
  return (await sim.append(partition, bytes)).baseOffset;
}

function expectRefused(partition: Partition, bytes: Buffer, code: string): void {
  expect(() => partition.append(bytes, CLIENT)).toThrow(expect.objectContaining({ code }));
}

test('one of the last five is answered with its first offset, an older one is refused', async () => {
  const partition = await sim.createTopic();
  for (let i = 0; i < 7; i++) expect(await append(partition, batch(i))).toBe(i);
  for (let i = 2; i < 7; i++) {
    expect(partition.append(batch(i), CLIENT)).toMatchObject({ baseOffset: i, duplicate: true });
  }
  expectRefused(partition, batch(1), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
  expect(partition.endOffset).toBe(7);
});

test('a gap is refused and changes nothing; a new epoch starts at 0; an old epoch is refused', async () => {
  const partition = await sim.createTopic();
  await append(partition, batch(0));
  expectRefused(partition, batch(2), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
  await append(partition, batch(1));
  expectRefused(partition, batch(5, 1), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
  await append(partition, batch(0, 1));
  expectRefused(partition, batch(2, 0), 'INVALID_PRODUCER_EPOCH');
  expect(partition.endOffset).toBe(3);
});

test('sequences wrap after Int.MAX, also within a batch', async () => {
  const partition = await sim.createTopic();
  await append(partition, batch(2 ** 31 - 2, 0, ['a', 'b', 'c']));
  expect(await append(partition, batch(1))).toBe(3);
});

test('the state survives a restart, clean or not', async () => {
  await sim.createTopic();
  for (const how of ['close', 'kill'] as const) {
    const next = sim.partition.endOffset;
    await append(sim.partition, batch(next));
    await sim.restart(how);
    const again = sim.partition.append(batch(next), CLIENT);
    expect(again).toMatchObject({ baseOffset: next, duplicate: true });
  }
});

test('a silent producer is forgotten after a day', async () => {
  const partition = await sim.createTopic();
  await append(partition, batch(0));
  sim.machine.loop.nowMs += 25 * 3_600_000;
  await sim.settle(sim.log.keepHouse());
  expect(await append(partition, batch(40))).toBe(1);
});
