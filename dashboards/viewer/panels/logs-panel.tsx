import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { DisplayField, DisplayFrame } from '../model/field-config.ts';
import { textOf } from '../model/field-config.ts';
import { formatDay } from '../model/time-range.ts';
import { LogList } from '../logs/log-list.tsx';
import { levelOf, levelOfLabels, type PlainLine, rowsOf } from '../logs/log-row.ts';
import { useKeys } from '../shell/keyboard.tsx';
import { useTime } from '../shell/time.tsx';
import type { PanelProps } from './panels.ts';

export function LogsPanel({ panel, frames, range }: PanelProps): JSX.Element {
  const { utc } = useTime();
  const options = panel.options ?? {};
  const [wrap, setWrap] = useState(options['wrapLogMessage'] === true);
  useKeys({ w: () => setWrap(!wrap) });
  const rows = useMemo(() => {
    const newestFirst = rowsOf(frames.flatMap(linesOf));
    return options['sortOrder'] === 'Ascending' ? newestFirst.reverse() : newestFirst;
  }, [frames, options['sortOrder']]);
  const columns = rows.some(({ labels }) => labels['service'] !== undefined) ? ['service'] : [];
  return (
    <div class="logs-panel">
      <LogList
        rows={rows}
        keys={false}
        options={{
          utc,
          wrap,
          pretty: options['prettifyLogMessage'] === true,
          showDay: formatDay(range.fromMs, utc) !== formatDay(range.toMs, utc),
          columns,
          terms: [],
        }}
      />
    </div>
  );
}

function linesOf(frame: DisplayFrame): PlainLine[] {
  const time = frame.fields.find(({ type }) => type === 'time');
  const body =
    frame.fields.find(({ name }) => name === 'body' || name === 'line') ??
    frame.fields.find(({ type }) => type === 'string');
  if (!time || !body) return [];
  const level = frame.fields.find(({ name }) => name === 'level' || name === 'severity');
  const rest = frame.fields.filter((field) => field !== time && field !== body);
  return Array.from({ length: frame.length }, (_, index) => {
    const labels = labelsOf(rest, index);
    const word = level ? textOf(level.values[index]) : undefined;
    return {
      timeNs: `${Math.trunc(Number(time.values[index] ?? 0))}${String(time.nanos?.[index] ?? 0).padStart(6, '0')}`,
      line: textOf(body.values[index]),
      labels,
      level: word === undefined ? levelOfLabels(labels) : levelOf(word),
    };
  });
}

/** Columns as labels; a map column gives a label for each of its keys. */
function labelsOf(fields: readonly DisplayField[], index: number): Record<string, string> {
  const labels = Object.create(null) as Record<string, string>;
  for (const field of fields) {
    const value = field.values[index];
    if (value === null || value === undefined || value === '') continue;
    if (typeof value === 'object' && !Array.isArray(value)) {
      for (const [name, one] of Object.entries(value)) labels[name] = textOf(one);
    } else {
      labels[field.name] = textOf(value);
    }
  }
  return labels;
}
