import { expect, test } from 'vitest';

import { onAbort } from './on-abort.ts';

test('those who did not cancel are told of the abort, once', () => {
  const controller = new AbortController();
  const told: string[] = [];
  onAbort(controller.signal, () => void told.push('a'));
  const cancel = onAbort(controller.signal, () => void told.push('b'));
  onAbort(new AbortController().signal, () => void told.push('another'));
  const cancelOwn = onAbort(controller.signal, () => {
    cancelOwn();
    told.push('c');
  });
  cancel();
  controller.abort();
  expect(told).toEqual(['a', 'c']);
});
