import { expect, test } from 'vitest';

import type { FileHandle, Files } from '../../host/files.ts';
import { FilePool } from './file-pool.ts';

test('eight reads go on at a time, the others in their order; writes do not wait', async () => {
  const files = { open: () => Promise.resolve({}) } as unknown as Files;
  const pool = new FilePool(files);
  const going: Array<{ name: string; end: (error?: Error) => void }> = [];
  const begin = (mode: 'read' | 'write', name: string): Promise<void> =>
    pool.use(mode, 'x', (_file: FileHandle) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      going.push({ name, end: (error) => (error ? reject(error) : resolve()) });
      return promise;
    });
  const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
  const reads = Array.from({ length: 11 }, (_, i) => begin('read', `r${i}`).catch(() => 'failed'));
  const write = begin('write', 'w');
  await settle();
  const first = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7'];
  expect(going.map(({ name }) => name).toSorted()).toEqual([...first, 'w']);
  // One that fails gives its place on as well.
  going[3]!.end(new Error('EIO'));
  await settle();
  going[0]!.end();
  await settle();
  expect(going.slice(9).map(({ name }) => name)).toEqual(['r8', 'r9']);
  for (let ended = 0; ended < going.length; ended += 1) {
    going[ended]!.end();
    await settle();
  }
  await Promise.all([...reads, write]);
  expect(going.map(({ name }) => name).slice(9)).toEqual(['r8', 'r9', 'r10']);
  // All places are free again.
  const again = Array.from({ length: 8 }, (_, i) => begin('read', `again${i}`));
  await settle();
  expect(going.length).toBe(20);
  for (const { end } of going) end();
  await Promise.all(again);
});
