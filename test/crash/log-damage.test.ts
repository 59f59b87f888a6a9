import { describe, expect, test } from 'vitest';

import { openDiskLog } from '../../broker/log/open-log.ts';
import { isDirectory, type SimDirectory, type SimFile } from '../sim/sim-disk.ts';
import { SimMachine } from '../sim/sim-host.ts';
import { readBatches, recordBatch } from '../support/record-batch.ts';

const CONFIG = { dataDir: '/data', tailBytesMax: 0 };
const BATCHES = 12;
const OFFSETS = Array.from({ length: BATCHES }, (_, i) => i);

interface Outcome {
  /** By offset; absent where the log said that it cannot read. */
  readonly values: Map<number, string>;
  readonly end: number;
  readonly epoch: number;
  readonly errors: number;
}

type Place = 'wal' | 'segment';
const prepared = new Map<Place, SimMachine>();

/** One partition with acknowledged batches: in the write-ahead log only, or after a clean close in the segment. */
async function prepare(place: Place): Promise<SimMachine> {
  const original = prepared.get(place) ?? (await fill(place));
  prepared.set(place, original);
  const machine = new SimMachine(1);
  original.disk.copyTo(machine.disk);
  return machine;
}

async function fill(place: Place): Promise<SimMachine> {
  const machine = new SimMachine(1);
  const host = machine.boot();
  await machine.loop.settle(
    (async () => {
      const log = await openDiskLog(CONFIG, host);
      const { partitions } = await log.createTopic({ name: 't', partitions: 1, configs: {} });
      for (let i = 0; i < BATCHES; i++) {
        const batch = recordBatch({
          values: [`value-${i}`],
          producerId: 7,
          producerEpoch: 0,
          baseSequence: i,
        });
        await partitions[0]!.append(batch, { nowMs: 0, origin: 'client' }).durable;
      }
      if (place === 'segment') await log.close();
    })(),
  );
  host.files.kill();
  return machine;
}

/** Opens what is on the disk and reads every offset. */
async function look(machine: SimMachine): Promise<Outcome> {
  const host = machine.boot();
  const outcome = await machine.loop.settle(
    (async () => {
      const log = await openDiskLog(CONFIG, host);
      const partition = log.topic('t')!.partitions[0]!;
      const values = new Map<number, string>();
      let errors = 0;
      for (let offset = partition.startOffset; offset < partition.highWatermark; offset++) {
        const bytes = await partition.read(offset, 0, true).catch(expectDamage);
        if (!bytes) errors += 1;
        // A batch without records only says how far nothing is.
        for (const batch of bytes ? readBatches(bytes) : []) {
          if (batch.values.length > 0) values.set(batch.baseOffset, batch.values[0]!);
        }
      }
      return { values, end: partition.highWatermark, epoch: partition.leaderEpoch, errors };
    })(),
  );
  host.files.kill();
  return outcome;
}

test('a write-ahead log cut at any byte keeps every whole entry in front of the cut, and a second start sees the same', async () => {
  const size = fileOf(await prepare('wal'), '.wal').cached.length;
  for (let cut = 32; cut <= size; cut += 61) {
    const machine = await prepare('wal');
    const file = fileOf(machine, '.wal');
    file.cached = file.cached.subarray(0, cut);
    const first = await look(machine);
    const whole = Math.floor(((cut - 32) / (size - 32)) * BATCHES + 0.2);
    expect(first.values.size).toBeGreaterThanOrEqual(Math.max(0, whole - 1));
    expect(first.values.size).toBeLessThanOrEqual(whole + 1);
    expectTrue(first);
    expect((await look(machine)).values).toEqual(first.values);
  }
});

test('a flipped bit anywhere in the write-ahead log costs at most one batch, and never changes one', async () => {
  const size = fileOf(await prepare('wal'), '.wal').cached.length;
  for (let at = 0; at < size; at += 41) {
    const machine = await prepare('wal');
    const file = fileOf(machine, '.wal');
    file.cached[at]! ^= 1 << (at % 8);
    const outcome = await look(machine);
    expectTrue(outcome);
    expect(outcome.values.size).toBeGreaterThanOrEqual(BATCHES - 1);
    // What was lost was told: a new epoch, so that consumers notice.
    expect(outcome.epoch).toBe(outcome.values.size < BATCHES ? 1 : outcome.epoch);
  }
});

