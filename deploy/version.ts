import { existsSync, readFileSync } from 'node:fs';

// The manifest stands at the root of the checkout and of every build.
const manifest = new URL('../package.json', import.meta.url);

export const version: string = existsSync(manifest)
  ? (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
  : 'unknown';
