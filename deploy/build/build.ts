/**
 * Compiles the product into a directory: every module becomes JavaScript at the same relative place, with the
 * files that modules read (SQL, JSON, YAML) beside it, the viewer's bundle under `dashboards/viewer/dist`, and
 * the Node agent's package in its own folder.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ASSETS = ['.sql', '.json', '.yaml', '.yml', '.md'];
const FOLDERS = ['broker', 'collector', 'dashboards', 'deploy', 'sinks'];

export async function build(root: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  const [{ buildViewer }, { buildNodeAgent }] = await Promise.all([
    import(join(root, 'dashboards/viewer/build.ts')) as Promise<{
      buildViewer: (out: string) => Promise<void>;
    }>,
    import(join(root, 'collector/node-agent/build.ts')) as Promise<{ buildNodeAgent: () => Promise<void> }>,
  ]);
  await Promise.all([
    compile(root, target),
    copyAssets(root, target),
    buildViewer(join(target, 'dashboards', 'viewer', 'dist')),
    buildNodeAgent(),
  ]);
  await cp(join(root, 'package.json'), join(target, 'package.json'));
  // Modules are resolved upwards from the build: the checkout's own packages.
  await symlink(join(root, 'node_modules'), join(target, 'node_modules'));
  await writeFile(join(target, 'complete'), '');
}

async function compile(root: string, target: string): Promise<void> {
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  const args = ['-p', join(root, 'deploy/build/tsconfig.build.json'), '--outDir', target];
  try {
    await promisify(execFile)(tsc, args);
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    throw new Error(`cannot build: the compiler says\n${stdout ?? String(error)}`, { cause: error });
  }
}

async function copyAssets(root: string, target: string): Promise<void> {
  for (const folder of FOLDERS) await copyFolder(join(root, folder), join(target, folder));
}

async function copyFolder(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    if (entry.isDirectory()) {
      if (entry.name === 'dist' || entry.name === 'node_modules' || entry.name === 'node-agent') continue;
      await copyFolder(source, join(to, entry.name));
    } else if (ASSETS.some((ending) => entry.name.endsWith(ending)) && !entry.name.startsWith('tsconfig')) {
      await mkdir(to, { recursive: true });
      await cp(source, join(to, entry.name));
    }
  }
}
