/**
 * Where settings come from: the file, then the environment, then options of the command line, later ones over
 * earlier ones. Every value remembers its place, so that an error can name it.
 */
import { readFile } from 'node:fs/promises';

import { isCollection, isMap, LineCounter, parseDocument, type Document, parse, visit } from 'yaml';

import { ExpectedError } from '../expected-error.ts';

export type Path = ReadonlyArray<string | number>;

export interface Source {
  /** Plain nested objects and arrays. */
  readonly values: Record<string, unknown>;
  /** The place of a value (or of its key), or of the nearest thing around it: `millrace.yaml:6:17`. */
  place(path: Path, key?: boolean): string;
}

export const emptySource: Source = { values: {}, place: () => 'defaults' };

/** Reads a YAML file; `${env:NAME}` in a value is replaced by the environment's. */
export async function fileSource(path: string, env: NodeJS.ProcessEnv): Promise<Source> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new ExpectedError(`cannot read ${path}: ${(error as Error).message}`);
  }
  return yamlSource(path, text, env);
}

export function yamlSource(name: string, text: string, env: NodeJS.ProcessEnv): Source {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const [first] = document.errors;
  if (first) throw new ExpectedError(`${at(first.pos[0])}: cannot read the settings: ${first.message}`);
  if (document.contents !== null && !isMap(document.contents)) {
    throw new ExpectedError(`${at(0)}: cannot read the settings: got no mapping, want \`key: value\` lines`);
  }
  substitute(document, env, at);
  const values = (document.toJS() ?? {}) as Record<string, unknown>;
  return { values, place: (path, key = false) => at(offsetOf(document, path, key)) };
}

/** The offset of the value at the path; of its key when it is a whole section or asked for; of the last part that exists. */
function offsetOf(document: Document.Parsed, path: Path, key: boolean): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const [index, step] of path.entries()) {
    if (!isCollection(node)) break;
    if (isMap(node)) {
      const pair = node.items.find((item) => String(item.key) === String(step));
      if (!pair) break;
      offset = (pair.key as { range?: [number, number, number] }).range?.[0] ?? offset;
      node = pair.value;
      if (key && index === path.length - 1) break;
      if (!isCollection(node))
        offset = (node as { range?: [number, number, number] } | null)?.range?.[0] ?? offset;
    } else {
      node = node.items[Number(step)];
      offset = (node as { range?: [number, number, number] } | undefined)?.range?.[0] ?? offset;
    }
  }
  return offset;
}

function substitute(document: Document.Parsed, env: NodeJS.ProcessEnv, at: (offset: number) => string): void {
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value !== 'string' || !node.value.includes('${env:')) return;
      node.value = node.value.replaceAll(/\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}/g, (_all, name: string) => {
        const value = env[name];
        if (value === undefined) {
          throw new ExpectedError(
            `${at(node.range?.[0] ?? 0)}: cannot use \${env:${name}}: the variable is not set`,
          );
        }
        return value;
      });
    },
  });
}

/**
 * `MILLRACE_DATA_DIR` is `dataDir`, `MILLRACE_BROKER__RETENTION_MS` is `broker.retentionMs`; the value is read as
 * YAML, so numbers, booleans and `[lists]` work. Names outside `sections` are left alone: they are somebody else's.
 */
export function environmentSource(env: NodeJS.ProcessEnv, sections: ReadonlySet<string>): Source {
  const values: Record<string, unknown> = {};
  const names = new Map<string, string>();
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('MILLRACE_') || text === undefined) continue;
    const path = name.slice('MILLRACE_'.length).split('__').map(camelCase);
    if (!sections.has(path[0]!)) continue;
    let value: unknown;
    try {
      value = parse(text);
    } catch (error) {
      throw new ExpectedError(`environment ${name}: cannot read the value: ${(error as Error).message}`);
    }
    put(values, path, value);
    names.set(path.join('.'), name);
  }
  return {
    values,
    place: (path) => {
      for (let length = path.length; length > 0; length -= 1) {
        const name = names.get(path.slice(0, length).join('.'));
        if (name) return `environment ${name}`;
      }
      return 'environment';
    },
  };
}

/** Values that options of the command line set, by path. */
export function optionSource(options: ReadonlyArray<{ option: string; path: Path; value: unknown }>): Source {
  const values: Record<string, unknown> = {};
  for (const { path, value } of options) put(values, path, value);
  return {
    values,
    place: (path) =>
      `option ${options.find((one) => one.path.every((step, index) => path[index] === step))?.option ?? '?'}`,
  };
}

/** Objects are merged key by key, everything else is replaced; the place is that of the last source to speak. */
export function mergeSources(sources: readonly Source[]): Source {
  let values: Record<string, unknown> = {};
  for (const source of sources) values = mergeValues(values, source.values) as Record<string, unknown>;
  return {
    values,
    place(path, key) {
      for (const source of sources.toReversed()) if (has(source.values, path)) return source.place(path, key);
      for (const source of sources.toReversed()) {
        if (path.length > 0 && has(source.values, path.slice(0, 1))) return source.place(path, key);
      }
      return 'defaults';
    },
  };
}

export function mergeValues(below: unknown, above: unknown): unknown {
  if (!isPlain(below) || !isPlain(above)) return above === undefined ? below : above;
  const merged = { ...below };
  for (const [key, value] of Object.entries(above)) merged[key] = mergeValues(merged[key], value);
  return merged;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function has(values: unknown, path: Path): boolean {
  let here = values;
  for (const step of path) {
    if (typeof here !== 'object' || here === null || !(step in here)) return false;
    here = (here as Record<string | number, unknown>)[step];
  }
  return true;
}

function put(values: Record<string, unknown>, path: Path, value: unknown): void {
  let here = values;
  for (const step of path.slice(0, -1)) {
    const next = here[step];
    here = (isPlain(next) ? next : (here[step] = {})) as Record<string, unknown>;
  }
  here[path.at(-1)!] = value;
}

function camelCase(text: string): string {
  return text.toLowerCase().replaceAll(/_([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase());
}
