import { expect, test } from 'vitest';

import { KeyMap } from './key-map.ts';

test('remembers the latest offset of short and long keys, byte for byte', () => {
  const keys = [Buffer.from('a'), Buffer.from([0xff, 0x00]), Buffer.alloc(0), Buffer.alloc(5_000, 'x')];
  const map = new KeyMap(1_000_000);
  for (const [i, key] of [...keys, ...keys].entries()) expect(map.put(key, i)).toBe(true);
  expect(keys.map((key) => map.latest(key))).toEqual([4, 5, 6, 7]);
  expect(map.latest(Buffer.alloc(5_001, 'x'))).toBe(-1);
  expect(map.size).toBe(4);
});

test('takes no new key beyond its bound, and still moves the ones it has', () => {
  const map = new KeyMap(200);
  let taken = 0;
  while (map.put(Buffer.from(`key ${taken}`), taken)) taken += 1;
  expect(taken).toBe(2);
  expect(map.put(Buffer.from('key 0'), 77)).toBe(true);
  expect(map.latest(Buffer.from('key 0'))).toBe(77);
});
