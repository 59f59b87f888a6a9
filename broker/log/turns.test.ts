import { beforeEach, expect, test } from 'vitest';

import { Turns } from './turns.ts';

let turns: Turns;
let events: string[];
beforeEach(() => {
  turns = new Turns();
  events = [];
});

/** A turn that lasts until it is told to end. */
function turn(name: string) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const done = turns.inTurn(() => {
    events.push(`${name} begins`);
    return promise.finally(() => events.push(`${name} ends`));
  });
  return { done, end: () => resolve(name), fail: () => reject(new Error(name)) };
}

/** Everything that can go on without anybody's doing has. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('each begins when the one before has ended, and has its own outcome', async () => {
  const a = turn('a');
  const b = turn('b');
  b.end();
  await quiet();
  expect(events).toEqual(['a begins']);
  a.end();
  expect(await Promise.all([a.done, b.done])).toEqual(['a', 'b']);
  expect(events).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
});

test('one that fails, or throws at once, tells its caller and holds up nobody', async () => {
  const a = turn('a');
  const thrown = turns.inTurn(() => {
    throw new Error('thrown');
  });
  const c = turn('c');
  a.fail();
  c.end();
  expect(await Promise.allSettled([a.done, thrown, c.done])).toEqual([
    { status: 'rejected', reason: new Error('a') },
    { status: 'rejected', reason: new Error('thrown') },
    { status: 'fulfilled', value: 'c' },
  ]);
});

test('even the first does not begin within the call', async () => {
  const a = turn('a');
  expect(events).toEqual([]);
  a.end();
  await a.done;
});

test('settled waits for what was asked for before it, done or failed, and for nothing later', async () => {
  await turns.settled();
  const a = turn('a');
  a.done.catch(() => {});
  const settled = turns.settled().then(() => events.push('settled'));
  const b = turn('b');
  await quiet();
  a.fail();
  await settled;
  expect(events.filter((event) => event !== 'b begins')).toEqual(['a begins', 'a ends', 'settled']);
  b.end();
  await b.done;
});

test('who holds them has them alone, from the end of those before until the release', async () => {
  const a = turn('a');
  const holding = turns.hold();
  const b = turn('b');
  b.end();
  let isHeld = false;
  void holding.then(() => {
    isHeld = true;
  });
  await quiet();
  expect(isHeld).toBe(false);
  a.fail();
  await expect(a.done).rejects.toThrow('a');
  const release = await holding;
  await quiet();
  expect(events).toEqual(['a begins', 'a ends']);
  release();
  expect(await b.done).toBe('b');
});
