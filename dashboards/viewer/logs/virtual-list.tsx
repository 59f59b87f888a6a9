/**
 * A list that draws only what is on screen, with rows of any height. Heights are measured once drawn; a row
 * that was at the top stays there when others come in above it.
 */
import type { ComponentChild, JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';

export interface VirtualListProps<T> {
  rows: readonly T[];
  keyOf: (row: T) => string;
  render: (row: T, index: number) => ComponentChild;
  /** Height of a row that was never drawn, in pixels. */
  estimate: number;
  /** Anything that changes all heights: wrapping, font size. */
  heightsKey: string;
  /** Moves this row into sight when it changes. */
  focusIndex?: number | undefined;
  onScroll?: ((place: { atTop: boolean; nearEnd: boolean }) => void) | undefined;
  footer?: ComponentChild;
}

// Drawn beyond the edges so that quick scrolling shows no blank.
const OVERSCAN_PX = 400;

export function VirtualList<T>(props: VirtualListProps<T>): JSX.Element {
  const { rows, keyOf, estimate } = props;
  const box = useRef<HTMLDivElement>(null);
  const heights = useRef(new Map<string, number>());
  const heightsFor = useRef(props.heightsKey);
  const [view, setView] = useState({ top: 0, height: 800 });
  const [version, setVersion] = useState(0);
  if (heightsFor.current !== props.heightsKey) {
    heightsFor.current = props.heightsKey;
    heights.current.clear();
  }

  const offsets = useMemo(() => {
    const result = new Float64Array(rows.length + 1);
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index];
      const height = row === undefined ? 0 : (heights.current.get(keyOf(row)) ?? estimate);
      result[index + 1] = (result[index] ?? 0) + height;
    }
    return result;
  }, [rows, version, props.heightsKey, estimate]);

  const first = indexAt(offsets, view.top - OVERSCAN_PX);
  const last = Math.min(rows.length, indexAt(offsets, view.top + view.height + OVERSCAN_PX) + 1);

  // The first row in sight before this change, and how far it was scrolled past.
  const anchor = useRef<{ key: string; into: number } | undefined>(undefined);
  useLayoutEffect(() => {
    const element = box.current;
    const held = anchor.current;
    if (!element || !held || element.scrollTop < 4) return;
    const index = rows.findIndex((row) => keyOf(row) === held.key);
    if (index < 0) return;
    const wanted = (offsets[index] ?? 0) + held.into;
    if (Math.abs(element.scrollTop - wanted) > 1) element.scrollTop = wanted;
  }, [rows, offsets]);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    let changed = false;
    for (const child of element.querySelectorAll<HTMLElement>('[data-index]')) {
      const row = rows[Number(child.dataset['index'])];
      if (row === undefined) continue;
      const height = child.offsetHeight;
      if (height > 0 && heights.current.get(keyOf(row)) !== height) {
        heights.current.set(keyOf(row), height);
        changed = true;
      }
    }
    // Keys of rows long gone would pile up under a live tail.
    if (heights.current.size > rows.length + 5000) {
      const known = new Set(rows.map(keyOf));
      for (const key of heights.current.keys()) if (!known.has(key)) heights.current.delete(key);
    }
    if (changed) setVersion((before) => before + 1);
  });

  const scrolled = (): void => {
    const element = box.current;
    if (!element) return;
    const { scrollTop: top, clientHeight: height, scrollHeight } = element;
    const index = indexAt(offsets, top);
    const row = rows[index];
    anchor.current = row === undefined ? undefined : { key: keyOf(row), into: top - (offsets[index] ?? 0) };
    setView((before) =>
      Math.abs(before.top - top) < 1 && before.height === height ? before : { top, height },
    );
    props.onScroll?.({ atTop: top < 4, nearEnd: top + height > scrollHeight - 600 });
  };
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      setView((before) => ({ ...before, height: element.clientHeight }));
      setVersion((before) => before + 1);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    const element = box.current;
    const index = props.focusIndex;
    if (!element || index === undefined) return;
    const top = offsets[index] ?? 0;
    const bottom = offsets[index + 1] ?? top;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (bottom > element.scrollTop + element.clientHeight)
      element.scrollTop = bottom - element.clientHeight;
  }, [props.focusIndex]);

  const drawn: JSX.Element[] = [];
  for (let index = first; index < last; index++) {
    const row = rows[index];
    if (row === undefined) continue;
    drawn.push(
      <div data-index={index} key={keyOf(row)}>
        {props.render(row, index)}
      </div>,
    );
  }
  return (
    <div class="virtual-list" ref={box} onScroll={scrolled} tabIndex={-1}>
      <div style={{ height: `${offsets[first] ?? 0}px` }} />
      {drawn}
      <div style={{ height: `${(offsets[rows.length] ?? 0) - (offsets[last] ?? 0)}px` }} />
      {props.footer}
    </div>
  );
}

/** The row at a height: the last one that starts at or above it. */
function indexAt(offsets: Float64Array, top: number): number {
  let low = 0;
  let high = Math.max(0, offsets.length - 2);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((offsets[middle] ?? 0) <= top) low = middle;
    else high = middle - 1;
  }
  return low;
}
