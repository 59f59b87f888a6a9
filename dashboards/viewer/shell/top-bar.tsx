/** Title, page controls, and the time controls where the page has a time. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { formatTime, parseDurationMs, parseTime, RANGE_PRESETS, rangeLabel } from '../model/time-range.ts';
import { setParams } from './location.ts';
import { type PageTime, zoomOut } from './time.tsx';

const REFRESH_CHOICES = ['5s', '10s', '30s', '1m', '5m'];

export function TopBar(props: {
  title: ComponentChildren;
  note?: ComponentChildren;
  time?: PageTime | undefined;
  refreshChoices?: readonly string[] | undefined;
  children?: ComponentChildren;
}): JSX.Element {
  const { time } = props;
  return (
    <header class="top-bar">
      <h1>{props.title}</h1>
      {props.note}
      <div class="top-bar-middle">{props.children}</div>
      {time && (
        <div class="time-controls">
          <RangePicker time={time} />
          <button type="button" class="icon" title="Zoom out" onClick={() => zoomOut(time)}>
            ⤢
          </button>
          <RefreshPicker time={time} choices={props.refreshChoices ?? REFRESH_CHOICES} />
          <ZoneSwitch utc={time.utc} />
        </div>
      )}
    </header>
  );
}

export function ZoneSwitch({ utc }: { utc: boolean }): JSX.Element {
  return (
    <button
      type="button"
      class="zone"
      title={utc ? 'Times are UTC: switch to local time' : 'Times are local: switch to UTC'}
      onClick={() => setParams({ timezone: utc ? 'browser' : 'utc' }, true)}
    >
      {utc ? 'UTC' : 'Local'}
    </button>
  );
}

export function RefreshPicker(props: { time: PageTime; choices: readonly string[] }): JSX.Element {
  const { time } = props;
  const choices = [...new Set([...props.choices, time.refresh])]
    .filter((choice) => parseDurationMs(choice) !== undefined)
    .sort((a, b) => (parseDurationMs(a) ?? 0) - (parseDurationMs(b) ?? 0));
  return (
    <span class="joined">
      <button
        type="button"
        class="icon"
        title="Refresh now"
        aria-label="Refresh now"
        onClick={time.refreshNow}
      >
        ↻
      </button>
      <select
        aria-label="Refresh interval"
        value={time.refresh}
        onChange={(event) => setParams({ refresh: event.currentTarget.value })}
      >
        <option value="">Off</option>
        {choices.map((choice) => (
          <option value={choice} key={choice}>
            {choice}
          </option>
        ))}
      </select>
    </span>
  );
}

function RangePicker({ time }: { time: PageTime }): JSX.Element {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const close = (event: Event): void => {
      if (event instanceof KeyboardEvent && event.key !== 'Escape') return;
      if (event instanceof MouseEvent && box.current?.contains(event.target as Node)) return;
      setOpen(false);
    };
    document.addEventListener('mousedown', close);
    document.addEventListener('keydown', close);
    return () => {
      document.removeEventListener('mousedown', close);
      document.removeEventListener('keydown', close);
    };
  }, [open]);
  const choose = (from: string, to: string): void => {
    setParams({ from, to });
    setOpen(false);
  };
  return (
    <div class="range" ref={box}>
      <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span class="clock" aria-hidden="true">
          ◷
        </span>
        {rangeLabel(time.text, time.utc)}
      </button>
      {open && (
        <div class="popover range-popover">
          <AbsoluteRange time={time} onChoose={choose} />
          <ul>
            {RANGE_PRESETS.map(({ from, to, label }) => (
              <li key={label}>
                <button
                  type="button"
                  class={from === time.text.from && to === time.text.to ? 'chosen' : ''}
                  onClick={() => choose(from, to)}
                >
                  {label}
                </button>
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}

function AbsoluteRange(props: { time: PageTime; onChoose: (from: string, to: string) => void }): JSX.Element {
  const { text, utc } = props.time;
  const shown = (side: string): string => (/^\d{10,}$/.test(side) ? formatTime(Number(side), utc) : side);
  const [from, setFrom] = useState(shown(text.from));
  const [to, setTo] = useState(shown(text.to));
  const [error, setError] = useState('');
  const submit = (event: Event): void => {
    event.preventDefault();
    const now = Date.now();
    const fromMs = parseTime(from.trim(), now, false, utc);
    const toMs = parseTime(to.trim(), now, true, utc);
    if (fromMs === undefined || toMs === undefined) {
      setError('cannot read the time: want now-1h, now/d or 2026-01-31 12:00:00');
    } else if (fromMs >= toMs) {
      setError('the start must be before the end');
    } else {
      const stored = (side: string, ms: number): string =>
        side.trim().startsWith('now') ? side.trim() : String(ms);
      props.onChoose(stored(from, fromMs), stored(to, toMs));
    }
  };
  return (
    <form onSubmit={submit}>
      <label>
        From
        <input value={from} onInput={(event) => setFrom(event.currentTarget.value)} spellcheck={false} />
      </label>
      <label>
        To
        <input value={to} onInput={(event) => setTo(event.currentTarget.value)} spellcheck={false} />
      </label>
      {error && <p class="error">{error}</p>}
      <button type="submit" class="primary">
        Apply
      </button>
    </form>
  );
}
