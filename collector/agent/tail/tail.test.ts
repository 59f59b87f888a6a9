import fc from 'fast-check';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';

import { eventually } from '../../../test/support/eventually.ts';
import { sharedPath } from '../../../test/support/shared.ts';
import { tailing, type Tailing, type TailingOptions } from '../../../test/support/tailing.ts';

const running: Tailing[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.end();
});

async function begin(options?: TailingOptions): Promise<Tailing> {
  const made = await tailing(options);
  running.push(made);
  return made;
}

function texts(tail: Tailing): string[] {
  return tail.lines.map(({ text }) => text);
}

describe('what a line is', () => {
  test('LF and CRLF end it, it carries where it was, and times rise', async () => {
    const tail = await begin();
    tail.append('app.log', 'one\ntwo\r\n\nthree\rx\n');
    await tail.poll();
    tail.append('app.log', 'four\n');
    await tail.poll();
    expect(tail.lines).toMatchObject([
      { text: 'one', offset: 0, service: 'app', path: tail.path('app.log'), partial: undefined },
      { text: 'two', offset: 4 },
      { text: '', offset: 9 },
      { text: 'three\rx', offset: 10 },
      { text: 'four', offset: 18 },
    ]);
    const times = tail.lines.map(({ timeNs }) => timeNs);
    expect(times.every((time, index) => index === 0 || time > times[index - 1]!)).toBe(true);
  });

  test('bytes that are not UTF-8 arrive as they are', async () => {
    const tail = await begin();
    const line = Buffer.from([0x61, 0xff, 0x00, 0xfe, 0x80]);
    tail.append('app.log', Buffer.concat([Buffer.from('fine ä\n'), line, Buffer.from('\nfine €\n')]));
    await tail.poll();
    expect(tail.lines.map(({ body }) => body)).toEqual([Buffer.from('fine ä'), line, Buffer.from('fine €')]);
  });

  test('one longer than the limit is cut, marked and counted; its neighbours are whole', async () => {
    const tail = await begin({ tail: { lineBytesMax: 1_024 } });
    const long = 'ä'.repeat(400_000);
    tail.append('app.log', `before\n${long}\r\nafter\n${'b'.repeat(1_024)}\n${'c'.repeat(1_025)}\n`);
    await tail.poll();
    expect(
      tail.lines.map(({ text, cutBytes, offset }) => [text.slice(0, 6), text.length, cutBytes, offset]),
    ).toEqual([
      ['before', 6, undefined, 0],
      ['ääääää', 512, 800_000 - 1_024, 7],
      ['after', 5, undefined, 800_009],
      ['bbbbbb', 1_024, undefined, 800_015],
      ['cccccc', 1_024, 1, 801_040],
    ]);
    expect(tail.metric('cut_lines_total')).toBe(2);
  });

  test('a long one that grows slowly is cut the same', async () => {
    const tail = await begin({ tail: { lineBytesMax: 1_024 } });
    for (let i = 0; i < 5; i += 1) {
      tail.append('app.log', 'x'.repeat(300_000));
      await tail.poll();
    }
    expect(tail.lines).toEqual([]);
    tail.append('app.log', '\nnext\n');
    await tail.poll();
    expect(tail.lines.map(({ text, cutBytes }) => [text.length, cutBytes])).toEqual([
      [1_024, 1_500_000 - 1_024],
      [4, undefined],
    ]);
  });
});

describe('a last line without an end', () => {
  test('waits for it', async () => {
    const tail = await begin();
    tail.append('app.log', 'one\ntw');
    await tail.poll();
    expect(texts(tail)).toEqual(['one']);
    tail.append('app.log', 'o\n');
    await tail.poll();
    expect(tail.lines[1]).toMatchObject({ text: 'two', offset: 4, partial: undefined });
  });

  test('is sent in marked pieces when the end does not come', async () => {
    const tail = await begin();
    tail.append('app.log', 'tw');
    await tail.poll();
    tail.advance(5_000);
    await tail.poll();
    tail.append('app.log', 'o and');
    await tail.poll();
    tail.advance(5_000);
    await tail.poll();
    tail.append('app.log', ' more\nnext\n');
    await tail.poll();
    expect(tail.lines).toMatchObject([
      { text: 'tw', offset: 0, partial: 'first' },
      { text: 'o and', offset: 2, partial: 'middle' },
      { text: ' more', offset: 7, partial: 'last' },
      { text: 'next', offset: 13, partial: undefined },
    ]);
  });

  test('an end that comes late is no line of its own, also over a restart and split from its CR', async () => {
    const tail = await begin();
    tail.append('app.log', 'two\r');
    await tail.poll();
    tail.advance(5_000);
    await tail.poll();
    await tail.restart();
    tail.append('app.log', '\nthree\n');
    await tail.poll();
    expect(tail.lines).toMatchObject([
      { text: 'two', partial: 'first' },
      { text: 'three', offset: 5, partial: undefined },
    ]);
  });
});

