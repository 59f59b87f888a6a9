import { expect, test } from 'vitest';
import { classicColor, classicColorByName, colorByName, continuousColor, withAlpha } from './palette.ts';

test('names differ by theme, hex passes, anything else cannot reach CSS', () => {
  expect(colorByName('green', 'dark')).toBe('#73BF69');
  expect(colorByName('green', 'light')).toBe('#56A64B');
  expect(colorByName('#123456', 'dark')).toBe('#123456');
  expect(colorByName('rgb(1, 2, 3)', 'dark')).toBe('rgb(1, 2, 3)');
  expect(colorByName('url(https://example.org)', 'dark')).toBe('#808080');
  expect(colorByName('constructor', 'dark')).toBe('#808080');
});

test('the classic palette starts green, yellow, blue and wraps', () => {
  expect([0, 1, 2].map((index) => classicColor(index, 'dark'))).toEqual(['#73BF69', '#F2CC0C', '#5794F2']);
  expect(classicColor(44 * 7, 'dark')).toMatch(/^#/);
  expect(classicColorByName('error', 'dark')).toBe(classicColorByName('error', 'dark'));
});

test('continuous schemes interpolate', () => {
  expect(continuousColor('continuous-GrYlRd', 0, 'dark')).toBe('#73bf69');
  expect(continuousColor('continuous-GrYlRd', 1, 'dark')).toBe('#f2495c');
  expect(withAlpha('#ff0000', 0.5)).toBe('#ff000080');
});
