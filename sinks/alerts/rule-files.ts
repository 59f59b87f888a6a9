import type { Files } from '../../broker/host/files.ts';
import type { Problem, Rule } from './rule.ts';
import { messageOf, readRuleFile } from './rule-file.ts';

export interface LoadedFile {
  readonly file: string;
  /** What the file said; tells a change. */
  readonly source: string;
  readonly rules: readonly Rule[];
  readonly problems: readonly Problem[];
}

/**
 * The files that patterns name: paths, directories (their `*.yaml` and `*.yml`), or paths with `*` and `?` in
 * the last part. Rule tests are left out of what is not named outright.
 */
export async function findRuleFiles(
  files: Files,
  patterns: readonly string[],
  isWanted: (name: string) => boolean = isRuleFile,
): Promise<{ paths: string[]; problems: Problem[] }> {
  const paths = new Set<string>();
  const problems: Problem[] = [];
  for (const pattern of patterns) {
    const slash = pattern.lastIndexOf('/');
    const directory = slash === -1 ? '.' : pattern.slice(0, slash) || '/';
    const last = pattern.slice(slash + 1);
    const stat = /[*?]/.test(pattern) ? undefined : await files.stat(pattern);
    if (stat && !stat.isDirectory) {
      paths.add(pattern);
    } else if (stat) {
      for (const name of await files.list(pattern))
        if (isWanted(name)) paths.add(`${pattern.replace(/\/+$/, '')}/${name}`);
    } else if (!/[*?]/.test(pattern)) {
      problems.push({ file: pattern, line: 0, column: 0, message: 'cannot read rules: got no such file' });
    } else if (/[*?]/.test(directory)) {
      const message = 'cannot read rules: want * and ? only in the last part of a path';
      problems.push({ file: pattern, line: 0, column: 0, message });
    } else {
      for (const name of await files.list(directory)) {
        if (fits(name, last) && isWanted(name))
          paths.add(slash === -1 ? name : `${directory === '/' ? '' : directory}/${name}`);
      }
    }
  }
  return { paths: [...paths].sort(), problems };
}

/** Reads what changed; a file that is as before is not parsed again. */
export async function loadRuleFiles(
  files: Files,
  patterns: readonly string[],
  before: ReadonlyMap<string, LoadedFile>,
  intervalDefaultMs: number,
): Promise<Map<string, LoadedFile>> {
  const { paths, problems } = await findRuleFiles(files, patterns);
  const loaded = new Map<string, LoadedFile>();
  for (const problem of problems) {
    loaded.set(problem.file, { file: problem.file, source: '', rules: [], problems: [problem] });
  }
  for (const file of paths)
    loaded.set(file, await loadFile(files, file, before.get(file), intervalDefaultMs));
  return loaded;
}

async function loadFile(
  files: Files,
  file: string,
  before: LoadedFile | undefined,
  intervalDefaultMs: number,
): Promise<LoadedFile> {
  try {
    const content = await files.readFile(file);
    if (!content) throw new Error('got no such file');
    const source = content.toString();
    if (before?.source === source) return before;
    if (/\.stream\.ya?ml$/.test(file)) throw new Error('got a .stream.yaml file, which is not supported yet');
    const read = readRuleFile(file, source, intervalDefaultMs);
    // A bad file changes nothing: what ran before goes on, and the problem is shown.
    if (read.problems.length > 0 && before)
      return { file, source, rules: before.rules, problems: read.problems };
    return { file, source, ...read };
  } catch (error) {
    const problem = { file, line: 0, column: 0, message: `cannot read rules: ${messageOf(error)}` };
    return { file, source: '', rules: before?.rules ?? [], problems: [problem] };
  }
}

export function isRuleTest(name: string): boolean {
  return /_test\.ya?ml$/.test(name);
}

function isRuleFile(name: string): boolean {
  return !isRuleTest(name) && /\.ya?ml$/.test(name);
}

/** `*` any run of characters, `?` one; by hand, since users write it. */
export function fits(name: string, pattern: string): boolean {
  let at = 0;
  let inPattern = 0;
  let starAt = -1;
  let retryAt = 0;
  while (at < name.length) {
    if (pattern[inPattern] === '*') {
      starAt = inPattern++;
      retryAt = at;
    } else if (
      inPattern < pattern.length &&
      (pattern[inPattern] === '?' || pattern[inPattern] === name[at])
    ) {
      at += 1;
      inPattern += 1;
    } else if (starAt >= 0) {
      inPattern = starAt + 1;
      retryAt += 1;
      at = retryAt;
    } else {
      return false;
    }
  }
  while (pattern[inPattern] === '*') inPattern += 1;
  return inPattern === pattern.length;
}
