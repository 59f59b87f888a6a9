/**
 * The writer's password: a random secret in the data directory, readable by its owner only. Who can read it
 * could write the tables' files as well, so it adds no right; it keeps everybody else read-only.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The one user that may write: the sink. Every other name reads. */
export const WRITER = 'millrace';

export function writerPasswordFile(dataDir: string): string {
  return join(dataDir, 'writer-password');
}

/** Reads the secret, making it at the first start. Safe to call from several processes at once. */
export async function writerPassword(dataDir: string): Promise<string> {
  const path = writerPasswordFile(dataDir);
  await mkdir(dataDir, { recursive: true });
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(`${randomBytes(24).toString('hex')}\n`);
      await file.datasync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  // Another process may have created the file and not have written it yet.
  for (let attempt = 0; attempt < 1000; attempt += 1) {
    const secret = (await readFile(path, 'utf8')).trim();
    if (secret.length >= 32) return secret;
  }
  throw new Error(
    `cannot use ${path}: got no password in it, want 48 hex digits (remove the file to make anew)`,
  );
}

/** Compares without telling by its duration how much was right. */
export function samePassword(given: string, wanted: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(wanted);
  return a.length === b.length && timingSafeEqual(a, b);
}
