import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { useDashboard } from '../dashboard/context.ts';
import { withAlpha } from '../model/palette.ts';
import { reduceValues } from '../model/reducers.ts';
import { unitText } from '../model/units.ts';
import type { PanelProps } from './panels.ts';
import { type ReducedValue, reducedValues } from './reduced.ts';
import { sparkline } from './sparkline.ts';
import { useSize } from './use-size.ts';

interface StatOptions {
  colorMode?: string;
  graphMode?: string;
  textMode?: string;
  justifyMode?: string;
  orientation?: string;
  showPercentChange?: boolean;
  text?: { valueSize?: number; titleSize?: number };
}

export function StatPanel({ panel, frames }: PanelProps): JSX.Element {
  const { theme } = useDashboard();
  const box = useRef<HTMLDivElement>(null);
  const size = useSize(box);
  const options = (panel.options ?? {}) as StatOptions;
  const values = reducedValues(panel, frames);
  if (values.length === 0) return <p class="empty">{panel.fieldConfig?.defaults?.noValue ?? 'No data'}</p>;

  const sideBySide =
    options.orientation === 'vertical' ||
    (options.orientation !== 'horizontal' && size.width > size.height * 1.2);
  const columns = sideBySide ? Math.min(values.length, Math.max(1, Math.floor(size.width / 110))) : 1;
  const rows = Math.ceil(values.length / columns);
  const tile = { width: size.width / columns, height: size.height / rows };
  return (
    <div
      class="stat"
      ref={box}
      style={{ gridTemplateColumns: `repeat(${columns}, 1fr)`, gridTemplateRows: `repeat(${rows}, 1fr)` }}
    >
      {size.height > 0 &&
        values.map((one, index) => (
          <Tile
            key={index}
            one={one}
            options={options}
            named={values.length > 1}
            theme={theme}
            width={tile.width}
            height={tile.height}
          />
        ))}
    </div>
  );
}

// The line stays below the number, which must be readable first.
const SPARK_SHARE = 0.4;

function Tile(props: {
  one: ReducedValue;
  options: StatOptions;
  named: boolean;
  theme: 'dark' | 'light';
  width: number;
  height: number;
}): JSX.Element {
  const { one, options, width, height, theme } = props;
  const { display } = one;
  const mode = options.textMode ?? 'auto';
  const showName = mode === 'name' || mode === 'value_and_name' || (mode === 'auto' && props.named);
  const showValue = mode !== 'name' && mode !== 'none';
  const text = `${display.prefix ?? ''}${display.text}`;
  const suffix = display.suffix ?? '';
  const graph = options.graphMode !== 'none' && one.field.type === 'number' && one.times.length > 1;
  // A character is about 0.6 of the font size wide; the unit is drawn at 0.6 of the value's size.
  const room = width - 20;
  const fitting = room / Math.max(1, (text.length + suffix.length * 0.62) * 0.58);
  const fontSize =
    options.text?.valueSize ??
    Math.max(12, Math.min(fitting, (height - (showName ? 18 : 0)) * (graph ? 0.4 : 0.55), 40));
  const background = options.colorMode === 'background' || options.colorMode === 'background_solid';
  const color = background ? '#fff' : options.colorMode === 'none' ? undefined : display.color;
  const centred =
    options.justifyMode === 'center' || (options.justifyMode !== 'left' && props.named && !graph);
  const line = graph
    ? sparkline(one.times, one.field.values, width, height * SPARK_SHARE, one.field.config)
    : undefined;
  const shade = background ? '#ffffff' : display.color;
  return (
    <div
      class={centred ? 'stat-tile centred' : 'stat-tile'}
      style={
        background ? { background: theme === 'dark' ? withAlpha(display.color, 0.72) : display.color } : {}
      }
    >
      {line && (
        <svg class="sparkline" width={width} height={height * SPARK_SHARE} aria-hidden="true">
          <path d={line.area} fill={withAlpha(shade, 0.16)} />
          <path d={line.line} fill="none" stroke={withAlpha(shade, 0.75)} stroke-width="1.25" />
        </svg>
      )}
      {showName && <div class="stat-name">{one.name}</div>}
      {showValue && (
        <div class="stat-value" style={{ fontSize: `${fontSize}px`, ...(color ? { color } : {}) }}>
          {text}
          <span class="stat-unit">{suffix}</span>
          {options.showPercentChange && <Change values={one.field.values} />}
        </div>
      )}
    </div>
  );
}

function Change({ values }: { values: readonly unknown[] }): JSX.Element | null {
  const change = reduceValues('diffperc', values);
  if (change === null) return null;
  return (
    <span class="stat-change">{`${change >= 0 ? '↑' : '↓'} ${unitText('percent', Math.abs(change), 1)}`}</span>
  );
}