describe('rotation', () => {
  test('by rename: the old file is read to its end, the new one from its beginning', async () => {
    const tail = await begin();
    tail.append('app.log', 'one\n');
    await tail.poll();
    tail.append('app.log', 'two\n');
    renameSync(tail.path('app.log'), tail.path('app.log.1'));
    tail.append('app.log', 'three\n');
    await tail.poll();
    tail.append('app.log.1', 'late\nunfinished');
    await tail.poll();
    tail.advance(5_000);
    await tail.poll();
    await tail.poll();
    expect(new Set(texts(tail))).toEqual(new Set(['one', 'two', 'three', 'late', 'unfinished']));
    expect(tail.lines).toHaveLength(5);
    expect(tail.lines.find(({ text }) => text === 'late')?.path).toBe(tail.path('app.log'));
    expect(tail.lines.find(({ text }) => text === 'unfinished')?.partial).toBe('first');
    // Only the new one is still open.
    expect(tail.metric('open_files')).toBe(1);
  });

  test.each(['while running', 'while stopped'])('several times between two looks, %s', async (when) => {
    const tail = await begin();
    tail.append('app.log.1', 'older than all: not ours\n');
    tail.append('app.log', 'one\n');
    age(tail.path('app.log'));
    await tail.poll();
    if (when === 'while stopped') await tail.restart();
    for (const [line, name] of [
      ['two', 'app.log.3'],
      ['three', 'app.log-20261122'],
      ['four', 'app-4.log'],
    ] as const) {
      renameSync(tail.path('app.log'), tail.path(name));
      tail.append('app.log', `${line}\n`);
      age(tail.path('app.log'));
    }
    copyFileSync(tail.path('app.log'), tail.path('app.log.copy'));
    await tail.poll();
    await tail.poll();
    expect(texts(tail).sort()).toEqual(['four', 'one', 'three', 'two']);
    expect(new Set(tail.lines.map(({ path }) => path))).toEqual(new Set([tail.path('app.log')]));
  });

  test('many times under load: nothing lost, nothing twice', async () => {
    const tail = await begin({ batch: { recordsMax: 7 } });
    let written = 0;
    for (let rotation = 0; rotation < 50; rotation += 1) {
      for (let part = 0; part < 3; part += 1) {
        tail.append('app.log', Array.from({ length: 10 }, () => `line ${(written += 1)}\n`).join(''));
        if ((rotation + part) % 4 === 0) await tail.poll();
      }
      // A writer keeps its file open for a moment after the rename.
      renameSync(tail.path('app.log'), tail.path('app.log.1'));
      tail.append('app.log.1', `line ${(written += 1)}\n`);
      tail.append('app.log', '');
      await tail.poll();
    }
    expect(texts(tail)).toHaveLength(written);
    expect(new Set(texts(tail)).size).toBe(written);
  });

  test('by rename to a name that is followed too: nothing twice', async () => {
    const tail = await begin({ patterns: ['app.log*'] });
    for (let generation = 0; generation < 4; generation += 1) {
      tail.append('app.log', `line ${generation}\n`);
      await tail.poll();
      for (let n = generation; n > 0; n -= 1)
        renameSync(tail.path(`app.log.${n}`), tail.path(`app.log.${n + 1}`));
      renameSync(tail.path('app.log'), tail.path('app.log.1'));
      await tail.poll();
    }
    expect(texts(tail)).toEqual(['line 0', 'line 1', 'line 2', 'line 3']);
  });

  test('while stopped: the rest of the renamed file and the new one', async () => {
    const tail = await begin();
    tail.append('app.log', 'one\n');
    await tail.poll();
    await tail.restart();
    tail.append('app.log', 'two\n');
    renameSync(tail.path('app.log'), tail.path('app.log.1'));
    tail.append('app.log', 'three\n');
    await tail.poll();
    expect(texts(tail).sort()).toEqual(['one', 'three', 'two']);
  });

  test('a removed file is read to its end', async () => {
    const tail = await begin();
    tail.append('app.log', 'one\n');
    await tail.poll();
    tail.append('app.log', 'two\nthree');
    rmSync(tail.path('app.log'));
    await tail.poll();
    tail.advance(5_000);
    await tail.poll();
    expect(texts(tail)).toEqual(['one', 'two', 'three']);
  });

  test.each([
    ['shorter', 'new\n'],
    ['longer than what was read', 'new content that is much longer than before\n'],
    ['of the same length', 'ONE\nTWO\nthr'],
  ])('by copy and truncation, then content that is %s', async (_, content) => {
    const tail = await begin();
    tail.append('app.log', 'one\ntwo\nthr');
    await tail.poll();
    copyFileSync(tail.path('app.log'), tail.path('app.log.1'));
    truncateSync(tail.path('app.log'), 0);
    tail.append('app.log', content);
    await tail.poll();
    const complete = content.split('\n').slice(0, -1);
    expect(texts(tail)).toEqual(['one', 'two', 'thr', ...complete]);
    expect(tail.lines[2]).toMatchObject({ partial: 'first', offset: 8 });
    expect(tail.lines[3]).toMatchObject({ partial: undefined, offset: 0 });
    expect(tail.metric('truncated_files_total')).toBe(1);
    expect(new Set(tail.requests.map(({ source }) => source)).size).toBe(2);
  });

  test('is noticed at once, without waiting for the next scan', async () => {
    const tail = await begin({ tail: { scanIntervalMs: 3_600_000 } });
    tail.append('app.log', 'one\n');
    await tail.poll();
    tail.advance(1_000);
    renameSync(tail.path('app.log'), tail.path('app.log.1'));
    tail.append('app.log', 'two\n');
    // Nobody polls: the system's notification of the rename does.
    await eventually(() => expect(texts(tail)).toEqual(['one', 'two']));
  });

  test('files that are only named alike are no part of it', async () => {
    const tail = await begin();
    tail.append('app.log', 'one\n');
    age(tail.path('app.log'));
    await tail.poll();
    for (const name of ['app-error.log', 'app.log.lock', 'app.log.1.pos']) tail.append(name, `of ${name}\n`);
    age(tail.path('app.log'));
    renameSync(tail.path('app.log'), tail.path('app.log.1'));
    tail.append('app.log', 'two\n');
    await tail.poll();
    await tail.restart();
    await tail.poll();
    expect(texts(tail)).toEqual(['one', 'two']);
  });

  test('by copy and truncation: a restart does not read the copies again', async () => {
    const tail = await begin();
    for (const n of [2, 1]) {
      tail.append(
        'app.log',
        `before copy ${n}, and long enough to be told apart from what others begin with\n`,
      );
      age(tail.path('app.log'));
      await tail.poll();
      copyFileSync(tail.path('app.log'), tail.path(`app.log.${n}`));
      age(tail.path(`app.log.${n}`));
      truncateSync(tail.path('app.log'), 0);
      await tail.poll();
    }
    tail.append('app.log', 'after\n');
    await tail.poll();
    await tail.restart();
    await tail.poll();
    expect(texts(tail).map((text) => text.split(',')[0])).toEqual([
      'before copy 2',
      'before copy 1',
      'after',
    ]);
  });

  test('by copy and truncation while stopped: the rest of the copy under its source, then the new content', async () => {
    const tail = await begin();
    const first = 'the first line is long enough to be told apart from what others begin with';
    tail.append('app.log', `${first}\n`);
    age(tail.path('app.log'));
    await tail.poll();
    tail.beforeNextStart(() => {
      tail.append('app.log', 'unread\n');
      copyFileSync(tail.path('app.log'), tail.path('app.log.1'));
      age(tail.path('app.log.1'));
      truncateSync(tail.path('app.log'), 0);
      tail.append('app.log', 'new\n');
    });
    await tail.restart();
    await tail.poll();
    expect(texts(tail).sort()).toEqual(['new', first, 'unread'].sort());
    const [before] = tail.requests;
    expect(tail.requests.filter(({ source }) => source === before!.source)).toHaveLength(2);
    await tail.restart();
    await tail.poll();
    expect(tail.lines).toHaveLength(3);
  });

  test('bytes that were seen and gone before they were read are counted', async () => {
    const tail = await begin({ batch: { recordsMax: 1 } });
    tail.append('app.log', 'one\n');
    await tail.poll();
    tail.acknowledge(false);
    tail.append('app.log', 'two\nthree\nfour\nfive\n');
    await tail.poll();
    truncateSync(tail.path('app.log'), 0);
    tail.acknowledge(true);
    await tail.poll();
    const lostBytes = tail.metric('lost_bytes_total');
    const readBytes = tail.metric('read_bytes_total');
    expect(lostBytes).toBeGreaterThan(0);
    expect(lostBytes + readBytes).toBe('one\ntwo\nthree\nfour\nfive\n'.length);
  });
});

