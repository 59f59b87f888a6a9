import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

import { eventually } from '../../../test/support/eventually.ts';
import { Hints } from './hints.ts';

const root = mkdtempSync(join(tmpdir(), 'millrace-hints-'));
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('a change in a watched directory is told with its path; an absent directory is nothing', async () => {
  const told: string[] = [];
  const hints = new Hints((path) => void told.push(path));
  hints.watch(join(root, 'absent'));
  hints.watch(root);
  const path = join(root, 'a.log');
  await eventually(() => {
    // Repeated, since a watch may begin late.
    appendFileSync(path, 'x\n');
    expect(told).toContain(path);
  });
  hints.close();
});
