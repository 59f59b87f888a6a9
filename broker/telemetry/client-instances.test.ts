import { expect, test } from 'vitest';

import { ClientInstances, INSTANCES_MAX, NEW_INSTANCE, onGet, onPush } from './client-instances.ts';

const expected = { subscriptionId: 7, bytesMax: 100 };
const push = { subscriptionId: 7, terminating: false, compressionType: 0, bytes: 10 };

test('a push is due an interval after the last one; the first after a get at once', () => {
  let { instance } = onGet(NEW_INSTANCE, 1_000, 0);
  ({ instance } = onPush(instance, push, expected, 1));
  expect(onPush(instance, push, expected, 1_000).error).toBe('THROTTLING_QUOTA_EXCEEDED');
  expect(onPush(instance, push, expected, 1_001).error).toBeUndefined();
  expect(onGet(instance, 1_000, 1_000).error).toBe('THROTTLING_QUOTA_EXCEEDED');
  expect(onGet(instance, 1_000, 1_001).error).toBeUndefined();
});

test('any number of instance ids takes bounded memory: the longest silent is forgotten', () => {
  const instances = new ClientInstances();
  for (let i = 0; i <= INSTANCES_MAX; i += 1) {
    instances.set(`${i}`, { ...NEW_INSTANCE, lastGetMs: i });
    instances.set('0', { ...NEW_INSTANCE, lastGetMs: 5 });
  }
  expect(instances.size).toBe(INSTANCES_MAX);
  expect(instances.get('0').lastGetMs).toBe(5);
  expect(instances.get('1')).toBe(NEW_INSTANCE);
});
