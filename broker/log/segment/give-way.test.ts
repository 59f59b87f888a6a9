import { expect, test } from 'vitest';

import type { Timers } from '../../host/host.ts';
import { GiveWay } from './give-way.ts';

function world() {
  let sync: PromiseWithResolvers<void> | undefined;
  const due: Array<{ ms: number; fn: () => void; cancelled: boolean }> = [];
  const timers = {
    after(ms: number, fn: () => void) {
      const timer = { ms, fn, cancelled: false };
      due.push(timer);
      return () => void (timer.cancelled = true);
    },
  } as unknown as Timers;
  const way = new GiveWay(timers, () => sync?.promise);
  return {
    way,
    due,
    begin: () => (sync = Promise.withResolvers<void>()),
    end: () => {
      sync!.resolve();
      sync = undefined;
    },
  };
}

test('without a sync under way a read begins at once', () => {
  expect(world().way.given()).toBeUndefined();
});

test('all who come during a sync wait for its end together, and not for the next one', async () => {
  const { way, due, begin, end } = world();
  begin();
  const first = way.given();
  expect(way.given()).toBe(first);
  expect(due.length).toBe(1);
  end();
  begin();
  await first;
  expect(due[0]!.cancelled).toBe(true);
  expect(way.given()).not.toBe(first);
});

test('a sync that hangs holds nobody up for more than 20 ms', async () => {
  const { way, due, begin } = world();
  begin();
  const first = way.given()!;
  expect(due[0]!.ms).toBe(20);
  due[0]!.fn();
  await first;
});
