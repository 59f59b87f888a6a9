/** Panel types and what draws them. A new one is a file, a line here and its options in `model/supported-options.ts`. */
import type { ComponentType } from 'preact';
import type { Panel } from '../model/dashboard.ts';
import type { DisplayFrame } from '../model/field-config.ts';
import type { TimeRange } from '../model/time-range.ts';
import { BarGaugePanel } from './bar-gauge-panel.tsx';
import { GaugePanel } from './gauge-panel.tsx';
import { LogsPanel } from './logs-panel.tsx';
import { StatPanel } from './stat-panel.tsx';
import { TablePanel } from './table-panel.tsx';
import { TextPanel } from './text-panel.tsx';
import { TimeseriesPanel } from './timeseries-panel.tsx';

export interface PanelProps {
  panel: Panel;
  frames: DisplayFrame[];
  /** What the data was asked for. */
  range: TimeRange;
  /** Between points of a series; absent where nothing was asked. */
  intervalMs: number | undefined;
}

export const PANELS: ReadonlyMap<string, ComponentType<PanelProps>> = new Map<
  string,
  ComponentType<PanelProps>
>([
  ['timeseries', TimeseriesPanel],
  ['stat', StatPanel],
  ['gauge', GaugePanel],
  ['bargauge', BarGaugePanel],
  ['table', TablePanel],
  ['logs', LogsPanel],
  ['text', TextPanel],
]);
