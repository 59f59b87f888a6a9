/** Lines over time by level, or the series of a metric query. */
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { alignColumns, withNeighbours } from '../chart/align.ts';
import { Chart, type ChartSeries } from '../chart/chart.tsx';
import { Legend } from '../chart/legend.tsx';
import { classicColor, type Theme } from '../model/palette.ts';
import type { TimeRange } from '../model/time-range.ts';
import { unitText } from '../model/units.ts';
import { zoomTo } from '../shell/time.tsx';
import { LEVEL_COLORS, levelOf, LEVELS } from './log-row.ts';
import type { MatrixSeries } from './loki.ts';

export function Volume(props: {
  series: readonly MatrixSeries[];
  /** Bars of this width: a value counts the lines of the step before its time. Absent: lines. */
  stepMs?: number | undefined;
  range: TimeRange;
  utc: boolean;
  theme: Theme;
  onZoomOut: () => void;
}): JSX.Element {
  const { series, stepMs, theme } = props;
  const named = useMemo(
    () =>
      series
        .map(({ metric, values }) => ({
          name: nameOf(metric, stepMs !== undefined),
          times: values.map(([seconds]) => seconds * 1000 - (stepMs ?? 0) / 2),
          values: values.map(([, value]) => Number(value)),
        }))
        .sort((a, b) => (stepMs === undefined ? 0 : rank(b.name) - rank(a.name))),
    [series, stepMs],
  );
  const aligned = useMemo(() => {
    const plain = alignColumns(named);
    return stepMs === undefined ? plain : withNeighbours(plain, stepMs);
  }, [named, stepMs]);
  const drawn = named.map(({ name }, index): ChartSeries => {
    const bars = stepMs !== undefined;
    return {
      name,
      color: bars ? LEVEL_COLORS[levelOf(name)] : classicColor(index, theme),
      text: (value) => unitText('short', value),
      unit: 'short',
      bounds: { min: bars ? 0 : undefined },
      draw: bars ? 'bars' : 'line',
      interpolation: 'linear',
      lineWidth: bars ? 0 : 1.5,
      fill: bars ? 1 : 0.08,
      gradient: false,
      points: bars ? 'never' : 'auto',
      pointSize: 5,
      stack: bars ? 'normal' : 'none',
      spanNulls: false,
      axis: 'auto',
      barWidth: 0.9,
      hidden: false,
      inTooltip: true,
    };
  });
  const chart = (
    <Chart
      aligned={aligned}
      series={drawn}
      range={props.range}
      utc={props.utc}
      theme={theme}
      tooltip="multi"
      onZoom={zoomTo}
      onZoomOut={props.onZoomOut}
    />
  );
  if (stepMs !== undefined) return chart;
  return (
    <div class="timeseries">
      {chart}
      <Legend
        series={drawn}
        aligned={aligned}
        mode="table"
        calcs={['lastNotNull', 'max']}
        onPick={() => {}}
      />
    </div>
  );
}

function nameOf(metric: Record<string, string>, byLevel: boolean): string {
  if (byLevel) return levelOf(metric['level'] ?? metric['detected_level']);
  const labels = Object.entries(metric);
  if (labels.length === 1) return labels[0]?.[1] ?? '';
  return `{${labels.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ')}}`;
}

function rank(name: string): number {
  return LEVELS.indexOf(levelOf(name));
}
