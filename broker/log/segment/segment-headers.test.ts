import { beforeAll, describe, expect, test } from 'vitest';

import { recordBatch } from '../../../test/support/record-batch.ts';
import type { Files, FileStat } from '../../host/files.ts';
import { batchSizeOf, lastOffsetOf, stampBatch } from '../batch/batch-header.ts';
import type { PartitionCheckpoint } from '../durable/checkpoint.ts';
import { placeholder } from '../compaction/placeholder.ts';
import { crc32c } from '../batch/crc32c.ts';
import { Epochs } from '../partition/epochs.ts';
import { FilePool } from './file-pool.ts';
import { PartitionSegments } from './partition-segments.ts';
import { emptyCheckpoint } from '../durable/recovery.ts';
import { Segment } from './segment.ts';
import type { TopicSettings } from '../topics/topic-settings.ts';

/** What Kafka's CRC leaves out: base offset, length, epoch, format. */
const UNCOVERED_BYTES = 17;
const SETTINGS = { segmentBytes: 1_000_000, segmentMs: Infinity } as TopicSettings;
const EPOCHS = [
  { epoch: 0, startOffset: 0 },
  { epoch: 1, startOffset: 45 },
];
const NOTHING: PartitionCheckpoint = emptyCheckpoint('', 0);
/** Behind each, the next offset differs from the one that follows in a single bit. */
const GAPS = [[18, 19] as const, [25, 27] as const, [27, 29] as const];

let files: MemoryFiles;
let checkpoint: PartitionCheckpoint;
let positions: Array<{ at: number; base: number; last: number }>;

/** Batches of different sizes, some larger than the interval of the index; gaps, a placeholder, two epochs. */
beforeAll(async () => {
  files = new MemoryFiles();
  const plan: Array<{ base: number; count: number; bytes: number }> = [
    { base: 0, count: 3, bytes: 700 },
    { base: 3, count: 1, bytes: 5_000 },
    { base: 4, count: 4, bytes: 1_500 },
    { base: 8, count: 10, bytes: 200 },
    { base: 19, count: 1, bytes: 1_200 },
    { base: 20, count: 5, bytes: 900 },
    { base: 29, count: 1, bytes: 4_000 },
    { base: 30, count: 10, bytes: 0 },
    { base: 40, count: 4, bytes: 300 },
    { base: 44, count: 1, bytes: 20 },
    { base: 45, count: 1, bytes: 20 },
    { base: 46, count: 2, bytes: 4_500 },
    { base: 48, count: 16, bytes: 100 },
  ];
  const batches = plan.map(({ base, count, bytes }) => {
    const epoch = base >= 45 ? 1 : 0;
    if (bytes === 0) return placeholder(base, base + count - 1, epoch);
    const batch = recordBatch({
      values: Array.from({ length: count }, (_, i) => `${base + i}`.padEnd(bytes)),
    });
    stampBatch(batch, base, epoch);
    return batch;
  });
  const segments = new PartitionSegments(new FilePool(files), '/p', {
    ...NOTHING,
    gaps: GAPS,
  });
  await segments.write(batches, SETTINGS);
  await segments.roll(64);
  checkpoint = {
    ...NOTHING,
    endOffset: 64,
    epochs: EPOCHS,
    gaps: GAPS,
    segments: segments.list.map((segment) => segment.facts()),
  };
  positions = [];
  let at = 0;
  for (const batch of batches) {
    positions.push({ at, base: Number(batch.readBigInt64BE(0)), last: lastOffsetOf(batch) });
    at += batch.length;
  }
});

const logPath = '/p/00000000000000000000.log';
const indexPath = '/p/00000000000000000000.index';
const timesPath = '/p/00000000000000000000.timeindex';

/** Offset → the bytes of the batch that a read answers; absent where the read says that they are damaged. */
async function readAll(from: Files): Promise<Map<number, string>> {
  const segments = new PartitionSegments(new FilePool(from), '/p', checkpoint);
  const answers = new Map<number, string>();
  // From the end: the first read is the one that finds the index in doubt.
  const offsets = new Set(positions.flatMap(({ base, last }) => [base, last]));
  for (const offset of [...offsets].sort((a, b) => b - a)) {
    const found = await segments.read(offset, 0, true, new Epochs(EPOCHS)).catch(damageOnly);
    if (found) answers.set(offset, found.subarray(0, batchSizeOf(found)).toString('latin1'));
  }
  return answers;
}

function damageOnly(error: unknown): undefined {
  if ((error as { code?: string }).code !== 'CORRUPT_MESSAGE') throw error;
  return undefined;
}

test('without damage everything is read, and the index has entries to be read by', async () => {
  expect([...(await readAll(files)).keys()].at(-1)).toBe(0);
  expect(files.content.get(indexPath)!.length / 8).toBeGreaterThan(3);
});

