#!/usr/bin/env node
// The command, in plain JavaScript that any Node from 18 on can load: it finds the Node that this project pins,
// makes sure that the cached build is there, and hands over.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, utimesSync } from 'node:fs';
import nodeModule, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR_MIN = 24;
// Help that goes to a file or a pipe carries no colours.
if (!process.stdout.isTTY) process.env.NO_COLOR ??= '1';

// Threads for files, as deploy/parts/environment.ts wants them. They start with the first asynchronous read, so here it is
// early enough, and the process needs no second start.
if (process.argv[2] === 'broker') process.env.UV_THREADPOOL_SIZE ??= '24';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
  const pinned = pinnedNode();
  if (!pinned) {
    console.error(
      `cannot run millrace: got Node ${process.versions.node}, want ${NODE_MAJOR_MIN} or newer. ` +
        `On Linux (x64, arm64, glibc) \`npm ci\` installs it beside the other packages, unless optional packages ` +
        `are left out (--omit=optional); elsewhere install Node ${NODE_MAJOR_MIN} and run the command again.`,
    );
    process.exit(1);
  }
  handOver(pinned, process.argv.slice(1));
} else {
  await run();
}

/** The path of the Node binary in our optional dependency for this machine, if it was installed. */
function pinnedNode() {
  const require = createRequire(import.meta.url);
  try {
    const manifest = require.resolve(`node-${process.platform}-${process.arch}/package.json`);
    const binary = join(dirname(manifest), 'bin', 'node');
    return existsSync(binary) ? binary : undefined;
  } catch {
    return undefined; // not installed for this platform
  }
}

/** Runs the same command under another Node; signals and the exit code go through. */
function handOver(node, args) {
  const child = spawn(node, args, { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`cannot run ${node}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
}

async function run() {
  const published = join(root, 'dist', 'published', 'deploy', 'command', 'main.js');
  const sources = join(root, 'deploy', 'build', 'cached-build.ts');
  try {
    let program = published;
    if (existsSync(sources)) {
      program = join(await currentBuild(sources), 'deploy', 'command', 'main.js');
    }
    cacheCompiled(join(program, '..', '..', '..', 'compile-cache'));
    const { main } = await import(program);
    await main(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof Error && error.expected ? error.message : error);
    process.exit(1);
  }
}

/**
 * The build of the sources as they are. Where there is none, a process of its own makes it: compiler and bundler
 * would stay in the memory of this one, which may run for months.
 */
async function currentBuild(sources) {
  const { buildDirectory } = await import('../build/stamp.js');
  const directory = buildDirectory(root);
  if (existsSync(join(directory, 'complete'))) {
    const now = new Date();
    utimesSync(directory, now, now);
    return directory;
  }
  const { status, error } = spawnSync(process.execPath, [sources, root], { stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(1);
  return buildDirectory(root);
}

/** What V8 compiled is kept beside the build, for this process and those it starts; where it cannot be, it is not. */
function cacheCompiled(directory) {
  if (process.env.NODE_COMPILE_CACHE) return;
  process.env.NODE_COMPILE_CACHE = directory;
  nodeModule.enableCompileCache(directory);
}
