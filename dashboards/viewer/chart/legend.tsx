import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { reduceValues, reducerOf } from '../model/reducers.ts';
import type { Aligned } from './align.ts';
import type { ChartSeries } from './chart.tsx';

/** Names, colours and calculations. A click shows one series alone, with Ctrl it hides or shows it. */
export function Legend(props: {
  series: readonly ChartSeries[];
  aligned: Aligned;
  mode: 'list' | 'table';
  calcs: readonly string[];
  sortBy?: string | undefined;
  sortDesc?: boolean | undefined;
  onPick: (name: string, several: boolean) => void;
}): JSX.Element {
  const { series, aligned, calcs } = props;
  const [sort, setSort] = useState<{ calc: string; desc: boolean } | undefined>(
    props.sortBy
      ? { calc: calcs.find((id) => reducerOf(id)?.name === props.sortBy) ?? '', desc: props.sortDesc ?? true }
      : undefined,
  );
  const rows = series.map((one, index) => ({
    one,
    values: calcs.map((id) => reduceValues(id, aligned.columns[index] ?? [])),
  }));
  const column = sort ? calcs.indexOf(sort.calc) : -1;
  if (sort && column >= 0) {
    rows.sort(
      (a, b) => ((a.values[column] ?? -Infinity) - (b.values[column] ?? -Infinity)) * (sort.desc ? -1 : 1),
    );
  }
  const name = (one: ChartSeries): JSX.Element => (
    <button
      type="button"
      class={one.hidden ? 'series hidden-series' : 'series'}
      title={one.name}
      onClick={(event) => props.onPick(one.name, event.ctrlKey || event.metaKey)}
    >
      <i class="swatch" style={{ background: one.color }} />
      {one.name}
    </button>
  );
  if (props.mode === 'list') {
    return (
      <ul class="legend legend-list">
        {rows.map(({ one, values }) => (
          <li key={one.name}>
            {name(one)}
            {calcs.map((id, index) => (
              <span class="calc" key={id}>
                {reducerOf(id)?.name ?? id}: <b>{one.text(values[index] ?? null)}</b>
              </span>
            ))}
          </li>
        ))}
      </ul>
    );
  }
  return (
    <div class="legend legend-table">
      <table>
        <thead>
          <tr>
            <th>Name</th>
            {calcs.map((id) => (
              <th class="number" key={id}>
                <button
                  type="button"
                  onClick={() => setSort({ calc: id, desc: sort?.calc === id ? !sort.desc : true })}
                >
                  {reducerOf(id)?.name ?? id}
                  {sort?.calc === id && (sort.desc ? ' ↓' : ' ↑')}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ one, values }) => (
            <tr key={one.name}>
              <td>{name(one)}</td>
              {values.map((value, index) => (
                <td class="number" key={calcs[index]}>
                  {one.text(value)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
