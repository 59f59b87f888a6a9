/** The page's time: range, zone, refresh interval and the tick that makes everything load again together. */
import { createContext } from 'preact';
import { useCallback, useContext, useEffect, useMemo, useState } from 'preact/hooks';
import { parseDurationMs, type RangeText, resolveRange, type TimeRange } from '../model/time-range.ts';
import { type Location, setParams } from './location.ts';

export interface PageTime {
  text: RangeText;
  /** Resolved at the last tick, the same for all panels. */
  range: TimeRange;
  utc: boolean;
  /** '' when off. */
  refresh: string;
  tick: number;
  refreshNow: () => void;
}

export interface TimeDefaults {
  from: string;
  to: string;
  refresh: string;
  timezone?: string | undefined;
}

const Context = createContext<PageTime | undefined>(undefined);
export const TimeProvider = Context.Provider;

export function useTime(): PageTime {
  const time = useContext(Context);
  if (!time) throw new Error('useTime outside a page');
  return time;
}

// Faster would ask the store again before it can have answered.
const REFRESH_MS_MIN = 1000;

export function usePageTime(location: Location, defaults: TimeDefaults): PageTime {
  const from = location.params.get('from') ?? defaults.from;
  const to = location.params.get('to') ?? defaults.to;
  const refresh = location.params.get('refresh') ?? defaults.refresh;
  const utc = (location.params.get('timezone') ?? defaults.timezone) === 'utc';
  const [tick, setTick] = useState(0);
  const refreshNow = useCallback(() => setTick((before) => before + 1), []);

  const everyMs = parseDurationMs(refresh);
  useEffect(() => {
    if (everyMs === undefined) return;
    let due = false;
    const timer = setInterval(
      () => {
        // A hidden page asks nothing; it catches up when it is seen again.
        if (document.hidden) due = true;
        else refreshNow();
      },
      Math.max(REFRESH_MS_MIN, everyMs),
    );
    const seen = (): void => {
      if (document.hidden || !due) return;
      due = false;
      refreshNow();
    };
    document.addEventListener('visibilitychange', seen);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', seen);
    };
  }, [everyMs, refreshNow]);

  return useMemo(() => {
    const text = { from, to };
    return { text, range: resolveRange(text, Date.now(), utc), utc, refresh, tick, refreshNow };
  }, [from, to, refresh, utc, tick, refreshNow]);
}

/** An absolute range in the URL, as a brush over a chart makes it. */
export function zoomTo(fromMs: number, toMs: number): void {
  setParams({ from: String(Math.round(fromMs)), to: String(Math.round(toMs)) });
}

export function zoomOut({ range }: PageTime): void {
  const half = (range.toMs - range.fromMs) / 2;
  zoomTo(range.fromMs - half, range.toMs + half);
}
