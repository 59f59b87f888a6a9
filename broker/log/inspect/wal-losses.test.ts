import { beforeEach, expect, test } from 'vitest';

import { type SimHost, SimMachine } from '../../../test/sim/sim-host.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import { replaceFile } from '../../host/files.ts';
import { writeChecked } from '../durable/checked-file.ts';
import { writeCheckpoint } from '../durable/checkpoint.ts';
import { emptyCheckpoint } from '../durable/recovery.ts';
import { encodeFrame, encodeWalHeader, FRAME_BYTES, uuidBytes } from '../wal/wal-entry.ts';
import { walPath } from '../wal/wal-scan.ts';
import type { Finding } from './finding.ts';
import { verifyLog } from './verify.ts';

const ID = '00000000-0000-4000-8000-000000000001';

let machine: SimMachine;
let host: SimHost;
/** By number of the file. */
let files: Map<number, Buffer>;
/** By partition and offset. */
let places: Map<string, { number: number; at: number; size: number }>;

/** Three files, with records of two partitions in turn: 0 to 3, 4 to 7, 8 to 11 of each. */
beforeEach(() => {
  machine = new SimMachine(1);
  host = machine.boot();
  files = new Map();
  places = new Map();
  for (const number of [1, 2, 3]) {
    const previousEnd = files.get(number - 1)?.length ?? 0;
    const chunks = [encodeWalHeader({ file: number, previousFile: number - 1, previousEnd })];
    let position = chunks[0]!.length;
    for (let i = 0; i < 8; i += 1) {
      const partition = i % 2;
      const offset = (number - 1) * 4 + (i >> 1);
      const batch = recordBatch({ values: [`${partition} ${offset}`] });
      batch.writeBigInt64BE(BigInt(offset), 0);
      const entry = Buffer.concat([Buffer.alloc(FRAME_BYTES), batch]);
      encodeFrame(entry, uuidBytes(ID), partition, { file: number, position, synced: position });
      places.set(`${partition} ${offset}`, { number, at: position, size: entry.length });
      chunks.push(entry);
      position += entry.length;
    }
    files.set(number, Buffer.concat(chunks));
  }
});

/** So many bytes of an entry are others. */
function damage(entry: string, within: number, bytes: number): { file: string; position: number } {
  const { number, at } = places.get(entry)!;
  files.get(number)!.fill(0xa5, at + within, at + within + bytes);
  return { file: walPath('wal', number), position: at };
}

function entryAt(entry: string): { file: string; position: number } {
  const { number, at } = places.get(entry)!;
  return { file: walPath('wal', number), position: at };
}

/** What is said of the write-ahead log. */
async function verify(walFile = 1): Promise<Finding[]> {
  const write = async (): Promise<void> => {
    await host.files.makeDirectory('/data/wal');
    const topics = [{ id: ID, name: 't', partitions: 2, internal: false, configs: {} }];
    await writeChecked(host.files, '/data/topics.json', { version: 1, revision: 1, topics });
    const partitions = [0, 1].map((partition) => emptyCheckpoint(ID, partition));
    await writeCheckpoint(host, '/data', { version: 1, walFile, partitions });
    for (const [number, bytes] of files) await replaceFile(host.files, walPath('/data/wal', number), bytes);
  };
  await machine.loop.settle(write());
  const { report } = await machine.loop.settle(verifyLog(host.files, { path: '/data' }));
  return report.findings.filter(({ file }) => file.startsWith('wal/'));
}

test('nothing is missing where nothing is wrong', async () => {
  expect(await verify()).toEqual([]);
});

test('a damaged batch is named with its offsets, also where nothing of its partition is behind it', async () => {
  const middle = damage('0 5', 100, 4);
  const last = damage('0 11', 100, 4);
  expect(await verify()).toMatchObject([
    { ...middle, severity: 'damage', topic: 't', partition: 0, firstOffset: 5, lastOffset: 5 },
    { ...last, severity: 'damage', topic: 't', partition: 0, firstOffset: 11, lastOffset: 11 },
  ]);
});

test('a batch of which only the place can be told has the offsets of the gap', async () => {
  const place = damage('1 6', 0, 8);
  expect(await verify()).toMatchObject([
    { ...place, topic: 't', partition: 1, firstOffset: 6, lastOffset: 6 },
  ]);
});

test('bytes of which nothing can be told are named at the gaps behind them, in a later file too', async () => {
  const { number, at } = places.get('0 6')!;
  const end = files.get(number)!.length;
  // All the rest of the file: the next file's header says that it counts.
  files.get(number)!.fill(0xa5, at, end);
  const found = await verify();
  const held = `${end - at} damaged bytes of ${walPath('wal', 2)} at byte ${at} held them`;
  expect(found).toMatchObject([
    { file: walPath('wal', 2), position: at, bytes: end - at },
    { ...entryAt('0 8'), topic: 't', partition: 0, firstOffset: 6, lastOffset: 7 },
    { ...entryAt('1 8'), topic: 't', partition: 1, firstOffset: 6, lastOffset: 7 },
  ]);
  expect(found[0]!.firstOffset).toBeUndefined();
  for (const { problem } of found.slice(1)) expect(problem).toContain(held);
});

test('a missing file is named at the gaps that it leaves', async () => {
  files.delete(2);
  const [missing, ...gaps] = await verify();
  expect(missing).toMatchObject({ file: walPath('wal', 2), severity: 'damage' });
  expect(gaps).toMatchObject([
    { ...entryAt('0 8'), partition: 0, firstOffset: 4, lastOffset: 7 },
    { ...entryAt('1 8'), partition: 1, firstOffset: 4, lastOffset: 7 },
  ]);
  for (const { problem } of gaps)
    expect(problem).toContain(`${walPath('wal', 2)}, which is missing, held them`);
});

test('so is one that nothing but the checkpoint names', async () => {
  files.delete(1);
  encodeWalHeader({ file: 2, previousFile: 0, previousEnd: 0 }).copy(files.get(2)!);
  const gaps = await verify();
  expect(gaps).toMatchObject([
    { partition: 0, firstOffset: 0, lastOffset: 3 },
    { partition: 1, firstOffset: 0, lastOffset: 3 },
  ]);
  for (const { problem } of gaps)
    expect(problem).toContain(`${walPath('wal', 1)}, which is missing, held them`);
});

test('where several may have held them, all are named; where none may, that is said', async () => {
  files.delete(2);
  damage('0 8', 0, 44);
  const [missing, damaged, ...gaps] = await verify();
  expect(missing).toMatchObject({ file: walPath('wal', 2) });
  expect(damaged).toMatchObject({ ...entryAt('0 8'), bytes: places.get('0 8')!.size });
  expect(gaps).toMatchObject([
    { ...entryAt('1 8'), partition: 1, firstOffset: 4, lastOffset: 7 },
    { ...entryAt('0 9'), partition: 0, firstOffset: 4, lastOffset: 8 },
  ]);
  for (const { problem } of gaps) {
    expect(problem).toMatch(
      /one or more of these held them: .*2\.wal, which is missing,; .* damaged bytes of .*3\.wal/,
    );
  }
});

test('a gap of which nothing tells is one all the same', async () => {
  files.delete(1);
  const gaps = await verify(2);
  expect(gaps).toMatchObject([
    { partition: 0, firstOffset: 0, lastOffset: 3 },
    { partition: 1, firstOffset: 0, lastOffset: 3 },
  ]);
  for (const { problem } of gaps) expect(problem).toContain('nothing in the directory tells what held them');
});
