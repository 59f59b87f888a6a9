/**
 * A dashboard of Grafana's classic JSON model, schemaVersion 42: the one form that Grafana 11 to 13 and our
 * viewer read from a file alike.
 */
import { type Panel, type PanelDraft, place } from './panel.ts';
import type { Variable } from './variable.ts';

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly schemaVersion: 42;
  readonly version: number;
  readonly editable: false;
  readonly graphTooltip: 0 | 1 | 2;
  readonly time: { readonly from: string; readonly to: string };
  readonly timepicker: { readonly refresh_intervals: readonly string[] };
  readonly timezone: string;
  readonly refresh: string;
  readonly weekStart: string;
  readonly fiscalYearStartMonth: number;
  readonly liveNow: boolean;
  readonly links: readonly object[];
  readonly annotations: { readonly list: readonly object[] };
  readonly templating: { readonly list: readonly Variable[] };
  readonly panels: ReadonlyArray<Panel | RowPanel>;
}

export interface RowPanel {
  readonly id: number;
  readonly type: 'row';
  readonly title: string;
  readonly collapsed: boolean;
  readonly gridPos: { readonly h: 1; readonly w: 24; readonly x: 0; readonly y: number };
  readonly panels: readonly Panel[];
}

export interface Section {
  /** With a title, a row panel stands above. */
  readonly title?: string;
  /** The row panel's id; with `title`. */
  readonly id?: number;
  /** Of every panel in it, in grid units of 38 px. */
  readonly height: number;
  readonly panels: readonly PanelDraft[];
}

export interface DashboardOptions {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly from: string;
  readonly refresh: string;
  readonly variables: readonly Variable[];
  readonly sections: readonly Section[];
}

export const COLUMNS = 24;

export function dashboard(options: DashboardOptions): Dashboard {
  return {
    uid: options.uid,
    title: options.title,
    description: options.description,
    tags: options.tags,
    schemaVersion: 42,
    version: 1,
    editable: false,
    graphTooltip: 1,
    time: { from: options.from, to: 'now' },
    timepicker: { refresh_intervals: ['5s', '10s', '30s', '1m', '5m', '15m'] },
    timezone: 'browser',
    refresh: options.refresh,
    weekStart: '',
    fiscalYearStartMonth: 0,
    liveNow: false,
    links: [
      {
        type: 'dashboards',
        title: 'Millrace',
        tags: ['millrace'],
        asDropdown: false,
        icon: 'external link',
        includeVars: false,
        keepTime: true,
        targetBlank: false,
        tooltip: '',
        url: '',
      },
    ],
    annotations: { list: [] },
    templating: { list: options.variables },
    panels: layout(options.sections),
  };
}

/** Left to right, wrapping at the page's width; each section starts below the one before. */
function layout(sections: readonly Section[]): Array<Panel | RowPanel> {
  const placed: Array<Panel | RowPanel> = [];
  let y = 0;
  for (const { title, id, height, panels } of sections) {
    if (title !== undefined && id !== undefined) {
      placed.push({
        id,
        type: 'row',
        title,
        collapsed: false,
        gridPos: { h: 1, w: COLUMNS, x: 0, y },
        panels: [],
      });
      y += 1;
    }
    let x = 0;
    for (const draft of panels) {
      if (x + draft.width > COLUMNS) {
        x = 0;
        y += height;
      }
      placed.push(place(draft, { h: height, w: draft.width, x, y }));
      x += draft.width;
    }
    if (panels.length > 0) y += height;
  }
  return placed;
}
