/** Panels of Grafana's classic dashboard model: only the kinds and options that our dashboards use. */
import { type ClickhouseQuery, DATASOURCE, type DatasourceRef } from './clickhouse-query.ts';

export interface GridPos {
  readonly h: number;
  readonly w: number;
  readonly x: number;
  readonly y: number;
}

/** A panel before the dashboard has placed it. */
export interface PanelDraft {
  /** Stable: `viewPanel` links carry it. */
  readonly id: number;
  readonly title: string;
  /** What it shows and what to do about it: the tooltip beside the title. */
  readonly description: string;
  readonly type: 'timeseries' | 'stat' | 'logs';
  /** In 24ths of the page. */
  readonly width: number;
  readonly targets: readonly ClickhouseQuery[];
  /** No interval shorter than this: below the period of the samples a line has holes. */
  readonly interval?: string;
  /** At most so many intervals: bars of a pixel's width say nothing. */
  readonly maxDataPoints?: number;
  readonly fieldConfig: FieldConfig;
  readonly options: object;
}

export interface Panel extends Omit<PanelDraft, 'width'> {
  readonly datasource: DatasourceRef;
  readonly gridPos: GridPos;
  readonly pluginVersion: string;
  readonly transparent: boolean;
}

export interface FieldConfig {
  readonly defaults: FieldDefaults;
  readonly overrides: readonly FieldOverride[];
}

export interface FieldDefaults {
  readonly unit?: string;
  readonly decimals?: number;
  readonly min?: number;
  readonly max?: number;
  readonly noValue?: string;
  readonly color?: { readonly mode: string; readonly fixedColor?: string };
  readonly thresholds?: Thresholds;
  readonly mappings?: readonly object[];
  readonly links?: readonly DataLink[];
  readonly custom?: object;
}

export interface Thresholds {
  readonly mode: 'absolute';
  readonly steps: ReadonlyArray<{ readonly color: string; readonly value: number | null }>;
}

export interface FieldOverride {
  readonly matcher: { readonly id: 'byName' | 'byRegexp'; readonly options: string };
  readonly properties: ReadonlyArray<{ readonly id: string; readonly value: unknown }>;
}

export interface DataLink {
  readonly title: string;
  readonly url: string;
  readonly targetBlank?: boolean;
}

interface Common {
  readonly id: number;
  readonly title: string;
  readonly description: string;
  readonly width: number;
  readonly unit: string;
  readonly targets: readonly ClickhouseQuery[];
  readonly interval?: string;
  readonly maxDataPoints?: number;
  readonly noValue?: string;
  readonly decimals?: number;
  readonly min?: number;
  readonly max?: number;
  readonly thresholds?: Thresholds;
  readonly links?: readonly DataLink[];
  readonly overrides?: readonly FieldOverride[];
}

/** From a good colour to worse ones: `steps(['green'], ['orange', 60], ['red', 600])`. */
export function steps(...colours: ReadonlyArray<readonly [color: string, from?: number]>): Thresholds {
  return { mode: 'absolute', steps: colours.map(([color, from]) => ({ color, value: from ?? null })) };
}

export interface TimeSeriesOptions extends Common {
  readonly draw?: 'line' | 'bars';
  readonly stacking?: 'none' | 'normal';
  readonly fillOpacity?: number;
  /** Legend as a table with these reducers: for more than four lines. */
  readonly calcs?: readonly string[];
  /** One line of names: where the colours explain themselves. */
  readonly legend?: 'table' | 'list';
  /** Joins points over holes up to this many ms: a missed sample is no outage. */
  readonly spanNullsMs?: number;
}

export function timeSeries(options: TimeSeriesOptions): PanelDraft {
  const { draw = 'line', stacking = 'none', calcs = ['lastNotNull', 'max'], legend = 'table' } = options;
  return {
    ...common(options),
    type: 'timeseries',
    fieldConfig: {
      defaults: {
        ...defaults(options),
        color: { mode: 'palette-classic' },
        custom: {
          drawStyle: draw,
          lineInterpolation: 'linear',
          lineWidth: draw === 'bars' ? 0 : 1,
          fillOpacity: options.fillOpacity ?? (draw === 'bars' ? 100 : 10),
          gradientMode: 'none',
          showPoints: draw === 'bars' ? 'never' : 'auto',
          pointSize: 5,
          stacking: { mode: stacking, group: 'A' },
          spanNulls: draw === 'bars' ? false : (options.spanNullsMs ?? 60_000),
          insertNulls: false,
          axisPlacement: 'auto',
          axisLabel: '',
          scaleDistribution: { type: 'linear' },
          thresholdsStyle: { mode: options.thresholds ? 'line' : 'off' },
          hideFrom: { legend: false, tooltip: false, viz: false },
        },
      },
      overrides: options.overrides ?? [],
    },
    options: {
      legend: {
        displayMode: legend,
        placement: 'bottom',
        showLegend: true,
        calcs,
        // The busiest first: what does not fit stands below the fold.
        ...(legend === 'table' && calcs.includes('lastNotNull') ? { sortBy: 'Last *', sortDesc: true } : {}),
      },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  };
}

export function stat(options: Common): PanelDraft {
  return {
    ...common(options),
    type: 'stat',
    fieldConfig: {
      defaults: { ...defaults(options), color: { mode: 'thresholds' } },
      overrides: options.overrides ?? [],
    },
    options: {
      reduceOptions: { values: false, calcs: ['lastNotNull'], fields: '' },
      colorMode: 'value',
      graphMode: 'area',
      justifyMode: 'auto',
      orientation: 'auto',
      textMode: 'auto',
      wideLayout: true,
      showPercentChange: false,
    },
  };
}

export function logLines(options: Omit<Common, 'unit'>): PanelDraft {
  return {
    ...common({ ...options, unit: 'short' }),
    type: 'logs',
    fieldConfig: {
      defaults: options.links ? { links: options.links } : {},
      overrides: options.overrides ?? [],
    },
    options: {
      showTime: true,
      showLabels: false,
      showCommonLabels: false,
      wrapLogMessage: true,
      prettifyLogMessage: false,
      enableLogDetails: true,
      dedupStrategy: 'none',
      sortOrder: 'Descending',
    },
  };
}

function common(options: Common): Omit<PanelDraft, 'type' | 'fieldConfig' | 'options'> {
  const { id, title, description, width, targets, interval, maxDataPoints } = options;
  return {
    id,
    title,
    description,
    width,
    targets,
    ...(interval === undefined ? {} : { interval }),
    ...(maxDataPoints === undefined ? {} : { maxDataPoints }),
  };
}

function defaults(options: Common): FieldDefaults {
  return {
    unit: options.unit,
    ...(options.decimals === undefined ? {} : { decimals: options.decimals }),
    min: options.min ?? 0,
    ...(options.max === undefined ? {} : { max: options.max }),
    noValue: options.noValue ?? 'no data',
    thresholds: options.thresholds ?? steps(['green']),
    mappings: [],
    ...(options.links ? { links: options.links } : {}),
  };
}

/** Puts a draft at its place. */
export function place(draft: PanelDraft, gridPos: GridPos): Panel {
  const { width: _width, ...rest } = draft;
  return { ...rest, datasource: DATASOURCE, gridPos, pluginVersion: '13.2.3', transparent: false };
}
