import { expect, test } from 'vitest';

import { plotSvg } from './plot.ts';
import { settled, slope } from './slope.ts';

test('the slope of a line is its own, whatever stands around it evenly', () => {
  const line = Array.from({ length: 100 }, (_, x) => ({ x, y: 3 * x + 7 + (x % 2 === 0 ? 1 : -1) }));
  expect(slope(line)).toBeCloseTo(3, 2);
  expect(slope([{ x: 1, y: 1 }])).toBeNaN();
});

test('growing into the load is not counted', () => {
  expect(settled([9, 1, 2, 3, 4, 5])).toEqual([2, 3, 4, 5]);
});

test('a plot has a panel for each quantity, gaps where nothing was measured, and no value outside of it', () => {
  const svg = plotSvg(
    'a < b',
    [0, 1, 2],
    [
      { title: 'memory', unit: 'MiB', curves: [{ name: 'rss', values: [10, Number.NaN, 37] }] },
      { title: 'lag', unit: 's', curves: [{ name: 'tail', values: [0, 0, 0] }] },
    ],
  );
  expect(svg).toContain('a &lt; b');
  expect(svg).toContain('memory, MiB');
  const curves = [...svg.matchAll(/points="([^"]*)"/g)].map(([, points]) => points!.split(' ').length);
  expect(curves).toEqual([2, 3]);
  expect(svg).not.toContain('NaN');
});
