/** The box around a panel: title, its data and errors, notices on what cannot be shown. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Frame, Panel } from '../model/dashboard.ts';
import { prepareFrames } from '../model/field-config.ts';
import { Markdown } from '../model/markdown.tsx';
import { resolveRange } from '../model/time-range.ts';
import { unsupported } from '../model/support.ts';
import { transformFrames } from '../model/transformations.ts';
import { PANELS } from '../panels/panels.ts';
import { postJson, useLoaded } from '../shell/api.ts';
import { setParams } from '../shell/location.ts';
import { useTime } from '../shell/time.tsx';
import { useAskAgain } from '../shell/use-ask-again.ts';
import { useDashboard } from './context.ts';

interface PanelAnswer {
  frames: Frame[];
  intervalMs?: number;
}

// Steps of the width that is asked for: dragging a window's edge must not ask again at every pixel.
const WIDTH_STEP = 60;

export function PanelFrame({ panel, whole }: { panel: Panel; whole: boolean }): JSX.Element {
  const { uid, variables, ready, theme } = useDashboard();
  const time = useTime();
  const box = useRef<HTMLElement>(null);
  const { width, seen } = usePlace(box);
  const asks = (panel.targets?.length ?? 0) > 0 && panel.type !== 'text';

  const [again, setAgain] = useState(0);

  const variablesKey = JSON.stringify(variables);
  const key =
    asks && ready && seen && width > 0
      ? `${uid} ${panel.id} ${time.text.from} ${time.text.to} ${variablesKey} ${Math.ceil(width / WIDTH_STEP)}`
      : undefined;
  const loaded = useLoaded(
    async (signal) => {
      // All panels ask for the same time, but one that asks again of itself wants to know about now.
      const range = again === 0 ? time.range : resolveRange(time.text, Date.now(), time.utc);
      const body = {
        from: Math.round(range.fromMs),
        to: Math.round(range.toMs),
        maxDataPoints: Math.max(60, Math.ceil(width / WIDTH_STEP) * WIDTH_STEP),
        variables,
      };
      const url = `/api/dashboards/${encodeURIComponent(uid)}/panels/${panel.id}/query`;
      const answer = await postJson<PanelAnswer>(url, body, signal);
      // Data and its range arrive together, or the chart would jump before its points do.
      return { frames: answer.frames, range, intervalMs: answer.intervalMs };
    },
    key,
    time.tick + again,
  );

  const hiddenRefs = new Set((panel.targets ?? []).filter(({ hide }) => hide).map(({ refId }) => refId));
  const prepared = useMemo(() => {
    const frames = (loaded.data?.frames ?? []).filter(({ refId }) => !refId || !hiddenRefs.has(refId));
    const transformed = transformFrames(frames, panel.transformations ?? []);
    return prepareFrames(transformed.frames, panel, theme);
  }, [loaded.data, panel, theme]);
  const notices = [...unsupported(panel), ...prepared.notices];

  const View = PANELS.get(panel.type);
  const empty = prepared.frames.every((frame) => frame.length === 0);
  useAskAgain(asks && empty && time.refresh !== '', loaded.data, () => setAgain((before) => before + 1));
  const waiting = asks && loaded.data === undefined && !loaded.error;
  return (
    <section
      class={panel.transparent ? 'panel transparent' : 'panel'}
      ref={box}
      tabIndex={-1}
      data-panel={panel.id}
      data-type={panel.type}
      data-state={loaded.error ? 'error' : waiting ? 'loading' : asks && empty ? 'empty' : 'ready'}
      aria-label={panel.title}
    >
      {loaded.loading && asks && seen && <div class="progress" />}
      {(panel.title || panel.description || notices.length > 0) && (
        <header>
          <h3>{panel.title}</h3>
          {panel.description && (
            <span class="hint" tabIndex={0}>
              <span class="popover hint-text">
                <Markdown text={panel.description} />
              </span>
            </span>
          )}
          {notices.length > 0 && (
            <span class="notice" title={notices.join('\n')}>
              cannot show: {notices.join(', ')}
            </span>
          )}
          <button
            type="button"
            class="icon view-panel"
            title={whole ? 'Back to the dashboard' : 'Show this panel alone'}
            onClick={() => setParams({ viewPanel: whole ? null : String(panel.id) })}
          >
            {whole ? '✕' : '⤢'}
          </button>
        </header>
      )}
      {loaded.error && (
        <p class="panel-error" role="alert">
          {loaded.error}
        </p>
      )}
      <div class="panel-body">
        {!View ? (
          <p class="empty">The viewer has no panel of type {panel.type}.</p>
        ) : waiting ? null : asks && empty ? (
          loaded.error ? null : (
            <p class="empty">{panel.fieldConfig?.defaults?.noValue ?? 'No data'}</p>
          )
        ) : (
          seen && (
            <View
              panel={panel}
              frames={prepared.frames}
              range={loaded.data?.range ?? time.range}
              intervalMs={loaded.data?.intervalMs}
            />
          )
        )}
      </div>
    </section>
  );
}

/** Width, and whether the panel has come near the screen: those far below ask nothing until then. */
function usePlace(box: { current: HTMLElement | null }): { width: number; seen: boolean } {
  const [place, setPlace] = useState({ width: 0, seen: false });
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const resize = new ResizeObserver(() =>
      setPlace((before) => ({ ...before, width: Math.round(element.clientWidth) })),
    );
    const intersection = new IntersectionObserver(
      (entries) => {
        const seen = entries.some((entry) => entry.isIntersecting);
        setPlace((before) => (before.seen === seen ? before : { ...before, seen }));
      },
      { rootMargin: '300px' },
    );
    resize.observe(element);
    intersection.observe(element);
    return () => {
      resize.disconnect();
      intersection.disconnect();
    };
  }, []);
  return place;
}
