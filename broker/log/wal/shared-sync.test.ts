import { beforeEach, expect, test } from 'vitest';

import { SharedSync } from './shared-sync.ts';

/** The syncs that began, oldest first. */
let begun: Array<PromiseWithResolvers<void>>;
let events: string[];
let shared: SharedSync;

beforeEach(() => {
  begun = [];
  events = [];
  shared = new SharedSync(() => {
    const sync = Promise.withResolvers<void>();
    begun.push(sync);
    return sync.promise;
  });
});

function ask(name: string): void {
  void shared.sync().then(
    () => events.push(name),
    (error: Error) => events.push(`${name}: ${error.message}`),
  );
}

async function turn(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

test('who comes while a sync runs waits for the next one, together', async () => {
  ask('first');
  ask('second');
  ask('third');
  expect([begun.length, shared.isRunning]).toEqual([1, true]);
  begun[0]!.resolve();
  await turn();
  expect([events, begun.length]).toEqual([['first'], 2]);
  begun[1]!.resolve();
  await shared.ended();
  await turn();
  expect(events).toEqual(['first', 'second', 'third']);
  expect([shared.isRunning, shared.ended()]).toEqual([false, undefined]);
});

test('one that fails is told to those who share it, and to nobody else', async () => {
  ask('first');
  ask('second');
  begun[0]!.reject(new Error('EIO'));
  await turn();
  begun[1]!.resolve();
  await turn();
  expect(events).toEqual(['first: EIO', 'second']);
});
