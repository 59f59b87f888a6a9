import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import type { FileHandle, Files } from '../../../broker/host/files.ts';
import type { Host } from '../../../broker/host/host.ts';
import { nodeHost } from '../../../broker/host/node-host.ts';
import { digestOf } from './head.ts';
import { Positions } from './positions.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-positions-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const DEAD = 'the process died';

/** A host whose process dies at the `at`th call that changes something on the disk, and stays dead. */
function dyingHost(at: number): Host & { calls: number } {
  const host = nodeHost();
  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    if (dying.calls >= at) throw new Error(DEAD);
    dying.calls += 1;
    return work();
  };
  const handleOf = (handle: FileHandle): FileHandle => ({
    read: (target, position) => handle.read(target, position),
    stat: () => handle.stat(),
    close: () => handle.close(),
    write: (chunks, position) => call(() => handle.write(chunks, position)),
    datasync: () => call(() => handle.datasync()),
    truncate: (size) => call(() => handle.truncate(size)),
  });
  const files: Files = {
    ...host.files,
    open: (path, mode) => call(async () => handleOf(await host.files.open(path, mode))),
    rename: (from, to) => call(() => host.files.rename(from, to)),
    syncDirectory: (path) => call(() => host.files.syncDirectory(path)),
  };
  const dying = { ...host, files, calls: 0 };
  return dying;
}

async function open(host: Host): Promise<Positions> {
  return Positions.open(host, root, () => undefined);
}

const FILE = { path: '/a.log', device: 1, inode: 2, bornMs: 3, head: digestOf(Buffer.from('head')) };

test('what was written is there after a restart, times beyond 2^53 included', async () => {
  const first = await open(nodeHost());
  const position = first.create(FILE);
  position.offset = 42;
  position.midLine = true;
  position.lastNs = 1_795_333_500_123_456_789n;
  first.changed();
  await first.close();
  const second = await open(nodeHost());
  expect(second.agentId).toBe(first.agentId);
  expect([...second.entries]).toEqual([position]);
});

test('a death at any step of a write leaves the old positions or the new ones', async () => {
  const base = await open(nodeHost());
  const { source } = base.create(FILE);
  await base.close();
  await base.write();
  const outcomes: number[] = [];
  for (let at = 0; ; at += 1) {
    const host = dyingHost(Number.POSITIVE_INFINITY);
    const running = await open(host);
    const calls = host.calls;
    await running.close();
    const dying = dyingHost(calls + at);
    const victim = await open(dying);
    const position = [...victim.entries][0]!;
    position.offset += 1;
    await victim.write();
    const died = dying.calls === calls + at;
    const survivor = await open(nodeHost());
    await survivor.close();
    expect([...survivor.entries].map((one) => one.source)).toEqual([source]);
    outcomes.push([...survivor.entries][0]!.offset);
    await victim.close();
    if (!died) break;
  }
  // Each further step changes nothing until the rename; from then on the new offset is there.
  const steps = outcomes.length;
  expect(steps).toBeGreaterThanOrEqual(5);
  const rises = outcomes.map((offset, index) => offset - (outcomes[index - 1] ?? 0));
  expect(rises.filter((rise) => rise === 1).length).toBeGreaterThanOrEqual(1);
  expect(rises.every((rise) => rise === 0 || rise === 1)).toBe(true);
});

test('a source is on the disk before it is known', async () => {
  const positions = await open(nodeHost());
  const position = positions.create(FILE);
  await positions.known(position);
  expect(readFileSync(join(root, 'positions.json'), 'utf8')).toContain(position.source);
  await positions.close();
});

test('a disk that takes nothing is told, and sending is not held up', async () => {
  const host = dyingHost(100);
  const errors: unknown[] = [];
  const positions = await Positions.open(host, root, (error) => void errors.push(error));
  host.calls = 100;
  await positions.known(positions.create(FILE));
  expect(errors.map(String)).toEqual([`Error: ${DEAD}`]);
  host.calls = 0;
  await positions.close();
  expect(readFileSync(join(root, 'positions.json'), 'utf8')).toContain('/a.log');
});

test('entries of files that are long gone are forgotten', async () => {
  let nowMs = 1_000;
  const real = nodeHost();
  const host = { ...real, clock: { ...real.clock, nowMs: () => nowMs } };
  const positions = await open(host);
  positions.create(FILE).seenMs = nowMs;
  await positions.write();
  expect(positions.entries.size).toBe(1);
  nowMs += 24 * 3_600_000 + 1;
  await positions.write();
  expect(positions.entries.size).toBe(0);
  await positions.close();
});
