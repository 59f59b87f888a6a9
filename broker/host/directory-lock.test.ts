import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { lockDirectory, lockFile } from './directory-lock.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-lock-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A process that holds the directory until it is killed, or its lock file. */
async function holder(): Promise<{ pid: number; kill(): Promise<void> }> {
  const module = new URL('directory-lock.ts', import.meta.url).href;
  const script = `
    import { lockDirectory } from '${module}';
    if (await lockDirectory('${directory}')) console.log('held');
    setInterval(() => {}, 1_000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = new Promise<void>((resolve) => void child.once('exit', () => resolve()));
  await new Promise((resolve) => void child.stdout.once('data', resolve));
  return {
    pid: child.pid!,
    kill: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

describe('a directory', () => {
  test('has one holder, under any of its names, until it is given back', async () => {
    const alias = `${directory}-alias`;
    symlinkSync(directory, alias);
    try {
      const unlock = await lockDirectory(directory);
      expect(unlock).toBeDefined();
      expect(await lockDirectory(directory)).toBeUndefined();
      expect(await lockDirectory(alias)).toBeUndefined();
      await unlock!();
      await (await lockDirectory(alias))!();
    } finally {
      rmSync(alias);
    }
  });

  test('of a process that was killed is free at once', async () => {
    const other = await holder();
    expect(await lockDirectory(directory)).toBeUndefined();
    await other.kill();
    const unlock = await lockDirectory(directory);
    expect(unlock).toBeDefined();
    await unlock!();
  });
});

describe('with a file, on other systems', () => {
  const path = (): string => join(directory, 'lock');

  test('it holds the process id and goes when it is given back', async () => {
    const unlock = await lockFile(path());
    expect(readFileSync(path(), 'utf8')).toBe(`${process.pid}\n`);
    await unlock!();
    const again = await lockFile(path());
    expect(again).toBeDefined();
    await again!();
  });

  test('one of a process that lives is respected, one of a dead process is not', async () => {
    const other = await holder();
    writeFileSync(path(), `${other.pid}\n`);
    expect(await lockFile(path())).toBeUndefined();
    expect(readFileSync(path(), 'utf8')).toBe(`${other.pid}\n`);
    await other.kill();
    expect(await lockFile(path())).toBeDefined();
    expect(readFileSync(path(), 'utf8')).toBe(`${process.pid}\n`);
  });

  test.each(['', 'no number\n', '-1\n'])('one that says %j is stale', async (content) => {
    writeFileSync(path(), content);
    expect(await lockFile(path())).toBeDefined();
  });

  test('one of our own id is of an earlier process: in a container each has the same', async () => {
    writeFileSync(path(), `${process.pid}\n`);
    expect(await lockFile(path())).toBeDefined();
  });
});
