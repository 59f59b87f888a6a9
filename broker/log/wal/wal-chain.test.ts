import { expect, test } from 'vitest';

import { type SimHost, SimMachine } from '../../../test/sim/sim-host.ts';
import { readBatches, recordBatch } from '../../../test/support/record-batch.ts';
import { writeAll } from '../../host/files.ts';
import { stampBatch } from '../batch/batch-header.ts';
import { openDiskLog } from '../open-log.ts';
import { readWalChain } from './wal-chain.ts';
import { encodeFrame, encodeWalHeader, FRAME_BYTES, uuidBytes, WAL_HEADER_BYTES } from './wal-entry.ts';
import { listWal, walPath } from './wal-scan.ts';

const CONFIG = { dataDir: '/data', tailBytesMax: 0, reserveBytes: 0 };
const WAL = '/data/wal';

/** Writes a file with these values at these offsets; returns where each entry begins, and the end. */
async function writeWal(
  host: SimHost,
  place: { readonly file: number; readonly previousFile: number; readonly previousEnd: number },
  topicId: string,
  values: ReadonlyArray<readonly [offset: number, value: string]>,
): Promise<number[]> {
  const chunks = [encodeWalHeader(place)];
  const starts: number[] = [];
  let position = WAL_HEADER_BYTES;
  for (const [offset, value] of values) {
    const batch = recordBatch({ values: [value] });
    stampBatch(batch, offset, 0);
    const entry = Buffer.concat([Buffer.alloc(FRAME_BYTES), batch]);
    encodeFrame(entry, uuidBytes(topicId), 0, { file: place.file, position, synced: position });
    starts.push(position);
    chunks.push(entry);
    position += entry.length;
  }
  const file = await host.files.open(walPath(WAL, place.file), 'create');
  await writeAll(file, chunks, 0);
  await file.close();
  return [...starts, position];
}

/** Two files; the first ends with a whole entry that was refused, whose offset the second gave to another. */
async function prepare(refused: boolean): Promise<{ machine: SimMachine; first: number; second: number }> {
  const machine = new SimMachine(3);
  const host = machine.boot();
  const numbers = await machine.loop.settle(
    (async () => {
      const log = await openDiskLog(CONFIG, host);
      const { id } = await log.createTopic({ name: 't', partitions: 1, configs: {} });
      const previousFile = log.wal.files.current;
      const previousEnd = log.wal.files.kept.at(-1)!.end;
      const first = previousFile + 1;
      const values: Array<[number, string]> = [0, 1, 2].map((offset) => [offset, `value-${offset}`]);
      if (refused) values.push([3, 'refused']);
      const starts = await writeWal(host, { file: first, previousFile, previousEnd }, id, values);
      const place = { file: first + 1, previousFile: first, previousEnd: starts[3]! };
      await writeWal(
        host,
        place,
        id,
        [3, 4, 5].map((offset) => [offset, `value-${offset}`]),
      );
      return { first, second: first + 1 };
    })(),
  );
  host.files.kill();
  return { machine, ...numbers };
}

async function change(machine: SimMachine, file: number, edit: (bytes: Buffer) => void): Promise<void> {
  const { files } = machine.boot();
  await machine.loop.settle(
    (async () => {
      const handle = await files.open(walPath(WAL, file), 'write');
      const header = Buffer.alloc(WAL_HEADER_BYTES);
      await handle.read(header, 0);
      edit(header);
      await writeAll(handle, [header], 0);
      await handle.close();
    })(),
  );
  files.kill();
}

interface Start {
  readonly values: readonly string[];
  readonly epoch: number;
  readonly said: ReadonlyArray<{ readonly level: string; readonly fields: object }>;
}

async function start(machine: SimMachine): Promise<Start> {
  const host = machine.boot();
  const found = await machine.loop.settle(
    (async () => {
      const partition = (await openDiskLog(CONFIG, host)).topic('t')!.partitions[0]!;
      const bytes = await partition.read(partition.startOffset, 1_000_000, true);
      return { values: readBatches(bytes).flatMap(({ values }) => values), epoch: partition.leaderEpoch };
    })(),
  );
  host.files.kill();
  return { ...found, said: host.lines.filter(({ level }) => level === 'warn' || level === 'error') };
}

const ALL = [0, 1, 2, 3, 4, 5].map((offset) => `value-${offset}`);

test('every bit of a header turned: repaired, named, and nothing of either file is lost or comes back', async () => {
  const original = await prepare(true);
  const whole = new SimMachine(3);
  original.machine.disk.copyTo(whole.disk);
  expect(await start(whole)).toMatchObject({ values: ALL, said: [] });
  for (let bit = 0; bit < WAL_HEADER_BYTES * 8; bit += 1) {
    const machine = new SimMachine(3);
    original.machine.disk.copyTo(machine.disk);
    await change(machine, original.second, (header) => void (header[bit >> 3]! ^= 1 << (bit & 7)));
    const path = walPath(WAL, original.second);
    expect(await start(machine)).toMatchObject({
      values: ALL,
      said: [{ level: 'warn', fields: { path, position: 0, bytes: WAL_HEADER_BYTES } }],
    });
  }
});

test.each([
  ['erased', (header: Buffer) => void header.fill(0xff)],
  ['of two wrong bits', (header: Buffer) => void (header[9]! ^= 3)],
  [
    'of another file',
    (header: Buffer) => void encodeWalHeader({ file: 99, previousFile: 98, previousEnd: 40 }).copy(header),
  ],
])('a header %s: the entries of both files count, it is named, and consumers are told', async (_, edit) => {
  for (const which of ['first', 'second'] as const) {
    const prepared = await prepare(false);
    await change(prepared.machine, prepared[which], edit);
    const { values, epoch, said } = await start(prepared.machine);
    expect(values).toEqual(ALL);
    expect(epoch).toBe(1);
    const path = walPath(WAL, prepared[which]);
    expect(said).toMatchObject([{ level: 'error', fields: { path, position: 0 } }]);
  }
});

test('a file that is missing between others is named', async () => {
  const { machine, first } = await prepare(false);
  const { files } = machine.boot();
  await machine.loop.settle(files.remove(walPath(WAL, first)));
  files.kill();
  const { said, epoch } = await start(machine);
  expect(said).toMatchObject([{ level: 'error', fields: { path: walPath(WAL, first) } }]);
  expect(epoch).toBe(1);
});

test('a last file without a header was being begun; in front of others it is damage', async () => {
  const { machine, first, second } = await prepare(false);
  for (const file of [first, second]) await change(machine, file, (header) => void header.fill(0));
  const host = machine.boot();
  const numbers = await machine.loop.settle(listWal(host.files, WAL));
  const { faults } = await machine.loop.settle(readWalChain(host.files, WAL, numbers, first));
  expect(faults).toEqual([
    { kind: 'unreadable', file: first },
    { kind: 'begun', file: second },
  ]);
});
