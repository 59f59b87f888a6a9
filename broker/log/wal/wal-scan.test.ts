import { describe, expect, test } from 'vitest';

import { SimRandom } from '../../../test/sim/sim-random.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import type { FileHandle } from '../../host/files.ts';
import { encodeFrame, encodeWalHeader, FRAME_BYTES, uuidBytes } from './wal-entry.ts';
import { WalScan } from './wal-scan.ts';

const TOPIC = '00000000-0000-4000-8000-000000000001';
const FILE = 5;

/** A file with groups of entries, each group written when the ones before it were synced. */
function walOf(...groups: ReadonlyArray<readonly string[]>): { bytes: Buffer; starts: number[] } {
  const chunks = [encodeWalHeader({ file: FILE, previousFile: 0, previousEnd: 0 })];
  const starts: number[] = [];
  let position = chunks[0]!.length;
  for (const group of groups) {
    const synced = position;
    for (const name of group) {
      const batch = recordBatch({ values: [name] });
      const entry = Buffer.concat([Buffer.alloc(FRAME_BYTES), batch]);
      encodeFrame(entry, uuidBytes(TOPIC), 3, { file: FILE, position, synced });
      starts.push(position);
      chunks.push(entry);
      position += entry.length;
    }
  }
  return { bytes: Buffer.concat(chunks), starts };
}

interface Scanned {
  readonly end: number;
  readonly tornBytes: number;
  readonly damage: ReadonlyArray<{ readonly position: number; readonly bytes: number }>;
  /** The last two characters of the value of each entry, and where it stands. */
  readonly found: string[];
  readonly positions: number[];
  /** Read from the file at once, at most. */
  readonly readMax: number;
}

async function scan(bytes: Buffer, limit?: number, file = FILE, windowBytes = 1_000_000): Promise<Scanned> {
  const found: string[] = [];
  const positions: number[] = [];
  let readMax = 0;
  const handle = {
    read: (into: Uint8Array, at: number) => {
      readMax = Math.max(readMax, into.length);
      return Promise.resolve(bytes.copy(into, 0, at));
    },
  } as FileHandle;
  const scanned = new WalScan({ handle, size: bytes.length, file, limit, windowBytes });
  for await (const entries of scanned.entries()) {
    for (const { batch, topicId, partition, position } of entries) {
      expect([topicId, partition]).toEqual([TOPIC, 3]);
      found.push(batch.toString('latin1').slice(-3, -1));
      positions.push(position);
    }
  }
  const { end, tornBytes, damage } = scanned;
  return { end, tornBytes, damage, found, positions, readMax };
}

const flipped = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1;
  return copy;
};

test('every entry, in order', async () => {
  const { bytes } = walOf(['a1', 'a2'], ['b1'], ['c1', 'c2']);
  expect(await scan(bytes)).toMatchObject({
    found: ['a1', 'a2', 'b1', 'c1', 'c2'],
    end: bytes.length,
    tornBytes: 0,
    damage: [],
  });
  expect((await scan(bytes, undefined, FILE + 1)).found).toEqual([]);
});

describe('a bad entry', () => {
  const { bytes, starts } = walOf(['a1', 'a2'], ['b1', 'b2'], ['c1']);
  const length = starts[1]! - starts[0]!;

  test('with one behind it that was written after its sync is damage: it alone is left out', async () => {
    expect(await scan(flipped(bytes, starts[1]! + 50))).toMatchObject({
      found: ['a1', 'b1', 'b2', 'c1'],
      tornBytes: 0,
      damage: [{ position: starts[1], bytes: length }],
    });
  });

  test.each([
    ['the last group, in its first entry', ['a1', 'a2'], ['b1', 'b2'], 2, ['a1', 'a2']],
    ['the only group', ['a1', 'a2', 'a3'], [], 1, ['a1']],
  ])('in %s ends the log: the group was never acknowledged', async (_, first, second, bad, want) => {
    const file = walOf(first, second);
    const result = await scan(flipped(file.bytes, file.starts[bad]! + 60));
    expect(result).toMatchObject({ found: want, end: file.starts[bad], damage: [] });
    expect(result.tornBytes).toBe(file.bytes.length - file.starts[bad]!);
  });

  test('in a file whose end is known is damage, wherever it is', async () => {
    expect(await scan(flipped(bytes, starts[4]! + 8), bytes.length)).toMatchObject({
      found: ['a1', 'a2', 'b1', 'b2'],
      tornBytes: 0,
      damage: [{ position: starts[4], bytes: bytes.length - starts[4]! }],
    });
  });
});

test('what is behind a known end does not count, though it is intact', async () => {
  const { bytes, starts } = walOf(['a1'], ['b1'], ['c1']);
  expect(await scan(bytes, starts[2])).toMatchObject({
    found: ['a1', 'b1'],
    end: starts[2],
    tornBytes: 0,
    damage: [],
  });
});

test('a file that is shorter than its known end has lost what is missing', async () => {
  const { bytes, starts } = walOf(['a1'], ['b1']);
  expect(await scan(bytes.subarray(0, starts[1]), bytes.length)).toMatchObject({
    found: ['a1'],
    damage: [{ position: starts[1], bytes: bytes.length - starts[1]! }],
  });
});

test('read a little at a time, it says the same, whatever is damaged', async () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = new SimRandom(seed);
    const groups = Array.from({ length: 1 + random.below(6) }, () =>
      Array.from({ length: 1 + random.below(4) }, (_, i) => 'x'.repeat(random.below(300)) + `a${i}`),
    );
    const { bytes: whole, starts } = walOf(...groups);
    const bytes = Buffer.from(
      whole.subarray(0, random.chance(0.3) ? random.below(whole.length + 1) : whole.length),
    );
    for (let i = random.below(3); i > 0 && bytes.length > 0; i -= 1)
      bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
    const limit = random.chance(0.5) ? undefined : random.pick([...starts, whole.length]);
    const { readMax: _, ...want } = await scan(bytes, limit);
    const windowBytes = 1 + random.below(1_000);
    const { readMax, ...got } = await scan(bytes, limit, FILE, windowBytes);
    expect({ seed, ...got }).toEqual({ seed, ...want });
    expect(got.positions.every((position) => starts.includes(position))).toBe(true);
    const largest = Math.max(...starts.map((at, i) => (starts[i + 1] ?? whole.length) - at));
    expect(readMax).toBeLessThanOrEqual(Math.max(windowBytes, largest));
  }
});

test.each([0, 10, 31, 32])('a file of %i bytes holds nothing and is not damaged', async (length) => {
  const { bytes } = walOf(['a1']);
  expect(await scan(bytes.subarray(0, length))).toMatchObject({ found: [], tornBytes: 0, damage: [] });
});

test('an entry at another place, or of another file, is no entry', async () => {
  const { bytes, starts } = walOf(['a1'], ['b1'], ['c1']);
  const moved = Buffer.concat([bytes.subarray(0, starts[1]), bytes.subarray(starts[2])]);
  expect((await scan(moved)).found).toEqual(['a1']);
});
