import type { CSSProperties, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useDashboard } from '../dashboard/context.ts';
import { expandLink } from '../model/data-link.ts';
import {
  type DisplayField,
  displayText,
  displayValue,
  shareOf,
  textOf,
  valueColor,
} from '../model/field-config.ts';
import { withAlpha } from '../model/palette.ts';
import { formatTime } from '../model/time-range.ts';
import { compareValues } from '../model/transformations.ts';
import { useTime } from '../shell/time.tsx';
import type { PanelProps } from './panels.ts';

// A page of rows: more would only make the browser slow. The rest is a click away.
const ROWS_STEP = 200;

export function TablePanel({ panel, frames, range }: PanelProps): JSX.Element {
  const { variables } = useDashboard();
  const { utc } = useTime();
  const configured = (
    panel.options?.['sortBy'] as { displayName?: string; desc?: boolean }[] | undefined
  )?.[0];
  const [sort, setSort] = useState(configured);
  const [limit, setLimit] = useState(ROWS_STEP);
  const [chosen, setChosen] = useState(Number(panel.options?.['frameIndex'] ?? 0));
  const frame = frames[chosen] ?? frames[0];
  if (!frame) return <p class="empty">No data</p>;

  const fields = frame.fields.filter((field) => field.config.custom?.['hidden'] !== true);
  const order = Array.from({ length: frame.length }, (_, index) => index);
  const key = fields.find((field) => field.displayName === sort?.displayName);
  if (key) order.sort((a, b) => compareValues(key.values[a], key.values[b]) * (sort?.desc ? -1 : 1));
  return (
    <div class="table-panel">
      {frames.length > 1 && (
        <select
          value={String(chosen)}
          aria-label="Table shown"
          onChange={(event) => setChosen(Number(event.currentTarget.value))}
        >
          {frames.map((one, index) => (
            <option value={String(index)} key={index}>
              {one.refId ?? index}
            </option>
          ))}
        </select>
      )}
      <table class="data">
        {panel.options?.['showHeader'] !== false && (
          <thead>
            <tr>
              {fields.map((field) => (
                <th class={alignOf(field)} key={field.displayName} style={widthOf(field)}>
                  <button
                    type="button"
                    onClick={() =>
                      setSort({
                        displayName: field.displayName,
                        desc: sort?.displayName === field.displayName ? !sort.desc : field.type === 'number',
                      })
                    }
                  >
                    {field.displayName}
                    {sort?.displayName === field.displayName && (sort.desc ? ' ↓' : ' ↑')}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
        )}
        <tbody>
          {order.slice(0, limit).map((row) => (
            <tr key={row}>
              {fields.map((field) => (
                <Cell
                  key={field.displayName}
                  field={field}
                  value={field.values[row]}
                  utc={utc}
                  href={(template) =>
                    expandLink(template, {
                      ...range,
                      variables,
                      value: field.values[row],
                      text: displayText(field, field.values[row]),
                      fieldName: field.displayName,
                      labels: field.labels ?? {},
                      row: Object.fromEntries(frame.fields.map((one) => [one.name, one.values[row]])),
                    })
                  }
                />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {frame.length > limit && (
        <button type="button" class="more" onClick={() => setLimit(limit + ROWS_STEP)}>
          {limit} of {frame.length} rows: show more
        </button>
      )}
    </div>
  );
}

function Cell(props: {
  field: DisplayField;
  value: unknown;
  utc: boolean;
  href: (template: string) => string | undefined;
}): JSX.Element {
  const { field, value, utc } = props;
  const cell = field.config.custom?.['cellOptions'] as { type?: string; mode?: string } | undefined;
  const text =
    field.type === 'time' && typeof value === 'number'
      ? formatTime(value, utc, value % 1000 !== 0)
      : displayText(field, value);
  const mapped = displayValue(field, value);
  const color = mapped.mapped ? mapped.color : valueColor(field, value);
  const style: CSSProperties =
    cell?.type === 'color-background'
      ? { background: withAlpha(color, 0.55) }
      : cell?.type === 'color-text' || mapped.mapped
        ? { color }
        : {};
  const [link] = field.config.links ?? [];
  const href = link?.url ? props.href(link.url) : undefined;
  return (
    <td class={alignOf(field)} style={style} title={text.length > 40 ? text : undefined}>
      {cell?.type === 'gauge' && typeof value === 'number' ? (
        <span class="cell-gauge">
          <span class="bar-gauge-track">
            <span style={{ width: `${shareOf(field, value) * 100}%`, background: color }} />
          </span>
          {text}
        </span>
      ) : href ? (
        <a href={href} rel="noreferrer noopener" {...(link?.targetBlank ? { target: '_blank' } : {})}>
          {text}
        </a>
      ) : (
        text || textOf(value)
      )}
    </td>
  );
}

function alignOf(field: DisplayField): string {
  const align = field.config.custom?.['align'];
  if (align === 'right' || align === 'center' || align === 'left') return `cell-${align}`;
  return field.type === 'number' ? 'number' : '';
}

function widthOf(field: DisplayField): CSSProperties {
  const width = field.config.custom?.['width'];
  return typeof width === 'number' ? { width: `${width}px` } : {};
}
