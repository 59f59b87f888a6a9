import type { JSX } from 'preact';
import { shareOf } from '../model/field-config.ts';
import { withAlpha } from '../model/palette.ts';
import type { PanelProps } from './panels.ts';
import { reducedValues } from './reduced.ts';

/** Horizontal bars; the orientation of the file only says how Grafana would turn them. */
export function BarGaugePanel({ panel, frames }: PanelProps): JSX.Element {
  const gradient = panel.options?.['displayMode'] !== 'basic';
  return (
    <div class="bar-gauges">
      {reducedValues(panel, frames).map(({ name, field, value, display }, index) => (
        <div class="bar-gauge" key={index}>
          <span class="bar-gauge-name" title={name}>
            {name}
          </span>
          <span class="bar-gauge-track">
            <span
              style={{
                width: `${shareOf(field, value) * 100}%`,
                background: gradient
                  ? `linear-gradient(90deg, ${withAlpha(display.color, 0.35)}, ${display.color})`
                  : display.color,
              }}
            />
          </span>
          <span class="number" style={{ color: display.color }}>
            {`${display.prefix ?? ''}${display.text}${display.suffix ?? ''}`}
          </span>
        </div>
      ))}
    </div>
  );
}
