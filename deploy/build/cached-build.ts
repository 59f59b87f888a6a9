/**
 * The build that the command runs: JavaScript starts three times faster than the TypeScript sources, in two
 * thirds of the memory. It is made at the first start after a change and kept under `dist/<stamp>`, where the
 * stamp is a digest of names, sizes and times of all sources, so that a second start finds it by itself.
 */
import { existsSync } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { buildDirectory } from './stamp.js';

/** Builds kept: another instance may still run an older one and load parts of it later. */
const BUILDS_KEPT = 4;

/** Makes the build of the checkout `root` as it is, unless it is there. */
async function cachedBuild(root: string): Promise<void> {
  const target = buildDirectory(root);
  if (existsSync(join(target, 'complete'))) return;
  const started = performance.now();
  process.stderr.write('building (once after a change) … ');
  const { build } = await import('./build.ts');
  const temporary = `${target}.${process.pid}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await build(root, temporary);
  try {
    await rename(temporary, target);
  } catch (error) {
    // Another start built the same at the same time.
    if (!existsSync(join(target, 'complete'))) throw error;
    await rm(temporary, { recursive: true, force: true });
  }
  await dropOld(join(root, 'dist'));
  process.stderr.write(`${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}

if (process.argv[1] === import.meta.filename) await cachedBuild(process.argv[2]!);

async function dropOld(dist: string): Promise<void> {
  const builds: Array<{ path: string; usedMs: number }> = [];
  for (const name of await readdir(dist)) {
    if (!name.startsWith('build-') || name.endsWith('.tmp')) continue;
    const path = join(dist, name);
    builds.push({ path, usedMs: (await stat(path)).mtimeMs });
  }
  builds.sort((a, b) => b.usedMs - a.usedMs);
  for (const { path } of builds.slice(BUILDS_KEPT)) await rm(path, { recursive: true, force: true });
}
