/** The live tail apart from its connection: a ring of lines, held back while the reader reads. */
import { type LogRow, mergeRows } from './log-row.ts';

// What a person can still scroll through; more is what the query is for.
export const RING_LINES_MAX = 5000;

export interface TailState {
  phase: 'connecting' | 'live' | 'reconnecting';
  paused: boolean;
  /** Newest first. */
  shown: readonly LogRow[];
  /** Arrived while paused, newest first. */
  held: readonly LogRow[];
  /** Lines the server had to leave out, and those that fell out of `held`. */
  dropped: number;
}

export type TailEvent =
  | { type: 'opened' }
  | { type: 'lost' }
  | { type: 'lines'; rows: readonly LogRow[]; dropped: number }
  | { type: 'pause' }
  | { type: 'resume' }
  | { type: 'clear' };

export const TAIL_START: TailState = { phase: 'connecting', paused: false, shown: [], held: [], dropped: 0 };

export function step(state: TailState, event: TailEvent): TailState {
  switch (event.type) {
    case 'opened':
      return { ...state, phase: 'live' };
    case 'lost':
      return { ...state, phase: 'reconnecting' };
    case 'lines': {
      const dropped = state.dropped + event.dropped;
      if (!state.paused) {
        return {
          ...state,
          phase: 'live',
          dropped,
          shown: mergeRows(state.shown, event.rows, RING_LINES_MAX),
        };
      }
      const total = state.held.length + event.rows.length;
      const held = mergeRows(state.held, event.rows, RING_LINES_MAX);
      return { ...state, phase: 'live', held, dropped: dropped + Math.max(0, total - RING_LINES_MAX) };
    }
    case 'pause':
      return { ...state, paused: true };
    case 'resume':
      return { ...state, paused: false, held: [], shown: mergeRows(state.shown, state.held, RING_LINES_MAX) };
    case 'clear':
      return { ...state, shown: [], held: [], dropped: 0 };
  }
}
