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

test('a damaged file stops the start instead of giving ids again', async () => {
  await (await openProducerIds(nodeFiles, dataDir)).next();
  const path = join(dataDir, 'producer-ids.json');
  const bytes = await fs.readFile(path);
  bytes[bytes.length - 3]! ^= 1;
  await fs.writeFile(path, bytes);
  await expect(openProducerIds(nodeFiles, dataDir)).rejects.toThrow(/damage/);
});
