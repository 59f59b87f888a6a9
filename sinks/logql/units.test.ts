import { expect, test } from 'vitest';

import { formatDuration, parseBytes, parseDuration, parseNumber } from './units.ts';

test.each([
  ['5m', 300],
  ['1h30m', 5_400],
  ['250ms', 0.25],
  ['1.5s', 1.5],
  ['1d', 86_400],
  ['2w', 1_209_600],
  ['10us', 0.00001],
  ['-3s', -3],
  ['0', 0],
  ['', undefined],
  ['5', undefined],
  ['5q', undefined],
  ['m', undefined],
  ['5m3', undefined],
])('duration %s', (text, seconds) => {
  expect(parseDuration(text)).toBe(seconds);
});

test.each([
  ['20kb', 20_000],
  ['1.5MiB', 1_572_864],
  ['3 GB', 3e9],
  ['5B', 5],
  ['5', undefined],
  ['kb', undefined],
])('size %s', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test.each([
  ['12', 12],
  ['-1.5e3', -1_500],
  ['.5', 0.5],
  ['0x1f', 31],
  ['+Inf', Infinity],
  ['1_000', undefined],
  ['', undefined],
  ['abc', undefined],
])('number %s', (text, value) => {
  expect(parseNumber(text)).toBe(value);
});

test.each([
  [0, '0s'],
  [300, '5m'],
  [5_400, '1h30m'],
  [0.25, '250ms'],
  [90_061.5, '1d1h1m1s500ms'],
  [-60, '-1m'],
])('%d seconds as %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});
