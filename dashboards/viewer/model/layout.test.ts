import { expect, test } from 'vitest';
import type { Panel } from './dashboard.ts';
import { placePanels } from './layout.ts';

function panel(id: number, x: number, y: number, w: number, h: number, more: Partial<Panel> = {}): Panel {
  return { id, type: 'stat', gridPos: { x, y, w, h }, ...more };
}

function positions(panels: Panel[], toggled: string[] = []): Record<string, string> {
  return Object.fromEntries(
    placePanels(panels, new Set(toggled)).map(({ key, pos }) => [key, `${pos.x},${pos.y} ${pos.w}x${pos.h}`]),
  );
}

test('gaps close upwards', () => {
  expect(positions([panel(1, 0, 0, 12, 4), panel(2, 0, 9, 12, 4), panel(3, 12, 9, 12, 4)])).toEqual({
    'id-1': '0,0 12x4',
    'id-2': '0,4 12x4',
    'id-3': '12,0 12x4',
  });
});

test('a collapsed row hides its panels and pulls up what follows', () => {
  const panels = [
    panel(1, 0, 0, 24, 1, { type: 'row', collapsed: false }),
    panel(2, 0, 1, 24, 8),
    panel(3, 0, 9, 24, 1, { type: 'row', collapsed: true, panels: [panel(4, 0, 10, 12, 5)] }),
    panel(5, 0, 10, 24, 1, { type: 'row', collapsed: false }),
    panel(6, 0, 11, 6, 3),
  ];
  expect(positions(panels)).toEqual({
    'id-1': '0,0 24x1',
    'id-2': '0,1 24x8',
    'id-3': '0,9 24x1',
    'id-5': '0,10 24x1',
    'id-6': '0,11 6x3',
  });
  expect(positions(panels, ['id-1', 'id-3'])).toEqual({
    'id-1': '0,0 24x1',
    'id-3': '0,1 24x1',
    'id-4': '0,2 12x5',
    'id-5': '0,7 24x1',
    'id-6': '0,8 6x3',
  });
});

test('positions outside the grid are bounded', () => {
  expect(positions([panel(1, 20, 0, 40, 2)])).toEqual({ 'id-1': '0,0 24x2' });
});
