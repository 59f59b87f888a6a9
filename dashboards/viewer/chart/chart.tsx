/** A time chart on uPlot: lines, bars or points, stacked or not, with tooltip, shared crosshair and brush. */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import type { TimeRange } from '../model/time-range.ts';
import { type Theme, withAlpha } from '../model/palette.ts';
import { CANVAS } from '../shell/theme.ts';
import { type Aligned, isolatedPoints, spanGaps, stackColumns } from './align.ts';
import { type Bounds, tickSteps, tickText, timeTicks, valueRange } from './axis.ts';
import { drawThresholds, type ThresholdLines } from './thresholds.ts';
import { Tooltip, type TooltipState } from './tooltip.tsx';

export interface ChartSeries {
  name: string;
  color: string;
  /** Text of a value in tooltip and legend. */
  text: (value: number | null) => string;
  unit?: string | undefined;
  decimals?: number | null | undefined;
  bounds?: Bounds | undefined;
  draw: 'line' | 'bars' | 'points';
  interpolation: 'linear' | 'smooth' | 'stepBefore' | 'stepAfter';
  lineWidth: number;
  /** 0 to 1. */
  fill: number;
  gradient: boolean;
  dash?: number[] | undefined;
  points: 'auto' | 'always' | 'never';
  pointSize: number;
  stack: 'none' | 'normal' | 'percent';
  spanNulls: boolean | number;
  axis: 'auto' | 'left' | 'right' | 'hidden';
  axisLabel?: string | undefined;
  log?: number | undefined;
  barWidth: number;
  hidden: boolean;
  inTooltip: boolean;
}

export interface ChartProps {
  aligned: Aligned;
  series: readonly ChartSeries[];
  range: TimeRange;
  utc: boolean;
  theme: Theme;
  /** Charts of one key share their crosshair. */
  syncKey?: string | undefined;
  tooltip: 'single' | 'multi' | 'none';
  tooltipSort?: 'none' | 'asc' | 'desc' | undefined;
  hideZeros?: boolean | undefined;
  thresholds?: ThresholdLines | undefined;
  /** Without axes for small charts. */
  bare?: boolean;
  onZoom: (fromMs: number, toMs: number) => void;
  onZoomOut?: (() => void) | undefined;
}

export function Chart(props: ChartProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const [tooltip, setTooltip] = useState<TooltipState | undefined>(undefined);

  const shape = JSON.stringify([
    props.series,
    props.utc,
    props.theme,
    props.syncKey,
    props.thresholds,
    props.bare,
    props.tooltip,
  ]);
  useLayoutEffect(() => {
    const target = box.current;
    if (!target) return;
    const made = new uPlot(optionsOf(latest, target, setTooltip), dataOf(latest.current), target);
    plot.current = made;
    const resize = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = target;
      if (width > 0 && height > 0 && (width !== made.width || height !== made.height))
        made.setSize({ width, height });
    });
    resize.observe(target);
    return () => {
      resize.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [shape]);

  const drawn = useRef(shape);
  useEffect(() => {
    // A chart made in this very pass has its data already.
    if (drawn.current === shape) plot.current?.setData(dataOf(latest.current));
    drawn.current = shape;
  }, [props.aligned, props.range, shape]);

  return (
    <div class="chart" onMouseLeave={() => setTooltip(undefined)} onDblClick={() => props.onZoomOut?.()}>
      <div class="chart-canvas" ref={box} />
      {tooltip && props.tooltip !== 'none' && (
        <Tooltip
          state={tooltip}
          series={props.series}
          aligned={props.aligned}
          single={props.tooltip === 'single'}
          sort={props.tooltipSort ?? 'none'}
          hideZeros={props.hideZeros ?? false}
          utc={props.utc}
        />
      )}
    </div>
  );
}

/** Stacked series are drawn from the top of the stack down, so that bars cover what is behind them. */
function drawOrder(series: readonly ChartSeries[]): number[] {
  const order = series.map((_, index) => index);
  return series.some(({ stack }) => stack !== 'none') ? order.reverse() : order;
}

