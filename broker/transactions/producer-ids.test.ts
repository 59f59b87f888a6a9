import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { nodeFiles } from '../host/node-files.ts';
import { openProducerIds } from './producer-ids.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await fs.mkdtemp(join(tmpdir(), 'millrace-ids-'));
});
afterEach(async () => {
  await fs.rm(dataDir, { recursive: true, force: true });
});

test('no id is given twice, also not over restarts and by callers at once', async () => {
  const seen = new Set<number>();
  for (let run = 0; run < 3; run++) {
    const ids = await openProducerIds(nodeFiles, dataDir);
    const given = await Promise.all(Array.from({ length: 1_500 }, () => ids.next()));
    for (const id of given) seen.add(id);
  }
  expect(seen.size).toBe(4_500);
});

test('with one damaged copy the other goes on; with both, the start stops instead of giving ids again', async () => {
  const given = await (await openProducerIds(nodeFiles, dataDir)).next();
  await damage('producer-ids.json');
  const next = await (await openProducerIds(nodeFiles, dataDir)).next();
  expect(next).toBeGreaterThan(given);
  await damage('producer-ids.copy.json');
  expect(await (await openProducerIds(nodeFiles, dataDir)).next()).toBeGreaterThan(next);
  await damage('producer-ids.json');
  await damage('producer-ids.copy.json');
  await expect(openProducerIds(nodeFiles, dataDir)).rejects.toThrow(/damage/);
});

async function damage(name: string): Promise<void> {
  const path = join(dataDir, name);
  const bytes = await fs.readFile(path);
  bytes[bytes.length - 3]! ^= 1;
  await fs.writeFile(path, bytes);
}
