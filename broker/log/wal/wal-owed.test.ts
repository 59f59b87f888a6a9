import { beforeEach, describe, expect, test } from 'vitest';

import { type SimHost, SimMachine } from '../../../test/sim/sim-host.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import { walEntries } from '../../../test/support/wal-entries.ts';
import { logMetrics } from '../log-metrics.ts';
import { readWalChain } from './wal-chain.ts';
import { decodeEntry, FRAME_BYTES, uuidBytes, WAL_HEADER_BYTES } from './wal-entry.ts';
import { listWal, walPath } from './wal-scan.ts';
import { Wal } from './wal.ts';

const TOPIC = '00000000-0000-4000-8000-000000000001';
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
    const entries = await machine.loop.settle(walEntries(host.files, '/wal', file));
    return entries.map(({ batch, synced }) => [/[a-z]{3,}\d/.exec(batch.toString('latin1', 61))![0], synced]);
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
