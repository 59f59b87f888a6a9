import { beforeEach, describe, expect, test } from 'vitest';

import { type SimHost, SimMachine } from '../../../test/sim/sim-host.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import { walEntries } from '../../../test/support/wal-entries.ts';
import { logMetrics } from '../log-metrics.ts';
import { Wal } from './wal.ts';
import { FRAME_BYTES, uuidBytes, WAL_HEADER_BYTES } from './wal-entry.ts';
import { readWalChain } from './wal-chain.ts';
import { listWal } from './wal-scan.ts';

const TOPIC = '00000000-0000-4000-8000-000000000001';

let machine: SimMachine;
let host: SimHost;
let wal: Wal;
/** What became of the appends, in the order in which it did. */
let events: string[];

beforeEach(async () => {
  machine = new SimMachine(3);
  host = machine.boot();
  events = [];
  wal = new Wal(host, '/wal', 4_000, logMetrics(host.metrics));
  await machine.loop.settle(host.files.makeDirectory('/wal'));
  await machine.loop.settle(wal.open());
});

function append(name: string, bytes = 100, syncWithinMs = 0): void {
  wal.append({
    topicId: uuidBytes(TOPIC),
    partition: 0,
    entry: Buffer.concat([Buffer.alloc(FRAME_BYTES), recordBatch({ values: [name.padEnd(bytes, '.')] })]),
    syncWithinMs,
    owe: () => {},
    committed: () => events.push(name),
    refused: ({ code }) => events.push(`${name} ${code}`),
  });
}

/** The first word of each entry of a file. */
async function entriesOf(file: number): Promise<string[]> {
  const entries = await machine.loop.settle(walEntries(host.files, '/wal', file));
  return entries.map(({ batch }) => /[a-z]{3,}\d*|[a-z]\d+/.exec(batch.toString('latin1', 61))![0]);
}

function operations(name: string): () => number {
  let count = 0;
  const before = host.files.fault;
  host.files.fault = (operation, path) => {
    if (operation === name) count += 1;
    return before(operation, path);
  };
  return () => count;
}

test('what comes while a group is written is the next group, with one sync', async () => {
  const syncs = operations('datasync');
  append('a1');
  append('a2');
  await machine.loop.step();
  for (const name of ['b1', 'b2', 'b3']) append(name);
  await machine.loop.settle(wal.drain());
  expect(events).toEqual(['a1', 'a2', 'b1', 'b2', 'b3']);
  expect(syncs()).toBe(2);
  expect(await entriesOf(1)).toEqual(events);
  expect(wal.queuedBytes).toBe(0);
});

describe('beside a sync', () => {
  const refused = (name: string): string => `${name} KAFKA_STORAGE_ERROR`;

  /** What the next sync of a file waits for, once it runs. */
  let held: { readonly begin: () => void; readonly ended: Promise<void> } | undefined;

  async function openAt(file: number, fileBytes: number): Promise<void> {
    wal = new Wal(host, '/wal', fileBytes, wal.metrics);
    wal.files.nextFile = file;
    await machine.loop.settle(wal.open());
  }

  beforeEach(async () => {
    held = undefined;
    const open = host.files.open.bind(host.files);
    host.files.open = async (path, mode) => {
      const handle = await open(path, mode);
      const datasync = async (): Promise<void> => {
        const hold = held;
        held = undefined;
        await handle.datasync();
        hold?.begin();
        await hold?.ended;
      };
      return { ...handle, datasync };
    };
    await openAt(7, 4_000);
  });

  /** Appends one, and goes on until its sync runs, which ends as the returned promise does. */
  async function appendUntilSync(name: string): Promise<PromiseWithResolvers<void>> {
    const sync = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    held = { begin: begun.resolve, ended: sync.promise };
    append(name);
    await machine.loop.settle(begun.promise);
    return sync;
  }

  async function steps(): Promise<void> {
    for (let i = 0; i < 20; i += 1) await machine.loop.step();
  }

  test('what is worth a write is written, and committed behind its own sync', async () => {
    const syncs = operations('datasync');
    const sync = await appendUntilSync('first');
    append('second');
    append('third');
    await steps();
    expect(await entriesOf(7)).toEqual(['first', 'second', 'third']);
    expect([events, syncs()]).toEqual([[], 1]);
    sync.resolve();
    await machine.loop.settle(wal.drain());
    expect([events, syncs()]).toEqual([['first', 'second', 'third'], 2]);
  });

  test('what is not comes with what follows, in one write', async () => {
    await openAt(9, 1024 * 1024);
    const writes = operations('write');
    const sync = await appendUntilSync('first');
    append('second');
    await steps();
    append('third');
    await steps();
    expect(await entriesOf(9)).toEqual(['first']);
    append('large', 20_000);
    await steps();
    expect(await entriesOf(9)).toEqual(['first', 'second', 'third', 'large']);
    expect([writes(), events]).toEqual([2, []]);
    sync.resolve();
    await machine.loop.settle(wal.drain());
    expect(events).toEqual(['first', 'second', 'third', 'large']);
  });

  test('a sync that fails refuses all that was written and waits, newest first', async () => {
    const sync = await appendUntilSync('first');
    append('second');
    await steps();
    append('third');
    host.files.fault = (operation) => (operation === 'datasync' ? { code: 'EIO' } : undefined);
    sync.resolve();
    await machine.loop.settle(wal.drain());
    // The first one's sync had begun, and ends well.
    expect(events).toEqual(['first', refused('third'), refused('second')]);
    expect(wal.queuedBytes).toBe(0);
    host.files.fault = () => undefined;
    await machine.loop.settle(wal.open());
    expect(wal.files.kept[0]!.end).toBeGreaterThan(WAL_HEADER_BYTES);
    const { ends } = await machine.loop.settle(readWalChain(host.files, '/wal', [7, 8]));
    expect(ends.get(7)).toBe(wal.files.kept[0]!.end);
  });

  test('a write that fails leaves what is being synced its course', async () => {
    const sync = await appendUntilSync('first');
    host.files.fault = (operation) => (operation === 'write' ? { code: 'ENOSPC' } : undefined);
    append('second');
    append('third');
    await steps();
    expect(events).toEqual([]);
    expect(() => append('fourth')).toThrow(/the disk refuses/);
    sync.resolve();
    await machine.loop.settle(wal.drain());
    expect(events).toEqual(['first', refused('third'), refused('second')]);
  });

  test('of a lax topic nothing is committed before what was appended earlier', async () => {
    const sync = await appendUntilSync('first');
    append('lax', 100, Infinity);
    append('strict');
    await steps();
    expect(await entriesOf(7)).toEqual(['first', 'lax', 'strict']);
    expect(events).toEqual([]);
    sync.resolve();
    await machine.loop.settle(wal.drain());
    expect(events).toEqual(['first', 'lax', 'strict']);
  });

  test('a lax batch behind one whose sync fails is refused with it', async () => {
    const sync = await appendUntilSync('first');
    append('lax', 100, Infinity);
    await steps();
    sync.reject(new Error('EIO'));
    await machine.loop.settle(wal.drain());
    expect(events).toEqual([refused('lax'), refused('first')]);
  });
});

