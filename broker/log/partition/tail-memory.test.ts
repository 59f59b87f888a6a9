import { expect, test } from 'vitest';

import { SimRandom } from '../../../test/sim/sim-random.ts';
import { stampBatch, writeInt64 } from '../batch/batch-header.ts';
import { ReadBuffers, ReadLease } from '../segment/read-buffers.ts';
import { Tail } from './tail.ts';
import { type Evictable, TailMemory } from './tail-memory.ts';
import { FRAME_BYTES } from '../wal/wal-entry.ts';

const SLAB_BYTES = 64 * 1024;

/** A batch of one record, as far as tails look at it; filled with one number, so that a byte of another shows. */
function batchOf(bytes: number, fill: number, offset: number): Buffer {
  const batch = Buffer.alloc(bytes, fill);
  stampBatch(batch, offset, 0);
  batch.writeInt32BE(0, 23);
  writeInt64(batch, 0, 27);
  return batch;
}

for (const bytesMax of [0, 4 * SLAB_BYTES]) {
  test(`what is in a tail is never written over, and ${bytesMax} bytes are kept when all is written`, () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const random = new SimRandom(seed);
      const memory = new TailMemory(bytesMax);
      const partitions = Array.from({ length: 5 }, () => ({
        tail: new Tail(memory),
        want: [] as Buffer[],
        durable: 0,
      }));
      for (let step = 0; step < 400; step += 1) {
        const one = random.pick(partitions);
        const { tail, want } = one;
        const dice = random.unit();
        if (dice < 0.6) {
          const bytes = random.chance(0.05) ? 61 + random.below(3 * SLAB_BYTES) : 61 + random.below(9_000);
          const batch = batchOf(bytes, random.below(256), want.length);
          want.push(batch);
          const entry = tail.store(batch);
          // As the write-ahead log does, to see that it is nobody else's.
          entry.fill(0xaa, 0, FRAME_BYTES);
          if (!entry.subarray(FRAME_BYTES).equals(batch)) throw new Error(`seed ${seed}, step ${step}`);
        } else if (dice < 0.84) {
          one.durable = want.length;
        } else if (dice < 0.95) {
          tail.written(tail.unwritten(one.durable, random.below(100_000)));
          memory.trim();
        } else if (want.length > one.durable) {
          tail.pop();
          want.pop();
        }
        if (step % 10 !== 0) continue;
        for (const { tail: own, want: whole } of partitions) {
          const first = own.firstOffset;
          if (first === undefined) continue;
          const got = Buffer.concat(own.read(first, Infinity, Infinity, true));
          if (!got.equals(Buffer.concat(whole.slice(first)))) throw new Error(`seed ${seed}, step ${step}`);
        }
      }
      for (const { tail, want } of partitions) tail.written(tail.unwritten(want.length, Infinity));
      memory.trim();
      expect(memory.bytes, `seed ${seed}`).toBeLessThanOrEqual(bytesMax);
      expect(memory.unwrittenBytes).toBe(0);
    }
  });
}

test('what is lent stays as it is when its batches leave their tail', () => {
  const memory = new TailMemory(2 * SLAB_BYTES);
  const tail = new Tail(memory);
  const lease = new ReadLease(new ReadBuffers());
  const batch = batchOf(5_000, 9, 0);
  tail.store(batch);
  const lent = tail.read(0, 1, Infinity, true);
  memory.lendAll(lent, lease);
  const others: Buffer[][] = [];
  for (let offset = 1; offset < 300; offset += 1) {
    tail.store(batchOf(5_000, 4, offset));
    tail.written(tail.unwritten(offset + 1, Infinity));
    if (offset === 150) {
      // Given back in time, and so used again.
      const second = new ReadLease(new ReadBuffers());
      others.push(tail.read(150, 151, Infinity, true));
      memory.lendAll(others[0]!, second);
      second.end();
    }
  }
  expect(lent[0]!.equals(batch)).toBe(true);
  expect(others[0]![0]!.equals(batchOf(5_000, 4, 150))).toBe(false);
  lease.end();
  expect(memory.bytes).toBeLessThanOrEqual(2 * SLAB_BYTES);
});

test('a partition without traffic gives way to those with it', () => {
  const memory = new TailMemory(8 * SLAB_BYTES);
  const [idle, busy] = [new Tail(memory), new Tail(memory)];
  idle.store(batchOf(100, 1, 0));
  idle.written(idle.unwritten(1, Infinity));
  for (let offset = 0; offset < 1_000; offset += 1) {
    busy.store(batchOf(1_000, 2, offset));
    busy.written(busy.unwritten(offset + 1, Infinity));
  }
  expect(idle.firstOffset).toBeUndefined();
  expect(busy.firstOffset).toBeGreaterThan(0);
  expect(memory.bytes).toBeLessThanOrEqual(8 * SLAB_BYTES);
});

test('what is not written stays beyond the bound, and goes when it is', () => {
  const memory = new TailMemory(2 * SLAB_BYTES);
  const tail = new Tail(memory);
  for (let offset = 0; offset < 500; offset += 1) tail.store(batchOf(1_000, 3, offset));
  expect(tail.firstOffset).toBe(0);
  expect(memory.bytes).toBeGreaterThan(2 * SLAB_BYTES);
  tail.written(tail.unwritten(500, Infinity));
  memory.trim();
  expect(memory.bytes).toBeLessThanOrEqual(2 * SLAB_BYTES);
});

test('who has nothing left in the oldest slab is not asked again, whoever else keeps it', () => {
  const memory = new TailMemory(0);
  let asked = 0;
  const ownerOf = (keeps: () => boolean): Evictable => ({
    evictFrom: () => {
      asked += 1;
      return !keeps();
    },
  });
  let isKept = true;
  const batch = batchOf(61, 1, 0);
  const entries = Array.from({ length: 400 }, (_, index) =>
    memory.store(
      batch,
      ownerOf(() => index === 200 && isKept),
    ),
  );
  memory.trim();
  expect(asked).toBe(201);
  for (let round = 0; round < 100; round += 1) memory.trim();
  expect(asked).toBe(301);
  expect(memory.bytes).toBe(SLAB_BYTES);
  isKept = false;
  memory.trim();
  expect(asked).toBe(501);
  for (const entry of entries) memory.drop(entry);
  memory.trim();
  expect([asked, memory.bytes]).toEqual([501, 0]);
});

test('what a burst needed beyond the bound serves the next one, less each time that nothing waits', () => {
  const memory = new TailMemory(4 * SLAB_BYTES);
  const tail = new Tail(memory);
  const used = new Set<ArrayBufferLike>();
  let offset = 0;
  const burst = (): void => {
    for (let bytes = 0; bytes < 5 * SLAB_BYTES; bytes += 8_000) {
      used.add(tail.store(batchOf(8_000, 3, offset)).buffer);
      offset += 1;
    }
  };
  const write = (left: number): void => {
    tail.written(tail.unwritten(offset - left, Infinity));
    memory.trim();
  };
  burst();
  write(1);
  const first = used.size;
  expect(first).toBeGreaterThan(4);
  for (let round = 0; round < 20; round += 1) {
    burst();
    write(1);
  }
  // The one that is not written keeps a slab from being used again.
  expect(used.size).toBeLessThanOrEqual(first + 1);
  write(0);
  const known = used.size;
  burst();
  expect(used.size).toBe(known);
  write(0);
  for (let round = 0; round < 10; round += 1) memory.trim();
  burst();
  expect(used.size).toBeGreaterThan(known);
});
