/**
 * Every order of six steps (in one case five) that two clients, time and disk can take in a classic group, from an
 * empty group and from a stable one: up to five million each. Orders that lead to the same state go on together, so
 * that there are few.
 */
import assert from 'node:assert/strict';

import { expect, test } from 'vitest';

import { after, keyOf, newWorld, type OneStep, STEPS, type World } from '../../test/support/group-world.ts';
import { CODE } from '../wire/errors.ts';
import { nextDeadlineMs } from './group.ts';

const STORED: OneStep = { kind: 'stored', errorCode: CODE.NONE };

test.for([
  ['empty', 'that gives ids at once', 6],
  ['empty', 'that has members come again with their ids', 6],
  ['stable', 'that gives ids at once', 5],
  ['stable', 'that has members come again with their ids', 6],
] as const)(
  'no order of steps of two clients, time and disk breaks a group: %s, %s',
  ([from, ids, depth]) => {
    const world = newWorld(ids !== 'that gives ids at once');
    // So many are there now: with fewer, something no longer happens.
    expect(explore(from === 'empty' ? world : stable(world), depth)).toBeGreaterThan(1_000);
  },
);

/** Takes every order of `depth` steps from here; returns how many states they lead to. */
function explore(start: World, depth: number): number {
  const seen = new Set<string>();
  let level: Array<{ world: World; path: string }> = [{ world: start, path: 'after' }];
  for (let i = 0; i < depth; i += 1) {
    const next: typeof level = [];
    for (const { world, path } of level) {
      for (const one of STEPS) {
        const on = `${path} ${Object.values(one).join('-')}`;
        const reached = named(on, () => after(world, one));
        const key = keyOf(reached);
        if (seen.has(key)) continue;
        seen.add(key);
        next.push({ world: reached, path: on });
      }
    }
    level = next;
  }
  // The states before come to rest by way of these: time and disk are steps like others.
  for (const { world, path } of level) named(`${path} and time`, () => settle(world));
  return seen.size;
}

/** Time passes and the disk works, and nobody says anything: all are answered, and out. */
function settle(from: World): void {
  let world = from;
  for (let i = 0; i < 30; i += 1) {
    if (world.storing.length > 0) world = after(world, STORED);
    else if (nextDeadlineMs(world.group) === undefined) break;
    else world = after(world, { kind: 'time', to: 'deadline' });
  }
  assert.equal(world.open.size, 0, 'a request waits for ever');
  assert.equal(world.group.phase, 'Empty');
}

/** Both are members and hold what `a` gave. */
function stable(empty: World): World {
  const joins = (empty.isIdRequired ? ['a', 'a', 'b', 'b', 'a'] : ['a', 'b', 'a']) as Array<'a' | 'b'>;
  let world = empty;
  for (const who of joins) world = after(world, { kind: 'join', who });
  for (const who of ['a', 'b'] as const) world = after(world, { kind: 'sync', who });
  world = after(world, STORED);
  assert.equal(world.group.phase, 'Stable');
  assert.equal(world.group.members.size, 2);
  return world;
}

function named<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new Error(`${path}: ${(cause as Error).message}`, { cause });
  }
}
