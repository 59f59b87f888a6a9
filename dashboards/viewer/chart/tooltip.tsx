import type { JSX } from 'preact';
import { formatTime } from '../model/time-range.ts';
import type { Aligned } from './align.ts';
import type { ChartSeries } from './chart.tsx';

export interface TooltipState {
  index: number;
  left: number;
  top: number;
  width: number;
}

// More rows would be taller than most panels and read by nobody.
const ROWS_MAX = 16;

export function Tooltip(props: {
  state: TooltipState;
  series: readonly ChartSeries[];
  aligned: Aligned;
  single: boolean;
  sort: 'none' | 'asc' | 'desc';
  hideZeros: boolean;
  utc: boolean;
}): JSX.Element | null {
  const { state, aligned, sort } = props;
  const time = aligned.times[state.index];
  if (time === undefined) return null;
  let rows = props.series
    .map((one, index) => ({ one, value: aligned.columns[index]?.[state.index] ?? null }))
    .filter(
      ({ one, value }) => !one.hidden && one.inTooltip && value !== null && !(props.hideZeros && value === 0),
    );
  if (rows.length === 0) return null;
  if (props.single) rows = rows.sort((a, b) => (b.value ?? 0) - (a.value ?? 0)).slice(0, 1);
  else if (sort !== 'none')
    rows.sort((a, b) => ((a.value ?? 0) - (b.value ?? 0)) * (sort === 'asc' ? 1 : -1));
  const onLeft = state.left > state.width / 2;
  return (
    <div
      class={onLeft ? 'tooltip popover on-left' : 'tooltip popover'}
      style={{ left: `${state.left + (onLeft ? -14 : 14)}px`, top: `${Math.max(0, state.top - 20)}px` }}
    >
      <div class="tooltip-time">{formatTime(time, props.utc, time % 1000 !== 0)}</div>
      <table>
        <tbody>
          {rows.slice(0, ROWS_MAX).map(({ one, value }) => (
            <tr key={one.name}>
              <td>
                <i class="swatch" style={{ background: one.color }} />
                {one.name}
              </td>
              <td class="number">{one.text(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > ROWS_MAX && <div class="muted">and {rows.length - ROWS_MAX} more</div>}
    </div>
  );
}
