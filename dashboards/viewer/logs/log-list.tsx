import type { ComponentChild, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useKeys } from '../shell/keyboard.tsx';
import { LogLine, type LogLineOptions } from './log-line.tsx';
import type { LogRow } from './log-row.ts';
import { VirtualList } from './virtual-list.tsx';

/** Lines on a virtual list, opened by click or Enter, walked with j and k. */
export function LogList(props: {
  rows: readonly LogRow[];
  options: LogLineOptions;
  keys: boolean;
  /** This line is marked: the one whose context is shown. */
  markedNs?: string | undefined;
  onScroll?: ((place: { atTop: boolean; nearEnd: boolean }) => void) | undefined;
  footer?: ComponentChild;
}): JSX.Element {
  const { rows, options } = props;
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [focus, setFocus] = useState<string | undefined>(undefined);
  const focusIndex = focus === undefined ? -1 : rows.findIndex(({ key }) => key === focus);
  const toggle = (key: string): void => {
    const next = new Set(open);
    if (!next.delete(key)) next.add(key);
    setOpen(next);
  };
  const move = (by: number): void => {
    const next = rows[Math.min(rows.length - 1, Math.max(0, focusIndex + by))];
    if (next) setFocus(next.key);
  };
  useKeys(
    props.keys
      ? {
          j: () => move(1),
          k: () => move(-1),
          ...(focus === undefined ? {} : { Enter: () => toggle(focus) }),
        }
      : {},
  );
  return (
    <VirtualList
      rows={rows}
      keyOf={(row) => row.key}
      estimate={20}
      heightsKey={`${options.wrap} ${options.pretty}`}
      focusIndex={focusIndex < 0 ? undefined : focusIndex}
      onScroll={props.onScroll}
      footer={props.footer}
      render={(row) => (
        <LogLine
          row={row}
          options={options}
          open={open.has(row.key)}
          focused={row.key === focus || row.timeNs === props.markedNs}
          onToggle={() => {
            setFocus(row.key);
            toggle(row.key);
          }}
        />
      )}
    />
  );
}