describe('after a restart', () => {
  test('what was acknowledged is not sent again, what was not is', async () => {
    const tail = await begin();
    tail.append('app.log', 'one\ntwo\n');
    await tail.poll();
    tail.acknowledge(false);
    tail.append('app.log', 'three\n');
    await tail.poll();
    await tail.restart();
    tail.acknowledge(true);
    tail.append('app.log', 'four\n');
    await tail.poll();
    expect(texts(tail)).toEqual(['one', 'two', 'three', 'four']);
    expect(new Set(tail.requests.map(({ source }) => source)).size).toBe(1);
    expect(tail.requests.map(({ sequence }) => sequence)).toEqual([8, 19]);
    expect(tail.lines.every(({ timeNs }, i) => i === 0 || timeNs > tail.lines[i - 1]!.timeNs)).toBe(true);
  });

  test('a new file that carries the inode number of an old one is read from its beginning', async () => {
    const tail = await begin();
    tail.append('app.log', 'a long first line\n');
    await tail.poll();
    const { inode } = identity(tail.path('app.log'));
    await tail.restart();
    rmSync(tail.path('app.log'));
    tail.append('app.log', 'a new file, longer than the old one was\n');
    forgeInode(tail, inode, identity(tail.path('app.log')).inode);
    await tail.restart();
    await tail.poll();
    expect(texts(tail)).toEqual(['a long first line', 'a new file, longer than the old one was']);
    expect(new Set(tail.requests.map(({ source }) => source)).size).toBe(2);
  });

  test('a new file with the old inode number that even begins alike is told apart by when it was made', async () => {
    const tail = await begin();
    tail.append('app.log', '# log\n');
    const tellsBirth = age(tail.path('app.log'));
    await tail.poll();
    const { inode } = identity(tail.path('app.log'));
    await tail.restart();
    rmSync(tail.path('app.log'));
    tail.append('app.log', '# log\nnew\n');
    age(tail.path('app.log'));
    forgeInode(tail, inode, identity(tail.path('app.log')).inode);
    await tail.restart();
    await tail.poll();
    // Where the file system does not say when a file was made, alike is the same.
    expect(texts(tail)).toEqual(tellsBirth ? ['# log', '# log', 'new'] : ['# log', 'new']);
  });

  test('a checkpoint that cannot be read is put aside, and everything is sent again', async () => {
    const tail = await begin();
    tail.append('app.log', 'one\n');
    await tail.poll();
    tail.beforeNextStart(() => writeFileSync(tail.path('.agent/positions.json'), '{"version":1,'));
    await tail.restart();
    await tail.poll();
    expect(texts(tail)).toEqual(['one', 'one']);
  });
});