test('a flipped bit anywhere in a segment is never served and costs at most one batch', async () => {
  const intact = fileOf(await prepare('segment'), '.log').cached;
  for (let at = 0; at < intact.length; at += 23) {
    const machine = await prepare('segment');
    const file = fileOf(machine, '.log');
    file.cached[at]! ^= 1 << (at % 8);
    const outcome = await look(machine);
    expectTrue(outcome);
    expect(outcome.end).toBe(BATCHES);
    expect(outcome.values.size).toBe(BATCHES - 1);
    expect(outcome.errors).toBe(1);
  }
});

test('a damaged length costs its batch alone, whatever it says, with and without indexes', async () => {
  const intact = fileOf(await prepare('segment'), '.log').cached;
  for (let batch = 0; batch < BATCHES; batch++) {
    const start = startOfBatches(intact)[batch]!;
    for (const claimed of [-1, 40, 93, 2 ** 20]) {
      for (const indexed of [true, false]) {
        const machine = await prepare('segment');
        const file = fileOf(machine, '.log');
        if (file.cached.readInt32BE(start + 8) === claimed) continue;
        file.cached.writeInt32BE(claimed, start + 8);
        if (!indexed)
          for (const suffix of ['.index', '.timeindex']) fileOf(machine, suffix).cached = Buffer.alloc(1);
        const outcome = await look(machine);
        expectTrue(outcome);
        expect([...outcome.values.keys()]).toEqual(OFFSETS.filter((offset) => offset !== batch));
      }
    }
  }
});

test('bytes written over costs the batches that they touch and no other', async () => {
  const intact = fileOf(await prepare('segment'), '.log').cached;
  const starts = startOfBatches(intact);
  for (let at = 0; at < intact.length; at += 19) {
    const machine = await prepare('segment');
    const file = fileOf(machine, '.log');
    file.cached.fill(0xff, at, Math.min(at + 24, intact.length));
    const outcome = await look(machine);
    expectTrue(outcome);
    const touched = OFFSETS.filter((i) => starts[i]! < at + 24 && (starts[i + 1] ?? intact.length) > at);
    expect([...outcome.values.keys()]).toEqual(OFFSETS.filter((offset) => !touched.includes(offset)));
  }
});

test('a segment cut at any byte loses what is behind the cut and gives no offset twice', async () => {
  const size = fileOf(await prepare('segment'), '.log').cached.length;
  for (let cut = 0; cut < size; cut += 47) {
    const machine = await prepare('segment');
    const file = fileOf(machine, '.log');
    file.cached = file.cached.subarray(0, cut);
    const outcome = await look(machine);
    expectTrue(outcome);
    expect(outcome.end).toBe(BATCHES);
    expect(outcome.values.size).toBe(Math.floor((cut / size) * BATCHES));
    // One more epoch: the first look did not end in order.
    expect(await look(machine)).toEqual({ ...outcome, epoch: outcome.epoch + 1 });
  }
});

test('a reader that stands behind a cut is told how far nothing is, and goes on', async () => {
  const machine = await prepare('segment');
  const file = fileOf(machine, '.log');
  file.cached = file.cached.subarray(0, file.cached.length - 10);
  const host = machine.boot();
  const log = await machine.loop.settle(openDiskLog(CONFIG, host));
  const partition = log.topic('t')!.partitions[0]!;
  const bytes = await machine.loop.settle(partition.read(BATCHES - 1, 0, true));
  // A batch without records up to the end.
  expect([Number(bytes.readBigInt64BE(0)) + bytes.readInt32BE(23), bytes.readInt32BE(57)]).toEqual([
    BATCHES - 1,
    0,
  ]);
  const said = host.lines.find(({ level }) => level === 'error')!.fields;
  expect(said).toMatchObject({ topic: 't', partition: 0, fromOffset: BATCHES - 1, toOffset: BATCHES });
});

test('damaged indexes heal; a damaged checkpoint is made again from the segments', async () => {
  for (const suffix of ['.index', '.timeindex', 'checkpoint.json', 'topics.json']) {
    const machine = await prepare('segment');
    const file = fileOf(machine, suffix);
    file.cached = Buffer.concat([file.cached, Buffer.from('garbage garbage!')]);
    const outcome = await look(machine);
    expect(outcome.values.size).toBe(BATCHES);
    expectTrue(outcome);
  }
});

/** An acknowledged batch that the write-ahead log lost leaves a gap in the middle of the segment. */
async function withGap(batch: number): Promise<SimMachine> {
  const machine = await prepare('wal');
  const wal = fileOf(machine, '.wal');
  const length = (wal.cached.length - 32) / BATCHES;
  wal.cached[Math.floor(32 + (batch + 0.6) * length)]! ^= 1;
  const host = machine.boot();
  await machine.loop.settle((async () => await (await openDiskLog(CONFIG, host)).close())());
  host.files.kill();
  return machine;
}

