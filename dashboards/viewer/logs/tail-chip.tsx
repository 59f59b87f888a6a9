import type { JSX } from 'preact';
import type { TailState } from './tail-state.ts';

/** LIVE, PAUSED n new, RECONNECTING; DROPPED n beside it. */
export function TailChip({ state, onToggle }: { state: TailState; onToggle: () => void }): JSX.Element {
  const reconnecting = state.phase !== 'live';
  const word = reconnecting
    ? state.phase === 'connecting'
      ? 'CONNECTING'
      : 'RECONNECTING'
    : state.paused
      ? `PAUSED ${state.held.length.toLocaleString('en-US')} new`
      : 'LIVE';
  const kind = reconnecting ? 'warn' : state.paused ? 'paused' : 'live';
  return (
    <span class="tail-chips">
      <button
        type="button"
        class={`chip chip-${kind}`}
        data-tail={kind}
        title={state.paused ? 'Resume (p)' : 'Pause (p)'}
        onClick={onToggle}
      >
        {word}
      </button>
      {state.dropped > 0 && (
        <span class="chip chip-error" title="Lines that were not shown because they came too fast">
          DROPPED {state.dropped.toLocaleString('en-US')}
        </span>
      )}
    </span>
  );
}
