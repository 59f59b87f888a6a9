import { expect, test } from 'vitest';
import { ansiSpans } from './ansi.ts';

test('colours become classes, other sequences vanish', () => {
  expect(ansiSpans('a\u001b[31mred\u001b[1mbold\u001b[0mb\u001b[2J\u001b]0;title\u0007c')).toEqual([
    { text: 'a', class: '' },
    { text: 'red', class: 'ansi-red' },
    { text: 'bold', class: 'ansi-red ansi-bold' },
    { text: 'b', class: '' },
    { text: 'c', class: '' },
  ]);
  expect(ansiSpans('plain')).toEqual([{ text: 'plain', class: '' }]);
});
