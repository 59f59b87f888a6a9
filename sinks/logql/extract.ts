import { labelName } from './labels.ts';

/** Labels that a parser stage took from a line. `set` renames what the record has already. */
export type SetLabel = (name: string, value: string) => void;

/** Nested objects deeper than this are not looked into. */
const DEPTH_MAX = 32;

/**
 * `| json`: every scalar of an object becomes a label, nested names joined by `_`, arrays left out.
 * Returns false when the line is not a JSON object.
 */
export function extractJson(line: string, set: SetLabel): boolean {
  if (!line.trimStart().startsWith('{')) return false;
  let value: unknown;
  try {
    // Numbers beyond 2^53 keep their digits; the slower reading is for lines that may hold one.
    value = /\d{16}/.test(line) ? JSON.parse(line, exactNumber) : JSON.parse(line);
  } catch {
    return false;
  }
  flatten(value as object, '', set, 0);
  return true;
}

function exactNumber(_key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === 'number' && context?.source ? context.source : value;
}

function flatten(object: object, prefix: string, set: SetLabel, depth: number): void {
  for (const [key, value] of Object.entries(object) as Array<[string, unknown]>) {
    const name = labelName(prefix + key);
    if (name === '') continue;
    if (typeof value === 'string') set(name, value);
    else if (typeof value === 'number' || typeof value === 'boolean') set(name, String(value));
    else if (value !== null && typeof value === 'object' && !Array.isArray(value) && depth < DEPTH_MAX) {
      flatten(value, `${name}_`, set, depth + 1);
    }
  }
}

/**
 * `| logfmt`: `key=value key="quoted value"`. Words without `=` and empty values are left out. Returns false
 * when a quoted value has no end.
 */
export function extractLogfmt(line: string, set: SetLabel): boolean {
  let at = 0;
  while (at < line.length) {
    while (at < line.length && line.charCodeAt(at) <= 32) at += 1;
    const start = at;
    while (at < line.length && line.charCodeAt(at) > 32 && line[at] !== '=' && line[at] !== '"') at += 1;
    const key = line.slice(start, at);
    if (line[at] !== '=') {
      // A bare word, or a quote where no value can be.
      at += line[at] === '"' ? 1 : 0;
      continue;
    }
    at += 1;
    let value: string;
    if (line[at] === '"') {
      const end = quoteEnd(line, at);
      if (end === -1) return false;
      value = unquote(line.slice(at, end + 1));
      at = end + 1;
    } else {
      const from = at;
      while (at < line.length && line.charCodeAt(at) > 32) at += 1;
      value = line.slice(from, at);
    }
    if (key !== '' && value !== '') set(labelName(key), value);
  }
  return true;
}

function quoteEnd(line: string, start: number): number {
  for (let at = start + 1; at < line.length; at += 1) {
    if (line[at] === '\\') at += 1;
    else if (line[at] === '"') return at;
  }
  return -1;
}

function unquote(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return quoted.slice(1, -1);
  }
}
