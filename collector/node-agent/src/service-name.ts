import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * A name for an application that did not set one: `name` of the package.json nearest to its entry file, else
 * the entry file's name without extension, else OpenTelemetry's `unknown_service:node`.
 */
export function serviceName(entry: string | undefined): string {
  if (!entry) return 'unknown_service:node';
  for (let directory = dirname(entry); ; directory = dirname(directory)) {
    const name = packageName(join(directory, 'package.json'));
    if (name === null) break;
    if (name !== undefined) return name;
    if (directory === dirname(directory)) break;
  }
  return basename(entry).replace(/\.[^.]+$/, '') || 'unknown_service:node';
}

/** Undefined: no such file, look further up. Null: the package has no name, which ends the search. */
function packageName(path: string): string | null | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  try {
    const { name } = JSON.parse(text) as { name?: unknown };
    return typeof name === 'string' && name !== '' ? name : null;
  } catch {
    return null;
  }
}
