// The name of the build of the sources as they are now, in plain JavaScript: the command needs it at every start,
// and must not load a compiler for it. Synchronous, since hundreds of small questions to the file system cost more
// on their way through the thread pool than in themselves.
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const SOURCES = ['broker', 'collector', 'dashboards', 'deploy', 'sinks'];

/** Where the build of the checkout's present sources is, or belongs. */
export function buildDirectory(root) {
  const digest = createHash('sha256');
  for (const name of ['package-lock.json', 'tsconfig.json']) addFile(digest, join(root, name));
  for (const folder of SOURCES) addFolder(digest, join(root, folder));
  return join(root, 'dist', `build-${digest.digest('hex').slice(0, 16)}`);
}

function addFolder(digest, folder) {
  const entries = readdirSync(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.name === 'dist' || entry.name === 'node_modules' || entry.name.includes('.test.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) addFolder(digest, path);
    else addFile(digest, path);
  }
}

function addFile(digest, path) {
  const { size, mtimeMs } = statSync(path);
  digest.update(`${path}\0${size}\0${mtimeMs}\n`);
}
