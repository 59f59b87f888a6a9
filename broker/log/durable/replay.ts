import type { FileHandle, Files } from '../../host/files.ts';
import type { Host } from '../../host/host.ts';
import { baseOffsetOf } from '../batch/batch-header.ts';
import type { LogMetrics } from '../log-metrics.ts';
import type { Partition } from '../partition/partition.ts';
import { type ChainFault, readWalChain } from '../wal/wal-chain.ts';
import { damagedEntryPlace, ENTRY_HEAD_BYTES, WAL_HEADER_BYTES } from '../wal/wal-entry.ts';
import { listWal, walPath, WalScan } from '../wal/wal-scan.ts';

/** By topic id and partition, the first offset that the write-ahead log has; from there on it has all of them. */
export async function walStarts(files: Files, directory: string): Promise<Map<string, number>> {
  const starts = new Map<string, number>();
  const numbers = await listWal(files, directory);
  const { ends } = await readWalChain(files, directory, numbers);
  for (const file of numbers) {
    await withFile(files, walPath(directory, file), async (handle, size) => {
      const scan = new WalScan({ handle, size, file, limit: ends.get(file) });
      for await (const entries of scan.entries()) {
        for (const { topicId, partition, batch } of entries) {
          const key = `${topicId} ${partition}`;
          const known = starts.get(key) ?? Number.POSITIVE_INFINITY;
          starts.set(key, Math.min(known, baseOffsetOf(batch)));
        }
      }
    });
  }
  return starts;
}

export interface Replayed {
  /** The files that are still there, with what of each counts. */
  readonly kept: Array<{ file: number; end: number }>;
  /** Bytes were cut or skipped: offsets behind them may be given a second time. */
  readonly cut: boolean;
  readonly batches: number;
}

export async function replayWal(
  host: Host,
  metrics: LogMetrics,
  directory: string,
  firstFile: number,
  partitionOf: (topicId: string, partition: number) => Partition | undefined,
): Promise<Replayed> {
  const all = await listWal(host.files, directory);
  // A crash came between a checkpoint and the removal of what it covers.
  for (const file of all) if (file < firstFile) await host.files.remove(walPath(directory, file));
  const numbers = all.filter((file) => file >= firstFile);
  const { ends, faults } = await readWalChain(host.files, directory, numbers, firstFile);
  const kept: Array<{ file: number; end: number }> = [];
  const writeBack = new WriteBack(host, directory);
  let cut = tellFaults(host, directory, faults);
  let batches = 0;
  for (const file of numbers) {
    const path = walPath(directory, file);
    await withFile(host.files, path, async (handle, size) => {
      const scan = new WalScan({ handle, size, file, limit: ends.get(file) });
      for await (const entries of scan.entries()) {
        for (const { topicId, partition: number, batch } of entries) {
          const partition = partitionOf(topicId, number);
          if (!partition?.replay(batch, host.clock.nowMs())) continue;
          batches += 1;
          writeBack.touched.add(partition);
        }
        await writeBack.write();
      }
      const told = async (position: number, bytes: number): Promise<object> => {
        const head = Buffer.alloc(ENTRY_HEAD_BYTES);
        const there = head.subarray(0, await handle.read(head, position));
        return { path, position, bytes, ...entryNamed(there, position, file, partitionOf) };
      };
      for (const { position, bytes: lost } of scan.damage) {
        cut = true;
        metrics.truncated('damage', lost);
        host.log.error(
          await told(position, lost),
          'the write-ahead log was damaged: the batches there are lost, unless a segment has them',
        );
      }
      // Without a header it is what a crash left of a new file, or nobody can tell what.
      if (scan.tornBytes > 0 || size < WAL_HEADER_BYTES) {
        cut = true;
        metrics.truncated('torn', scan.tornBytes);
        host.log.warn(
          await told(scan.end, scan.tornBytes),
          'cut the torn tail off the write-ahead log: nobody was told of it, unless the disk damaged it since',
        );
      }
      kept.push({ file, end: scan.end });
    });
  }
  return { kept, cut, batches };
}

/** True when offsets may be given out a second time, or are lost. */
function tellFaults(host: Host, directory: string, faults: readonly ChainFault[]): boolean {
  for (const { kind, file } of faults) {
    const path = walPath(directory, file);
    const place = { path, position: 0, bytes: WAL_HEADER_BYTES };
    if (kind === 'repaired')
      host.log.warn(place, 'a bit of the header of a write-ahead log file was wrong: it is known which');
    else if (kind === 'unreadable')
      host.log.error(
        place,
        'the header of a write-ahead log file is damaged: its entries count, but where the file before it ends is told by that alone',
      );
    else if (kind === 'missing')
      host.log.error(
        { path },
        'a write-ahead log file is missing: its batches are lost, unless a segment has them',
      );
    else host.log.warn(place, 'a write-ahead log file was being begun');
  }
  return faults.some(({ kind }) => kind !== 'repaired');
}

/** Whose batch stood at `position`, as far as that can still be told. */
function entryNamed(
  head: Buffer,
  position: number,
  file: number,
  partitionOf: (topicId: string, partition: number) => Partition | undefined,
): object {
  const place = damagedEntryPlace(head, position, file);
  const partition = place && partitionOf(place.topicId, place.partition);
  if (!place || !partition) return {};
  const { topic } = partition;
  return { topic, partition: place.partition, fromOffset: place.baseOffset, toOffset: place.endOffset };
}

/** Memory that replayed batches may take before they are written to their segments. */
const REPLAY_BYTES_MAX = 16 * 1024 * 1024;

/** Replayed batches are in memory: when they are many, they are written before more is read. */
class WriteBack {
  /** Partitions that have something to write. */
  readonly touched = new Set<Partition>();
  readonly #host: Host;
  readonly #directory: string;
  #nextBytes = REPLAY_BYTES_MAX;

  constructor(host: Host, directory: string) {
    this.#host = host;
    this.#directory = directory;
  }

  async write(): Promise<void> {
    const bytes = this.#unwrittenBytes();
    if (bytes < this.#nextBytes) return;
    // Never to the brim of a full disk: the checkpoint with which retention makes room must still fit.
    if ((await this.#host.files.space(this.#directory)).freeBytes >= 2 * bytes) {
      for (const partition of this.touched) {
        // On a full disk they stay in memory, and are tried again when there is room.
        await partition.flush().catch(() => {});
        partition.tail.evict();
        if (partition.tail.unwrittenBytes === 0) this.touched.delete(partition);
      }
    }
    // Not again for each piece that is read, where the disk refuses.
    this.#nextBytes = this.#unwrittenBytes() + REPLAY_BYTES_MAX;
  }

  #unwrittenBytes(): number {
    let bytes = 0;
    for (const { tail } of this.touched) bytes += tail.unwrittenBytes;
    return bytes;
  }
}

async function withFile(
  files: Files,
  path: string,
  fn: (handle: FileHandle, size: number) => Promise<void>,
): Promise<void> {
  const handle = await files.open(path, 'read');
  try {
    await fn(handle, (await handle.stat()).size);
  } finally {
    await handle.close();
  }
}
