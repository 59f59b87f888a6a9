import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const BINARY = join(import.meta.dirname, '../../../build/go/clients');

/** The program of Go's clients, built, or why there is none. */
export function buildGoClients():
  | { readonly binary: string; readonly problem?: undefined }
  | { readonly problem: string; readonly binary?: undefined } {
  if (spawnSync('go', ['version']).error) return { problem: 'go is not installed' };
  const built = spawnSync('go', ['build', '-o', BINARY, '.'], { cwd: import.meta.dirname, encoding: 'utf8' });
  if (built.status === 0) return { binary: BINARY };
  return { problem: `the Go clients cannot be built: ${built.stderr.trim().slice(-300)}` };
}
