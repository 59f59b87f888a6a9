import { expect, test } from 'vitest';
import { latencyMs, newestFirst, ruleState, sortedRules } from './model.ts';

test('firing rules come first', () => {
  const rules = [
    { name: 'b', state: 'inactive' },
    { name: 'a', state: 'inactive' },
    { name: 'c', alerts: [{ state: 'pending' }, { state: 'firing' }] },
    { name: 'd', state: 'pending' },
  ];
  expect(sortedRules(rules).map(({ name }) => name)).toEqual(['c', 'd', 'a', 'b']);
  expect(ruleState({ name: 'x' })).toBe('inactive');
});

test('latency counts from the append of the deciding record', () => {
  const base = { id: '1', status: 'firing' as const };
  expect(latencyMs({ ...base, timings: { appendMs: 100, evalMs: 120, notifyMs: 150 } })).toBe(50);
  expect(latencyMs({ ...base, timings: { evalMs: 120, notifyMs: 150 } })).toBe(30);
  expect(latencyMs({ ...base, timings: { evalMs: 120 } })).toBeUndefined();
  expect(
    newestFirst([
      { ...base, timings: { evalMs: 1 } },
      { ...base, id: '2', timings: { evalMs: 2 } },
    ])[0]?.id,
  ).toBe('2');
});
