/** Compiles the Node agent to JavaScript that loads on Node 20 to 26: `node collector/node-agent/build.ts`. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));

/** Compiles `src/` into `dist/` when that is missing or older; throws with the compiler's words when it fails. */
export function buildNodeAgent(): void {
  const source = join(here, 'src');
  const target = join(here, 'dist');
  const names = readdirSync(source).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const inputs = [...names.map((name) => join(source, name)), join(here, 'tsconfig.json')];
  const outputs = names.map((name) => join(target, name.replace(/\.ts$/, '.js')));
  const changedMs = Math.max(...inputs.map(modifiedMs));
  if (outputs.every((path) => existsSync(path) && modifiedMs(path) >= changedMs)) return;
  const compiler = join(
    dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
    'bin/tsc',
  );
  const arguments_ = [compiler, '-p', join(here, 'tsconfig.json')];
  const { status, stdout, stderr } = spawnSync(process.execPath, arguments_, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`cannot compile the Node agent: ${stdout}${stderr}`);
}

function modifiedMs(path: string): number {
  return statSync(path).mtimeMs;
}

if (import.meta.main) buildNodeAgent();
