import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { alignColumns, withNeighbours } from '../chart/align.ts';
import { Chart, type ChartSeries } from '../chart/chart.tsx';
import { Legend } from '../chart/legend.tsx';
import type { ThresholdLines } from '../chart/thresholds.ts';
import { useDashboard } from '../dashboard/context.ts';
import type { Panel } from '../model/dashboard.ts';
import { type DisplayField, displayText, type DisplayFrame, seriesColor } from '../model/field-config.ts';
import { useTime, zoomOut, zoomTo } from '../shell/time.tsx';
import type { PanelProps } from './panels.ts';

interface TimeseriesOptions {
  legend?: {
    displayMode?: string;
    placement?: string;
    showLegend?: boolean;
    calcs?: string[];
    sortBy?: string;
    sortDesc?: boolean;
    width?: number;
  };
  tooltip?: { mode?: 'single' | 'multi' | 'none'; sort?: 'none' | 'asc' | 'desc'; hideZeros?: boolean };
}

export function TimeseriesPanel({ panel, frames, range, intervalMs }: PanelProps): JSX.Element {
  const { theme, dashboard, uid } = useDashboard();
  const time = useTime();
  const options = (panel.options ?? {}) as TimeseriesOptions;
  const [alone, setAlone] = useState<ReadonlySet<string>>(new Set());

  const fields = useMemo(() => numericFields(frames), [frames]);
  const aligned = useMemo(() => {
    const columns = fields.map(({ field, times }) => ({ times, values: field.values as (number | null)[] }));
    const bars = fields.some(({ field }) => field.config.custom?.['drawStyle'] === 'bars');
    const plain = alignColumns(columns);
    return bars && intervalMs !== undefined ? withNeighbours(plain, intervalMs) : plain;
  }, [fields, intervalMs]);
  const series = fields.map(({ field }) => seriesOf(field, alone.size > 0 && !alone.has(field.displayName)));

  const pick = (name: string, several: boolean): void => {
    const all = series.map((one) => one.name);
    const next = new Set(several ? (alone.size === 0 ? all : alone) : []);
    if (several) {
      if (!next.delete(name)) next.add(name);
    } else if (!(alone.size === 1 && alone.has(name))) next.add(name);
    setAlone(next.size === all.length ? new Set() : next);
  };

  if (aligned.times.length === 0)
    return <p class="empty">{panel.fieldConfig?.defaults?.noValue ?? 'No data'}</p>;
  const { legend } = options;
  const showLegend = legend?.showLegend !== false && legend?.displayMode !== 'hidden' && series.length > 0;
  const right = legend?.placement === 'right';
  return (
    <div class={right ? 'timeseries legend-right' : 'timeseries'}>
      <Chart
        aligned={aligned}
        series={series}
        range={range}
        utc={time.utc}
        theme={theme}
        syncKey={(dashboard.graphTooltip ?? 0) > 0 ? uid : undefined}
        tooltip={options.tooltip?.mode ?? 'single'}
        tooltipSort={options.tooltip?.sort}
        hideZeros={options.tooltip?.hideZeros}
        thresholds={thresholdLines(panel)}
        onZoom={zoomTo}
        onZoomOut={() => zoomOut(time)}
      />
      {showLegend && (
        <Legend
          series={series.filter((_, index) => !hiddenFrom(fields[index]?.field, 'legend'))}
          aligned={
            series.some((_, index) => hiddenFrom(fields[index]?.field, 'legend'))
              ? {
                  ...aligned,
                  columns: aligned.columns.filter((_, index) => !hiddenFrom(fields[index]?.field, 'legend')),
                }
              : aligned
          }
          mode={legend?.displayMode === 'table' ? 'table' : 'list'}
          calcs={legend?.calcs ?? []}
          sortBy={legend?.sortBy}
          sortDesc={legend?.sortDesc}
          onPick={pick}
        />
      )}
    </div>
  );
}

function numericFields(frames: readonly DisplayFrame[]): { field: DisplayField; times: number[] }[] {
  return frames.flatMap((frame) => {
    const time = frame.fields.find(({ type }) => type === 'time');
    if (!time) return [];
    return frame.fields
      .filter((field) => field.type === 'number' && !hiddenFrom(field, 'viz'))
      .map((field) => ({ field, times: time.values as number[] }));
  });
}

function hiddenFrom(field: DisplayField | undefined, where: 'viz' | 'legend' | 'tooltip'): boolean {
  const hide = field?.config.custom?.['hideFrom'] as Record<string, boolean | undefined> | undefined;
  return hide?.[where] === true;
}

function seriesOf(field: DisplayField, hidden: boolean): ChartSeries {
  const custom = field.config.custom ?? {};
  const number = (name: string, fallback: number): number =>
    typeof custom[name] === 'number' ? custom[name] : fallback;
  const stack = (custom['stacking'] as { mode?: 'none' | 'normal' | 'percent' } | undefined)?.mode ?? 'none';
  const style = custom['lineStyle'] as { fill?: string; dash?: number[] } | undefined;
  const scale = custom['scaleDistribution'] as { type?: string; log?: number } | undefined;
  const placement = custom['axisPlacement'];
  return {
    name: field.displayName,
    color: seriesColor(field),
    text: (value) => (value === null ? '' : displayText(field, value)),
    unit: field.config.unit,
    decimals: field.config.decimals,
    bounds: {
      min: field.config.min,
      max: field.config.max,
      softMin: custom['axisSoftMin'] as number | undefined,
      softMax: custom['axisSoftMax'] as number | undefined,
    },
    draw: (custom['drawStyle'] as ChartSeries['draw'] | undefined) ?? 'line',
    interpolation: (custom['lineInterpolation'] as ChartSeries['interpolation'] | undefined) ?? 'linear',
    lineWidth: number('lineWidth', 1),
    fill: number('fillOpacity', 0) / 100,
    gradient: custom['gradientMode'] === 'opacity' || custom['gradientMode'] === 'hue',
    dash: style?.fill === 'dash' ? (style.dash ?? [10, 10]) : style?.fill === 'dot' ? [2, 6] : undefined,
    points: (custom['showPoints'] as ChartSeries['points'] | undefined) ?? 'auto',
    pointSize: number('pointSize', 5),
    stack,
    spanNulls: (custom['spanNulls'] as boolean | number | undefined) ?? false,
    axis: placement === 'right' || placement === 'left' || placement === 'hidden' ? placement : 'auto',
    axisLabel: (custom['axisLabel'] as string | undefined) || undefined,
    log: scale?.type === 'log' ? (scale.log ?? 10) : undefined,
    barWidth: number('barWidthFactor', 0.9),
    hidden,
    inTooltip: !hiddenFrom(field, 'tooltip'),
  };
}

function thresholdLines(panel: Panel): ThresholdLines | undefined {
  const defaults = panel.fieldConfig?.defaults;
  const mode = (defaults?.custom?.['thresholdsStyle'] as { mode?: string } | undefined)?.mode ?? 'off';
  if (mode === 'off' || !defaults?.thresholds?.steps) return undefined;
  return {
    line: mode.includes('line') || mode.includes('dashed'),
    dashed: mode.includes('dashed'),
    area: mode.includes('area'),
    steps: defaults.thresholds.steps,
  };
}