describe('which files', () => {
  test('patterns, also for directories; found later; each once; compressed ones not', async () => {
    const tail = await begin({ patterns: ['*.log', 'logs/**/*.txt', 'a*.log'] });
    mkdirSync(tail.path('logs/deep/er'), { recursive: true });
    tail.append('a.log', 'a\n');
    tail.append('logs/b.txt', 'b\n');
    writeFileSync(tail.path('old.log'), gzipSync('compressed\n'));
    await tail.poll();
    tail.append('logs/deep/er/c.txt', 'c\n');
    tail.append('logs/deep/er/d.other', 'd\n');
    await tail.poll();
    expect(texts(tail).sort()).toEqual(['a', 'b', 'c']);
    expect(tail.lines.map(({ service }) => service).sort()).toEqual(['a', 'b', 'c']);
  });

  test('a large file leaves others their turn', async () => {
    const tail = await begin({ patterns: ['*.log'], batch: { filesInFlightMax: 1, recordsMax: 10 } });
    tail.append('a.log', 'large\n'.repeat(1_000));
    tail.append('b.log', 'small\n');
    await tail.poll();
    expect(texts(tail).indexOf('small')).toBeLessThan(200);
    expect(tail.lines).toHaveLength(1_001);
  });
});

test('any way of writing a file gives the same records', async () => {
  const content = fc
    .array(fc.constantFrom('a', 'bc', '\r', '\n', '\r\n', 'ä', '\xff', 'long '.repeat(20)), { maxLength: 60 })
    .map((parts) =>
      Buffer.concat(parts.map((part) => Buffer.from(part, part === '\xff' ? 'latin1' : 'utf8'))),
    );
  const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(content, cuts, fc.integer({ min: 1, max: 7 }), async (bytes, shares, recordsMax) => {
      const tail = await tailing({ batch: { recordsMax, lingerMs: 0 } });
      try {
        const at = [...shares.map((share) => Math.floor(share * bytes.length)), bytes.length].sort(
          (a, b) => a - b,
        );
        for (let i = 0; i < at.length; i += 1) {
          tail.append('app.log', bytes.subarray(at[i - 1] ?? 0, at[i]));
          await tail.poll();
        }
        expect(tail.lines.map(({ offset, body }) => [offset, body.toString('latin1')])).toEqual(
          linesOf(bytes),
        );
      } finally {
        await tail.end();
      }
    }),
    { numRuns: 30 },
  );
});

