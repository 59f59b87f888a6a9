import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';

import { nodeFiles } from '../host/node-files.ts';
import { openDocument } from './document.ts';

const names = { schema: z.array(z.string()), empty: [] as string[] };
let path: string;
beforeEach(async () => {
  path = join(await fs.mkdtemp(join(tmpdir(), 'millrace-document-')), 'names.json');
});
afterEach(() => fs.rm(join(path, '..'), { recursive: true, force: true }));

test('changes at once come one after the other, and are there after a restart', async () => {
  const document = await openDocument(nodeFiles, path, names);
  expect(document.value).toEqual([]);
  await Promise.all(['a', 'b', 'c'].map((name) => document.update((now) => [...now, name])));
  expect(document.value).toEqual(['a', 'b', 'c']);
  expect((await openDocument(nodeFiles, path, names)).value).toEqual(['a', 'b', 'c']);
});

test('a change that throws, or that the disk refuses, leaves no trace and holds up no other', async () => {
  let isFull = false;
  const files = {
    ...nodeFiles,
    open: (...args: Parameters<typeof nodeFiles.open>) =>
      isFull ? Promise.reject(new Error('ENOSPC')) : nodeFiles.open(...args),
  };
  const document = await openDocument(files, path, names);
  const thrown = document.update(() => {
    throw new Error('no');
  });
  await expect(thrown).rejects.toThrow('no');
  isFull = true;
  await expect(document.update(() => ['lost'])).rejects.toThrow('ENOSPC');
  expect(document.value).toEqual([]);
  isFull = false;
  expect(await document.update((now) => [...now, 'kept'])).toEqual(['kept']);
});

test('a damaged file, or one of another shape, stops the start', async () => {
  await (await openDocument(nodeFiles, path, names)).update(() => ['a']);
  const other = { schema: z.object({}), empty: {} };
  await expect(openDocument(nodeFiles, path, other)).rejects.toThrow(/cannot open/);
  const bytes = await fs.readFile(path);
  bytes[bytes.length - 3]! ^= 1;
  await fs.writeFile(path, bytes);
  await expect(openDocument(nodeFiles, path, names)).rejects.toThrow(/damaged/);
});