function dataOf({ aligned, series }: ChartProps): uPlot.AlignedData {
  const columns = [...aligned.columns];
  const stacked = series.flatMap((one, index) => (one.stack !== 'none' && !one.hidden ? [index] : []));
  const percent = series.some(({ stack }) => stack === 'percent');
  const sums = stackColumns(
    stacked.map((index) => aligned.columns[index] ?? []),
    percent,
  );
  for (const [at, index] of stacked.entries()) columns[index] = sums[at] ?? [];
  const drawn = drawOrder(series).map((index) => {
    const one = series[index];
    const values = columns[index] ?? [];
    return one && one.stack === 'none' ? spanGaps(aligned.times, values, one.spanNulls) : values;
  });
  return [aligned.times, ...drawn] as uPlot.AlignedData;
}

function optionsOf(
  latest: { current: ChartProps },
  target: HTMLElement,
  setTooltip: (state: TooltipState | undefined) => void,
): uPlot.Options {
  const { series, utc, theme, syncKey, bare, thresholds } = latest.current;
  const colors = CANVAS[theme];
  const font = '11px system-ui, -apple-system, "Segoe UI", sans-serif';
  const scales = new Map<string, ChartSeries[]>();
  for (const one of series) {
    const key = scaleOf(one);
    scales.set(key, [...(scales.get(key) ?? []), one]);
  }
  if (scales.size === 0) scales.set('y', []);

  const order = drawOrder(series);
  const options: uPlot.Options = {
    width: Math.max(10, target.clientWidth),
    height: Math.max(10, target.clientHeight),
    ms: 1,
    tzDate: (ms) => (utc ? uPlot.tzDate(new Date(ms), 'Etc/UTC') : new Date(ms)),
    // On the right, half of a time's text.
    padding: bare ? [4, 0, 0, 0] : [8, 18, 0, 0],
    legend: { show: false },
    cursor: {
      ...(syncKey === undefined ? {} : { sync: { key: syncKey, setSeries: false, scales: ['x', null] } }),
      drag: { x: true, y: false, setScale: false },
      points: { size: 6 },
      bind: { dblclick: () => null },
    },
    scales: { x: { time: true, range: () => rangeOf(latest.current.range) } },
    series: [
      {},
      ...order.flatMap((index) => (series[index] ? [seriesOf(series[index], series, theme)] : [])),
    ],
    axes: [
      {
        stroke: colors.text,
        font,
        size: 24,
        gap: 4,
        grid: { stroke: colors.grid, width: 1 },
        ticks: { stroke: colors.grid, width: 1, size: 4 },
        space: 70,
        show: !bare,
        values: (_, splits, __, ___, step) => timeTicks(splits, step, utc),
      },
    ],
    hooks: {
      setCursor: [
        (u) => {
          const { left = -1, top = 0, idx, event } = u.cursor;
          // Only the chart under the pointer explains itself; the others just show the crosshair.
          const own = event !== undefined && event !== null && left >= 0;
          setTooltip(
            own && typeof idx === 'number'
              ? { index: idx, left: left + u.over.offsetLeft, top: top + u.over.offsetTop, width: u.width }
              : undefined,
          );
        },
      ],
      setSelect: [
        (u) => {
          const { left, width } = u.select;
          if (width > 4) {
            latest.current.onZoom(u.posToVal(left, 'x'), u.posToVal(left + width, 'x'));
          }
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
      ...(thresholds ? { drawAxes: [(u: uPlot) => drawThresholds(u, thresholds, theme)] } : {}),
    },
  };

  let side: 1 | 3 = 3;
  for (const [key, members] of scales) {
    const [first] = members;
    const bars = members.some(({ draw, stack }) => draw === 'bars' || stack !== 'none');
    const unit = first?.stack === 'percent' ? 'percentunit' : first?.unit;
    options.scales![key] = {
      ...(first?.log ? { distr: 3, log: first.log === 2 ? 2 : 10 } : {}),
      ...(first?.log ? {} : { range: (_, low, high) => valueRange(low, high, boundsOf(members), bars) }),
    };
    const placed = first?.axis === 'right' ? 1 : first?.axis === 'left' ? 3 : side;
    side = 1;
    options.axes!.push({
      scale: key,
      side: placed,
      stroke: colors.text,
      font,
      gap: 4,
      show: !bare && first?.axis !== 'hidden',
      ...(first?.axisLabel ? { label: first.axisLabel, labelFont: font, labelSize: 18 } : {}),
      size: (u, values) => axisWidth(u, values),
      space: 26,
      incrs: tickSteps(unit),
      grid: { stroke: colors.grid, width: 1, show: placed === 3 },
      ticks: { show: false },
      values: (_, splits) => splits.map((value) => (value === null ? '' : tickText(unit, value, undefined))),
    });
  }
  return options;
}

function scaleOf({ unit, axis, log, stack }: ChartSeries): string {
  return `y:${stack === 'percent' ? 'percent' : (unit ?? '')}:${axis === 'right' ? 'right' : ''}:${log ?? ''}`;
}

function rangeOf({ fromMs, toMs }: TimeRange): [number, number] {
  return [fromMs, toMs];
}

function boundsOf(members: readonly ChartSeries[]): Bounds {
  const pick = (name: keyof Bounds, choose: (...values: number[]) => number): number | undefined => {
    const known = members
      .map(({ bounds }) => bounds?.[name])
      .filter((one): one is number => typeof one === 'number');
    return known.length === 0 ? undefined : choose(...known);
  };
  return {
    min: pick('min', Math.min),
    max: pick('max', Math.max),
    softMin: pick('softMin', Math.min),
    softMax: pick('softMax', Math.max),
  };
}

function axisWidth(u: uPlot, values: readonly string[] | null): number {
  if (!values) return 40;
  u.ctx.save();
  u.ctx.font = `${Math.round(11 * devicePixelRatio)}px system-ui, sans-serif`;
  const widest = Math.max(0, ...values.map((value) => u.ctx.measureText(value).width / devicePixelRatio));
  u.ctx.restore();
  return Math.ceil(Math.max(24, widest + 12));
}

function seriesOf(one: ChartSeries, all: readonly ChartSeries[], theme: Theme): uPlot.Series {
  const { color, draw, fill, stack } = one;
  const scale = scaleOf(one);
  const result: uPlot.Series = {
    scale,
    label: one.name,
    show: !one.hidden,
    stroke: draw === 'points' ? 'transparent' : color,
    width: draw === 'bars' ? Math.min(1, one.lineWidth) : one.lineWidth,
    spanGaps: one.spanNulls === true,
    points: {
      show: draw === 'points' || one.points === 'always',
      size: one.pointSize,
      stroke: color,
      fill: color,
    },
  };
  if (one.points === 'auto' && draw === 'line' && result.points) {
    delete result.points.show;
    result.points.filter = (u, at, show) => (show ? null : isolatedPoints(u.data[at] ?? []));
  }
  if (one.dash) result.dash = one.dash;
  if (fill > 0) {
    // A stacked area lies over those below it: it has to be opaque to keep its own colour.
    const opaque = stack !== 'none' ? blend(color, CANVAS[theme].panel, fill) : undefined;
    result.fill = opaque ?? (one.gradient ? (u) => gradient(u, color, fill) : withAlpha(color, fill));
  }
  const { linear, spline, stepped, bars } = uPlot.paths;
  const builder =
    draw === 'bars'
      ? bars?.({ size: [one.barWidth, 200, 1], align: 0, gap: all.length > 0 ? 1 : 0 })
      : one.interpolation === 'smooth'
        ? spline?.()
        : one.interpolation === 'stepBefore'
          ? stepped?.({ align: -1 })
          : one.interpolation === 'stepAfter'
            ? stepped?.({ align: 1 })
            : linear?.();
  if (builder && draw !== 'points') result.paths = builder;
  if (draw === 'points') result.paths = () => null;
  return result;
}

function gradient(u: uPlot, color: string, fill: number): CanvasGradient | string {
  const { top, height } = u.bbox;
  if (!Number.isFinite(top) || !(height > 0)) return withAlpha(color, fill);
  const result = u.ctx.createLinearGradient(0, top, 0, top + height);
  result.addColorStop(0, withAlpha(color, Math.min(1, fill)));
  result.addColorStop(1, withAlpha(color, 0));
  return result;
}

function blend(over: string, under: string, alpha: number): string {
  const parse = (hex: string): number[] => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  if (!/^#[0-9a-f]{6}/i.test(over)) return over;
  const low = parse(under);
  const mixed = parse(over).map((value, index) =>
    Math.round(value * alpha + (low[index] ?? 0) * (1 - alpha)),
  );
  return `rgb(${mixed.join(',')})`;
}