/** The lines of a file by the simplest means, with their offsets. */
function linesOf(bytes: Buffer): Array<[number, string]> {
  const lines: Array<[number, string]> = [];
  let offset = 0;
  for (const line of bytes.toString('latin1').split('\n').slice(0, -1)) {
    lines.push([offset, line.replace(/\r$/, '')]);
    offset += line.length + 1;
  }
  return lines;
}

const loghub = sharedPath('data/loghub');

test.skipIf(!loghub)('real log files arrive byte for byte, in order, once', async () => {
  const names = ['Android', 'Apache', 'HDFS', 'Linux', 'OpenSSH', 'OpenStack', 'Spark', 'Zookeeper'];
  const tail = await begin({ patterns: ['*.log'] });
  for (const name of names) copyFileSync(join(loghub!, `${name}_2k.log`), tail.path(`${name}_2k.log`));
  await tail.poll();
  for (const name of names) {
    const path = tail.path(`${name}_2k.log`);
    const mine = tail.lines.filter((line) => line.path === path);
    expect(mine).toHaveLength(2_000);
    expect(mine.map(({ offset, body }) => [offset, body.toString('latin1')])).toEqual(
      linesOf(readFileSync(path)),
    );
    expect(mine[0]!.service).toBe(basename(path, '.log'));
  }
});

function identity(path: string): { inode: number } {
  return { inode: statSync(path).ino };
}

/** Touches a file until its last change is later than its making: the system's clock for both is coarse. */
function age(path: string): boolean {
  const deadline = performance.now() + 1_000;
  while (performance.now() < deadline) {
    const { birthtimeMs, ctimeMs } = statSync(path);
    if (ctimeMs !== birthtimeMs) return true;
    chmodSync(path, 0o644);
  }
  console.warn('the file system does not say when files were made');
  return false;
}

/** Makes the checkpoint say that the old file had the number which the new one has now. */
function forgeInode(tail: Tailing, from: number, to: number): void {
  tail.beforeNextStart(() => {
    const path = tail.path('.agent/positions.json');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace(`"inode":${from},`, `"inode":${to},`));
  });
}
