import { expect, test } from 'vitest';

import type { Partition } from '../partition/partition.ts';
import { SegmentWriter } from './segment-writer.ts';
import { TailMemory } from '../partition/tail-memory.ts';

/** A partition that is written when the test says so. */
class Held {
  readonly tail = { unwrittenBytes: 0 };
  flushes = 0;
  end: (error?: Error) => void = () => {};

  flush(): Promise<void> {
    this.flushes += 1;
    return new Promise((resolve, reject) => {
      this.end = (error) => (error ? reject(error) : resolve());
    });
  }
}

function writerOf(count: number): { writer: SegmentWriter; held: Held[]; failures: unknown[] } {
  const failures: unknown[] = [];
  const writer = new SegmentWriter(
    new TailMemory(1024 * 1024),
    () => true,
    (error) => failures.push(error),
  );
  const held = Array.from({ length: count }, () => new Held());
  for (const one of held) writer.add(one as unknown as Partition);
  return { writer, held, failures };
}

const flushing = (held: readonly Held[]): number => held.reduce((sum, { flushes }) => sum + flushes, 0);
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test('eight partitions are written at a time, and each once', async () => {
  const { writer, held, failures } = writerOf(20);
  writer.write();
  await turn();
  expect(flushing(held)).toBe(8);
  held[3]!.end();
  await turn();
  expect(flushing(held)).toBe(9);
  for (let round = 0; round < 20; round++) {
    for (const one of held) one.end();
    await turn();
  }
  await writer.idle();
  expect(held.map(({ flushes }) => flushes)).toEqual(held.map(() => 1));
  expect(failures).toEqual([]);
});

test('after a failure no other is begun, the round ends with the last that runs, and the next has all again', async () => {
  const { writer, held, failures } = writerOf(20);
  writer.write();
  await turn();
  held[0]!.end(new Error('no room'));
  await turn();
  expect(flushing(held)).toBe(8);
  expect(failures).toEqual([]);
  for (const one of held.slice(1, 8)) one.end();
  await writer.idle();
  expect(failures).toEqual([new Error('no room')]);
  expect(flushing(held)).toBe(8);
  writer.write();
  for (let round = 0; round < 20; round++) {
    await turn();
    for (const one of held) one.end();
  }
  await writer.idle();
  expect(flushing(held)).toBe(28);
});
