import { afterEach, beforeEach, expect, test } from 'vitest';

import { recordBatch } from '../../test/support/record-batch.ts';
import { SimBroker } from '../../test/support/sim-broker.ts';
import fetchHandler from '../handlers/fetch.ts';
import type { Partition } from '../log/partition/partition.ts';
import { fetch } from '../wire/schemas/index.ts';

const LONG_MS = 60_000;
let broker: SimBroker;
let partitions: Partition[];
beforeEach(async () => {
  broker = await SimBroker.start(7);
  partitions = await broker.topic('t', 2);
});
afterEach(async () => {
  await broker.settle(broker.log.close());
});

async function append(partition: number): Promise<number> {
  const batch = recordBatch({ values: ['a'] });
  await broker.settle(partitions[partition]!.append(batch, { nowMs: 0, origin: 'client' }).durable);
  return batch.length;
}

/** Asks for partitions 0 and 1 from their starts; how long the answer took. */
async function asked(given: { maxWaitMs?: number; minBytes?: number; partitions?: number[] } = {}) {
  const began = broker.machine.loop.nowMs;
  const state = { tookMs: -1, bytes: [] as number[] };
  const answer = broker
    .ask(fetchHandler, fetch, 11, {
      maxWaitMs: given.maxWaitMs ?? LONG_MS,
      minBytes: given.minBytes ?? 1,
      topics: [
        {
          topic: 't',
          partitions: (given.partitions ?? [0, 1]).map((partition) => ({
            partition,
            fetchOffset: 0,
            partitionMaxBytes: 1_000_000,
          })),
        },
      ],
    })
    .then(({ responses }) => {
      state.tookMs = broker.machine.loop.nowMs - began;
      state.bytes = responses.flatMap((one) => one.partitions.map(({ records }) => records!.length));
    });
  await broker.machine.loop.pass(1);
  return { answer, state };
}

test('a fetch of nothing, and one that does not wait, are answered at once', async () => {
  for (const given of [{ partitions: [] }, { maxWaitMs: 0 }, { maxWaitMs: -1 }, { minBytes: 0 }]) {
    const { answer, state } = await asked(given);
    await broker.settle(answer);
    expect(state.tookMs).toBeLessThanOrEqual(1);
  }
});

test('min_bytes is the sum over all partitions', async () => {
  const bytes = recordBatch({ values: ['a'] }).length;
  const { answer, state } = await asked({ minBytes: 2 * bytes });
  await append(0);
  await broker.machine.loop.pass(1_000);
  expect(state.tookMs).toBe(-1);
  await append(1);
  await broker.settle(answer);
  expect(state.bytes).toEqual([bytes, bytes]);
  expect(state.tookMs).toBeLessThan(LONG_MS);
});

test('after max_wait there is what there is, though it is less than min_bytes', async () => {
  const bytes = await append(1);
  const { answer, state } = await asked({ minBytes: 10 * bytes, maxWaitMs: 500 });
  expect(state.tookMs).toBe(-1);
  await broker.settle(answer);
  expect(state.bytes).toEqual([0, bytes]);
  expect(state.tookMs).toBeGreaterThanOrEqual(500);
  expect(state.tookMs).toBeLessThan(600);
});
