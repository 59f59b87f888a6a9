import type { JSX } from 'preact';
import { boundsOf, shareOf, thresholdSteps } from '../model/field-config.ts';
import { colorByName } from '../model/palette.ts';
import type { PanelProps } from './panels.ts';
import { type ReducedValue, reducedValues } from './reduced.ts';

// The arc is open at the bottom: from 135° below the left, over the top, to the right.
const START = -Math.PI * 1.2;
const SWEEP = Math.PI * 1.4;

export function GaugePanel({ panel, frames }: PanelProps): JSX.Element {
  const values = reducedValues(panel, frames);
  const markers = panel.options?.['showThresholdMarkers'] !== false;
  return (
    <div class="gauges">
      {values.map((one, index) => (
        <Gauge key={index} one={one} named={values.length > 1} markers={markers} />
      ))}
    </div>
  );
}

function Gauge({
  one,
  named,
  markers,
}: {
  one: ReducedValue;
  named: boolean;
  markers: boolean;
}): JSX.Element {
  const { field, display, value } = one;
  const { min, max } = boundsOf(field);
  const steps = thresholdSteps(field.config);
  const share = (bound: number): number => Math.min(1, Math.max(0, (bound - min) / (max - min)));
  return (
    <figure class="gauge">
      <svg
        viewBox="0 0 200 150"
        role="img"
        aria-label={`${one.name}: ${display.text}${display.suffix ?? ''}`}
      >
        <path d={arc(0, 1, 80)} class="gauge-track" stroke-width="20" />
        <path d={arc(0, shareOf(field, value), 80)} stroke={display.color} stroke-width="20" fill="none" />
        {markers &&
          steps.map((step, index) => (
            <path
              key={index}
              d={arc(share(step.value), share(steps[index + 1]?.value ?? max), 94)}
              stroke={colorByName(step.color, field.theme)}
              stroke-width="4"
              fill="none"
            />
          ))}
        <text x="100" y="108" text-anchor="middle" fill={display.color} class="gauge-value">
          {`${display.prefix ?? ''}${display.text}${display.suffix ?? ''}`}
        </text>
      </svg>
      {named && <figcaption>{one.name}</figcaption>}
    </figure>
  );
}

function arc(from: number, to: number, radius: number): string {
  const point = (share: number): string => {
    const angle = START + SWEEP * share;
    return `${(100 + radius * Math.cos(angle)).toFixed(2)} ${(100 + radius * Math.sin(angle)).toFixed(2)}`;
  };
  if (!(to > from)) return '';
  const large = (to - from) * SWEEP > Math.PI ? 1 : 0;
  return `M${point(from)}A${radius} ${radius} 0 ${large} 1 ${point(to)}`;
}