test('small and large batches stand in the order of the appends', async () => {
  wal = new Wal(host, '/wal', 10_000_000, wal.metrics);
  wal.files.nextFile = 7;
  await machine.loop.settle(wal.open());
  const names = ['small', 'large', 'tiny', 'huge', 'last'];
  for (const [i, bytes] of [100, 40_000, 1, 200_000, 10].entries()) append(names[i]!, bytes);
  await machine.loop.settle(wal.drain());
  expect(await entriesOf(7)).toEqual(names);
});

test('a full file is followed by a new one, whose header says where the old one ends', async () => {
  let rotations = 0;
  wal.onRotate = () => (rotations += 1);
  for (let i = 0; i < 12; i++) {
    append(`x${i}`, 1_000);
    await machine.loop.settle(wal.drain());
  }
  const files = await machine.loop.settle(listWal(host.files, '/wal'));
  expect(files).toEqual([1, 2, 3, 4]);
  expect(rotations).toBe(3);
  const { ends } = await machine.loop.settle(readWalChain(host.files, '/wal', files));
  for (const { file, end } of wal.files.kept.slice(0, -1)) expect(ends.get(file)).toBe(end);
  let count = 0;
  for (const file of files) count += (await entriesOf(file)).length;
  expect(count).toBe(12);

  await machine.loop.settle(wal.files.removeBefore(3));
  expect(await machine.loop.settle(listWal(host.files, '/wal'))).toEqual([3, 4]);
  expect(wal.files.kept.map(({ file }) => file)).toEqual([3, 4]);
});

describe.each([
  ['a failed write', 'write', 'EIO'],
  ['a full disk', 'write', 'ENOSPC'],
  ['a failed sync', 'datasync', 'EIO'],
] as const)('%s', (_, operation, code) => {
  test('refuses all that waits, newest first, and takes nothing until the next file', async () => {
    append('good');
    await machine.loop.settle(wal.drain());
    let told = 0;
    wal.onFailure = () => (told += 1);
    host.files.fault = (name) => (name === operation ? { code } : undefined);
    append('one');
    append('two');
    await machine.loop.step();
    append('three');
    await machine.loop.settle(wal.drain());
    expect(events).toEqual(['good', ...['three', 'two', 'one'].map((name) => `${name} KAFKA_STORAGE_ERROR`)]);
    expect(told).toBe(1);
    expect(wal.queuedBytes).toBe(0);
    expect(() => append('four')).toThrow(/the disk refuses .*simulated/);

    host.files.fault = () => undefined;
    await machine.loop.settle(wal.open());
    append('five');
    await machine.loop.settle(wal.drain());
    // What the failed group left in the old file does not count: the new one's header says so.
    const { ends } = await machine.loop.settle(readWalChain(host.files, '/wal', [1, 2]));
    expect(ends.get(1)).toBe(wal.files.kept[0]!.end);
    expect(await entriesOf(2)).toEqual(['five']);
  });
});

test('a new file that was not used is taken back', async () => {
  append('good');
  await machine.loop.settle(wal.drain());
  wal.fail(new Error('somebody says so'));
  await machine.loop.settle(wal.open());
  await machine.loop.settle(wal.discardUnused());
  expect(await machine.loop.settle(listWal(host.files, '/wal'))).toEqual([1]);
  expect(wal.files.kept.map(({ file }) => file)).toEqual([1]);
  // Its number is not used again.
  await machine.loop.settle(wal.open());
  expect(wal.files.current).toBe(3);
});

test('a closed one writes what waits and takes no more', async () => {
  append('last');
  await machine.loop.settle(wal.close());
  expect(events).toEqual(['last']);
  expect(() => append('late')).toThrow(/closed/);
});
