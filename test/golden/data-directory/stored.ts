import { gunzipSync, gzipSync } from 'node:zlib';
import * as fs from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** A data directory as one file of text: what git keeps no empty directories of. */
export interface StoredDirectory {
  /** What it was made with. */
  readonly about: string;
  readonly expected: Expected;
  /** Ending in a slash: a directory; else gzip in base64. */
  readonly files: Readonly<Record<string, string>>;
}

export interface Expected {
  readonly clusterId: string;
  /** By topic and partition: start, end, and offset to `summary` of the record as a consumer of committed records sees them. */
  readonly partitions: Readonly<
    Record<string, { start: number; end: number; committed: Record<string, string> }>
  >;
  /** Group, topic, partition: offset. */
  readonly offsets: Readonly<Record<string, number>>;
  /** No producer id below may be given again. */
  readonly nextProducerId: number;
}

export async function packDirectory(path: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const entries = await fs.readdir(path, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const from = join(entry.parentPath, entry.name);
    const name = from.slice(path.length + 1);
    // Noise that is made again.
    if (name === 'reserve') continue;
    if (entry.isDirectory()) files[`${name}/`] = '';
    else files[name] = gzipSync(await fs.readFile(from), { level: 9 }).toString('base64');
  }
  return Object.fromEntries(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export async function unpackDirectory(
  { files }: Pick<StoredDirectory, 'files'>,
  path: string,
): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const to = join(path, name);
    await fs.mkdir(name.endsWith('/') ? to : dirname(to), { recursive: true });
    if (!name.endsWith('/')) await fs.writeFile(to, gunzipSync(Buffer.from(content, 'base64')));
  }
}

export function summary(key: string, value: string): string {
  return `${key}=${value.slice(0, 24).trimEnd()} (${value.length})`;
}
