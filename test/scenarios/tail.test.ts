// The story of a tailed file: every line is in the table once, byte for byte and in order, whatever happens to the
// file, and can be seen by every way of looking.
import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { type Millrace, millrace, startMillrace } from '../support/millrace.ts';
import { sharedPath } from '../support/shared.ts';

interface Row {
  body: string;
  offset: number;
  service: string;
}

const loghub = sharedPath('data/loghub');

describe.skipIf(loghub === undefined)('real logs, tailed by `millrace up`', () => {
  let directory: string;
  let files: string[];
  let up: Millrace;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-tail-'));
    await mkdir(join(directory, 'live'));
    const names = (await readdir(loghub!)).filter((name) => name.endsWith('.log'));
    files = names.map((name) => join(directory, 'live', name));
    for (const file of files) await copyFile(join(loghub!, basename(file)), file);
    up = await startMillrace({ args: files.flatMap((file) => ['--tail', file]) });
  });

  afterAll(async () => {
    await up?.remove();
    await rm(directory, { recursive: true, force: true });
  });

  async function rowsOf(file: string): Promise<Row[]> {
    return up.rows<Row>(
      `SELECT hex(Body) AS body, toUInt64(LogAttributes['log.file.record_offset']) AS offset, ServiceName AS service
       FROM otel.otel_logs WHERE LogAttributes['log.file.name'] = '${basename(file)}'
       ORDER BY _partition, _offset, _index`,
    );
  }

  async function rowsOnce(file: string, count: number): Promise<Row[]> {
    return eventually(
      async () => {
        const rows = await rowsOf(file);
        expect(rows.length).toBeGreaterThanOrEqual(count);
        return rows;
      },
      { timeoutMs: 30_000, everyMs: 200 },
    );
  }

  test('all 2,000 lines of each file are in otel_logs byte for byte, once and in file order', async () => {
    for (const file of files) {
      const want = linesOf(await readFile(file));
      expect(want).toHaveLength(2000);
      const rows = await rowsOnce(file, 2000);
      expect(rows.map(({ body, offset }) => ({ body, offset }))).toEqual(want);
      expect(new Set(rows.map((row) => row.service))).toEqual(new Set([basename(file, '.log')]));
    }
  });

  test('times rise strictly within a file', async () => {
    const ordered = await up.rows<{ lines: number; bad: number }>(
      `SELECT count() AS lines, countIf(ns <= before) AS bad FROM (
         SELECT toUnixTimestamp64Nano(Timestamp) AS ns, lagInFrame(ns, 1, 0) OVER
           (PARTITION BY LogAttributes['log.file.path'] ORDER BY _partition, _offset, _index
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS before
         FROM otel.otel_logs WHERE LogAttributes['log.file.path'] != '')`,
    );
    expect(ordered).toEqual([{ lines: files.length * 2000, bad: 0 }]);
  });

  test('`millrace logs` prints them in order', async () => {
    for (const file of files) {
      const want = linesOf(await readFile(file)).map(({ body }) => Buffer.from(body, 'hex').toString());
      const query = `{service_name="${basename(file, '.log')}"}`;
      const args = ['logs', query, '--since', '1h', '--limit', '5000', '--output', 'raw', '--url', up.web];
      const { code, stdout, stderr } = await millrace(args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout.split('\n').slice(0, -1)).toEqual(want);
    }
  }, 60_000);

  test('lines appended, written around a rotation by rename, and after a truncation arrive once each', async () => {
    const file = join(directory, 'live', 'Apache_2k.log');
    const before = await readFile(file);
    const text = (rows: Row[]): string[] => rows.map(({ body }) => Buffer.from(body, 'hex').toString());

    await appendFile(file, 'appended one\r\nappended two\n');
    let rows = await rowsOnce(file, 2002);
    expect(text(rows).slice(2000)).toEqual(['appended one', 'appended two']);
    expect(rows[2000]!.offset).toBe(before.length);

    await appendFile(file, 'last before rotation\n');
    await rename(file, `${file}.1`);
    await writeFile(file, 'first after rotation\n');
    await rowsOnce(file, 2004);

    await writeFile(file, 'new\n');
    rows = await rowsOnce(file, 2005);
    const old = new Set(linesOf(before).map(({ body }) => Buffer.from(body, 'hex').toString()));
    const counts = new Map<string, number>();
    for (const line of text(rows).filter((one) => !old.has(one)))
      counts.set(line, (counts.get(line) ?? 0) + 1);
    expect(rows).toHaveLength(2005);
    expect(Object.fromEntries(counts)).toEqual({
      'appended one': 1,
      'appended two': 1,
      'last before rotation': 1,
      'first after rotation': 1,
      new: 1,
    });
  });
});

/** Lines as they stand in the file, with the offset of each. */
function linesOf(content: Buffer): Array<{ body: string; offset: number }> {
  const lines: Array<{ body: string; offset: number }> = [];
  for (let start = 0; start < content.length;) {
    const end = content.indexOf(10, start);
    lines.push({ body: content.subarray(start, end).toString('hex').toUpperCase(), offset: start });
    start = end + 1;
  }
  return lines;
}
