/** The log explorer: a LogQL query, its volume, its lines, and what arrives now. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Theme } from '../model/palette.ts';
import { formatDay } from '../model/time-range.ts';
import { useLoaded } from '../shell/api.ts';
import { useKeys } from '../shell/keyboard.tsx';
import { type Location, navigate, setParams, urlOf } from '../shell/location.ts';
import { TimeProvider, usePageTime, zoomOut } from '../shell/time.tsx';
import { TopBar } from '../shell/top-bar.tsx';
import { useAskAgain } from '../shell/use-ask-again.ts';
import { LogList } from './log-list.tsx';
import { type LogRow, mergeRows } from './log-row.ts';
import { type MatrixSeries, msToNs, queryRange } from './loki.ts';
import { QueryForm } from './query-form.tsx';
import {
  DEFAULT_QUERY,
  isMetricQuery,
  searchTerms,
  streamSelector,
  toggleMatcher,
  volumeQuery,
  volumeStepMs,
} from './query-text.ts';
import { TailChip } from './tail-chip.tsx';
import { RING_LINES_MAX } from './tail-state.ts';
import { useTail } from './use-tail.ts';
import { Volume } from './volume.tsx';

const PAGE_LINES = 500;
// What one person reads back to by scrolling; beyond it a narrower query serves better.
const LOADED_LINES_MAX = 20_000;
const BARS = 90;
// The sink stores twice a second; a busy machine takes longer.
const STORED_AFTER_MS = 3000;

export function LogsPage({ location, theme }: { location: Location; theme: Theme }): JSX.Element {
  const { params } = location;
  const query = params.get('query') ?? DEFAULT_QUERY;
  const live = params.get('live') === '1';
  const markedNs = params.get('line') ?? undefined;
  const time = usePageTime(location, { from: 'now-15m', to: 'now', refresh: live ? '5s' : '' });
  const metric = isMetricQuery(query);
  const stepMs = volumeStepMs(time.range.toMs - time.range.fromMs, BARS);

  useEffect(() => {
    document.title = 'Logs - Millrace';
  }, []);

  const rangeKey = `${query} ${time.text.from} ${time.text.to}`;
  // While live, new lines come by themselves: only the volume is asked for again.
  const tail = useTail(live && !metric ? query : undefined);
  const bridged = useBridge(live && tail.state.phase === 'live');
  const first = useLoaded(
    (signal) =>
      queryRange(
        query,
        {
          fromNs: msToNs(time.range.fromMs),
          toNs: msToNs(time.range.toMs),
          limit: PAGE_LINES,
          ...(metric ? { stepMs } : {}),
        },
        signal,
      ),
    live ? `${rangeKey} live` : rangeKey,
    live ? bridged : time.tick,
  );
  const volume = useLoaded(
    async (signal) => {
      if (metric) return { series: [] as MatrixSeries[], range: time.range, stepMs };
      const end = Math.ceil(time.range.toMs / stepMs) * stepMs;
      const start = Math.floor(time.range.fromMs / stepMs) * stepMs;
      const asked = { fromNs: msToNs(start), toNs: msToNs(end), stepMs };
      const result = await queryRange(volumeQuery(query, stepMs), asked, signal);
      return { series: result.kind === 'matrix' ? result.series : [], range: time.range, stepMs };
    },
    rangeKey,
    time.tick,
  );

  const older = useOlderLines(query, first.data, time.range.fromMs);
  const rows = useMemo(() => {
    const loaded =
      first.data?.kind === 'lines' ? mergeRows(first.data.rows, older.rows, LOADED_LINES_MAX) : [];
    return live ? mergeRows(tail.state.shown, loaded, RING_LINES_MAX) : loaded;
  }, [first.data, older.rows, live, tail.state.shown]);

  const [wrap, setWrap] = [
    params.get('wrap') === '1',
    (on: boolean) => setParams({ wrap: on ? '1' : null }, true),
  ];
  const pretty = params.get('pretty') === '1';
  const list = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLTextAreaElement>(null);
  const pauseOrResume = (): void => {
    if (!live) setParams({ live: '1' });
    else tail.send({ type: tail.state.paused ? 'resume' : 'pause' });
  };
  useKeys({ '/': () => input.current?.focus(), p: pauseOrResume, w: () => setWrap(!wrap) });
  useSelectionPause(list, live && !tail.state.paused, () => tail.send({ type: 'pause' }));

  const toTop = (): void => {
    list.current?.querySelector('.virtual-list')?.scrollTo({ top: 0 });
    tail.send({ type: 'resume' });
  };
  useAskAgain(!live && !metric && rows.length === 0, first.data, time.refreshNow);
  const error = first.error ?? (live ? tail.error : undefined);
  const serviceColumn = rows.some(({ labels }) => labels['service_name'] !== undefined);
  return (
    <TimeProvider value={time}>
      <TopBar title="Logs" time={time}>
        {live && <TailChip state={tail.state} onToggle={pauseOrResume} />}
      </TopBar>
      <div class="page logs-page">
        <QueryForm
          query={query}
          input={input}
          live={live}
          wrap={wrap}
          pretty={pretty}
          error={error}
          onRun={(text) => {
            if (text === query) time.refreshNow();
            else setParams({ query: text, line: null });
          }}
        />
        <div class={metric ? 'volume volume-metric' : 'volume'}>
          {first.loading && <div class="progress" />}
          {metric
            ? first.data?.kind === 'matrix' && (
                <Volume
                  series={first.data.series}
                  range={time.range}
                  utc={time.utc}
                  theme={theme}
                  onZoomOut={() => zoomOut(time)}
                />
              )
            : volume.data && (
                <Volume
                  series={volume.data.series}
                  stepMs={volume.data.stepMs}
                  range={volume.data.range}
                  utc={time.utc}
                  theme={theme}
                  onZoomOut={() => zoomOut(time)}
                />
              )}
          {volume.error && !error && <p class="muted volume-error">no volume: {volume.error}</p>}
        </div>
        {!metric && (
          <div
            class="log-area"
            ref={list}
            data-state={first.data ? 'ready' : first.error ? 'error' : 'loading'}
          >
            {live && tail.state.paused && tail.state.held.length > 0 && (
              <button type="button" class="pill" onClick={toTop}>
                ↑ {tail.state.held.length.toLocaleString('en-US')} new lines
              </button>
            )}
            {rows.length === 0 && first.data && <p class="empty">No lines in this range.</p>}
            <LogList
              rows={rows}
              keys
              markedNs={markedNs}
              options={{
                utc: time.utc,
                wrap,
                pretty,
                showDay: formatDay(time.range.fromMs, time.utc) !== formatDay(time.range.toMs, time.utc),
                columns: serviceColumn ? ['service_name'] : [],
                terms: searchTerms(query),
                onFilter: (label, op, value) => setParams({ query: toggleMatcher(query, label, op, value) }),
                onContext: (row) => navigate(contextOf(row)),
                linkTo: contextOf,
              }}
              onScroll={({ atTop, nearEnd }) => {
                if (live && !atTop && !tail.state.paused) tail.send({ type: 'pause' });
                if (live && atTop && tail.state.paused) tail.send({ type: 'resume' });
                if (nearEnd) older.loadMore();
              }}
              footer={
                rows.length > 0 && (
                  <p class="muted list-end">
                    {older.loading
                      ? 'loading older lines'
                      : older.done
                        ? `${rows.length.toLocaleString('en-US')} lines: the start of the range`
                        : `${rows.length.toLocaleString('en-US')} lines`}
                  </p>
                )
              }
            />
          </div>
        )}
      </div>
    </TimeProvider>
  );
}

/**
 * Counts up some seconds after the tail has opened: the store is a little behind the log, and what was appended
 * between the first query and the opening is stored by then. Lines of both are known by their key.
 */
