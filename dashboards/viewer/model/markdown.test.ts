import { expect, test } from 'vitest';
import { inline, safeHref } from './markdown.tsx';

const LINKS: [string, string | undefined][] = [
  ['https://example.org/a?b=c', 'https://example.org/a?b=c'],
  ['/d/millrace-logs?var-service=a', '/d/millrace-logs?var-service=a'],
  ['mailto:a@example.org', 'mailto:a@example.org'],
  ['javascript:alert(1)', undefined],
  ['JavaScript:alert(1)', undefined],
  ['java\tscript:alert(1)', undefined],
  ['\u0001javascript:alert(1)', undefined],
  ['data:text/html,<script>', undefined],
  ['vbscript:x', undefined],
  ['//elsewhere.example', undefined],
  ['/\\elsewhere.example', undefined],
];

test.each(LINKS)('link %j', (url, expected) => {
  expect(safeHref(url)).toBe(expected);
});

test('markup stays text', () => {
  expect(inline('<img src=x onerror=alert(1)>')).toEqual(['<img src=x onerror=alert(1)>']);
  expect(inline('[x](javascript:alert(1))')[0]).toBe('[x](javascript:alert(1)');
});

test('emphasis and code become elements', () => {
  const [before, strong, middle, code] = inline('a **b** c `d*e*`') as [
    string,
    { type: string },
    string,
    { type: string },
  ];
  expect([before, strong.type, middle, code.type]).toEqual(['a ', 'strong', ' c ', 'code']);
});
