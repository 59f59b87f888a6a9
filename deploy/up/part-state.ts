/**
 * The life of one part under the supervisor, as a pure state machine: what happened, what to do next.
 *
 * starting → ready → (exit) waiting → starting …; stopping → stopped. A part that fails by its own fault before it
 * was ever ready ends the whole: a busy port does not go away by trying again.
 */
export type PartState =
  | { readonly name: 'starting'; readonly failures: number; readonly everReady: boolean }
  | { readonly name: 'ready'; readonly failures: number; readonly sinceMs: number }
  | { readonly name: 'waiting'; readonly failures: number; readonly everReady: boolean }
  | { readonly name: 'stopping' }
  | { readonly name: 'stopped' };

export type PartEvent =
  | { readonly name: 'ready' }
  | { readonly name: 'failed'; readonly message: string }
  | { readonly name: 'exit' }
  | { readonly name: 'retry' }
  | { readonly name: 'stop' };

export type PartEffect =
  | { readonly name: 'spawn' }
  | { readonly name: 'retry-after'; readonly delayMs: number }
  | { readonly name: 'give-up'; readonly message: string }
  | { readonly name: 'ask-to-stop' };

export const initialState: PartState = { name: 'starting', failures: 0, everReady: false };

const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 2_000;
/** A part that ran this long has recovered: its next failure starts over. */
const HEALTHY_AFTER_MS = 30_000;

export function step(
  state: PartState,
  event: PartEvent,
  nowMs: number,
): { state: PartState; effects: PartEffect[] } {
  switch (event.name) {
    case 'ready':
      if (state.name !== 'starting') return { state, effects: [] };
      return { state: { name: 'ready', failures: state.failures, sinceMs: nowMs }, effects: [] };
    case 'failed':
      if (state.name === 'starting' && !state.everReady) {
        return { state: { name: 'stopped' }, effects: [{ name: 'give-up', message: event.message }] };
      }
      return { state, effects: [] }; // its exit follows
    case 'exit':
      return exited(state, nowMs);
    case 'retry':
      if (state.name !== 'waiting') return { state, effects: [] };
      return {
        state: { name: 'starting', failures: state.failures, everReady: state.everReady },
        effects: [{ name: 'spawn' }],
      };
    case 'stop':
      if (state.name === 'waiting') return { state: { name: 'stopped' }, effects: [] };
      if (state.name === 'stopped' || state.name === 'stopping') return { state, effects: [] };
      return { state: { name: 'stopping' }, effects: [{ name: 'ask-to-stop' }] };
  }
}

function exited(state: PartState, nowMs: number): { state: PartState; effects: PartEffect[] } {
  if (state.name === 'stopping' || state.name === 'stopped')
    return { state: { name: 'stopped' }, effects: [] };
  if (state.name === 'waiting') return { state, effects: [] };
  const healthy = state.name === 'ready' && nowMs - state.sinceMs >= HEALTHY_AFTER_MS;
  const failures = healthy ? 1 : state.failures + 1;
  const delayMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (failures - 1));
  const everReady = state.name === 'ready' || state.everReady;
  return {
    state: { name: 'waiting', failures, everReady },
    effects: [{ name: 'retry-after', delayMs }],
  };
}
