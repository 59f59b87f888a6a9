// The command itself: help, refusals, and a clean end.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { freePortOffset, millrace, startMillrace } from '../support/millrace.ts';
import { partProcesses } from '../support/part-processes.ts';

const COMMANDS = [
  'up',
  'broker',
  'collector',
  'agent',
  'sink',
  'alerts',
  'web',
  'logs',
  'topics',
  'groups',
  'rules',
  'check',
  'generate',
];

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-command-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

test('--help lists every command, and every command has its own', async () => {
  const { stdout, code } = await millrace(['--help']);
  expect(code).toBe(0);
  const words = new Set(stdout.match(/[a-z]+/g));
  expect(COMMANDS.filter((command) => !words.has(command))).toEqual([]);
  for (const command of COMMANDS) {
    const help = await millrace([command, '--help']);
    expect([command, help.code, /USAGE/.test(help.stdout)]).toEqual([command, 0, true]);
  }
}, 60_000);

test('mistakes are answered in one line, with exit code 1', async () => {
  const cases: Array<[string[], RegExp]> = [
    [['fly'], /^unknown command fly/],
    [['up', '--data-dri', 'x'], /^unknown option --data-dri/],
    [['up', '--port-offset', 'x'], /^cannot use --port-offset: got "x", want a whole number/],
    [['check', '--config', '/does/not/exist.yaml'], /^cannot read \/does\/not\/exist\.yaml: /],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await millrace(args, {}, directory);
    expect({ args, code }).toEqual({ args, code: 1 });
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  }
});

test('a mistake in the settings names file, line and column', async () => {
  const file = join(directory, 'wrong.yaml');
  await writeFile(file, 'portOffset: 1\nbroker:\n  port: ninety\n');
  const { code, stderr } = await millrace(['check', '--config', file]);
  expect(code).toBe(1);
  expect(stderr).toContain(`${file}:3:9: cannot use broker.port`);
});

test('a busy port stops the start with its number, and leaves nothing running', async () => {
  const portOffset = await freePortOffset();
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(4318 + portOffset, '127.0.0.1', resolve));
  try {
    const { code, stderr } = await millrace(
      ['up', '--data-dir', join(directory, 'busy'), '--port-offset', String(portOffset)],
      {},
      directory,
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`cannot start collector: .*${4318 + portOffset}`));
  } finally {
    server.close();
  }
}, 60_000);

test('a data directory that cannot be used stops the start and is named', async () => {
  const file = join(directory, 'a-file');
  await writeFile(file, '');
  const portOffset = await freePortOffset();
  const args = ['up', '--data-dir', join(file, 'data'), '--port-offset', String(portOffset)];
  const { code, stderr } = await millrace(args, {}, directory);
  expect(code).toBe(1);
  expect(stderr).toContain(join(file, 'data'));
}, 60_000);

test('a second start on the same data is refused; SIGTERM ends all parts within 10 s', async () => {
  const up = await startMillrace();
  try {
    const second = await millrace(
      ['up', '--data-dir', up.dataDir, '--port-offset', String(await freePortOffset())],
      {},
      directory,
    );
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(up.dataDir);
    expect(second.stderr).toMatch(/in use|another|running/);
    expect(up.output()).toContain('is up: ');

    const pids = [...partProcesses(up.pid).values()];
    expect(pids).toHaveLength(7);
    const started = performance.now();
    expect(await up.stop()).toBe(0);
    expect(performance.now() - started).toBeLessThan(10_000);
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  } finally {
    await up.remove();
  }
}, 90_000);
