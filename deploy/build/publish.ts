/** `npm run build`: checks the types, then makes the build that a published package or an image runs. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

import { build } from './build.ts';

const root = join(import.meta.dirname, '..', '..');
const target = join(root, 'dist', 'published');

execFileSync(join(root, 'node_modules', '.bin', 'tsc'), ['--noEmit'], { cwd: root, stdio: 'inherit' });
rmSync(target, { recursive: true, force: true });
await build(root, target);
console.log(`built ${target}`);