describe.each(['with its index', 'without an index', 'with an index that nobody vouches for'])(
  '%s',
  (which) => {
    test('no bit of a header can turn without being found, and it costs its batch alone', async () => {
      const want = await readAll(files);
      const intact = files.content.get(logPath)!;
      const faults: string[] = [];
      for (const { at, base, last } of positions) {
        for (let bit = 0; bit < UNCOVERED_BYTES * 8; bit += 1) {
          const damaged = files.copy();
          const log = Buffer.from(intact);
          log[at + (bit >> 3)]! ^= 1 << (bit & 7);
          damaged.content.set(logPath, log);
          if (which === 'without an index') {
            damaged.content.delete(indexPath);
            damaged.content.delete(timesPath);
          } else if (which !== 'with its index') damaged.content.set(timesPath, Buffer.alloc(0));
          const answers = await readAll(damaged);
          for (const [offset, bytes] of answers) {
            if (bytes !== want.get(offset))
              faults.push(`bit ${bit} of ${base}: ${offset} is served otherwise`);
          }
          for (const offset of want.keys()) {
            if (answers.has(offset) || (offset >= base && offset <= last)) continue;
            // Asked for what a placeholder stood for, a read goes on behind it: to the damage.
            if (base === 40 && offset >= 30) continue;
            faults.push(`bit ${bit} of ${base}: ${offset} is lost`);
          }
        }
      }
      expect(faults).toEqual([]);
    });
  },
);

test('no bit of an index file changes what is read, or where a time is found', async () => {
  const want = await readAll(files);
  const segmentOf = (from: Files): [Segment, FilePool] => [
    new Segment('/p', checkpoint.segments[0]!),
    new FilePool(from),
  ];
  const wantExpectation = new PartitionSegments(new FilePool(files), '/p', checkpoint).expectation(
    new Epochs(EPOCHS),
  );
  const [intact, pool] = segmentOf(files);
  const index = await intact.index(pool, wantExpectation);
  for (const path of [indexPath, timesPath]) {
    const content = files.content.get(path)!;
    expect(content.length).toBeGreaterThan(20);
    for (let bit = 0; bit < content.length * 8; bit += 1) {
      const damaged = files.copy();
      const bytes = Buffer.from(content);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      damaged.content.set(path, bytes);
      expect(await readAll(damaged)).toEqual(want);
      const again = await segmentOf(damaged)[0].index(new FilePool(damaged), wantExpectation);
      expect(again.encodeOffsets()).toEqual(index.encodeOffsets());
      expect(again.encodeTimes()).toEqual(index.encodeTimes());
    }
  }
});

test("the checkpoint's checksum is over the first 21 bytes of every batch", () => {
  const { headsCrc } = checkpoint.segments[0]!;
  expect(headsCrc).toBeGreaterThan(0);
  const heads = positions.map(({ at }) => files.content.get(logPath)!.subarray(at, at + 21));
  expect(crc32c(Buffer.concat(heads))).toBe(headsCrc);
});

/** Files as a map, without latency. */
class MemoryFiles implements Files {
  readonly content = new Map<string, Buffer>();

  copy(): MemoryFiles {
    const copy = new MemoryFiles();
    for (const [path, bytes] of this.content) copy.content.set(path, bytes);
    return copy;
  }
  open(path: string): ReturnType<Files['open']> {
    const { content } = this;
    const bytes = (): Buffer => content.get(path) ?? Buffer.alloc(0);
    return Promise.resolve({
      read: (target: Uint8Array, position: number) => Promise.resolve(bytes().copy(target, 0, position)),
      write: (chunks: readonly Uint8Array[], position: number) => {
        const given = Buffer.concat(chunks);
        const next = Buffer.alloc(Math.max(bytes().length, position + given.length));
        bytes().copy(next);
        given.copy(next, position);
        content.set(path, next);
        return Promise.resolve(given.length);
      },
      datasync: () => Promise.resolve(),
      truncate: (size: number) => {
        content.set(path, Buffer.from(bytes().subarray(0, size)));
        return Promise.resolve();
      },
      stat: () => Promise.resolve({ size: bytes().length } as FileStat),
      close: () => Promise.resolve(),
    });
  }
  readFile(path: string): Promise<Buffer | undefined> {
    return Promise.resolve(this.content.get(path));
  }
  remove(path: string): Promise<void> {
    this.content.delete(path);
    return Promise.resolve();
  }
  makeDirectory = (): Promise<void> => Promise.resolve();
  list = (): Promise<string[]> => Promise.resolve([...this.content.keys()]);
  stat = (): Promise<undefined> => Promise.resolve(undefined);
  rename = (): Promise<void> => Promise.reject(new Error('not used'));
  removeTree = this.rename;
  syncDirectory = (): Promise<void> => Promise.resolve();
  space = (): Promise<{ freeBytes: number; totalBytes: number }> =>
    Promise.resolve({ freeBytes: 1e12, totalBytes: 1e12 });
  lockDirectory = (): Promise<undefined> => Promise.resolve(undefined);
}
