import { beforeEach, describe, expect, test } from 'vitest';

import { type SimHost, SimMachine } from '../../../test/sim/sim-host.ts';
import { readBatches, recordBatch } from '../../../test/support/record-batch.ts';
import { LOG_DEFAULTS } from '../config.ts';
import { logMetrics } from '../log-metrics.ts';
import { openDiskLog } from '../open-log.ts';
import { topicSettings } from '../topics/topic-settings.ts';
import { decodeEntry, FRAME_BYTES, uuidBytes, WAL_HEADER_BYTES } from '../wal/wal-entry.ts';
import { readWalChain } from '../wal/wal-chain.ts';
import { listWal, scanWal, walPath } from '../wal/wal-scan.ts';
import { Wal } from '../wal/wal.ts';

const TOPIC = '00000000-0000-4000-8000-000000000001';
const OPTIONS = { nowMs: 1_700_000_000_000, origin: 'client' as const };
const FILE_BYTES = 4_000;

describe('the write-ahead log', () => {
  let machine: SimMachine;
  let host: SimHost;
  let wal: Wal;
  /** What became of the appends and which syncs ended, in that order. */
  let events: string[];
  let failing: boolean;

  beforeEach(async () => {
    machine = new SimMachine(3);
    host = machine.boot();
    wal = new Wal(host, '/wal', FILE_BYTES, logMetrics(host.metrics));
    await machine.loop.settle(host.files.makeDirectory('/wal'));
    await machine.loop.settle(host.files.syncDirectory('/'));
    await machine.loop.settle(wal.open());
    events = [];
    failing = false;
    host.files.fault = (operation) => {
      if (operation !== 'datasync') return undefined;
      events.push('sync');
      return failing ? { code: 'EIO' } : undefined;
    };
  });

  function append(name: string, syncWithinMs: number, bytes = 100): void {
    wal.append({
      topicId: uuidBytes(TOPIC),
      partition: 0,
      entry: Buffer.concat([Buffer.alloc(FRAME_BYTES), recordBatch({ values: [name.padEnd(bytes, '.')] })]),
      owe: () => {},
      syncWithinMs,
      committed: () => events.push(name),
      refused: ({ code }) => events.push(`${name} ${code}`),
    });
  }

  async function entriesOf(file: number): Promise<Array<[name: string, synced: number]>> {
    const bytes = (await machine.loop.settle(host.files.readFile(walPath('/wal', file))))!;
    const found: Array<[string, number]> = [];
    scanWal(bytes, file, undefined, ({ batch, synced }) =>
      found.push([/[a-z]{3,}\d/.exec(batch.toString('latin1', 61))![0], synced]),
    );
    return found;
  }

  test('commits a lax batch when it is written, and syncs when its time is up', async () => {
    append('lax1', 50);
    append('lax2', 200);
    await machine.loop.pass(40);
    expect(events).toEqual(['lax1', 'lax2']);
    expect(wal.owedBytes).toBeGreaterThan(300);
    await machine.loop.pass(15);
    expect(events).toEqual(['lax1', 'lax2', 'sync']);
    expect(wal.owedBytes).toBe(0);
    await machine.loop.pass(300);
    expect(events.length).toBe(3);
  });

  test('commits the lax ones of a group before its sync and the strict ones behind it', async () => {
    append('strict1', 0);
    append('lax1', 1_000);
    append('strict2', 0);
    await machine.loop.settle(wal.drain());
    expect(events).toEqual(['lax1', 'sync', 'strict1', 'strict2']);
    await machine.loop.pass(2_000);
    expect(events.length).toBe(4);
  });

  test('writes on while a sync of lax batches runs, and syncs again for a strict one', async () => {
    let finish = (): void => {};
    let slow = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const open = host.files.open.bind(host.files);
    host.files.open = async (path, mode) => {
      const file = await open(path, mode);
      return { ...file, datasync: () => slow.then(() => file.datasync()) };
    };
    const opening = wal.open();
    finish();
    await machine.loop.settle(opening);
    slow = new Promise((resolve) => {
      finish = resolve;
    });
    append('lax1', 5);
    await machine.loop.pass(20);
    append('lax2', 5);
    await machine.loop.pass(20);
    append('strict1', 0);
    await machine.loop.pass(20);
    expect(events).toEqual(['sync', 'lax1', 'lax2']);
    finish();
    await machine.loop.settle(wal.drain());
    expect(events).toEqual(['sync', 'lax1', 'lax2', 'sync', 'sync', 'strict1']);
    expect(wal.files.kept.at(-1)!.synced).toBe(wal.files.kept.at(-1)!.end);
  });

  test('says in each entry what was synced by then, not what was written', async () => {
    append('lax1', Infinity);
    await machine.loop.settle(wal.drain());
    append('lax2', Infinity);
    await machine.loop.settle(wal.drain());
    append('strict1', 0);
    await machine.loop.settle(wal.drain());
    const { end } = wal.files.kept.at(-1)!;
    append('lax3', Infinity);
    await machine.loop.settle(wal.drain());
    expect(await entriesOf(1)).toEqual([
      ['lax1', WAL_HEADER_BYTES],
      ['lax2', WAL_HEADER_BYTES],
      ['strict1', WAL_HEADER_BYTES],
      ['lax3', end],
    ]);
  });

  test('syncs a full file before the header of the next one counts it', async () => {
    let rotated = false;
    wal.onRotate = () => {
      rotated = true;
      events.push('next file');
    };
    for (let i = 0; !rotated; i++) {
      append(`lax${i % 10}`, Infinity, 200);
      await machine.loop.settle(wal.drain());
    }
    expect(events.slice(-3)).toEqual(['sync', 'sync', 'next file']);
    const [first] = wal.files.kept;
    expect(first!.synced).toBe(first!.end);
    host.files.cut();
    const files = machine.boot().files;
    const { ends } = await machine.loop.settle(readWalChain(files, '/wal', [2]));
    expect(ends.get(1)).toBe(first!.end);
    expect((await machine.loop.settle(files.readFile(walPath('/wal', 1))))!.length).toBe(first!.end);
  });

  test('bounds what it owes', async () => {
    for (let i = 0; i < 40; i++) {
      append(`lax${i % 10}`, Infinity);
      await machine.loop.settle(wal.drain());
      expect(wal.owedBytes).toBeLessThan(FILE_BYTES / 2 + 200);
    }
  });

  test('writes lax batches again into the next file when their sync fails, and refuses strict ones', async () => {
    append('lax1', 5);
    await machine.loop.settle(wal.drain());
    failing = true;
    append('strict1', 0);
    append('lax2', Infinity);
    await machine.loop.settle(wal.drain());
    expect(events).toEqual(['lax1', 'lax2', 'sync', 'strict1 KAFKA_STORAGE_ERROR']);
    expect(() => append('lax3', 5)).toThrow(/EIO/);
    failing = false;
    await machine.loop.settle(wal.open());
    expect(wal.owedBytes).toBe(0);
    expect((await entriesOf(2)).map(([name]) => name)).toEqual(['lax1', 'lax2']);
    // Of the old file counts what was synced before: nothing.
    expect((await machine.loop.settle(readWalChain(host.files, '/wal', [2]))).ends.get(1)).toBe(
      WAL_HEADER_BYTES,
    );
    host.files.cut();
    const bytes = await machine.loop.settle(machine.boot().files.readFile(walPath('/wal', 2)));
    expect(decodeEntry(bytes!, WAL_HEADER_BYTES, 2)).toBeDefined();
  });

  test('keeps the old file when the next one cannot be had', async () => {
    append('lax1', 5);
    await machine.loop.settle(wal.drain());
    wal.fail(new Error('the disk is ill'));
    host.files.fault = (operation) => (operation === 'write' ? { code: 'ENOSPC' } : undefined);
    await expect(machine.loop.settle(wal.open())).rejects.toThrow(/ENOSPC/);
    await machine.loop.settle(wal.discardUnused());
    expect(await machine.loop.settle(listWal(host.files, '/wal'))).toEqual([1]);
    expect((await entriesOf(1)).map(([name]) => name)).toEqual(['lax1']);
  });

  test('is on the disk, all of it, when it was closed', async () => {
    append('lax1', Infinity);
    await machine.loop.settle(wal.close());
    expect(events).toEqual(['lax1', 'sync']);
  });
});

