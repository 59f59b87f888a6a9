/**
 * The build that the command runs: JavaScript starts three times faster than the TypeScript sources, in two
 * thirds of the memory. It is made at the first start after a change and kept under `dist/<stamp>`, where the
 * stamp is a digest of names, sizes and times of all sources, so that a second start finds it by itself.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';

const SOURCES = ['broker', 'collector', 'dashboards', 'deploy', 'sinks'];
/** Builds kept: another instance may still run an older one and load parts of it later. */
const BUILDS_KEPT = 4;

/** The directory of an up-to-date build, made when there is none. `root` is the checkout. */
export async function cachedBuild(root: string): Promise<string> {
  const target = join(root, 'dist', `build-${await stampOf(root)}`);
  if (existsSync(join(target, 'complete'))) {
    const now = new Date();
    await utimes(target, now, now);
    return target;
  }
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
  return target;
}

async function stampOf(root: string): Promise<string> {
  const digest = createHash('sha256');
  for (const name of ['package-lock.json', 'tsconfig.json']) digest.update(await facts(join(root, name)));
  for (const folder of SOURCES) await addFolder(digest, join(root, folder));
  return digest.digest('hex').slice(0, 16);
}

async function addFolder(digest: ReturnType<typeof createHash>, folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.name === 'dist' || entry.name === 'node_modules' || entry.name.includes('.test.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await addFolder(digest, path);
    else digest.update(await facts(path));
  }
}

async function facts(path: string): Promise<string> {
  const { size, mtimeMs } = await stat(path);
  return `${path}\0${size}\0${mtimeMs}\n`;
}

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
