import { expect, test } from 'vitest';

import { behind, characterBoundary, createSpans, splitLines } from './lines.ts';

function linesOf(text: string, linesMax = 10): { lines: string[]; rest: string } {
  const chunk = Buffer.from(text);
  const spans = createSpans(linesMax);
  const count = splitLines(chunk, chunk.length, spans);
  const lines = Array.from({ length: count }, (_, i) =>
    chunk.toString('utf8', spans.starts[i], spans.ends[i]),
  );
  return { lines, rest: chunk.toString('utf8', count === 0 ? 0 : behind(chunk, spans, count - 1)) };
}

test.each([
  ['', [], ''],
  ['a', [], 'a'],
  ['a\nb\n', ['a', 'b'], ''],
  ['a\r\nb', ['a'], 'b'],
  ['\n\r\n\n', ['', '', ''], ''],
  ['a\rb\r\r\nc\r', ['a\rb\r'], 'c\r'],
])('the lines of %j', (text, lines, rest) => {
  expect(linesOf(text)).toEqual({ lines, rest });
});

test('stops when there is room for no more', () => {
  expect(linesOf('a\nb\nc\n', 2)).toEqual({ lines: ['a', 'b'], rest: 'c\n' });
});

test('bytes behind the length are not looked at', () => {
  expect(splitLines(Buffer.from('ab\n'), 2, createSpans(4))).toBe(0);
});

test.each([
  ['abc', 2, 2],
  ['aäb', 2, 1],
  ['a€b', 3, 1],
  ['a😀b', 4, 1],
  ['a😀b', 5, 5],
])('a cut of %j at %i does not tear a character', (text, at, want) => {
  expect(characterBoundary(Buffer.from(text), at)).toBe(want);
});
