import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { recordBatch } from '../../../test/support/record-batch.ts';
import { nodeFiles } from '../../host/node-files.ts';
import { nodeHost } from '../../host/node-host.ts';
import { encodeBatch } from '../../state/record-batch.ts';
import { openDiskLog } from '../open-log.ts';
import { formatFields, printable } from './batch-line.ts';
import { type DumpLine, dumpFile, dumpPartition, type DumpPlan } from './dump.ts';

const T0 = 1_700_000_000_000;
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
let above: string;
let segment: string;

beforeAll(async () => {
  above = await fs.mkdtemp(join(tmpdir(), 'millrace-dump-'));
  const log = await openDiskLog({ dataDir: join(above, 'broker'), segmentBytes: 20_000 }, nodeHost());
  const topic = await log.createTopic({ name: 't', partitions: 1, configs: {} });
  const [partition] = topic.partitions;
  const append = async (batch: Buffer): Promise<void> =>
    await partition!.append(batch, { nowMs: T0, origin: 'client' }).durable;
  for (const codec of CODECS)
    await append(recordBatch({ values: [`in ${codec}`, 'x'.repeat(5_000)], codec }));
  const headers = [{ name: 'h', value: Buffer.from([0xff, 1]) }];
  await append(encodeBatch([{ key: Buffer.from('käse'), value: null, headers }], T0));
  await log.checkpoint();
  await append(recordBatch({ values: ['only in the write-ahead log'] }));
  segment = join(above, 'broker', 'topics', topic.id, '0', `${'0'.repeat(20)}.log`);
  // What a kill leaves: the last batch has no segment yet.
  await fs.cp(join(above, 'broker'), join(above, 'copy'), { recursive: true });
  await log.close();
});
afterAll(() => fs.rm(above, { recursive: true, force: true }));

async function lines(from: AsyncGenerator<DumpLine>): Promise<DumpLine[]> {
  const all: DumpLine[] = [];
  for await (const line of from) all.push(line);
  return all;
}

const partition = (plan: DumpPlan, path = above): Promise<DumpLine[]> =>
  lines(dumpPartition(nodeFiles, { path, topic: 't', partition: 0 }, plan));

test('a batch is a line with the fields of kafka-dump-log.sh', async () => {
  const [file, first] = await lines(dumpFile(nodeFiles, segment, { limit: 1 }));
  expect(file).toMatchObject({ kind: 'file', fields: { file: segment } });
  expect(formatFields(first!.fields)).toMatch(
    new RegExp(
      `^baseOffset: 0 lastOffset: 1 count: 2 baseSequence: -1 lastSequence: -1 producerId: -1 producerEpoch: -1 ` +
        `partitionLeaderEpoch: 0 isTransactional: false isControl: false position: 0 CreateTime: ${T0 + 1} ` +
        `size: 5\\d\\d\\d magic: 2 compresscodec: none crc: \\d+ isvalid: true$`,
    ),
  );
});

test('records of every codec, with keys and headers, cut where they are long', async () => {
  const all = await partition({ records: true, bytesMax: 30 });
  const records = all.filter(({ kind }) => kind === 'record').map(({ fields }) => fields);
  expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 12 }, (_, i) => i));
  for (const [i, codec] of CODECS.entries()) {
    expect(records[2 * i]).toMatchObject({ payload: `in ${codec}`, key: null, keySize: -1 });
    expect(records[2 * i + 1]!['payload']).toBe(`${'x'.repeat(30)}… (5000 bytes)`);
  }
  expect(records[10]).toMatchObject({ key: 'käse', payload: null, valueSize: -1, headers: ['h=\\xff\\x01'] });
  expect(records[11]).toMatchObject({ payload: 'only in the write-ahead log' });
});

test('what only the write-ahead log has comes from there', async () => {
  const all = await partition({ records: true }, join(above, 'copy'));
  const files = all.filter(({ kind }) => kind === 'file').map(({ fields }) => String(fields['file']));
  expect(files.at(-1)).toMatch(/\.wal$/);
  expect(all.at(-1)!.fields).toMatchObject({ offset: 11, payload: 'only in the write-ahead log' });
});

test('from, to and limit choose batches', async () => {
  const bases = async (plan: DumpPlan): Promise<unknown[]> =>
    (await partition(plan)).filter(({ kind }) => kind === 'batch').map(({ fields }) => fields['baseOffset']);
  expect(await bases({})).toEqual([0, 2, 4, 6, 8, 10, 11]);
  expect(await bases({ from: 3, to: 6 })).toEqual([2, 4, 6]);
  expect(await bases({ from: 5, limit: 2 })).toEqual([4, 6]);
});

test('damage is a line of its own, and what is behind it follows', async () => {
  const broken = join(above, `${'0'.repeat(20)}.log`);
  const bytes = await fs.readFile(segment);
  bytes[9] = 1;
  await fs.writeFile(broken, bytes);
  const [, first, second] = await lines(dumpFile(nodeFiles, broken, {}));
  expect(first).toMatchObject({ kind: 'broken', fields: { position: 0, problem: 'no batch' } });
  expect(second).toMatchObject({ kind: 'batch', fields: { baseOffset: 2, isvalid: true } });
});

test('indexes, write-ahead log files and small files', async () => {
  const folder = join(above, 'broker');
  const index = await lines(dumpFile(nodeFiles, segment.replace(/log$/, 'index'), {}));
  expect(index[1]).toMatchObject({ kind: 'entry', fields: { offset: 3 } });
  const times = await lines(dumpFile(nodeFiles, segment.replace(/log$/, 'timeindex'), {}));
  expect(times[1]!.fields).toEqual({ timestamp: T0 + 1, offset: 1 });
  const [wal] = await fs.readdir(join(above, 'copy', 'wal'));
  const entries = await lines(dumpFile(nodeFiles, join(above, 'copy', 'wal', wal!), {}));
  expect(entries[1]!.fields).toMatchObject({ previousFile: 0 });
  expect(entries.filter(({ kind }) => kind === 'batch')).toHaveLength(7);
  expect(entries[2]!.fields).toMatchObject({ partition: 0, framePosition: 32, position: 76 });
  const [, meta] = await lines(dumpFile(nodeFiles, join(folder, 'meta.properties'), {}));
  expect(String(meta!.fields['content'])).toContain('cluster.id=');
  await expect(lines(dumpFile(nodeFiles, folder, {}))).rejects.toThrow(/got a directory/);
  await expect(lines(dumpFile(nodeFiles, join(folder, 'none.log'), {}))).rejects.toThrow(/got no such file/);
});

test('bytes are shown as text where they are, else escaped', () => {
  const cases: Array<[Buffer, string]> = [
    [Buffer.from('grün\n'), 'grün\\x0a'],
    [Buffer.from([0xff, 0x41, 0x00]), '\\xffA\\x00'],
    [Buffer.from('a\\b'), 'a\\\\b'],
    [Buffer.from('abcdef'), 'abcd… (6 bytes)'],
  ];
  for (const [bytes, want] of cases) expect(printable(bytes, want.includes('…') ? 4 : 100)).toBe(want);
});
