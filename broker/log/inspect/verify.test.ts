import { beforeAll, describe, expect, test } from 'vitest';

import { isDirectory, type SimDirectory, type SimFile } from '../../../test/sim/sim-disk.ts';
import { type SimHost, SimMachine } from '../../../test/sim/sim-host.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import { encodeBatch } from '../../state/record-batch.ts';
import { writeChecked } from '../durable/checked-file.ts';
import { crc32c } from '../batch/crc32c.ts';
import type { DiskLog } from '../disk-log.ts';
import { openDiskLog } from '../open-log.ts';
import type { Partition } from '../partition/partition.ts';
import type { Finding } from './finding.ts';
import { formatFinding } from './finding.ts';
import { verifyLog } from './verify.ts';

const T0 = 1_700_000_000_000;
const CONFIG = {
  dataDir: '/data/broker',
  segmentBytes: 12_000,
  walFileBytes: 30_000,
  tailBytesMax: 0,
  reserveBytes: 700,
};
const client = { nowMs: T0, origin: 'client' as const };

type End = 'killed' | 'closed';
const originals = new Map<End, SimMachine>();

/** Rolled segments with indexes, transactions of all kinds, a compacted topic; then a kill or an orderly close. */
async function fill(end: End): Promise<SimMachine> {
  const machine = new SimMachine(7);
  const host = machine.boot();
  const { loop } = machine;
  const log = await loop.settle(openDiskLog(CONFIG, host));
  await loop.settle(log.keepHouse());
  await loop.settle(log.createTopic({ name: 'plain', partitions: 2, configs: {} }));
  const compact = { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.01' };
  await loop.settle(log.createTopic({ name: 'compact', partitions: 1, configs: compact }));
  await loop.settle(writeChecked(host.files, '/data/broker/producer-ids.json', { nextBlock: 1000 }));
  const [plain] = log.topic('plain')!.partitions as [Partition];
  for (let i = 0; i < 30; i += 1) {
    const values = [`${i}`.padEnd(1_500), `second ${i}`];
    await loop.settle(plain.append(recordBatch({ values, baseTimestamp: T0 + i * 1000 }), client).durable);
    if (i % 5 === 4) await transaction(machine, log, i);
    if (i % 7 === 0) await loop.settle(log.checkpoint());
  }
  const [keyed] = log.topic('compact')!.partitions as [Partition];
  for (let i = 0; i < 60; i += 1) {
    const record = { key: Buffer.from(`k${i % 4}`), value: Buffer.from(`${i}`.padEnd(700)) };
    const batch = encodeBatch([record], T0);
    await loop.settle(keyed.append(batch, { nowMs: T0, origin: 'coordinator' }).durable);
  }
  await loop.settle(log.checkpoint());
  await loop.settle(log.compact());
  expect(keyed.segments.some(({ generation }) => generation > 0)).toBe(true);
  expect(plain.segments.length).toBeGreaterThan(3);
  expect(plain.transactions.aborted.length).toBeGreaterThan(1);
  expect(plain.transactions.open.size).toBe(1);
  if (end === 'closed') await loop.settle(log.close());
  else {
    const last = log.topic('plain')!.partitions[1]!;
    for (let i = 0; i < 6; i += 1) {
      await loop.settle(last.append(recordBatch({ values: [`tail ${i}`.padEnd(300)] }), client).durable);
    }
  }
  host.files.kill();
  return machine;
}

/** In turn: one that commits, one that aborts; the last stays open. */
async function transaction({ loop }: SimMachine, log: DiskLog, i: number): Promise<void> {
  const [partition] = log.topic('plain')!.partitions as [Partition];
  const producer = { producerId: 5 + i, producerEpoch: 0 };
  const batch = recordBatch({ values: ['in a transaction'], ...producer, baseSequence: 0, attributes: 0x10 });
  await loop.settle(partition.append(batch, { ...client, transactionVersion: 1 }).durable);
  if (i === 29) return;
  const marker = { ...producer, coordinatorEpoch: 0, commit: i % 2 === 0, transactionVersion: 1 } as const;
  await loop.settle(partition.appendMarker(marker, T0).durable);
}

beforeAll(async () => {
  for (const end of ['killed', 'closed'] as const) originals.set(end, await fill(end));
});

class Disk {
  readonly machine = new SimMachine(1);
  readonly host: SimHost;

  constructor(end: End) {
    originals.get(end)!.disk.copyTo(this.machine.disk);
    this.host = this.machine.boot();
  }

  /** Sorted by path, below the broker's directory. */
  paths(pattern: RegExp): string[] {
    const found: string[] = [];
    const visit = (directory: SimDirectory, path: string): void => {
      for (const [name, node] of directory.entries) {
        if (isDirectory(node)) visit(node, `${path}${name}/`);
        else if (pattern.test(path + name)) found.push(path + name);
      }
    };
    visit(this.#directory('data/broker'), '');
    return found.sort();
  }

  file(path: string): SimFile {
    const at = path.lastIndexOf('/');
    return this.#directory(`data/broker/${path.slice(0, Math.max(0, at))}`).entries.get(
      path.slice(at + 1),
    ) as SimFile;
  }

  remove(path: string): void {
    const at = path.lastIndexOf('/');
    this.#directory(`data/broker/${path.slice(0, Math.max(0, at))}`).entries.delete(path.slice(at + 1));
  }

  add(path: string, content = 'x'): void {
    const at = path.lastIndexOf('/');
    const file = this.machine.disk.newFile();
    file.cached = Buffer.from(content);
    this.#directory(`data/broker/${path.slice(0, Math.max(0, at))}`).entries.set(path.slice(at + 1), file);
  }

  flip(path: string, at: number, bit = 0): void {
    const file = this.file(path);
    file.cached = Buffer.from(file.cached);
    file.cached[at]! ^= 1 << bit;
  }

  async verify(plan: { topic?: string; partition?: number } = {}): Promise<{
    findings: Finding[];
    records: number;
    operations: number;
  }> {
    const { files } = this.host;
    const looked = verifyLog(files, { path: '/data', reserveBytes: CONFIG.reserveBytes, ...plan });
    const { report } = await this.machine.loop.settle(looked);
    return { findings: report.findings, records: report.records, operations: files.operations };
  }

  #directory(path: string): SimDirectory {
    let at = this.machine.disk.root;
    for (const name of path.split('/').filter(Boolean)) at = at.entries.get(name) as SimDirectory;
    return at;
  }
}

