import { describe, expect, test } from 'vitest';

import { SimLog } from '../../../test/sim/sim-log.ts';
import { end, write } from '../../../test/sim/sim-transactions.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import { batchesOf, encodeBatch } from '../../state/record-batch.ts';
import { dataRecordsOf, isControl, lastOffsetOf, recordCountOf } from '../batch/batch-header.ts';

const seeds = Array.from({ length: 12 }, (_, i) => i + 1);
const CONFIG = { segmentBytes: 3_000, walFileBytes: 8_000 };

interface World {
  readonly sim: SimLog;
  /** Next sequence by producer with an open transaction. */
  readonly open: Map<number, number>;
  readonly sequences: Map<number, number>;
}

async function opened(seed: number, configs: Record<string, string>, tailBytesMax = 0): Promise<World> {
  const sim = await SimLog.open(seed, { ...CONFIG, tailBytesMax });
  await sim.createTopic(configs);
  return { sim, open: new Map(), sequences: new Map() };
}

/** One step of a random history. */
async function step({ sim, open, sequences }: World, isKeyed: boolean): Promise<void> {
  const { machine, log, partition } = sim;
  const { random, loop } = machine;
  const nowMs = Math.floor(loop.nowMs);
  const producerId = 5 + random.below(3);
  const chance = random.unit();
  if (chance < 0.1) return await loop.settle(log.checkpoint());
  if (chance < 0.15) return await loop.settle(log.compact());
  if (chance < 0.25) return await loop.pass(random.below(4_000));
  if (chance < 0.4 && open.has(producerId)) {
    open.delete(producerId);
    const marker = { producerId, producerEpoch: 0, coordinatorEpoch: 0, commit: random.chance(0.6) };
    const { durable } = partition.appendMarker({ ...marker, transactionVersion: 1 }, nowMs);
    return await loop.settle(durable);
  }
  if (chance < 0.6 && !isKeyed) {
    const baseSequence = sequences.get(producerId) ?? 0;
    const values = Array.from({ length: 1 + random.below(4) }, () => 'v'.repeat(random.below(60)));
    open.set(producerId, baseSequence);
    sequences.set(producerId, baseSequence + values.length);
    const batch = recordBatch({ values, producerId, producerEpoch: 0, baseSequence, attributes: 0x10 });
    const options = { nowMs, origin: 'client', transactionVersion: 1 } as const;
    return await loop.settle(partition.append(batch, options).durable);
  }
  const count = isKeyed ? 1 : 1 + random.below(5);
  const records = Array.from({ length: count }, () => ({
    key: Buffer.from(`k${random.below(6)}`),
    value: Buffer.from('v'.repeat(random.below(200))),
  }));
  const { durable } = partition.append(encodeBatch(records, nowMs), { nowMs, origin: 'client' });
  await loop.settle(durable);
}

/** By reading all of it. */
async function readAll(
  sim: SimLog,
  offset: number,
): Promise<{ records: number; bytes: number; rest: number }> {
  const { partition } = sim;
  let at = Math.max(offset, partition.startOffset);
  const found = { records: 0, bytes: 0, rest: 0 };
  while (at < partition.highWatermark) {
    const bytes = await sim.settle(partition.read(at, 1_000, true));
    if (bytes.length === 0) break;
    for (const batch of batchesOf(bytes)) {
      const last = lastOffsetOf(batch);
      const isData = !isControl(batch) && recordCountOf(batch) > 0;
      if (isData) found.records += Math.min(dataRecordsOf(batch), last - at + 1);
      if (isData) found.bytes += batch.length;
      else found.rest += batch.length;
      at = last + 1;
    }
  }
  return found;
}

