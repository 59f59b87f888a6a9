import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';

/**
 * Who imports whom, and who may:
 *
 *     collector ──▶ broker ◀── sinks ◀── dashboards        deploy ──▶ all of them
 *
 * Outside of `broker/` only its `host`, `records` and `client` are open. Nothing imports `deploy` or `test`, but
 * that tests may use `test/` and may start the real broker.
 */
export interface Import {
  readonly file: string;
  readonly line: number;
  /** Repository path of what is imported. */
  readonly target: string;
}

const PARTS = ['collector', 'broker', 'sinks', 'dashboards', 'deploy', 'test'] as const;
type PartName = (typeof PARTS)[number];

const MAY_IMPORT: Readonly<Record<PartName, readonly PartName[]>> = {
  collector: ['collector', 'broker'],
  broker: ['broker'],
  sinks: ['sinks', 'broker'],
  dashboards: ['dashboards', 'sinks', 'broker'],
  deploy: ['deploy', 'collector', 'broker', 'sinks', 'dashboards'],
  test: ['test', 'deploy', 'collector', 'broker', 'sinks', 'dashboards'],
};

const OPEN_IN_BROKER = ['broker/host/', 'broker/records/', 'broker/client/'];
/** What a test outside of the broker needs to start one. */
const BROKER_DOOR = ['broker/main.ts', 'broker/config.ts'];
const SKIPPED = new Set(['node_modules', 'dist', 'build', 'coverage']);

/** Every relative import, re-export and `import()` of the file, types included. */
export function importsOf(file: string, source: string): Import[] {
  const found: Import[] = [];
  const specifier = /(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])(\.{1,2}\/[^'"]*)\1/g;
  for (const match of source.matchAll(specifier)) {
    const line = source.slice(0, match.index).split('\n').length;
    const target = normalize(join(dirname(file), match[2]!))
      .split(sep)
      .join('/');
    found.push({ file, line, target });
  }
  return found;
}

/** Why the import may not be, undefined when it may. */
export function objection({ file, target }: Import): string | undefined {
  const from = partOf(file);
  const to = partOf(target);
  if (from === undefined || to === undefined) return undefined;
  const isTest = from === 'test' || /\.test\.tsx?$/.test(file);
  if (isTest && (to === 'test' || from === 'test')) return undefined;
  if (to === 'test') return `${from} may not import test`;
  if (!MAY_IMPORT[from].includes(to)) {
    return to === 'deploy' ? `nothing may import deploy` : `${from} may not import ${to}`;
  }
  if (to !== 'broker' || from === 'broker' || from === 'deploy') return undefined;
  if (OPEN_IN_BROKER.some((folder) => target.startsWith(folder))) return undefined;
  if (isTest && BROKER_DOOR.includes(target)) return undefined;
  return `${from} may import only host, records and client of broker`;
}

/** `file:line: reason (target)` for every import of the tree that may not be. */
export function objections(files: ReadonlyArray<{ file: string; source: string }>): string[] {
  return files
    .flatMap(({ file, source }) => importsOf(file, source))
    .flatMap((one) => {
      const reason = objection(one);
      return reason === undefined ? [] : [`${one.file}:${one.line}: ${reason} (${one.target})`];
    });
}

/** All TypeScript files of the parts. */
export function sourceFiles(root: string): Array<{ file: string; source: string }> {
  const files: Array<{ file: string; source: string }> = [];
  const visit = (directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) visit(join(directory, entry.name));
      else if (entry.isFile() && /\.tsx?$/.test(entry.name)) {
        const path = join(directory, entry.name);
        files.push({ file: relative(root, path).split(sep).join('/'), source: readFileSync(path, 'utf8') });
      }
    }
  };
  for (const part of PARTS) {
    try {
      visit(join(root, part));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return files;
}

function partOf(path: string): PartName | undefined {
  return PARTS.find((part) => path.startsWith(`${part}/`));
}
