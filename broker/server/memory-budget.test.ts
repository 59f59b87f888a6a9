import { expect, test } from 'vitest';

import { MemoryBudget } from './memory-budget.ts';

const MIB = 1024 * 1024;

test('who asks for more than is left waits until others give back, in the order of asking', async () => {
  const budget = new MemoryBudget(10 * MIB);
  const granted: string[] = [];
  expect(budget.take(8 * MIB)).toBeUndefined();
  const first = budget.take(4 * MIB)!.then(() => granted.push('first'));
  const second = budget.take(MIB)!.then(() => granted.push('second'));
  budget.give(8 * MIB);
  await Promise.all([first, second]);
  expect(granted).toEqual(['first', 'second']);
  expect(budget.usedBytes).toBe(5 * MIB);
  expect(budget.waits).toBe(2);
});

test('what needs more than all of it gets it alone', async () => {
  const budget = new MemoryBudget(10 * MIB);
  expect(budget.take(100 * MIB)).toBeUndefined();
  const other = budget.take(MIB)!;
  budget.give(100 * MIB);
  await other;
  expect(budget.usedBytes).toBe(MIB);
});

test('a small request passes those that wait', () => {
  const budget = new MemoryBudget(MIB);
  void budget.take(MIB);
  void budget.take(MIB);
  expect(budget.take(1_000)).toBeUndefined();
});
