import type { FileHandle } from '../../host/files.ts';
import { baseOffsetOf, lastOffsetOf, recordCountOf } from '../batch/batch-header.ts';
import { decodeWalHeader, repairWalHeader, WAL_HEADER_BYTES, type WalEntry } from '../wal/wal-entry.ts';
import { readWalChain } from '../wal/wal-chain.ts';
import { listWal, walPath, WalScan } from '../wal/wal-scan.ts';
import { type DataDirectory, partitionCheckpoint } from './data-directory.ts';
import type { Report } from './finding.ts';
import { type WalGap, WalLosses, type WalPlace } from './wal-losses.ts';

/** Ends of the partitions' logs as the replay moves them. */
class Replay {
  readonly #directory: DataDirectory;
  readonly #ends = new Map<string, { readonly offset: number; readonly place: WalPlace }>();
  readonly #names = new Map<string, { topic: string; partitions: number }>();

  constructor(directory: DataDirectory) {
    this.#directory = directory;
    for (const { id, name, partitions } of directory.topics) this.#names.set(id, { topic: name, partitions });
  }

  placeOf(topicId: string, partition: number): { topic: string; partition: number } | undefined {
    const known = this.#names.get(topicId);
    return known && partition < known.partitions ? { topic: known.topic, partition } : undefined;
  }

  /** Whether nothing had the entry yet, and what is missing in front of it. */
  take(number: number, entry: WalEntry): { isNew: boolean; gap?: WalGap } {
    const { topicId, partition, batch, position } = entry;
    const of = this.placeOf(topicId, partition);
    if (!of) return { isNew: false };
    const key = `${topicId} ${partition}`;
    const base = baseOffsetOf(batch);
    const behind = { number, position };
    const { checkpoint } = this.#directory;
    // Without a checkpoint it is not known where the segments end.
    const stored = checkpoint ? partitionCheckpoint(this.#directory, topicId, partition).endOffset : base;
    const last = this.#ends.get(key);
    const first = last?.offset ?? stored;
    if (base < first) return { isNew: false };
    this.#ends.set(key, { offset: lastOffsetOf(batch) + 1, place: behind });
    if (base === first) return { isNew: true };
    return { isNew: true, gap: { ...of, first, last: base - 1, behind, front: last?.place } };
  }
}

/** Every write-ahead log file that a start would replay: headers, frames, batches, and that no offset is missing. */
export async function verifyWal(directory: DataDirectory, report: Report): Promise<void> {
  const { files, path, checkpoint } = directory;
  const folder = `${path}/wal`;
  const all = await listWal(files, folder);
  // Without a checkpoint it is not known which are needed: those that are there.
  const firstFile = checkpoint?.walFile ?? all[0] ?? 0;
  const numbers = all.filter((file) => file >= firstFile);
  for (const name of await files.list(folder)) {
    if (/^\d{20}\.wal$/.test(name)) continue;
    const problem = 'got a file that is none of the write-ahead log';
    report.add({ severity: 'note', file: `wal/${name}`, problem, consequence: 'is left alone' });
  }
  if (numbers.length === 0 && checkpoint) {
    report.add({
      severity: 'damage',
      file: walPath('wal', firstFile),
      problem: 'got no such file nor a later one, want the one that the checkpoint goes on with',
      consequence: 'what was acknowledged behind the checkpoint is lost',
    });
  }
  const { ends, faults } = await readWalChain(files, folder, numbers, firstFile);
  const replay = new Replay(directory);
  const losses = new WalLosses((topicId, partition) => replay.placeOf(topicId, partition));
  const missing = new Set(faults.filter(({ kind }) => kind === 'missing').map(({ file }) => file));
  if (checkpoint && firstFile > 0 && !numbers.includes(firstFile)) missing.add(firstFile);
  for (const file of missing) losses.missing(file);
  for (const number of numbers) {
    const size = (await files.stat(walPath(folder, number)))?.size;
    // A broker that runs removed it meanwhile.
    if (size === undefined) continue;
    const handle = await files.open(walPath(folder, number), 'read');
    try {
      report.files += 1;
      const bytes = await readAt(handle, 0, WAL_HEADER_BYTES);
      const isLast = number === numbers.at(-1);
      verifyHeader({ bytes, size, number, numbers, firstFile, isLast }, report);
      await verifyEntries({ handle, size, number, limit: ends.get(number) }, replay, losses, report);
      report.read(size);
    } finally {
      await handle.close();
    }
  }
  losses.tell(report);
}

function verifyHeader(
  wal: {
    bytes: Buffer;
    size: number;
    number: number;
    numbers: readonly number[];
    firstFile: number;
    isLast: boolean;
  },
  report: Report,
): void {
  const { bytes, size, number, numbers, firstFile, isLast } = wal;
  const file = walPath('wal', number);
  const header = decodeWalHeader(bytes);
  if (!header && isLast && size <= WAL_HEADER_BYTES) {
    const problem = 'the file was being begun';
    report.add({
      severity: 'torn',
      file,
      position: 0,
      bytes: size,
      problem,
      consequence: 'is passed over',
    });
    return;
  }
  const about = { severity: 'damage', file, position: 0, bytes: WAL_HEADER_BYTES } as const;
  if (!header || header.file !== number) {
    report.add({
      ...about,
      problem: header ? `got the header of file ${header.file}` : 'got a damaged header',
      consequence:
        !header && repairWalHeader(bytes)?.file === number
          ? 'is repaired: one bit is wrong, and the checksum tells which'
          : 'entries are read all the same; where the file before it ends is told by its entries alone',
    });
    return;
  }
  const { previousFile } = header;
  if (previousFile >= Math.max(1, firstFile) && !numbers.includes(previousFile)) {
    report.add({
      ...about,
      file: walPath('wal', previousFile),
      problem: `got no such file, want it as the header of ${file} says`,
      consequence: 'its batches are lost; their offsets stay a gap',
    });
  }
}

async function verifyEntries(
  {
    handle,
    size,
    number,
    limit,
  }: { handle: FileHandle; size: number; number: number; limit: number | undefined },
  replay: Replay,
  losses: WalLosses,
  report: Report,
): Promise<void> {
  const scan = new WalScan({ handle, size, file: number, limit });
  for await (const entries of scan.entries()) {
    for (const entry of entries) {
      const { isNew, gap } = replay.take(number, entry);
      if (!isNew) continue;
      report.batches += 1;
      report.records += recordCountOf(entry.batch);
      if (gap) losses.gap(gap);
    }
  }
  for (const { position, bytes } of scan.damage)
    await losses.damaged(handle, size, { number, position }, bytes);
  if (scan.tornBytes > 0) {
    report.add({
      severity: 'torn',
      file: walPath('wal', number),
      position: scan.end,
      bytes: scan.tornBytes,
      problem: 'got a commit that was never finished, and so never acknowledged',
      consequence: 'is passed over; a new epoch tells consumers',
    });
  }
}

/** As much of it as there is. */
async function readAt(handle: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const target = Buffer.alloc(bytes);
  return target.subarray(0, await handle.read(target, position));
}