const SEALED = /^topics\/[^/]*\/0\/0{20}\.log$/;

/** Of the first segment: position and size of its batches. */
function batchesOf(disk: Disk): { path: string; places: Array<{ at: number; size: number; base: number }> } {
  const [path] = disk.paths(SEALED);
  const bytes = disk.file(path!).cached;
  const places = [];
  for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8)) {
    places.push({ at, size: 12 + bytes.readInt32BE(at + 8), base: Number(bytes.readBigInt64BE(at)) });
  }
  return { path: path!, places };
}

describe.each(['killed', 'closed'] as const)('a directory whose broker was %s', (end) => {
  test('has nothing wrong with it, and is not written to', async () => {
    const disk = new Disk(end);
    const { findings, records, operations } = await disk.verify();
    expect(findings).toEqual([]);
    expect(records).toBeGreaterThan(60);
    expect(operations).toBe(0);
  });

  test('nor when it was opened again, and looked at while that broker runs', async () => {
    const disk = new Disk(end);
    await disk.machine.loop.settle(openDiskLog(CONFIG, disk.host));
    expect((await disk.verify()).findings).toEqual([]);
  });
});

describe('in a segment', () => {
  test.each([
    ['its base offset', 7, 'base offset'],
    ['its length', 9, 'a length of'],
    ['its epoch', 15, 'got epoch 1, want 0'],
    ['its format', 16, 'got format 3, want 2'],
    ['its own CRC', 17, 'CRC32C'],
    ['a record', 200, 'CRC32C'],
  ])('a batch with a turned bit in %s is found where it is', async (_, within, problem) => {
    for (const which of [0, 3, -1]) {
      const disk = new Disk('closed');
      const { path, places } = batchesOf(disk);
      const { at, size, base } = places.at(which)!;
      disk.flip(path, at + Math.min(within, size - 1));
      const { findings } = await disk.verify();
      const last = (places[places.findIndex((one) => one.at === at) + 1]?.base ?? base + 2) - 1;
      expect(findings).toMatchObject([
        { severity: 'damage', file: path, position: at, bytes: size, topic: 'plain', partition: 0 },
      ]);
      expect(formatFinding(findings[0]!)).toContain(
        `DAMAGE: ${path} at byte ${at}, ${size} bytes (plain-0, offsets ${base} to ${last})`,
      );
      expect(findings[0]!.problem).toContain(within >= size ? '' : problem);
      expect([findings[0]!.firstOffset, findings[0]!.lastOffset]).toEqual([base, last]);
    }
  });

  test('batches that hold and are not what was written are found as a whole', async () => {
    const disk = new Disk('closed');
    const { path, places } = batchesOf(disk);
    const { at, size } = places[2]!;
    disk.flip(path, at + size - 2);
    const { cached } = disk.file(path);
    cached.writeUInt32BE(crc32c(cached, at + 21, at + size), at + 17);
    const { findings } = await disk.verify();
    expect(findings).toMatchObject([{ severity: 'damage', file: path, position: 0, firstOffset: 0 }]);
    expect(findings[0]!.problem).toMatch(/over the heads of its batches/);
  });

  test('one that is absent, or too short, is what it lacks', async () => {
    const gone = new Disk('closed');
    const { path } = batchesOf(gone);
    const { length } = gone.file(path).cached;
    gone.remove(path);
    expect((await gone.verify()).findings).toMatchObject([
      { severity: 'damage', file: path, position: 0, bytes: length, firstOffset: 0 },
    ]);
    const short = new Disk('closed');
    const { places } = batchesOf(short);
    const { at } = places.at(-1)!;
    short.file(path).cached = short.file(path).cached.subarray(0, at);
    expect((await short.verify()).findings).toMatchObject([
      { severity: 'damage', file: path, position: at, bytes: length - at },
    ]);
  });

  test('what a start has cut off is noted as a gap, with the segment that held it', async () => {
    const disk = new Disk('closed');
    const { path, places } = batchesOf(disk);
    const { at, base } = places.at(-1)!;
    disk.file(path).cached = disk.file(path).cached.subarray(0, at);
    await disk.machine.loop.settle(openDiskLog(CONFIG, disk.host));
    const { findings } = await disk.verify();
    expect(findings).toMatchObject([
      { severity: 'note', file: path, topic: 'plain', partition: 0, firstOffset: base, lastOffset: base + 1 },
    ]);
    expect(findings[0]!.problem).toContain('at the end of this segment, which was cut');
  });

  test('an index that is not as it was written, or absent, heals', async () => {
    for (const suffix of ['index', 'timeindex']) {
      const disk = new Disk('closed');
      const [path] = disk.paths(new RegExp(`/0{20}\\.${suffix}$`));
      disk.flip(path!, 3);
      expect((await disk.verify()).findings).toMatchObject([{ severity: 'rebuilt', topic: 'plain' }]);
      disk.remove(path!);
      expect((await disk.verify()).findings).toMatchObject([{ severity: 'rebuilt', file: path }]);
    }
  });

  test('a topic alone, a partition alone', async () => {
    const disk = new Disk('closed');
    const { path, places } = batchesOf(disk);
    disk.flip(path, places[1]!.at + 70);
    expect((await disk.verify({ topic: 'compact' })).findings).toEqual([]);
    expect((await disk.verify({ topic: 'plain', partition: 1 })).findings).toEqual([]);
    expect((await disk.verify({ topic: 'plain', partition: 0 })).findings).toHaveLength(1);
    await expect(disk.verify({ topic: 'absent' })).rejects.toThrow(/got no topic absent/);
  });
});

