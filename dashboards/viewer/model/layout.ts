/**
 * Where panels stand: 24 columns, rows of 30 px with 8 px between, moved up until they touch something
 * (Grafana's negative gravity). A collapsed row hides its panels and what follows moves up.
 */
import type { GridPos, Panel } from './dashboard.ts';

export interface PlacedPanel {
  panel: Panel;
  /** Stable within the dashboard. */
  key: string;
  pos: GridPos;
  /** Rows: how many panels they hold. */
  count?: number;
}

const COLUMNS = 24;
const DEFAULT_POS: GridPos = { x: 0, y: 0, w: 12, h: 9 };

/** @param toggled keys of rows that stand the other way than the file says */
export function placePanels(panels: readonly Panel[], toggled: ReadonlySet<string>): PlacedPanel[] {
  const placed: PlacedPanel[] = [];
  let top = 0;
  for (const section of sectionsOf(panels)) {
    let open = true;
    if (section.row) {
      const key = keyOf(section.row, section.index);
      open = (section.row.collapsed === true) === toggled.has(key);
      const pos = { x: 0, y: top, w: COLUMNS, h: 1 };
      placed.push({ panel: { ...section.row, collapsed: !open }, key, pos, count: section.members.length });
      top += 1;
    }
    if (!open) continue;
    const heights = Array.from({ length: COLUMNS }, () => top);
    for (const { panel, index } of section.members) {
      const { x, w, h } = boundedPos(panel.gridPos ?? DEFAULT_POS);
      const y = Math.max(...heights.slice(x, x + w));
      heights.fill(y + h, x, x + w);
      placed.push({ panel, key: keyOf(panel, index), pos: { x, y, w, h } });
    }
    top = Math.max(top, ...heights);
  }
  return placed;
}

interface Section {
  row?: Panel;
  index: number;
  members: { panel: Panel; index: number }[];
}

function sectionsOf(panels: readonly Panel[]): Section[] {
  let current: Section = { index: -1, members: [] };
  const sections = [current];
  const ordered = panels
    .map((panel, index) => ({ panel, index }))
    .sort((a, b) => byPosition(a.panel, b.panel) || a.index - b.index);
  for (const { panel, index } of ordered) {
    if (panel.type === 'row') {
      const nested = (panel.panels ?? []).map((member, at) => ({ panel: member, index: index * 1000 + at }));
      nested.sort((a, b) => byPosition(a.panel, b.panel));
      current = { row: panel, index, members: nested };
      sections.push(current);
    } else {
      current.members.push({ panel, index });
    }
  }
  return sections.filter((section) => section.row || section.members.length > 0);
}

function byPosition(a: Panel, b: Panel): number {
  const left = a.gridPos ?? DEFAULT_POS;
  const right = b.gridPos ?? DEFAULT_POS;
  return left.y - right.y || left.x - right.x;
}

function boundedPos({ x, y, w, h }: GridPos): GridPos {
  const width = Math.min(COLUMNS, Math.max(1, w));
  return { x: Math.min(COLUMNS - width, Math.max(0, x)), y, w: width, h: Math.max(1, h) };
}

function keyOf(panel: Panel, index: number): string {
  return panel.id === undefined ? `at-${index}` : `id-${panel.id}`;
}
