import { expect, test } from 'vitest';

import { TurnShare } from './turn-share.ts';

const turn = (): Promise<void> => new Promise((done) => void setImmediate(done));

test('what is left is less by what was spent, and whole again in the next turn', async () => {
  const share = new TurnShare(100);
  share.spend(99);
  expect(share.isLeft).toBe(true);
  share.spend(50);
  expect(share.isLeft).toBe(false);
  await turn();
  expect(share.isLeft).toBe(true);
});

test('who waits is called in the order of coming, so many a turn as there is something for', async () => {
  const share = new TurnShare(100);
  const called: string[] = [];
  const come = (name: string): void =>
    share.wait(() => {
      called.push(name);
      share.spend(60);
    });
  share.spend(100);
  for (const name of ['a', 'b', 'c']) come(name);
  await turn();
  expect(called).toEqual(['a', 'b']);
  // Behind those that came before.
  come('d');
  await turn();
  expect(called).toEqual(['a', 'b', 'c', 'd']);
});

test('one that waits again while it is called comes in a later turn', async () => {
  const share = new TurnShare(100);
  let calls = 0;
  const again = (): void => {
    calls += 1;
    if (calls < 3) share.wait(again);
  };
  share.wait(again);
  await turn();
  expect(calls).toBe(1);
  await turn();
  expect(calls).toBe(2);
  await turn();
  expect(calls).toBe(3);
});
