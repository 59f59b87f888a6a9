import type { Files } from '../../host/files.ts';
import { decodeWalHeader, repairWalHeader, WAL_HEADER_BYTES, type WalFileHeader } from './wal-entry.ts';
import { walPath } from './wal-scan.ts';

/**
 * What is wrong with how the files follow each other.
 *
 * - `repaired`: one bit of the header was wrong. It says which, and nothing is lost.
 * - `unreadable`: more is wrong. The file's entries name it themselves and count; but nobody says where the file before
 *   it ends, so its own entries decide that, as if it were the last.
 * - `begun`: the last file has no header. A crash came before it was written, so nothing in it was acknowledged there.
 * - `missing`: the header of a later file names it, and it is needed.
 */
export interface ChainFault {
  readonly kind: 'repaired' | 'unreadable' | 'begun' | 'missing';
  readonly file: number;
}

export interface WalChain {
  /** Where files end that have a successor, as its header says. */
  readonly ends: ReadonlyMap<number, number>;
  readonly faults: readonly ChainFault[];
}

/** Reads the headers. `firstFile`: what is before it is not needed; 0: not known. */
export async function readWalChain(
  files: Files,
  directory: string,
  numbers: readonly number[],
  firstFile = 0,
): Promise<WalChain> {
  const ends = new Map<number, number>();
  const faults: ChainFault[] = [];
  const oldestNeeded = firstFile > 0 ? firstFile : (numbers[0] ?? 0);
  for (const [i, file] of numbers.entries()) {
    const bytes = await readHeader(files, walPath(directory, file));
    const header = headerOf(bytes, file);
    if (!header) {
      const isBegun = i === numbers.length - 1 && bytes.every((byte) => byte === 0);
      // Of a shorter one its torn end is told.
      if (!isBegun) faults.push({ kind: 'unreadable', file });
      else if (bytes.length === WAL_HEADER_BYTES) faults.push({ kind: 'begun', file });
      continue;
    }
    if (header.isRepaired) faults.push({ kind: 'repaired', file });
    const { previousFile, previousEnd } = header;
    ends.set(previousFile, previousEnd);
    const isNeeded = previousFile > 0 && previousFile >= oldestNeeded;
    if (isNeeded && !numbers.includes(previousFile)) faults.push({ kind: 'missing', file: previousFile });
  }
  return { ends, faults };
}

/** The header of a file, by its name too; undefined when more than one bit of it is wrong. */
function headerOf(bytes: Buffer, file: number): (WalFileHeader & { isRepaired: boolean }) | undefined {
  const header = decodeWalHeader(bytes);
  if (header) return header.file === file ? { ...header, isRepaired: false } : undefined;
  const repaired = repairWalHeader(bytes);
  return repaired?.file === file ? { ...repaired, isRepaired: true } : undefined;
}

/** As much of it as there is. */
async function readHeader(files: Files, path: string): Promise<Buffer> {
  const bytes = Buffer.alloc(WAL_HEADER_BYTES);
  const file = await files.open(path, 'read');
  try {
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}
