import { beforeEach, expect, test } from 'vitest';

import { SimLoop } from '../../test/sim/sim-loop.ts';
import { SimRandom } from '../../test/sim/sim-random.ts';
import { Deadline } from './deadline.ts';

let loop: SimLoop;
let startMs: number;
let deadline: Deadline;
/** When it was called, in ms since the start. */
let calls: number[];
let timers: number;

beforeEach(() => {
  loop = new SimLoop(new SimRandom(1));
  startMs = loop.nowMs;
  calls = [];
  timers = 0;
  const real = loop.timers();
  const counting: typeof real = {
    ...real,
    after: (delayMs, fn) => {
      timers += 1;
      return real.after(delayMs, fn);
    },
  };
  deadline = new Deadline({ clock: loop.clock(), timers: counting }, () => calls.push(loop.nowMs - startMs));
});

test('it is called when its time has come, once', async () => {
  deadline.set(startMs + 50);
  await loop.pass(200);
  expect(calls).toEqual([50]);
});

test('a nearer one replaces it, a later one leaves the timer as it is', async () => {
  deadline.set(startMs + 50);
  for (let ms = 51; ms < 80; ms += 1) deadline.set(startMs + ms);
  expect(timers).toBe(1);
  deadline.set(startMs + 20);
  expect(timers).toBe(2);
  await loop.pass(200);
  expect(calls).toEqual([20]);
});

test('none, or a cancel, takes the timer away; it can be set again', async () => {
  deadline.set(startMs + 50);
  deadline.set(undefined);
  await loop.pass(100);
  deadline.set(startMs + 150);
  deadline.cancel();
  await loop.pass(100);
  expect(calls).toEqual([]);
  deadline.set(startMs + 250);
  await loop.pass(100);
  expect(calls).toEqual([250]);
});

test('never early by a fraction, and at once when it has passed', async () => {
  deadline.set(startMs + 10.2);
  await loop.pass(20);
  expect(calls).toEqual([11]);
  deadline.set(startMs);
  await loop.pass(1);
  expect(calls).toEqual([11, 20]);
});

test('a time that no timer can wait for is looked at every hour', async () => {
  deadline.set(startMs + 2 ** 31);
  await loop.pass(3_600_001);
  expect(calls).toEqual([3_600_000]);
});
