import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { writerPassword, writerPasswordFile } from './credentials.ts';
import { storeEnvironment } from './environment.ts';

let dataDir: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'millrace-store-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  await rm(dataDir, { recursive: true, force: true });
});

/** The store in a process of its own; resolves with what it says first: its port, or why it did not start. */
async function startProcess(
  settings: object = {},
): Promise<{ child: ChildProcess; port?: number; error?: string }> {
  const config = JSON.stringify({ dataDir, port: 0, ...settings });
  const script = `
    const { start } = await import('./sinks/store/main.ts');
    const { storeConfig } = await import('./sinks/store/config.ts');
    const { nodeHost } = await import('./broker/host/node-host.ts');
    try {
      const part = await start(storeConfig.parse(${config}), nodeHost());
      process.on('SIGTERM', () => part.stop(2000).then(() => process.exit(0)));
      process.send({ port: part.addresses.clickhouse.port });
    } catch (error) {
      process.send({ error: error.message });
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'inherit', 'ignore', 'ipc'],
    env: { ...process.env, ...storeEnvironment() },
  });
  children.push(child);
  const [said] = (await once(child, 'message')) as [{ port?: number; error?: string }];
  return { child, ...said };
}

async function write(port: number, sql: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    headers: { 'X-ClickHouse-User': 'millrace', 'X-ClickHouse-Key': await writerPassword(dataDir) },
    body: sql,
  });
  return response.text();
}

test('what was inserted is there after kill -9, and after a stop', async () => {
  const first = await startProcess();
  await write(
    first.port!,
    'CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS fsync_after_insert = 1',
  );
  expect(await write(first.port!, 'INSERT INTO t VALUES (1), (2)')).toBe('');
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');

  const second = await startProcess();
  expect(await write(second.port!, 'SELECT count() FROM t')).toBe('2\n');
  second.child.kill('SIGTERM');
  expect(await once(second.child, 'exit')).toEqual([0, null]);

  const third = await startProcess();
  expect(await write(third.port!, 'SELECT count() FROM t')).toBe('2\n');
});

test('a second process on the same directory is refused by name', async () => {
  const first = await startProcess();
  const second = await startProcess();
  expect(second.error).toContain(
    `cannot open the store in ${join(dataDir, 'engine')}: got it is open in process`,
  );
  expect(second.error).toContain(String(first.child.pid));
});

test('a busy port is refused by name', async () => {
  const first = await startProcess();
  const otherDir = join(dataDir, 'other');
  const second = await startProcess({ dataDir: otherDir, port: first.port });
  expect(second.error).toContain(`cannot listen for ClickHouse HTTP on 127.0.0.1:${first.port}`);
});

test('beyond loopback a password is wanted', async () => {
  const { error } = await startProcess({ host: '0.0.0.0' });
  expect(error).toContain('want one for every address beyond loopback');
});

test('the secret is readable by its owner only, and stays', async () => {
  const secret = await writerPassword(dataDir);
  expect((await stat(writerPasswordFile(dataDir))).mode & 0o777).toBe(0o600);
  expect(await writerPassword(dataDir)).toBe(secret);
});
