import { type Files, replaceFile } from '../../host/files.ts';
import { crc32c } from '../batch/crc32c.ts';

/**
 * A small file of one JSON value that is replaced as a whole: first line the CRC32C of the rest in hex, then the
 * value. Readable by people, and a changed bit is found.
 */
export async function writeChecked(files: Files, path: string, value: unknown): Promise<void> {
  await writeCheckedJson(files, path, [Buffer.from(JSON.stringify(value))]);
}

/** As `writeChecked`, of a value that is JSON already, in pieces. */
export async function writeCheckedJson(files: Files, path: string, json: readonly Buffer[]): Promise<void> {
  const body = [...json, Buffer.from('\n')];
  let crc = 0;
  for (const piece of body) crc = crc32c(piece, 0, piece.length, crc);
  const head = Buffer.from(`${crc.toString(16).padStart(8, '0')}\n`);
  await replaceFile(files, path, [head, ...body]);
}

/** The value, or why there is none. */
export async function readChecked(
  files: Files,
  path: string,
): Promise<{ state: 'good'; value: unknown } | { state: 'absent' } | { state: 'damaged' }> {
  const bytes = await files.readFile(path);
  if (!bytes) return { state: 'absent' };
  const crc = Number.parseInt(bytes.toString('latin1', 0, 8), 16);
  if (bytes.length < 10 || bytes[8] !== 10 || crc !== crc32c(bytes, 9)) return { state: 'damaged' };
  return { state: 'good', value: JSON.parse(bytes.toString('utf8', 9)) };
}