function useBridge(open: boolean): number {
  const [count, setCount] = useState(0);
  useEffect(() => {
    if (!open) return;
    const timer = setTimeout(() => setCount((before) => before + 1), STORED_AFTER_MS);
    return () => clearTimeout(timer);
  }, [open]);
  return count;
}

/** The address of a minute on both sides of a line, in its own stream. */
function contextOf(row: LogRow): string {
  const stream = Object.fromEntries(
    ['service_name', 'service_instance_id', 'host_name', 'log_file_path'].flatMap((name) => {
      const value = row.labels[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const ms = Number(row.timeNs.slice(0, -6));
  const params = new URLSearchParams(window.location.search);
  params.set('query', streamSelector(Object.keys(stream).length > 0 ? stream : row.labels));
  params.set('from', String(ms - 60_000));
  params.set('to', String(ms + 60_000));
  params.set('line', row.timeNs);
  params.delete('live');
  return urlOf('/logs', params);
}

/** Older lines, a page at a time, as the reader comes near the end of the list. */
function useOlderLines(
  query: string,
  first: Awaited<ReturnType<typeof queryRange>> | undefined,
  fromMs: number,
): { rows: readonly LogRow[]; loading: boolean; done: boolean; loadMore: () => void } {
  const [state, setState] = useState<{ rows: LogRow[]; loading: boolean; done: boolean }>({
    rows: [],
    loading: false,
    done: false,
  });
  const running = useRef<AbortController | undefined>(undefined);
  useEffect(() => {
    running.current?.abort();
    running.current = undefined;
    const short = first?.kind === 'lines' && first.rows.length < PAGE_LINES;
    setState({ rows: [], loading: false, done: short });
  }, [first]);

  const loadMore = (): void => {
    const oldest = state.rows.at(-1) ?? (first?.kind === 'lines' ? first.rows.at(-1) : undefined);
    if (!oldest || state.done || running.current) return;
    const controller = new AbortController();
    running.current = controller;
    setState((before) => ({ ...before, loading: true }));
    // The end is exclusive: one more nanosecond, so that lines of the same instant are not lost.
    const toNs = String(BigInt(oldest.timeNs) + 1n);
    queryRange(query, { fromNs: msToNs(fromMs), toNs, limit: PAGE_LINES }, controller.signal).then(
      (result) => {
        if (running.current !== controller) return;
        running.current = undefined;
        const rows = result.kind === 'lines' ? result.rows : [];
        setState((before) => {
          const merged = mergeRows(before.rows, rows, LOADED_LINES_MAX);
          const nothingNew = merged.length === before.rows.length;
          return { rows: merged, loading: false, done: rows.length < PAGE_LINES || nothingNew };
        });
      },
      () => {
        if (running.current !== controller) return;
        running.current = undefined;
        setState((before) => ({ ...before, loading: false }));
      },
    );
  };
  return { ...state, loadMore };
}

/** Marking text while lines rush by must not lose the mark. */
function useSelectionPause(list: { current: HTMLElement | null }, active: boolean, pause: () => void): void {
  useEffect(() => {
    if (!active) return;
    const changed = (): void => {
      const selection = document.getSelection();
      if (selection && !selection.isCollapsed && list.current?.contains(selection.anchorNode)) pause();
    };
    document.addEventListener('selectionchange', changed);
    return () => document.removeEventListener('selectionchange', changed);
  }, [active]);
}
