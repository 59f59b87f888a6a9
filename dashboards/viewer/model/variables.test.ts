import { expect, test } from 'vitest';
import type { Variable } from './dashboard.ts';
import { chosenValue, initialOptions, valueLabel } from './variables.ts';

const OPTIONS = [
  { text: 'a', value: 'a' },
  { text: 'Bee', value: 'b' },
];

const CASES: [string, Partial<Variable>, string[], string | string[]][] = [
  ['the URL wins', { current: { value: 'a' } }, ['b'], 'b'],
  ['then the file', { current: { value: 'b' } }, [], 'b'],
  ['then All', { includeAll: true }, [], '$__all'],
  ['then the first option', {}, [], 'a'],
  ['several', { multi: true }, ['a', 'b'], ['a', 'b']],
  ['several, All by the file', { multi: true, current: { value: ['$__all'] } }, [], ['$__all']],
  ['All beside others is the others', { multi: true }, ['$__all', 'b'], ['b']],
  ['a text box', { type: 'textbox', query: 'dear' }, [], 'dear'],
  ['a text box emptied by hand', { type: 'textbox', query: 'dear' }, [''], ''],
  ['a constant ignores the URL', { type: 'constant', query: 'k' }, ['x'], 'k'],
];

test.each(CASES)('%s', (_, variable, url, expected) => {
  expect(chosenValue({ name: 'v', type: 'query', ...variable }, OPTIONS, url)).toEqual(expected);
});

test('custom options with labels and escaped commas', () => {
  expect(initialOptions({ name: 'v', type: 'custom', query: 'One : 1, two, a\\,b' })).toEqual([
    { text: 'One', value: '1' },
    { text: 'two', value: 'two' },
    { text: 'a,b', value: 'a,b' },
  ]);
  expect(valueLabel(['b', '$__all'], OPTIONS)).toBe('Bee + All');
});
