import type { Files } from '../../broker/host/files.ts';
import type { WalEntry } from '../../broker/log/wal/wal-entry.ts';
import { walPath, WalScan } from '../../broker/log/wal/wal-scan.ts';

/** The good entries of a write-ahead log file. */
export async function walEntries(files: Files, directory: string, file: number): Promise<WalEntry[]> {
  const handle = await files.open(walPath(directory, file), 'read');
  const { size } = await handle.stat();
  const found: WalEntry[] = [];
  const scan = new WalScan({ handle, size, file, limit: undefined });
  for await (const entries of scan.entries()) {
    for (const entry of entries) found.push({ ...entry, batch: Buffer.from(entry.batch) });
  }
  await handle.close();
  return found;
}