describe('a partition', () => {
  async function partitionOf(configs: Readonly<Record<string, string>>, internal = false) {
    const machine = new SimMachine(5);
    const host = machine.boot();
    const { loop } = machine;
    const log = await loop.settle(openDiskLog({ dataDir: '/data' }, host));
    await loop.settle(log.createTopic({ name: 't', partitions: 1, configs, internal }));
    let syncs = 0;
    host.files.fault = (operation, path) => {
      if (operation === 'datasync' && path.endsWith('.wal')) syncs += 1;
      return undefined;
    };
    const partition = log.topic('t')!.partitions[0]!;
    const append = (count: number): Promise<void> =>
      partition.append(recordBatch({ values: Array.from({ length: count }, () => 'x') }), OPTIONS).durable;
    return { machine, loop, host, log, partition, append, syncs: () => syncs };
  }

  test('of flush.messages=3 waits for the disk with every third record', async () => {
    const { loop, append, syncs } = await partitionOf({ 'flush.messages': '3' });
    const after: number[] = [];
    for (const count of [1, 1, 1, 2, 1, 1]) {
      await loop.settle(append(count));
      after.push(syncs());
    }
    expect(after).toEqual([0, 0, 1, 1, 2, 2]);
  });

  test('acknowledges in order, whichever waits for the disk', async () => {
    const { loop, append, partition } = await partitionOf({ 'flush.messages': '3' });
    const done: number[] = [];
    const all = Array.from({ length: 8 }, (_, i) => append(1).then(() => done.push(i)));
    let before = 0;
    partition.onAdvance(() => {
      expect(partition.highWatermark).toBeGreaterThan(before);
      before = partition.highWatermark;
    });
    await loop.settle(Promise.all(all));
    expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('of an internal topic is strict, whatever it says', async () => {
    const { loop, append, syncs } = await partitionOf({ 'flush.ms': '100000' }, true);
    await loop.settle(append(1));
    expect(syncs()).toBe(1);
  });

  test('that is lax no longer has nothing left to sync when that is answered', async () => {
    const { loop, log, append, syncs } = await partitionOf({ 'flush.ms': '9223372036854775807' });
    await loop.settle(append(1));
    expect(syncs()).toBe(0);
    await loop.settle(log.alterConfigs('t', {}));
    expect(syncs()).toBe(1);
    await loop.settle(append(1));
    expect(syncs()).toBe(2);
  });

  test('what it owes a sync outlives its place in the memory of the newest batches', async () => {
    const machine = new SimMachine(5);
    const host = machine.boot();
    const { loop } = machine;
    const log = await loop.settle(openDiskLog({ dataDir: '/data', tailBytesMax: 512 * 1024 }, host));
    const configs = { 'flush.ms': '9223372036854775807' };
    await loop.settle(log.createTopic({ name: 't', partitions: 1, configs }));
    const partition = log.partitions()[0]!;
    // Four times what stays in memory; none of it synced.
    const values = Array.from({ length: 100 }, (_, i) => `${i}:`.padEnd(20_000, 'x'));
    for (const value of values) {
      await loop.settle(partition.append(recordBatch({ values: [value] }), OPTIONS).durable);
      await loop.settle(partition.flush());
    }
    expect(partition.tail.firstOffset).toBeGreaterThan(50);
    expect(log.tailMemory.bytes).toBeLessThanOrEqual(512 * 1024);
    expect(log.wal.owedBytes).toBeGreaterThan(2_000_000);

    host.files.fault = (operation, path) =>
      operation === 'datasync' && path.endsWith('.wal') ? { code: 'EIO' } : undefined;
    await expect(loop.settle(log.wal.sync())).rejects.toThrow(/EIO/);
    host.files.fault = () => undefined;
    await loop.pass(3_000);
    expect(log.storageError).toBeUndefined();
    // The next file begins with it.
    const file = log.wal.files.current;
    const content = await loop.settle(host.files.readFile(walPath('/data/wal', file)));
    const found: string[] = [];
    scanWal(content!, file, undefined, ({ batch }) => found.push(...readBatches(batch)[0]!.values));
    expect(found).toEqual(values);
  });

  test('keeps everything over a kill, and begins a new epoch', async () => {
    const { loop, machine, host, append } = await partitionOf({ 'flush.ms': '100000' });
    for (let i = 0; i < 5; i++) await loop.settle(append(1));
    host.files.kill();
    const again = await loop.settle(openDiskLog({ dataDir: '/data' }, machine.boot()));
    const partition = again.topic('t')!.partitions[0]!;
    expect(partition.highWatermark).toBe(5);
    expect(partition.leaderEpoch).toBe(1);
    await loop.settle(again.close());
    const third = await loop.settle(openDiskLog({ dataDir: '/data' }, machine.boot()));
    expect(third.topic('t')!.partitions[0]!.leaderEpoch).toBe(1);
  });
});

describe('settings', () => {
  const cases: Array<[configs: Record<string, string>, messages: number, ms: number]> = [
    [{}, 1, Infinity],
    [{ 'flush.messages': '1' }, 1, Infinity],
    [{ 'flush.messages': '1', 'flush.ms': '500' }, 1, 500],
    [{ 'flush.messages': '10' }, 10, Infinity],
    [{ 'flush.ms': '500' }, Infinity, 500],
    [{ 'flush.ms': '0' }, 1, 0],
    [{ 'flush.ms': '9223372036854775807' }, Infinity, Infinity],
    [{ 'flush.messages': '9223372036854775807' }, Infinity, Infinity],
  ];
  for (const [configs, flushMessages, flushMs] of cases) {
    test(`${JSON.stringify(configs)}`, () => {
      const settings = topicSettings(configs, { ...LOG_DEFAULTS, dataDir: '/' });
      expect(settings).toMatchObject({ flushMessages, flushMs });
      expect(topicSettings(configs, { ...LOG_DEFAULTS, dataDir: '/' }, true).flushMessages).toBe(1);
    });
  }
});
