import { expect, test } from 'vitest';

import { Admission } from './admission.ts';

const wide = {
  connectionsMax: 1_000,
  connectionsPerAddressMax: 1_000,
  connectionsPerSecondMax: 1_000,
  connectionsPerSecondPerAddressMax: 1_000,
};

test('connections of all clients together are bounded, and one that leaves makes room', () => {
  const admission = new Admission({ ...wide, connectionsMax: 2 });
  expect(['a', 'b', 'c'].map((address) => admission.enter(address, 0))).toEqual([
    undefined,
    undefined,
    'too-many',
  ]);
  admission.leave('a');
  expect(admission.enter('c', 0)).toBeUndefined();
});

test('connections of one address are bounded, and another address still gets in', () => {
  const admission = new Admission({ ...wide, connectionsPerAddressMax: 2 });
  expect([1, 2, 3].map(() => admission.enter('a', 0))).toEqual([undefined, undefined, 'too-many-of-address']);
  expect(admission.enter('b', 0)).toBeUndefined();
});

test('an address that reconnects too fast is refused until ten seconds have passed, others are not', () => {
  const admission = new Admission({ ...wide, connectionsPerSecondPerAddressMax: 2 });
  for (let i = 0; i < 20; i += 1) {
    expect(admission.enter('a', 0)).toBeUndefined();
    admission.leave('a');
  }
  expect(admission.enter('a', 0)).toBe('too-fast-of-address');
  expect(admission.enter('b', 0)).toBeUndefined();
  expect(admission.enter('a', 11_000)).toBeUndefined();
});

test('all addresses together come no faster than the bound', () => {
  const admission = new Admission({ ...wide, connectionsPerSecondMax: 1 });
  for (let i = 0; i < 10; i += 1) expect(admission.enter(`a${i}`, 0)).toBeUndefined();
  expect(admission.enter('other', 0)).toBe('too-fast');
});

test('connection_creation_rate of an address is a bound of its own', () => {
  const admission = new Admission(wide, (address) => (address === 'a' ? 0.5 : undefined));
  for (let i = 0; i < 5; i += 1) expect(admission.enter('a', 0)).toBeUndefined();
  expect(admission.enter('a', 0)).toBe('quota');
  expect(admission.enter('b', 0)).toBeUndefined();
});

test('addresses that are gone are forgotten', () => {
  const admission = new Admission(wide);
  for (let i = 0; i < 100; i += 1) {
    admission.enter(`a${i}`, 0);
    if (i > 0) admission.leave(`a${i}`);
  }
  admission.sweep(5_000);
  expect(admission.size).toBe(100);
  admission.sweep(11_000);
  expect(admission.size).toBe(1);
});
