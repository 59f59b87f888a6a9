import { expect, test } from 'vitest';

import { message } from './codec.ts';
import { int32, string } from './schema.ts';
import { decodeVersioned, encodeVersioned } from './versioned.ts';

const place = message({ name: string(), partition: int32('1+', { default: -1 }) }, 2);

test('the version is in front, and says which fields follow and how', () => {
  const value = { name: 'ab', partition: 7 };
  expect(encodeVersioned(0, place, value).toString('hex')).toBe('0000' + '0002' + '6162');
  expect(encodeVersioned(1, place, value).toString('hex')).toBe('0001' + '0002' + '6162' + '00000007');
  // From here on lengths are varints of one more, and tagged fields may follow.
  expect(encodeVersioned(2, place, value).toString('hex')).toBe('0002' + '03' + '6162' + '00000007' + '00');
});

test('what is read has the version that it says', () => {
  expect(decodeVersioned(Buffer.from('000000026162', 'hex'), place)).toEqual({ name: 'ab', partition: -1 });
  expect(decodeVersioned(Buffer.from('0002036162' + '0000000700', 'hex'), place)).toEqual({
    name: 'ab',
    partition: 7,
  });
});
