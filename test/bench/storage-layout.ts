import { mkdtempSync, rmSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const HELP = `Compares two layouts of a log with fdatasync before every acknowledgement, on this machine's disk.

  files  each partition has its file; a commit syncs every file that was written to
  wal    one write-ahead log takes all appends and is synced once; partition files are written unsynced behind it

Usage: node test/bench/storage-layout.ts [options]
  --partitions 1,12,100,1000   columns to measure
  --bytes 1024,16384           sizes of a batch
  --in-flight 64               appends that wait at once
  --seconds 2                  per cell and run
  --runs 3                     medians are printed
  --dir <path>                 on the disk to measure (default: the temporary directory)
  --help`;

/** Most buffers of one gathered write. */
const CHUNKS_MAX = 512;

interface Append {
  readonly partition: number;
  readonly done: () => void;
}

interface Layout {
  readonly name: 'files' | 'wal';
  commit(group: readonly Append[], batch: Buffer): Promise<void>;
  close(): Promise<void>;
}

async function openLayout(name: Layout['name'], directory: string, partitions: number): Promise<Layout> {
  const files: FileHandle[] = [];
  for (let i = 0; i < partitions; i++) files.push(await open(join(directory, `partition-${i}`), 'a'));
  const wal = await open(join(directory, 'wal'), 'a');
  const close = async (): Promise<void> => {
    for (const file of [...files, wal]) await file.close();
  };
  if (name === 'files') {
    const commit = async (group: readonly Append[], batch: Buffer): Promise<void> => {
      const one = async ([partition, count]: [number, number]): Promise<void> => {
        await writeMany(files[partition]!, batch, count);
        await files[partition]!.datasync();
      };
      await Promise.all([...byPartition(group)].map(one));
    };
    return { name, commit, close };
  }
  const commit = async (group: readonly Append[], batch: Buffer): Promise<void> => {
    const logged = writeMany(wal, batch, group.length).then(() => wal.datasync());
    const behind = [...byPartition(group)].map(([partition, count]) =>
      writeMany(files[partition]!, batch, count),
    );
    await Promise.all([logged, ...behind]);
  };
  return { name, commit, close };
}

function byPartition(group: readonly Append[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { partition } of group) counts.set(partition, (counts.get(partition) ?? 0) + 1);
  return counts;
}

async function writeMany(file: FileHandle, batch: Buffer, count: number): Promise<void> {
  for (let left = count; left > 0; left -= CHUNKS_MAX) {
    await file.writev(Array.from({ length: Math.min(left, CHUNKS_MAX) }, () => batch));
  }
}

/** Batches a second, with `inFlight` callers that each append again when their last append is durable. */
async function measure(
  layout: Layout,
  partitions: number,
  bytes: number,
  inFlight: number,
  seconds: number,
): Promise<number> {
  const batch = Buffer.alloc(bytes, 7);
  let queue: Append[] = [];
  let committing = false;
  let done = 0;
  let next = 0;
  const commitAll = async (): Promise<void> => {
    while (queue.length > 0) {
      const group = queue;
      queue = [];
      await layout.commit(group, batch);
      done += group.length;
      for (const append of group) append.done();
    }
    committing = false;
  };
  const append = (partition: number): Promise<void> =>
    new Promise((resolve, reject) => {
      queue.push({ partition, done: resolve });
      if (committing) return;
      committing = true;
      setImmediate(() => void commitAll().catch(reject));
    });
  const start = performance.now();
  const caller = async (): Promise<void> => {
    while (performance.now() - start < seconds * 1_000) await append(next++ % partitions);
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return done / ((performance.now() - start) / 1_000);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      partitions: { type: 'string', default: '1,12,100,1000' },
      bytes: { type: 'string', default: '1024,16384' },
      'in-flight': { type: 'string', default: '64' },
      seconds: { type: 'string', default: '2' },
      runs: { type: 'string', default: '3' },
      dir: { type: 'string', default: tmpdir() },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const sizes = values.bytes.split(',').map(Number);
  const columns = sizes.flatMap((bytes) => (['files', 'wal'] as const).map((name) => ({ bytes, name })));
  console.log(`| partitions | ${columns.map(({ bytes, name }) => `${bytes} B ${name}`).join(' | ')} |`);
  console.log(`|---:|${columns.map(() => '---:').join('|')}|`);
  for (const partitions of values.partitions.split(',').map(Number)) {
    const cells: string[] = [];
    for (const { bytes, name } of columns) {
      const rates: number[] = [];
      for (let run = 0; run < Number(values.runs); run++) {
        const directory = mkdtempSync(join(values.dir, 'millrace-layout-'));
        try {
          const layout = await openLayout(name, directory, partitions);
          rates.push(
            await measure(layout, partitions, bytes, Number(values['in-flight']), Number(values.seconds)),
          );
          await layout.close();
        } finally {
          rmSync(directory, { recursive: true, force: true });
        }
      }
      cells.push(String(Math.round(median(rates))));
    }
    console.log(`| ${partitions} | ${cells.join(' | ')} |`);
  }
}

await main();