describe('with the checkpoint lost', () => {
  const lost = ['checkpoint.json', '.wal'];

  test('what stands behind a gap is there', async () => {
    for (const batch of [0, 4, BATCHES - 3]) {
      const machine = await withGap(batch);
      for (const suffix of lost) fileOf(machine, suffix).cached = Buffer.alloc(0);
      const outcome = await look(machine);
      expectTrue(outcome);
      expect(outcome.end).toBe(BATCHES);
      expect([...outcome.values.keys()]).toEqual(OFFSETS.filter((offset) => offset !== batch));
      expect((await look(machine)).values).toEqual(outcome.values);
    }
  });

  test('a damaged batch in the middle of a segment costs itself alone', async () => {
    const starts = startOfBatches(fileOf(await prepare('segment'), '.log').cached);
    for (let batch = 0; batch < BATCHES - 1; batch++) {
      for (const at of [2, 7, 8, 11, 13, 15, 16, 18, 22, 40, 70]) {
        const machine = await prepare('segment');
        fileOf(machine, '.log').cached[starts[batch]! + at]! ^= 1 << (at % 8);
        for (const suffix of lost) fileOf(machine, suffix).cached = Buffer.alloc(0);
        const outcome = await look(machine);
        expectTrue(outcome);
        expect([...outcome.values.keys()]).toEqual(OFFSETS.filter((offset) => offset !== batch));
        expect(outcome.errors).toBe(1);
      }
    }
  });

  test('what the write-ahead log has of it comes again, damaged or not', async () => {
    for (const batch of OFFSETS) {
      const machine = await prepare('wal');
      const host = machine.boot();
      // Written to the segment, and not forgotten by the write-ahead log yet.
      await machine.loop.settle(
        (async () => await (await openDiskLog(CONFIG, host)).partitions()[0]!.flush())(),
      );
      host.files.kill();
      const segment = fileOf(machine, '.log');
      segment.cached[startOfBatches(segment.cached)[batch]! + 70]! ^= 1;
      const walOfBefore = fileOf(await prepare('wal'), '.wal');
      const wal = (await prepare('wal')).disk.newFile();
      wal.cached = Buffer.from(walOfBefore.cached);
      putFile(machine, '/data/wal/00000000000000000001.wal', wal);
      fileOf(machine, 'checkpoint.json').cached = Buffer.alloc(0);
      const outcome = await look(machine);
      expectTrue(outcome);
      expect(outcome.values.size).toBe(BATCHES);
    }
  });
});

test('a segment with a gap that is cut behind it keeps what is on both sides of the gap', async () => {
  const machine = await withGap(4);
  const file = fileOf(machine, '.log');
  file.cached = file.cached.subarray(0, file.cached.length - 10);
  const outcome = await look(machine);
  expectTrue(outcome);
  expect([...outcome.values.keys()]).toEqual(
    OFFSETS.filter((offset) => offset !== 4 && offset !== BATCHES - 1),
  );
  expect(outcome.end).toBe(BATCHES);
});

function putFile(machine: SimMachine, path: string, file: SimFile): void {
  let directory = machine.disk.root;
  const names = path.split('/').filter(Boolean);
  for (const name of names.slice(0, -1)) directory = directory.entries.get(name) as SimDirectory;
  directory.entries.set(names.at(-1)!, file);
}

function startOfBatches(segment: Buffer): number[] {
  const starts: number[] = [];
  for (let at = 0; at < segment.length; at += 12 + segment.readInt32BE(at + 8)) starts.push(at);
  return starts;
}

/** Damage is the one reason for which a read may fail here. */
function expectDamage(error: unknown): undefined {
  if ((error as { code?: string }).code !== 'CORRUPT_MESSAGE') throw error;
  return undefined;
}

function expectTrue({ values }: Outcome): void {
  for (const [offset, value] of values) expect(value).toBe(`value-${offset}`);
}

/** The newest file whose path ends so. */
function fileOf(machine: SimMachine, suffix: string): SimFile {
  const found: SimFile[] = [];
  const visit = (directory: SimDirectory): void => {
    for (const [name, node] of directory.entries) {
      if (isDirectory(node)) visit(node);
      else if (name.endsWith(suffix)) found.push(node);
    }
  };
  visit(machine.disk.root);
  return found.at(-1)!;
}