describe('in the write-ahead log', () => {
  const entriesOf = (disk: Disk): { path: string; starts: number[] } => {
    const path = disk.paths(/\.wal$/).at(-1)!;
    const bytes = disk.file(path).cached;
    const starts: number[] = [];
    for (let at = 32; at + 44 < bytes.length; at += 44 + bytes.readUInt32BE(at + 4)) starts.push(at);
    return { path, starts };
  };

  test('a damaged entry with acknowledged ones behind it, and what it held', async () => {
    for (const within of [0, 8, 30, 41, 50, 150]) {
      const disk = new Disk('killed');
      const { path, starts } = entriesOf(disk);
      const at = starts.at(-3)!;
      disk.flip(path, at + within);
      const { findings } = await disk.verify();
      const damage = findings.find(({ file, position }) => file === path && position === at);
      expect(damage).toMatchObject({ severity: 'damage', bytes: starts.at(-2)! - at });
      expect(findings.some(({ firstOffset, lastOffset }) => firstOffset === 3 && lastOffset === 3)).toBe(
        true,
      );
    }
  });

  test('what it held is a gap behind a start, and noted where the segments go on', async () => {
    const disk = new Disk('killed');
    const { path, starts } = entriesOf(disk);
    disk.flip(path, starts.at(-3)! + 150);
    const log = await disk.machine.loop.settle(openDiskLog(CONFIG, disk.host));
    const { highWatermark } = log.topic('plain')!.partitions[1]!;
    expect(highWatermark).toBe(6);
    await disk.machine.loop.settle(log.checkpoint());
    const { findings } = await disk.verify();
    expect(findings).toMatchObject([
      { severity: 'note', topic: 'plain', partition: 1, firstOffset: 3, lastOffset: 3 },
    ]);
    expect(findings[0]!.problem).toMatch(/they stood in a file of the write-ahead log that is gone$/);
  });

  test('a torn tail is harmless', async () => {
    const disk = new Disk('killed');
    const { path, starts } = entriesOf(disk);
    const file = disk.file(path);
    file.cached = file.cached.subarray(0, file.cached.length - 5);
    expect((await disk.verify()).findings).toMatchObject([
      { severity: 'torn', file: path, position: starts.at(-1), bytes: file.cached.length - starts.at(-1)! },
    ]);
  });

  test('a damaged header, a file of another number, a missing file', async () => {
    const disk = new Disk('killed');
    const { path } = entriesOf(disk);
    disk.flip(path, 12);
    expect((await disk.verify()).findings).toMatchObject([{ severity: 'damage', file: path, position: 0 }]);
    disk.remove(path);
    const { findings } = await disk.verify();
    expect(findings[0]).toMatchObject({ severity: 'damage' });
    expect(findings[0]!.file).toMatch(/^wal\//);
  });
});

describe('of the small files', () => {
  test.each([
    ['meta.properties', 'damage', /refused/],
    ['checkpoint.json', 'damage', /every segment is read/],
    ['producer-ids.json', 'damage', /refused/],
    ['topics.json', 'rebuilt', /other copy/],
    ['topics.copy.json', 'rebuilt', /other copy/],
  ])('%s with a turned bit is %s', async (file, severity, consequence) => {
    const disk = new Disk('closed');
    disk.flip(file, 20);
    const { findings } = await disk.verify();
    expect(findings).toMatchObject([{ severity, file, position: 0 }]);
    expect(findings[0]!.consequence).toMatch(consequence);
  });

  test('without a checkpoint the segments are still checked', async () => {
    const disk = new Disk('closed');
    disk.flip('checkpoint.json', 30);
    const { path, places } = batchesOf(disk);
    disk.flip(path, places[1]!.at + 70);
    expect((await disk.verify()).findings).toMatchObject([
      { file: 'checkpoint.json' },
      { severity: 'damage', file: path, position: places[1]!.at, bytes: places[1]!.size },
    ]);
  });

  test('both copies of the topics are more than one', async () => {
    const disk = new Disk('closed');
    disk.flip('topics.json', 20);
    disk.flip('topics.copy.json', 20);
    const { findings } = await disk.verify();
    expect(findings.slice(0, 2)).toMatchObject([{ severity: 'damage' }, { severity: 'damage' }]);
  });

  test('strangers are noted with what becomes of them, and so is a reserve of another size', async () => {
    const disk = new Disk('closed');
    const [segment] = disk.paths(SEALED);
    const folder = segment!.slice(0, segment!.lastIndexOf('/'));
    const added = [`${folder}/00000000000000099999.log`, `${folder}/notes.txt`, 'wal/notes.txt', 'notes.txt'];
    for (const path of added) disk.add(path);
    disk.file('reserve').cached = Buffer.alloc(3);
    const { findings } = await disk.verify();
    expect(findings.map(({ severity }) => severity)).toEqual(Array(5).fill('note'));
    expect(findings.map(({ file }) => file).sort()).toEqual([...added, 'reserve'].sort());
    expect(findings.find(({ file }) => file === added[1])!.consequence).toBe('is removed');
  });
});

test('a directory of a newer format, and one of nothing, cannot be looked at', async () => {
  const disk = new Disk('closed');
  disk.file('meta.properties').cached = Buffer.from('version=1\ncluster.id=a\nmillrace.format=99\n');
  await expect(disk.verify()).rejects.toMatchObject({ name: 'CannotInspect' });
  disk.machine.disk.root.entries.clear();
  await expect(disk.verify()).rejects.toThrow(/got no meta.properties there or in/);
});