/** What does not fit, in words; empty when all is well. */
async function objections(sim: SimLog, isCompacted: boolean, isInMemory = false): Promise<string[]> {
  const { machine, partition } = sim;
  if (!isInMemory) partition.tail.evict();
  const { startOffset, highWatermark } = partition;
  const offsets = new Set([startOffset, highWatermark, highWatermark - 1, startOffset - 5]);
  for (let i = 0; i < 12; i += 1) {
    offsets.add(startOffset + machine.random.below(Math.max(1, highWatermark - startOffset)));
  }
  const found: string[] = [];
  for (const offset of offsets) {
    const want = await readAll(sim, offset);
    const got = await sim.settle(partition.unread(offset));
    const isEmpty = want.records === 0;
    // Markers between the batches are counted where whole segments are, and so are 61 bytes for what was compacted.
    const bytesMax = isEmpty ? 0 : isCompacted ? Infinity : want.bytes + want.rest;
    const fits =
      got.records === want.records &&
      got.bytes >= (isEmpty ? 0 : want.bytes) &&
      got.bytes <= bytesMax &&
      (got.oldestMs === undefined) === isEmpty &&
      (got.oldestMs ?? 0) <= machine.loop.nowMs;
    if (!fits) found.push(`offset ${offset}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
  }
  return found;
}

describe('what is unread is what a reader would get', () => {
  for (const tailBytesMax of [0, 100_000]) {
    test(`plain batches and transactions, ${tailBytesMax} bytes of tail, restarts in between`, async () => {
      for (const seed of seeds) {
        const world = await opened(seed, {}, tailBytesMax);
        const { sim } = world;
        const isInMemory = tailBytesMax > 0;
        for (let i = 0; i < 60; i += 1) await step(world, false);
        expect(await objections(sim, false, isInMemory)).toEqual([]);
        await sim.restart('close');
        expect(await objections(sim, false, isInMemory)).toEqual([]);
        for (let i = 0; i < 20; i += 1) await step(world, false);
        expect(await objections(sim, false, isInMemory)).toEqual([]);
        await sim.close();
      }
    });
  }

  test('a compacted topic', async () => {
    const configs = { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.1' };
    for (const seed of seeds) {
      const world = await opened(seed, configs);
      const { sim } = world;
      for (let i = 0; i < 120; i += 1) await step(world, true);
      await sim.settle(sim.log.checkpoint());
      await sim.settle(sim.log.compact());
      expect(await objections(sim, true)).toEqual([]);
      await sim.restart('close');
      expect(await objections(sim, true)).toEqual([]);
      await sim.close();
    }
  });

  test('a checkpoint of before records were counted', async () => {
    const world = await opened(7, {});
    const { sim } = world;
    for (let i = 0; i < 80; i += 1) await step(world, false);
    await sim.settle(sim.log.checkpoint());
    for (const segment of sim.partition.segments) segment.records = undefined;
    expect(await objections(sim, false)).toEqual([]);
    // They are counted by now, and kept.
    expect(sim.partition.segments.filter((one) => one.bytes > 0 && one.records === undefined)).toEqual([]);
    await sim.close();
  });
});

test('only markers are no records, and nothing is old', async () => {
  const { sim } = await opened(1, {});
  const { partition } = sim;
  await write(sim, { producerId: 5, sequence: 0 });
  await end(sim, 5, true);
  const nothing = { records: 0, bytes: 0, oldestMs: undefined };
  expect(partition.highWatermark).toBe(2);
  expect(await sim.settle(partition.unread(1))).toMatchObject(nothing);
  await sim.settle(sim.log.checkpoint());
  partition.tail.evict();
  expect(await sim.settle(partition.unread(1))).toMatchObject(nothing);
  await sim.close();
});

describe('the time of the oldest is when it was appended, whatever its timestamp says', () => {
  for (const [what, offsetMs] of [
    ['from the future', 86_400_000],
    ['a week old', -7 * 86_400_000],
  ] as const) {
    test(`${what}`, async () => {
      const { sim } = await opened(1, {});
      const { machine, partition } = sim;
      const nowMs = Math.floor(machine.loop.nowMs);
      const baseTimestamp = nowMs + offsetMs;
      const batch = recordBatch({ values: ['a'], baseTimestamp });
      await sim.settle(partition.append(batch, { nowMs, origin: 'client' }).durable);
      const { oldestMs, timestampMs } = await sim.settle(partition.unread(0));
      expect(timestampMs).toBe(baseTimestamp);
      expect(Math.abs(oldestMs! - nowMs)).toBeLessThan(1_000);
      await sim.close();
    });
  }

  test('from the future, after a restart: not after the restart', async () => {
    const { sim } = await opened(1, {});
    const { machine } = sim;
    const nowMs = Math.floor(machine.loop.nowMs);
    const batch = recordBatch({ values: ['a'], baseTimestamp: nowMs + 86_400_000 });
    await sim.settle(sim.partition.append(batch, { nowMs, origin: 'client' }).durable);
    await sim.restart('close');
    const openedMs = machine.loop.nowMs;
    await machine.loop.pass(60_000);
    const { oldestMs } = await sim.settle(sim.partition.unread(0));
    expect(oldestMs).toBeLessThanOrEqual(openedMs);
    await sim.close();
  });
});
